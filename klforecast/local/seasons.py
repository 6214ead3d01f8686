"""Seasonal indices of a past: classical decomposition, recent cycles counting more, shrunk where the season is weak.

    r_t = z_t - m_t, or z_t / m_t         m: centred moving average over one period
    i_p = sum_c w_c r_cp / sum_c w_c      w_c = (1 - forgetting)^c, c cycles ago
    i_p <- mean + (i_p - mean) max(0, 1 - 2 v / (n s^2))

with v the variance of r within the phases, s^2 that of the indices between them and n the cycles: the estimator of
James & Stein (1961) as Miller & Williams (2003), Int. J. Forecasting 19(4) use it for seasonal factors. Twice the noise
is taken off, because neighbouring residuals share their moving averages; that made M3's monthly series 4 % better than
plain indices and taking it off once 3 %.

Letters   N series, T rows, P period
"""

from collections.abc import Sequence

import numpy as np

from klforecast.local.panel import moving_sums

_NOISE = 2.0  # multiples of the noise that are taken off; see above
_LEAST_FACTOR = 0.05  # of a multiplicative index, by which series are divided
_LEAST_TOTAL = 1e-9  # weight beyond the first cycle: one cycle alone says nothing about noise, and its indices go
_OBSERVED = 0.75  # of a period; a moving average over fewer rows leans to one side


def seasonal_indices(
    past: np.ndarray,  # (N, T)
    period: int,
    forgettings: Sequence[float],  # F of them
    multiplicative: bool,
) -> np.ndarray:  # (F, N, P)
    """Index of the step h = 1 ... P after the past, in column h - 1.

    Parameters
    ----------
    past : ndarray of shape (N, T)
        Newest row last, NaN where nothing was observed; positive where `multiplicative`.
    period : int
        At least 2.
    forgettings : sequence of float
        Share of its weight that a cycle loses with each later one; indices for each of them.
    multiplicative : bool
        Whether indices are factors of mean one instead of terms of sum zero.

    Returns
    -------
    ndarray of shape (F, N, P)
        Without effect (ones or zeros) for a series of less than two cycles.

    Examples
    --------
    >>> past = np.tile([1.0, 2.0, 6.0], 5)[None]
    >>> seasonal_indices(past, 3, forgettings=[0.0], multiplicative=False)
    array([[[-2., -1.,  3.]]])
    """
    n, rows = past.shape
    none = 1.0 if multiplicative else 0.0
    if rows < 2 * period:
        return np.full((len(forgettings), n, period), none)
    average = _moving_average(past, np.isfinite(past), period)
    detrended, seen = _cycles(past, average, period, multiplicative)
    enough = np.isfinite(past).sum(axis=1) >= 2 * period
    return np.stack([_indices(detrended, seen, f, none, enough) for f in forgettings])


