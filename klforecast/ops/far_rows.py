"""Rows that are far from what is usual for them, by the rows before.

    r_t  =  y_t - median(y_{t-p} ... y_{t-5p})             p: a season; the seven rows before where there is none
    d_t  =  r_t, or r_t - median(r_{t-1} ... r_{t-7})      what is nearest to zero of these, over all seasons
    far  :  |d_t| > 6 s  and  |y_t - y_{t-kp}| > 4 s',     k = 1 or 2; s, s': scaled medians of these in the four
                                                           blocks before

Above zero they have to be far in logarithms too, so that a large flood of a river that has many is none. Blocks are
five cycles long; rows of the first one are judged by one another.

Source    deviations from a running median: Hampel (1974), J. American Statistical Association 69(346).
Letters   T rows, C channels, K rows that a median is taken of, p period
"""

from collections.abc import Sequence

import numpy as np

CYCLES = 5
"""That say what is usual at a phase: their median bears two outliers."""

LEVEL = 7
"""Rows that say how far a series is from there at present."""

FEWEST = 3
"""Rows that a median is taken of."""

NORMAL = 1.4826
"""Standard deviations in a median absolute deviation of normal rows."""

FAR = 6.0
"""Robust deviations."""

_FAR_FROM_LAST_CYCLE = 4.0  # of differences, which are wider by the square root of two
SHORTEST_BLOCK = 30
"""Rows."""

BLOCKS = 4
"""That say how much is usual."""


def block_rows(seasons: Sequence[int]) -> int:
    """Rows that are judged together: five of the shortest cycles, or 30.

    Examples
    --------
    >>> block_rows(()), block_rows((7, 365))
    (30, 35)
    """
    return max(SHORTEST_BLOCK, CYCLES * min(seasons, default=1))


def far_from_last_cycles(
    rows: np.ndarray,  # (T, C)
    seasons: Sequence[int],
) -> np.ndarray:  # (T, C) bool
    """Rows that are far from those a cycle or two before, or after in the first cycle; all others are near.

    Parameters
    ----------
    rows : ndarray of shape (T, C)
        Oldest first, NaN where nothing was observed.
    seasons : sequence of int
        Ascending.
    """
    lag = seasons[0] if seasons else 1
    distance = np.abs(rows - _lagged(rows, lag))
    distance[:lag] = np.abs(rows[:lag] - _leading(rows, lag)[:lag])
    distance = np.fmax(distance, np.abs(rows - _lagged(rows, 2 * lag)))
    return _is_far(distance, block_rows(seasons), _FAR_FROM_LAST_CYCLE)


def far_from_usual(
    rows: np.ndarray,  # (T, C)
    seasons: Sequence[int],
    known: np.ndarray | None = None,  # (T, C)
) -> tuple[np.ndarray, np.ndarray]:
    """Rows that are far from what is usual for them, and distances from there with their sign, (T, C) both.

    Parameters
    ----------
    rows, seasons
        As for `far_from_last_cycles`.
    known : ndarray of shape (T, C), optional
        The rows that say what is usual at a phase, NaN where they do not; None for all.
    """
    size = block_rows(seasons)
    known = rows if known is None else known
    deviation = _deviations(rows, seasons, size, known)
    far = _is_far(np.abs(deviation), size, FAR)
    return far & _far_in_logarithms(rows, far, seasons, size, known), deviation


def _is_far(distance: np.ndarray, size: int, deviations: float) -> np.ndarray:  # (T, C) bool
    """Rows beyond so many deviations, of the four blocks before; of the first block its own."""
    rows, channels = distance.shape
    blocks = -(-rows // size)
    padded = np.full((blocks * size, channels), np.nan)
    padded[:rows] = distance
    # A block of a channel next to each other: sorting goes five times as fast.
    apart = np.ascontiguousarray(padded.T).reshape(channels, blocks, size)
    middle, known = (found.T for found in median_of_known(apart, axis=-1))
    middle = np.where(known >= min(size, rows) // 3, middle, np.nan)
    before, _ = median_of_known(np.stack([_lagged(middle, lag) for lag in range(1, BLOCKS + 1)]))
    before[0] = middle[0]
    limit = np.where(before > 0, deviations * NORMAL * before, np.inf)
    far: np.ndarray = distance > np.repeat(limit, size, axis=0)[:rows]
    return far


def _deviations(
    rows: np.ndarray, seasons: Sequence[int], size: int, known: np.ndarray
) -> np.ndarray:  # (T, C)
    """Distances from what is usual, with their sign, by the season that they are least by."""
    nearest = np.full(rows.shape, np.nan)
    for period in seasons or (1,):
        lags = period * np.arange(1, 1 + (CYCLES if period > 1 else LEVEL))
        residual = rows - _usual_by(known if period > 1 else rows, lags, size)
        level = _usual_by(residual, np.arange(1, 1 + LEVEL), size)
        relative = residual - np.where(np.isfinite(level), level, 0.0)
        for deviation in (residual, relative):
            nearer = np.isfinite(deviation) & ~(np.abs(nearest) <= np.abs(deviation))
            nearest = np.where(nearer, deviation, nearest)
    return nearest


def _usual_by(rows: np.ndarray, lags: np.ndarray, size: int) -> np.ndarray:  # (T, C)
    """Median of the rows at some lags; in the first block of those before and after, within it."""
    middle, known = median_of_known(np.stack([_lagged(rows, lag) for lag in lags]))
    middle[known < FEWEST] = np.nan
    first = rows[:size]
    around = [turned(first, lag) for lag in lags for turned in (_lagged, _leading)]
    middle[:size], known = median_of_known(np.stack(around))
    middle[:size][known < FEWEST - 1] = np.nan
    return middle


def _far_in_logarithms(
    rows: np.ndarray, far: np.ndarray, seasons: Sequence[int], size: int, known: np.ndarray
) -> np.ndarray:  # (T, C) bool
    """Rows that are far in logarithms, and all that have none, or follow a row below zero."""
    passed = np.ones(far.shape, dtype=bool)
    lowest = np.minimum.accumulate(np.where(np.isfinite(rows), rows, np.inf), axis=0)
    lowest[:size] = lowest[min(size, len(rows)) - 1]
    asked = far & (lowest >= 0) & (rows > 0)
    channels = np.flatnonzero(asked.any(axis=0))
    if len(channels):
        logs, known_logs = (
            np.log(np.where(values[:, channels] > 0, values[:, channels], np.nan))
            for values in (rows, known)
        )
        distance = np.abs(_deviations(logs, seasons, size, known_logs))
        passed[:, channels] = ~asked[:, channels] | _is_far(distance, size, FAR)
    return passed


def _lagged(rows: np.ndarray, lag: int) -> np.ndarray:
    moved = np.full_like(rows, np.nan)
    if lag < len(rows):
        moved[lag:] = rows[: len(rows) - lag]
    return moved


def _leading(rows: np.ndarray, lag: int) -> np.ndarray:
    return _lagged(rows[::-1], lag)[::-1]


def median_of_known(stack: np.ndarray, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Median of what is known along an axis, NaN where nothing is, and how much that is."""
    ordered = np.sort(stack, axis=axis)  # NaN last
    known = np.isfinite(stack).sum(axis=axis, keepdims=True)
    lower, upper = (
        np.take_along_axis(ordered, np.clip(at, 0, stack.shape[axis] - 1), axis).squeeze(axis)
        for at in ((known - 1) // 2, known // 2)
    )
    known = known.squeeze(axis)
    return np.where(known > 0, lower + (upper - lower) / 2, np.nan), known
