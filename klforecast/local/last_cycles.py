"""Means of the last cycles, phase by phase, and returns to them.

    m_p        = mean of the last n cycles at phase p                              n = 1, 2, 4
    forecast_h = m_p(h)
    forecast_h = m_p(h) + phi^(h + a) (z - m_p(z)) n / (n - 1)                      z: newest observed row, of age a

A return is what a season and an autoregression of first order forecast together. The factor n / (n - 1) takes the
newest cycle out of the mean that its row is compared with. Four weeks of half-hours are too few for the indices of
`seasons`, whose averages lose a week at the ends and which are shrunk, but enough for a mean.

Letters   N series, T rows, H steps, P period
"""

import numpy as np

# One is the seasonal naive forecast; each has half of the noise of the one before.
_CYCLES = (1, 2, 4)
# Left of the distance after each step, half of it after four and fourteen steps; to the mean of so many cycles. One of
# 0.985 too, and eight cycles, are alike on days and weeks, and worse on M4's hours.
_RETURNS = (0.85, 0.95)
_CYCLES_BACK = 4
N_MEANS, N_RETURNS = len(_CYCLES), len(_RETURNS)


def last_cycles(
    past: np.ndarray, period: int, steps: np.ndarray, fallback: np.ndarray
) -> np.ndarray:
    """Means of the last cycles at the phase of each step.

    Parameters
    ----------
    past : ndarray of shape (N, T)
        Newest row last, NaN where nothing was observed.
    period : int
    steps : ndarray of int, shape (H,)
        Steps ahead, from 1.
    fallback : ndarray of shape (N, H)
        Forecasts at phases that were never observed.

    Returns
    -------
    ndarray of shape (N, 3, H)
        Of one, two and four cycles.

    Examples
    --------
    >>> past = np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> last_cycles(past, 2, np.array([1, 2]), np.zeros((1, 2)))[0].tolist()
    [[3.0, 4.0], [2.0, 3.0], [2.0, 3.0]]
    """
    folded = _folded(past, period)
    phases = (steps - 1) % period
    means = [_means(folded, count)[0][:, phases] for count in _CYCLES]
    return np.stack([np.where(np.isfinite(mean), mean, fallback) for mean in means], axis=1)


def returns_to_cycles(
    past: np.ndarray, period: int, steps: np.ndarray, fallback: np.ndarray
) -> np.ndarray:
    """Returns from the newest observed row to the mean of the last four cycles.

    Parameters
    ----------
    past, period, steps, fallback
        As for `last_cycles`.

    Returns
    -------
    ndarray of shape (N, 2, H)
        With factors phi of 0.85 and 0.95.

    Examples
    --------
    >>> past = np.array([[1.0, 2.0, 1.0, 4.0]])
    >>> returns_to_cycles(past, 2, np.array([1, 2]), np.zeros((1, 2)))[0, 0].round(3).tolist()
    [2.7, 4.445]
    """
    n = len(past)
    mean, count = _means(_folded(past, period), _CYCLES_BACK)
    newest = past[:, -period:]
    phases = np.arange(-newest.shape[1], 0) % period
    distance = newest - mean[:, phases]
    age = np.isfinite(distance)[:, ::-1].argmax(axis=1)
    place = np.arange(n), newest.shape[1] - 1 - age
    own = count[:, phases][place]
    others = np.where(own > 1, own / np.maximum(own - 1, 1), 0.0)
    last = np.where(np.isfinite(distance[place]), distance[place], 0.0) * others
    ahead = mean[:, (steps - 1) % period]
    ahead = np.where(np.isfinite(ahead), ahead, fallback)
    left = np.array(_RETURNS)[:, None] ** (steps + age[:, None, None])
    returning: np.ndarray = ahead[:, None] + last[:, None, None] * left
    return returning


def _folded(past: np.ndarray, period: int) -> np.ndarray:  # (N, cycles, P)
    """Whole cycles up to the newest row, NaN before the first one."""
    cycles = -(-past.shape[1] // period)
    missing = cycles * period - past.shape[1]
    whole = np.pad(past, ((0, 0), (missing, 0)), constant_values=np.nan)
    return whole.reshape(len(past), cycles, period)


def _means(folded: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:  # (N, P) twice
    """Mean of the last cycles by phase, NaN where nothing was observed, and how many rows it is of."""
    newest = folded[:, -count:]
    known = np.isfinite(newest)
    seen = known.sum(axis=1)
    total = np.where(known, newest, 0.0).sum(axis=1)
    return total / np.where(seen > 0, seen, np.nan), seen
