"""Seasonal periods of a series: those its calendar suggests and those its autocorrelation shows.

A period P is accepted where the autocorrelation r has a hill at lag P: higher than half-way and
one and a half cycles away, and higher than chance allows. Chance is Bartlett's large-sample
variance (Bartlett 1946, doi:10.2307/2983611),

    var r(k) = (1 + 2 sum_{j < J} r(j)^2) / (T - k),

summed only to the first lag J at which r has faded or grows again: that accounts for the short
memory of the series and leaves out the cycle that is tested. Two correlograms are looked at, of the
series freed of trend and outliers and of its first differences: a stochastic trend hides a cycle in
the one, noise hides it in the other. After a period is accepted its mean cycle is subtracted, so
that the next one has to show in what is left. What is left after a season is no short memory: days of bad
weather and months of five weekends come back at many lags. So the next period has to exceed chance once more,
with the sum over all lags up to T / 3 of the correlogram that is left when its own cycle is taken off.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd
from scipy.stats import f

from klforecast.data.open_days import week_mask
from klforecast.data.scaling import binary_unit

_FALSE_ALARM_RATE = 0.01  # of one search, shared by all lags that it looks at
_SMALLEST_SHARE = 0.05  # of the variance; weaker cycles do not pay for their parameters
_SMALLEST_REPEAT = 0.05  # of the variance of what is looked at, that a mean cycle has to explain
_OUTLIER_LIMIT = 5.0  # robust standard deviations from the median
_MOST_OUTLIERS = (
    0.25  # of the values; more are none, as days are not that are far from a median of nights
)
_MOST_CHANNELS = 64  # the average correlogram of more differs little and costs more

# Steps of the week, where there are several in one, and of the year.
_PER_YEAR = {
    **dict.fromkeys(("W",), (52,)),
    **dict.fromkeys(("M", "ME", "MS", "BME", "BMS"), (12,)),
    **dict.fromkeys(("Q", "QE", "QS", "BQE", "BQS"), (4,)),
    **dict.fromkeys(("B",), (5, 261)),
    **dict.fromkeys(("D",), (7, 365)),
}
_WEEKS_OF_A_YEAR = 365.25 / 7
# Of the coarsest series in which a day is a common cycle; a cycle of 52 steps is none, since minutes do not divide it.
_STEPS_OF_A_DAY, _MINUTES = 24, 1440
_UNITS = (pd.Timedelta(hours=1), pd.Timedelta(days=1), pd.Timedelta(days=7))


def calendar_periods(freq: str | pd.offsets.BaseOffset | None) -> tuple[int, ...]:
    """Lengths of the cycles of the calendar in steps of a frequency, shortest first.

    Parameters
    ----------
    freq : str, DateOffset or None
        Frequency of an index, in the words of pandas. None has no calendar.

    Returns
    -------
    tuple of int
        In steps; the hour is left out below 12 steps.

    Examples
    --------
    >>> calendar_periods("h"), calendar_periods("10min"), calendar_periods("MS")
    ((24, 168), (144, 1008), (12,))
    >>> calendar_periods(pd.offsets.CustomBusinessDay(weekmask="Mon Tue Wed Thu Fri Sat"))
    (6, 313)
    """
    if freq is None:
        return ()
    offset = pd.tseries.frequencies.to_offset(freq)
    try:
        code = offset.rule_code.split("-")[0]
    except NotImplementedError:  # pandas has no name for some steps, such as Easter or ten days
        return ()
    n = offset.n
    if code == "D" and n % 7 == 0:
        code, n = "W", n // 7
    mask = week_mask(offset)
    if mask is not None:
        cycles = [mask.count("1") / n, round(mask.count("1") * _WEEKS_OF_A_YEAR) / n]
    elif code in _PER_YEAR:
        cycles = [cycle / n for cycle in _PER_YEAR[code]]
    elif isinstance(offset, pd.offsets.Tick):
        cycles = [unit / pd.Timedelta(offset) for unit in _UNITS]
        if cycles[0] < 12:
            del cycles[0]
    else:
        return ()
    return tuple(int(cycle) for cycle in cycles if cycle >= 2 and cycle == int(cycle))


def find_periods(
    series: np.ndarray,  # (time, channels)
    freq: str | pd.offsets.BaseOffset | None = None,
    max_periods: int = 3,
) -> tuple[int, ...]:
    """Seasonal periods that the channels of a series share, strongest first.

    Calendar periods are tested alone and need two cycles; any other period is searched for among
    all lags from 3 on, which needs more evidence and three cycles. Costs O(T log T) time per
    channel, and looks at 64 evenly spaced channels at most.

    Parameters
    ----------
    series : ndarray of shape (time, channels)
        Any unit; constant channels are left out.
    freq : str, DateOffset or None, default=None
        Frequency of the index, for the calendar periods.
    max_periods : int, default=3
        Number of periods to return at most.

    Returns
    -------
    tuple of int
        In steps; empty for a series that is too short, constant or without a cycle. The strength
        of a period is the share of the variance that repeats with it.

    Raises
    ------
    ValueError
        If `series` is not two-dimensional or holds NaN or infinite values.

    Examples
    --------
    >>> time = np.arange(200.0)
    >>> weekly = np.sin(2 * np.pi * time / 7) + 0.01 * time
    >>> find_periods(weekly[:, None])
    (7,)
    """
    rows = _without_trend_and_outliers(series)
    if rows.shape[1] == 0:
        return ()
    strengths: dict[int, float] = {}
    calendar = [period for period in calendar_periods(freq) if 2 * period <= len(rows)]
    for period in calendar:
        strength = _strength_at(period, rows, n_tests=2 * len(calendar))
        if strength is not None:
            strengths[period] = strength
            rows = _without_cycle(rows, period)
    while len(strengths) < max_periods:
        strongest = _search(rows, known=tuple(strengths))
        if strongest is None or strongest[0] in strengths:
            break
        period, strengths[period] = strongest
        rows = _without_cycle(rows, period)
    return tuple(sorted(strengths, key=lambda period: -strengths[period])[:max_periods])


def repeats_beyond_chance(series: np.ndarray, period: int) -> bool:
    """Whether the changes of a series are those of its season more than chance allows: the F test of its phases.

    Parameters
    ----------
    series : ndarray of shape (time, channels)
        As for `find_periods`.
    period : int
        In steps.

    Returns
    -------
    bool
        False for a series that never varies, and for one of less than two cycles.

    Examples
    --------
    >>> quarters = np.tile([0.0, 2.0, 1.0, 4.0], 5) + 2 * np.random.default_rng(0).normal(size=20)
    >>> repeats_beyond_chance(quarters[:, None], 4), find_periods(quarters[:, None])
    (True, ())
    """
    rows = _without_trend_and_outliers(series)
    if rows.shape[1] == 0 or len(rows) <= 2 * period:
        return False
    changes = np.diff(rows, axis=0)
    changes -= changes.mean(axis=0)
    left = float(np.sum(_without_cycle(changes, period) ** 2))
    explained = float(np.sum(changes**2)) - left
    phases, rest = (period - 1) * rows.shape[1], (len(changes) - period) * rows.shape[1]
    limit = f.isf(_FALSE_ALARM_RATE, phases, rest)
    return bool(explained * rest > limit * left * phases)


def _without_trend_and_outliers(series: np.ndarray) -> np.ndarray:
    """Channels of unit variance, without their linear trend; constant channels are left out."""
    rows = np.asarray(series, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError(f"series must have shape (time, channels), got {rows.shape}")
    if not np.isfinite(rows).all():
        n_bad = int((~np.isfinite(rows)).sum())
        raise ValueError(
            f"series holds {n_bad} NaN or infinite values; fill them or drop their rows first"
        )
    if len(rows) < 3:
        return rows[:, :0]
    rows = rows[:, :: -(-rows.shape[1] // _MOST_CHANNELS) or 1]
    rows = rows / binary_unit(np.abs(rows).max(axis=0))
    magnitude = np.abs(rows).max(axis=0)
    median = np.median(rows, axis=0)
    deviation = np.median(np.abs(rows - median), axis=0)
    # The median deviation of a normal variable is 0.6745 of its standard deviation. It is 0 where
    # most values are equal, as for rain: such a channel is kept as it is.
    limit = np.where(deviation > 0, _OUTLIER_LIMIT * deviation / 0.6745, np.inf)
    limit[np.mean(np.abs(rows - median) > limit, axis=0) > _MOST_OUTLIERS] = np.inf
    rows = np.clip(rows, median - limit, median + limit)
    time = np.arange(len(rows)) - (len(rows) - 1) / 2
    rows = rows - rows.mean(axis=0)
    rows = rows - time[:, None] * (time @ rows) / (time @ time)
    scale = rows.std(axis=0)
    varies = scale > 1e-9 * magnitude
    return rows[:, varies] / scale[varies]


def _strength_at(period: int, rows: np.ndarray, n_tests: int) -> float | None:
    """Share of the variance that repeats with a given period; None if that may be chance."""
    quantile = NormalDist().inv_cdf(1 - _FALSE_ALARM_RATE / n_tests)
    lag = np.array([period])
    share = float(np.mean(rows**2))
    for correlogram in _correlograms(rows):
        is_hill = _hill_height(correlogram, lag)[0] > 0
        is_significant = correlogram[period] > quantile * _standard_error(correlogram, lag)[0]
        strength = float(correlogram[period]) * share
        if is_hill and is_significant and strength > _SMALLEST_SHARE:
            return strength
    return None


def _search(rows: np.ndarray, known: tuple[int, ...]) -> tuple[int, float] | None:
    """Strongest period beside the known ones, with its strength; None if there is none."""
    share = float(np.mean(rows**2))
    best: tuple[int, float] | None = None
    for looked_at, correlogram in zip(
        (rows, np.diff(rows, axis=0)), _correlograms(rows), strict=True
    ):
        lags = np.arange(3, len(correlogram) // 3 + 1)
        if len(lags) == 0:
            continue
        quantile = NormalDist().inv_cdf(1 - _FALSE_ALARM_RATE / (2 * len(lags)))
        r = correlogram[lags]
        after_two = np.max([correlogram[2 * lags + step] for step in (-1, 0, 1)], axis=0)
        accepted = (
            (r > quantile * _standard_error(correlogram, lags))
            & (r >= correlogram[lags - 1])
            & (r >= correlogram[lags + 1])
            & (_hill_height(correlogram, lags) * share > _SMALLEST_SHARE)
            & (after_two > r / 2)
        )
        for period in known:
            cycles = np.round(lags / period)
            is_neighbour = np.abs(lags - period) <= period // 10
            is_multiple = np.abs(lags - cycles * period) <= np.maximum(cycles, lags // 50)
            # A cycle whose shape changes leaves hills at its period and at the multiples of it;
            # only a multiple that repeats clearly better is a cycle of its own.
            gain = (r - correlogram[period]) * share
            accepted &= ~is_neighbour & (~is_multiple | (gain > _SMALLEST_SHARE))
        if not accepted.any():
            continue
        # Multiples of a period repeat as well as the period: take the first of about equal hills.
        first = int(lags[accepted & (r >= 0.8 * r[accepted].max())][0])
        strength = float(correlogram[first]) * share
        period = _top_of_hill(correlogram, first)
        if best is not None and strength <= best[1]:
            continue
        if _repeats(looked_at, period) and (
            not known or correlogram[first] > quantile * _error_of_the_rest(looked_at, period)
        ):
            best = period, strength
    return best


def _repeats(rows: np.ndarray, period: int) -> bool:
    """Whether a mean cycle explains something: there is none where months end every 4.3 weeks."""
    n = len(rows)
    left = np.sum(_without_cycle(rows, period) ** 2, axis=0) / (n - period)
    return bool(np.mean(1 - left / (np.sum(rows**2, axis=0) / n)) > _SMALLEST_REPEAT)


def _error_of_the_rest(rows: np.ndarray, period: int) -> float:
    """Standard error of an autocorrelation by all that a series has beside a cycle, further ones too."""
    n = len(rows)
    left = _autocorrelation(_without_cycle(rows, period))[1 : n // 3]
    return float(np.sqrt((1 + 2 * np.sum(left**2)) / (n - period)))


def _without_cycle(rows: np.ndarray, period: int) -> np.ndarray:
    """Subtract from each row the mean of the rows at the same phase."""
    phase = np.arange(len(rows)) % period
    sums = np.zeros((period, rows.shape[1]))
    np.add.at(sums, phase, rows)
    return rows - (sums / np.bincount(phase)[:, None])[phase]


def _correlograms(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Autocorrelations of the series and of its differences, averaged over channels."""
    return _autocorrelation(rows), _autocorrelation(np.diff(rows, axis=0))


