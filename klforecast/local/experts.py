"""The bank of local experts: every filter on the series and on its seasonally adjusted and transformed copies.

    copy        z = y            z = log y         (the logarithm only for series that are positive throughout)
                z = y - i        z = log y - i     z = y / i          i: seasonal indices, see `seasons`
    forecast    filter of z, the indices of the coming steps put back, the logarithm undone
    season      mean of the last 1, 2 or 4 cycles, phase by phase
    own map     autoregressions of the changes of z = y, see `autoregression`

With two periods, such as a day and a week in hours, there is a copy without the first and one without both.
A spike or an outage in the newest rows counts as not observed (`excursions`).
A forecast is kept within three ranges of the newest rows: nothing extrapolates far beyond what it has seen.

Letters   N series, T rows, H steps, E experts, P period
"""

from collections.abc import Sequence

import numpy as np

from klforecast.local.autoregression import autoregressive_forecasts
from klforecast.local.excursions import without_excursions
from klforecast.local.filters import N_FILTERS, filter_forecasts
from klforecast.local.seasons import laid_out, seasonal_indices

# How fast indices forget, a copy each. Three speeds of terms, one of factors: a second speed of factors, or of terms
# of the logarithm, changed nothing.
_TERMS, _FACTORS, _LOG_TERMS = (0.1, 0.3, 0.7), (0.1,), (0.1,)
_CYCLES = (1, 2, 4)
_RANGES = 3.0  # of the newest rows that a forecast may lie beyond them
_FEWEST_ROWS = 12  # that the range is taken from
_MOST_GROWTH = 5.0  # of the logarithm above its largest value; keeps the exponential finite


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
        The shortest, if the rows show it twice, and longer ones that were seen twice before every origin: an expert
        whose season begins after the origins would forecast with indices that nothing has judged.

    Examples
    --------
    >>> usable_periods((7, 365), rows=730), usable_periods((7, 365), rows=730, judged=168)
    ((7, 365), (7,))
    """
    ascending = sorted({period for period in periods if 2 <= period <= rows // 2})
    return tuple(p for p in ascending if p == ascending[0] or 2 * p <= rows - judged)


def count_experts(periods: Sequence[int], orders: Sequence[int], with_log: bool) -> int:
    """Experts of the bank with these periods and orders of autoregressions.

    Examples
    --------
    >>> count_experts((), (), False), count_experts((12,), (3, 13, 24), True)
    (31, 223)
    """
    copies = len(_TERMS) + len(_FACTORS) + (len(_LOG_TERMS) if with_log else 0)
    filtered = 1 + with_log + copies * len(_season_sets(periods))
    return N_FILTERS * filtered + len(_CYCLES) * len(periods) + len(orders)


def expert_copies(
    periods: Sequence[int], orders: Sequence[int], with_log: bool, positive: bool
) -> list[str]:
    """The copy of a series that each expert of the bank filters, in words.

    Parameters
    ----------
    periods, orders, with_log
        As for `expert_forecasts`.
    positive : bool
        Whether the logarithm of the series is taken; another one has plain copies in its place.

    Returns
    -------
    list of str
        One for each of `count_experts`.

    Examples
    --------
    >>> list(dict.fromkeys(expert_copies((12,), (), with_log=True, positive=True)))
    ['as it is', 'less its season', 'over its season', 'logarithm', 'logarithm less its season', 'last cycles']
    """
    plain, adjusted = "as it is", "less its season"
    copies = [plain]
    for _ in _season_sets(periods):
        copies += [adjusted] * len(_TERMS)
        copies += ["over its season" if positive else adjusted] * len(_FACTORS)
    if with_log:
        seasonal = [f"logarithm {adjusted}" if positive else plain] * len(_LOG_TERMS)
        copies += ["logarithm" if positive else plain, *seasonal * len(_season_sets(periods))]
    of_filters = [copy for copy in copies for _ in range(N_FILTERS)]
    of_cycles = ["last cycles"] * (len(_CYCLES) * len(periods))
    return [*of_filters, *of_cycles, *["its changes"] * len(orders)]


def expert_forecasts(
    past: np.ndarray,  # (N, T)
    periods: Sequence[int],
    orders: Sequence[int],
    steps: np.ndarray,  # (H,)
    positive: np.ndarray,  # (N,)
    with_log: bool,
) -> np.ndarray:  # (N, E, H)
    """Forecasts of the whole bank.

    Parameters
    ----------
    past : ndarray of shape (N, T)
        Newest row last, NaN where nothing was observed.
    periods : sequence of int
        Of `usable_periods`.
    orders : sequence of int
        Of `autoregressive_orders`.
    steps : ndarray of int, shape (H,)
        Steps ahead, from 1.
    positive : ndarray of bool, shape (N,)
        Series whose logarithm is taken; others have the plain forecasts in place of those of the logarithm.
    with_log : bool
        Whether there are experts of the logarithm at all.

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
    >>> forecasts = expert_forecasts(past, (3,), (), np.array([1, 2, 3]), np.array([False]), False)
    >>> forecasts.shape, forecasts[0, -1].tolist()
    ((1, 158, 3), [1.0, 2.0, 6.0])
    """
    past = without_excursions(past)
    plain = filter_forecasts(past, steps)
    banks = [plain]
    above = past[positive]
    for season in _season_sets(periods):
        banks += _adjusted(past, season, _TERMS, steps, False)
        for scaled in _adjusted(above, season, _FACTORS, steps, True):
            banks.append(_where_positive(positive, scaled, banks[1]))
    if with_log:
        # A series that was positive may have come to zero since.
        logs = np.log(np.where(above > 0, above, np.nan))
        highest = np.where(np.isfinite(logs), logs, -np.inf).max(axis=1)[:, None, None]
        copies = [filter_forecasts(logs, steps)]
        for season in _season_sets(periods):
            copies += _adjusted(logs, season, _LOG_TERMS, steps, False)
        for copy in copies:
            np.minimum(copy, highest + _MOST_GROWTH, out=copy)
            banks.append(_where_positive(positive, np.exp(copy, out=copy), plain))
    for period in periods:
        banks.append(_last_cycles(past, period, steps, plain[:, :1]))
    if orders:
        banks.append(autoregressive_forecasts(past, orders, steps))
    forecasts = np.concatenate(banks, axis=1)
    low, high = _reach(past, periods, int(steps.max()))
    np.clip(forecasts, low[:, None, None], high[:, None, None], out=forecasts)
    forecasts[np.isnan(forecasts[:, 0, 0])] = 0.0
    return forecasts


def _season_sets(periods: Sequence[int]) -> list[tuple[int, ...]]:
    """The shortest period alone, and all of them together."""
    shortest, all_of_them = tuple(periods[:1]), tuple(periods)
    return [season for season in dict.fromkeys((shortest, all_of_them)) if season]


def _adjusted(
    past: np.ndarray,
    season: Sequence[int],
    forgettings: Sequence[float],
    steps: np.ndarray,
    multiplicative: bool,
) -> list[np.ndarray]:
    """Forecasts of the filters on a copy for each speed."""
    first, *longer = season
    banks = []
    for forgetting, found in zip(
        forgettings, seasonal_indices(past, first, forgettings, multiplicative), strict=True
    ):
        before, ahead = laid_out(found, past.shape[1], steps)
        residual = past / before if multiplicative else past - before
        for period in longer:
            indices = seasonal_indices(residual, period, [forgetting], multiplicative)[0]
            before, after = laid_out(indices, past.shape[1], steps)
            residual = residual / before if multiplicative else residual - before
            ahead = ahead * after if multiplicative else ahead + after
        made = filter_forecasts(residual, steps)
        if multiplicative:
            made *= ahead[:, None]
        else:
            made += ahead[:, None]
        banks.append(made)
    return banks


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


def _last_cycles(
    past: np.ndarray, period: int, steps: np.ndarray, fallback: np.ndarray
) -> np.ndarray:
    """Means of the last cycles by phase, (N, cycles, H); `fallback` at phases that were never observed."""
    missing = -past.shape[1] % period
    whole = np.pad(past, ((0, 0), (missing, 0)), constant_values=np.nan)
    folded = whole.reshape(len(past), -1, period)
    means = []
    for count in _CYCLES:
        known = np.isfinite(folded[:, -count:])
        total = np.where(known, folded[:, -count:], 0.0).sum(axis=1)
        mean = np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)
        ahead = mean[:, (steps - 1) % period]
        means.append(np.where(np.isfinite(ahead), ahead, fallback[:, 0]))
    return np.stack(means, axis=1)


def _reach(past: np.ndarray, periods: Sequence[int], horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Three ranges of the last two cycles, or as many rows as are forecast, around them."""
    rows = max(_FEWEST_ROWS, horizon, *(2 * period for period in periods[:1]))
    newest = past[:, -rows:]
    known = np.isfinite(newest)
    # A series that was not observed lately is held to what it was before.
    gone = ~known.any(axis=1)
    low = np.where(known, newest, np.inf).min(axis=1)
    high = np.where(known, newest, -np.inf).max(axis=1)
    if gone.any():
        known = np.isfinite(past[gone])
        low[gone] = np.where(known, past[gone], np.inf).min(axis=1)
        high[gone] = np.where(known, past[gone], -np.inf).max(axis=1)
    seen = np.isfinite(low)
    low, high = np.where(seen, low, 0.0), np.where(seen, high, 0.0)
    return low - _RANGES * (high - low), high + _RANGES * (high - low)
