"""The bank of local experts: every filter on the series and on its seasonally adjusted and transformed copies.

    copy        z = y            z = log y         (the logarithm only for series that are positive throughout)
                z = y - i        z = log y - i     z = y / i          i: seasonal indices, see `seasons`
    forecast    filter of z, the indices of the coming steps put back, the logarithm undone
    season      mean of the last 1, 2 or 4 cycles, phase by phase, and returns to it, see `last_cycles`
    own map     autoregressions of the changes of z = y, see `autoregression`

With two periods, such as a day and a week in hours, there is a copy without the first and one without both.
A forecast is kept within three ranges of the newest rows, or half again of the steady growth that they show: nothing
extrapolates far beyond what it has seen.

Letters   N series, T rows, H steps, E experts, P period
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from klforecast.local.autoregression import autoregressive_forecasts
from klforecast.local.filters import N_FILTERS, filter_forecasts
from klforecast.local.last_cycles import N_MEANS, N_RETURNS, last_cycles, returns_to_cycles
from klforecast.local.panel import are_positive, median
from klforecast.local.seasons import laid_out, seasonal_indices

# How fast indices forget, a copy each. Three speeds of terms, one of factors: a second speed of factors, or of terms
# of the logarithm, changed nothing.
_TERMS, _FACTORS, _LOG_TERMS = (0.1, 0.3, 0.7), (0.1,), (0.1,)
_RANGES = 3.0  # of the newest rows that a forecast may lie beyond them
_FEWEST_ROWS = 12  # that the range is taken from
_PARTS = 3  # of these rows, each larger than the one before where they grow steadily
_ROOM = 1.5  # times their growth that a forecast may have
# Of the shortest season. Indices take two, but the last cycle is known from one, and rows of a second one judge it.
_LEAST_CYCLES = 1.25
_MOST_GROWTH = 5.0  # of the logarithm above its largest value; keeps the exponential finite


class Bank(NamedTuple):
    """Which experts there are.

    Attributes
    ----------
    periods : tuple of int
        Of `usable_periods`.
    orders : tuple of int
        Of `autoregressive_orders`.
    with_log : bool
        Whether some look at the logarithm.
    with_returns : bool, default=True
        Whether some return to the last cycles.
    horizon : int, default=0
        Steps for which forecasts are bounded: those of fewer steps are the first ones of these.
    """

    periods: tuple[int, ...]
    orders: tuple[int, ...]
    with_log: bool
    with_returns: bool = True
    horizon: int = 0


def usable_periods(periods: Sequence[int], rows: int, judged: int = 0) -> tuple[int, ...]:
    """Those of the periods, in ascending order, that an expert can be judged with.

    Parameters
    ----------
    periods : sequence of int
    rows : int
        Of the past.
    judged : int, default=0
        Rows that follow the oldest origin.

    Returns
    -------
    tuple of int
        The shortest, if the rows show a quarter of it twice, and longer ones that were seen twice before every origin:
        an expert whose season begins after the origins would forecast with indices that nothing has judged.

    Examples
    --------
    >>> usable_periods((7, 365), rows=730), usable_periods((7, 365), rows=730, judged=168)
    ((7, 365), (7,))
    >>> usable_periods((12,), rows=15), usable_periods((12,), rows=14)
    ((12,), ())
    """
    ascending = sorted({period for period in periods if 2 <= period <= rows / _LEAST_CYCLES})
    return tuple(p for p in ascending if p == ascending[0] or 2 * p <= rows - judged)


def count_experts(bank: Bank) -> int:
    """Experts of a bank.

    Examples
    --------
    >>> count_experts(Bank((), (), False)), count_experts(Bank((12,), (3, 13, 24), True))
    (31, 227)
    """
    copies = len(_TERMS) + len(_FACTORS) + (len(_LOG_TERMS) if bank.with_log else 0)
    filtered = 1 + bank.with_log + copies * len(_season_sets(bank.periods))
    of_cycles = N_MEANS + N_RETURNS * _returning_copies(bank)
    return N_FILTERS * filtered + of_cycles * len(bank.periods) + len(bank.orders)


def _returning_copies(bank: Bank) -> int:
    return (1 + bank.with_log) * bank.with_returns


def expert_copies(bank: Bank, positive: bool) -> list[str]:
    """The copy of a series that each expert of a bank filters, in words.

    Parameters
    ----------
    bank : Bank
    positive : bool
        Whether the logarithm of the series is taken; another one has plain copies in its place.

    Returns
    -------
    list of str
        One for each of `count_experts`.

    Examples
    --------
    >>> list(dict.fromkeys(expert_copies(Bank((12,), (), with_log=True), positive=True)))
    ['as it is', 'less its season', 'over its season', 'logarithm', 'logarithm less its season', 'last cycles']
    """
    plain, adjusted = "as it is", "less its season"
    copies = [plain]
    for _ in _season_sets(bank.periods):
        copies += [adjusted] * len(_TERMS)
        copies += ["over its season" if positive else adjusted] * len(_FACTORS)
    if bank.with_log:
        seasonal = [f"logarithm {adjusted}" if positive else plain] * len(_LOG_TERMS)
        copies += ["logarithm" if positive else plain, *seasonal * len(_season_sets(bank.periods))]
    of_filters = [copy for copy in copies for _ in range(N_FILTERS)]
    n_of_cycles = (N_MEANS + N_RETURNS * _returning_copies(bank)) * len(bank.periods)
    return [*of_filters, *["last cycles"] * n_of_cycles, *["its changes"] * len(bank.orders)]


def expert_forecasts(
    past: np.ndarray,  # (N, T)
    bank: Bank,
    steps: np.ndarray,  # (H,)
    positive: np.ndarray,  # (N,)
) -> np.ndarray:  # (N, E, H)
    """Forecasts of a whole bank.

    Parameters
    ----------
    past : ndarray of shape (N, T)
        Newest row last, NaN where nothing was observed.
    bank : Bank
    steps : ndarray of int, shape (H,)
        Steps ahead, from 1.
    positive : ndarray of bool, shape (N,)
        Series whose logarithm is taken; others have the plain forecasts in place of those of the logarithm.

    Returns
    -------
    ndarray of shape (N, E, H)
        The same number of experts for any past; zero for a series without any row.

    Notes
    -----
    O(T (E + periods)) for each series, and O(E H) for the forecasts.

    Examples
    --------
    >>> past = np.tile([1.0, 2.0, 6.0], 5)[None]
    >>> forecasts = expert_forecasts(past, Bank((3,), (), False), np.array([1, 2, 3]), np.array([False]))
    >>> forecasts.shape, forecasts[0, -1].tolist()
    ((1, 160, 3), [1.0, 2.0, 6.0])
    """
    plain = filter_forecasts(past, steps)
    banks = [plain]
    above = past[positive]
    for terms, factors in zip(
        _adjusted(past, bank.periods, _TERMS, steps, False),
        _adjusted(above, bank.periods, _FACTORS, steps, True),
        strict=True,
    ):
        banks += terms
        banks += [_where_positive(positive, scaled, banks[1]) for scaled in factors]
    fallback = plain[:, 0]
    of_cycles = [last_cycles(past, period, steps, fallback) for period in bank.periods]
    returning = bank.periods if bank.with_returns else ()
    returns = [returns_to_cycles(past, period, steps, fallback) for period in returning]
    of_cycles += returns
    if bank.with_log:
        # A series that was positive may have come to zero since.
        logs = np.log(np.where(above > 0, above, np.nan))
        highest = np.where(np.isfinite(logs), logs, -np.inf).max(axis=1)[:, None, None]
        copies = [filter_forecasts(logs, steps)]
        of_logs = [returns_to_cycles(logs, period, steps, copies[0][:, 0]) for period in returning]
        for of_season in _adjusted(logs, bank.periods, _LOG_TERMS, steps, False):
            copies += of_season
        for copy in (*copies, *of_logs):
            np.minimum(copy, highest + _MOST_GROWTH, out=copy)
            np.exp(copy, out=copy)
        banks += [_where_positive(positive, copy, plain) for copy in copies]
        of_cycles += [
            _where_positive(positive, made, others)
            for made, others in zip(of_logs, returns, strict=True)
        ]
    banks += of_cycles
    if bank.orders:
        banks.append(autoregressive_forecasts(past, bank.orders, steps))
    forecasts = np.concatenate(banks, axis=1)
    low, high = _reach(past, bank.periods, max(bank.horizon, int(steps.max())))
    np.clip(forecasts, low[:, None, None], high[:, None, None], out=forecasts)
    forecasts[np.isnan(forecasts[:, 0, 0])] = 0.0
    return forecasts


def _season_sets(periods: Sequence[int]) -> list[tuple[int, ...]]:
    """The shortest period alone, and all of them together."""
    shortest, all_of_them = tuple(periods[:1]), tuple(periods)
    return [season for season in dict.fromkeys((shortest, all_of_them)) if season]


def _adjusted(
    past: np.ndarray,
    periods: Sequence[int],
    forgettings: Sequence[float],
    steps: np.ndarray,
    multiplicative: bool,
) -> list[list[np.ndarray]]:
    """For each of the season sets the forecasts of the filters on a copy for each speed."""
    if not periods:
        return []
    shortest, *longer = periods

    def filtered(residual: np.ndarray, ahead: np.ndarray) -> np.ndarray:
        made = filter_forecasts(residual, steps)
        if multiplicative:
            made *= ahead[:, None]
        else:
            made += ahead[:, None]
        return made

    alone, together = [], []
    for forgetting, found in zip(
        forgettings, seasonal_indices(past, shortest, forgettings, multiplicative), strict=True
    ):
        before, ahead = laid_out(found, past.shape[1], steps)
        residual = past / before if multiplicative else past - before
        alone.append(filtered(residual, ahead))
        for period in longer:
            indices = seasonal_indices(residual, period, [forgetting], multiplicative)[0]
            before, after = laid_out(indices, past.shape[1], steps)
            residual = residual / before if multiplicative else residual - before
            ahead = ahead * after if multiplicative else ahead + after
        if longer:
            together.append(filtered(residual, ahead))
    return [alone, together] if longer else [alone]


def _where_positive(
    positive: np.ndarray,  # (N,)
    made: np.ndarray,  # (positive series, E, H)
    others: np.ndarray,  # (N, E, H)
) -> np.ndarray:  # (N, E, H)
    """The forecasts of a transformed copy, and other ones where a series has none."""
    if len(made) == len(positive):
        return made
    everything = others.copy()
    everything[positive] = made
    return everything


def _reach(past: np.ndarray, periods: Sequence[int], horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Three ranges of the last two cycles, or as many rows as are forecast, around them; more if they grew so fast."""
    rows = max(_FEWEST_ROWS, horizon, *(2 * period for period in periods[:1]))
    newest = past[:, -rows:]
    known = np.isfinite(newest)
    # A series that was hardly observed lately is held to what it was before.
    gone = known.sum(axis=1) < min(rows, past.shape[1]) / 2
    low = np.where(known, newest, np.inf).min(axis=1)
    high = np.where(known, newest, -np.inf).max(axis=1)
    if gone.any():
        known = np.isfinite(past[gone])
        counts = known[:, ::-1].cumsum(axis=1)[:, ::-1]
        known &= counts <= rows
        low[gone] = np.where(known, past[gone], np.inf).min(axis=1)
        high[gone] = np.where(known, past[gone], -np.inf).max(axis=1)
    seen = np.isfinite(low)
    low, high = np.where(seen, low, 0.0), np.where(seen, high, 0.0)
    reach = high + _RANGES * (high - low)
    return low - _RANGES * (high - low), np.maximum(reach, _grown(newest, high, horizon))


def _grown(newest: np.ndarray, high: np.ndarray, horizon: int) -> np.ndarray:  # (N,)
    """What steady growth by a factor makes of the largest row, and half of that again; -inf where there is none."""
    part = newest.shape[1] // _PARTS
    growing = are_positive(newest)
    grown = np.full(len(newest), -np.inf)
    if part and growing.any():
        parts = np.log(newest[growing][:, -_PARTS * part :]).reshape(-1, part)
        levels = median(parts).reshape(-1, _PARTS)
        # A shift of level is between two parts alone.
        pace = np.diff(levels, axis=1).min(axis=1) / part
        factor = np.minimum(_ROOM * pace * horizon, _MOST_GROWTH)
        grown[growing] = np.where(pace > 0, high[growing] * np.exp(factor), -np.inf)
    return grown