def _autocorrelation(rows: np.ndarray) -> np.ndarray:  # (time, channels) -> (time,)
    n = len(rows)
    padded = 1 << (2 * n - 1).bit_length()
    total = np.zeros(n)
    for channel in rows.T:
        centred = channel - channel.mean()
        variance = centred @ centred
        if variance > 0:
            spectrum = np.abs(np.fft.rfft(centred, padded)) ** 2
            total += np.fft.irfft(spectrum, padded)[:n] / variance
    return total / rows.shape[1] * n / (n - np.arange(n))


def _standard_error(correlogram: np.ndarray, lags: np.ndarray) -> np.ndarray:
    n = len(correlogram)
    size = np.abs(correlogram)
    faded = np.flatnonzero((size[1:] <= 2 / np.sqrt(n)) | (size[1:] > size[:-1]))
    end = faded[0] + 1 if len(faded) else n
    return np.sqrt((1 + 2 * np.sum(correlogram[1:end] ** 2)) / (n - lags))


def _hill_height(correlogram: np.ndarray, lags: np.ndarray) -> np.ndarray:
    """How far r at each lag rises above r half a cycle before and after it."""
    last = len(correlogram) - 1
    feet = (lags // 2, (lags + 1) // 2, 3 * lags // 2, (3 * lags + 1) // 2)
    return correlogram[lags] - np.max([correlogram[np.minimum(f, last)] for f in feet], axis=0)


def _top_of_hill(correlogram: np.ndarray, lag: int) -> int:
    """Period near `lag` whose first multiples are highest; noise moves a single maximum."""
    reach = max(1, lag // 4)
    low = max(3, lag - reach)
    top = low + int(np.argmax(correlogram[low : lag + reach + 1]))
    reach = max(1, top // 20)
    candidates = np.arange(max(3, top - reach), top + reach + 1)
    n_cycles = max(1, min(8, len(correlogram) // (2 * (top + reach))))
    multiples = np.arange(1, n_cycles + 1)[:, None] * candidates
    return int(candidates[np.argmax(correlogram[multiples].mean(axis=0))])


def candidate_seasons(
    found: Sequence[int], freq: str | pd.offsets.BaseOffset | None
) -> tuple[int, ...]:
    """Every season that may be there: those found, longer ones of the calendar, and a week beside a day.

    Where a season of the calendar was found, a shorter one was looked for and is not there.

    Parameters
    ----------
    found : sequence of int
        Of `find_periods`.
    freq : str, DateOffset or None
        As for `calendar_periods`. Without one, a cycle of 24 steps or more is taken for a day, where these
        are whole minutes.

    Returns
    -------
    tuple of int
        In steps, shortest first.

    Examples
    --------
    >>> candidate_seasons([24], None), candidate_seasons([12], None), candidate_seasons([], "D")
    ((24, 168), (12,), (7, 365))
    >>> candidate_seasons([52], None), candidate_seasons([168], "h"), candidate_seasons([140], "D")
    ((52,), (168,), (7, 140, 365))
    """
    of_a_day = (day for day in found[:1] if day >= _STEPS_OF_A_DAY and _MINUTES % day == 0)
    weeks = [7 * day for day in of_a_day if freq is None]
    calendar = calendar_periods(freq)
    shortest = min((season for season in found if season in calendar), default=2)
    seasons = {*found, *weeks, *(season for season in calendar if season >= shortest)}
    return tuple(sorted(season for season in seasons if season > 1))