def indices_of_others(past: np.ndarray, period: int, forgetting: float) -> np.ndarray:
    """Index of every row as the other cycles have it, and of the cycle ahead as all of them have it.

    Rows less what the others say are as noisy as rows to come; less what they say themselves too, they would be calmer.
    The moving average goes on at both ends as it is there, so that two cycles have two indices of each phase.

    Parameters
    ----------
    past, period, forgetting
        As for `seasonal_indices`; at least two cycles of rows.

    Returns
    -------
    ndarray of shape (N, T + P)
        Terms of sum zero over the cycle ahead.

    Examples
    --------
    >>> past = np.tile([1.0, 2.0, 6.0], 5)[None]
    >>> indices_of_others(past, 3, forgetting=0.1)[0, [0, 1, -2, -1]]
    array([-2., -1., -1.,  3.])
    """
    n, rows = past.shape
    ends = ((0, 0), (period // 2, period // 2))
    average = np.pad(_moving_average(past, np.isfinite(past), period), ends, mode="edge")
    detrended, seen = _cycles(past, average, period, multiplicative=False)
    recent = _discounts(detrended.shape[1], forgetting)
    weight = seen * recent[:, None]
    total = weight.sum(axis=1, keepdims=True)
    mean = (weight * detrended).sum(axis=1, keepdims=True) / np.where(total > 0, total, 1.0)
    kept = _kept(mean[:, 0], detrended, recent, seen)
    level = mean.mean(axis=2, keepdims=True)
    others = total - weight
    elsewhere = total * mean - weight * detrended
    elsewhere = np.where(others > 0, elsewhere / np.where(others > 0, others, 1.0), level)
    whole = kept[:, None, None] * (np.concatenate([elsewhere, mean], axis=1) - level)
    return whole.reshape(n, -1)[:, -rows - period :]


def _cycles(
    past: np.ndarray,
    average: np.ndarray,  # (N, T, or as many rows fewer at both ends)
    period: int,
    multiplicative: bool,
) -> tuple[np.ndarray, np.ndarray]:  # (N, cycles, P), (N or 1, cycles, P)
    """Rows less or over their average, zero where there is none, and where there is one.

    Without gaps that is the same for all series, and told once.
    """
    n, rows = past.shape
    first = (rows - average.shape[1]) // 2
    inner = past[:, first : first + average.shape[1]]
    around = inner / np.where(average > 0, average, np.nan) if multiplicative else inner - average
    found = np.isfinite(around)
    if found.all():
        found = found[:1]
    else:
        around = np.where(found, around, 0.0)
    # The oldest cycle is made whole by rows that nobody observed.
    cycles = -(-rows // period)
    start = cycles * period - rows + first
    place = slice(start, start + average.shape[1])
    detrended = np.zeros((n, cycles * period))
    seen = np.zeros((len(found), cycles * period), dtype=bool)
    detrended[:, place], seen[:, place] = around, found
    return detrended.reshape(n, cycles, period), seen.reshape(-1, cycles, period)


def _discounts(cycles: int, forgetting: float) -> np.ndarray:  # (cycles,)
    return (1 - forgetting) ** np.arange(cycles - 1, -1, -1.0)


def _indices(
    detrended: np.ndarray,  # (N, cycles, P), zero where nothing was seen
    seen: np.ndarray,  # (N or 1, cycles, P)
    forgetting: float,
    none: float,
    enough: np.ndarray,  # (N,)
) -> np.ndarray:  # (N, P)
    recent = _discounts(detrended.shape[1], forgetting)
    total = recent @ seen
    indices = np.where(total > 0, recent @ detrended / np.where(total > 0, total, 1), none)
    mean = indices.mean(axis=1, keepdims=True)
    indices = mean + _kept(indices, detrended, recent, seen)[:, None] * (indices - mean)
    if none == 1:
        indices = np.maximum(indices / np.where(mean > 0, mean, 1.0), _LEAST_FACTOR)
    else:
        indices -= mean
    indices[~enough] = none
    return indices


def _moving_average(past: np.ndarray, known: np.ndarray, period: int) -> np.ndarray:
    """Centred mean over one period, (N, T - 2 (period // 2)); NaN where too little was observed."""
    sums, counts = moving_sums(past, period)
    if period % 2 == 0:
        # The centred average of an even period is the mean of two neighbouring plain ones.
        sums, counts = (sums[:, 1:] + sums[:, :-1]) / 2, (counts[:, 1:] + counts[:, :-1]) / 2
    if known.all():
        return sums / period
    # Before the first row lies no gap: an average that reaches there would lean to the other side.
    begun = np.arange(sums.shape[1]) >= known.argmax(axis=1)[:, None]
    enough = (counts >= _OBSERVED * period) & begun
    return np.where(enough, sums / np.where(enough, counts, 1.0), np.nan)


def _kept(
    indices: np.ndarray,  # (N, P)
    detrended: np.ndarray,  # (N, cycles, P)
    recent: np.ndarray,  # (cycles,)
    seen: np.ndarray,  # (N or 1, cycles, P)
) -> np.ndarray:  # (N,)
    """Share of the deviations from their mean that indices keep."""
    period, cycles = indices.shape[1], seen.any(axis=2).sum(axis=1)
    gaps = detrended - indices[:, None]
    gaps *= gaps
    gaps *= seen
    scatter = (recent @ gaps).sum(axis=1)
    total = (recent @ seen).sum(axis=1)
    # One of the cycles is spent on the indices themselves.
    within = scatter / np.maximum(total * (1 - 1 / np.maximum(cycles, 1)), _LEAST_TOTAL)
    noise = within * period / np.maximum(total, 1.0)
    mean = indices.mean(axis=1, keepdims=True)
    between = ((indices - mean) ** 2).sum(axis=1) / (period - 1)
    return np.clip(1 - _NOISE * noise / np.maximum(between, np.finfo(float).tiny), 0, 1)


def laid_out(indices: np.ndarray, past: int, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the `past` last rows and of the steps ahead, (N, past) and (N, H)."""
    period = indices.shape[1]
    return indices[:, np.arange(-past, 0) % period], indices[:, (steps - 1) % period]
