"""Rows that are far from what is usual for them, by the rows before.

    r_t  =  y_t - median(y_{t-p} ... y_{t-5p})             p: a season; the seven rows before where there is none
    d_t  =  r_t, or r_t - median(r_{t-1} ... r_{t-7})      what is nearest to zero of these, over all seasons
    far  :  |d_t| > 6 s  and  |y_t - y_{t-kp}| > 4 s',     k = 1 or 2; s, s': scaled medians of these in the four
                                                           blocks before

Rows above zero, of a series that was not below it in these blocks, have to be far in logarithms too, so that a large
flood of a river that has many is none. Blocks are five cycles long; rows of the first one are judged by one another.

Source    deviations from a running median: Hampel (1974), J. American Statistical Association 69(346).
Letters   T rows, C channels, K rows that a median is taken of, p period
"""

from collections.abc import Iterator, Sequence

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
    middle, known = (found.T for found in median_of_known(_in_blocks(distance, size), axis=-1))
    middle = np.where(known >= min(size, len(distance)) // 3, middle, np.nan)
    before, _ = _median_across([_lagged(middle, lag) for lag in range(1, BLOCKS + 1)])
    before[0] = middle[0]
    limit = np.where(before > 0, deviations * NORMAL * before, np.inf)
    far: np.ndarray = distance > np.repeat(limit, size, axis=0)[: len(distance)]
    return far


def _in_blocks(rows: np.ndarray, size: int) -> np.ndarray:  # (T, C) -> (C, blocks, size)
    """Blocks of each channel, the last one filled with NaN: lying together, they are sorted five times as fast."""
    blocks = -(-len(rows) // size)
    apart = np.full((rows.shape[1], blocks * size), np.nan)
    apart[:, : len(rows)] = rows.T
    return apart.reshape(-1, blocks, size)


def _deviations(
    rows: np.ndarray, seasons: Sequence[int], size: int, known: np.ndarray
) -> np.ndarray:  # (T, C)
    """Distances from what is usual, with their sign, by the season that they are least by."""
    nearest = np.full(rows.shape, np.nan)
    for period in seasons or (1,):
        residual = rows - _usual_around(known if period > 1 else rows, _lags(period), size)
        level = _usual_around(residual, _lags(1), size)
        relative = residual - np.where(np.isfinite(level), level, 0.0)
        for deviation in (residual, relative):
            nearer = np.isfinite(deviation) & ~(np.abs(nearest) <= np.abs(deviation))
            nearest = np.where(nearer, deviation, nearest)
    return nearest


def usual_before(
    rows: np.ndarray,  # (T, C)
    known: np.ndarray,  # (T, C)
    seasons: Sequence[int],
) -> tuple[np.ndarray, np.ndarray]:
    """What the rows before say of each row, by the shortest season, and how far they are from there, (T, C) both.

    Parameters
    ----------
    rows, known, seasons
        As for `far_from_usual`.

    Returns
    -------
    usual, level : ndarray of shape (T, C)
        NaN, and zero, where too little is known before.
    """
    usual = _usual_by(known, _lags(seasons[0] if seasons else 1))
    residual = rows - usual
    level, _ = _median_across([_lagged(residual, lag) for lag in _lags(1)])
    return usual, np.where(np.isfinite(level), level, 0.0)


def _lags(period: int) -> np.ndarray:
    return period * np.arange(1, 1 + (CYCLES if period > 1 else LEVEL))


def _usual_by(rows: np.ndarray, lags: np.ndarray) -> np.ndarray:  # (T, C)
    """Median of the rows at some lags."""
    middle, known = _median_across([_lagged(rows, lag) for lag in lags])
    middle[known < FEWEST] = np.nan
    return middle


def _usual_around(rows: np.ndarray, lags: np.ndarray, size: int) -> np.ndarray:  # (T, C)
    """The same; in the first block of those before and after, within it."""
    middle, first = _usual_by(rows, lags), rows[:size]
    around = [turned(first, lag) for lag in lags for turned in (_lagged, _leading)]
    middle[:size], known = _median_across(around)
    middle[:size][known < FEWEST - 1] = np.nan
    return middle


def _far_in_logarithms(
    rows: np.ndarray, far: np.ndarray, seasons: Sequence[int], size: int, known: np.ndarray
) -> np.ndarray:  # (T, C) bool
    """Rows that are far in logarithms, and all that have none, or come after a block with a row below zero."""
    passed = np.ones(far.shape, dtype=bool)
    lowest = np.fmin.reduce(_in_blocks(rows, size), axis=-1, initial=np.inf).T
    before = np.fmin.reduce([_lagged(lowest, lag) for lag in range(1, BLOCKS + 1)])
    before[0] = lowest[0]
    asked = far & (rows > 0) & np.repeat(before >= 0, size, axis=0)[: len(rows)]
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


def _median_across(arrays: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """`median_of_known` of a few arrays of one shape, whose content is lost, some five times as fast.

    Batcher's merge exchange puts them into order, place by place (Knuth, The Art of Computer Programming 3, 5.2.2M).
    """
    count, spare = len(arrays), np.empty_like(arrays[0])
    for low, high in _exchanges(count):
        np.fmin(arrays[low], arrays[high], out=spare)
        np.maximum(arrays[low], arrays[high], out=arrays[high])  # NaN last
        arrays[low], spare = spare, arrays[low]
    lower, upper = arrays[(count - 1) // 2], arrays[count // 2]
    middle, known = lower + (upper - lower) / 2, np.full(spare.shape, count)
    gaps = ~np.isfinite(arrays[-1])
    if gaps.any():
        middle[gaps], known[gaps] = median_of_known(np.stack([values[gaps] for values in arrays]))
    return middle, known


def _exchanges(count: int) -> Iterator[tuple[int, int]]:
    """Places to compare and exchange, in turn, that put so many numbers into order."""
    highest = 1 << max(0, (count - 1).bit_length() - 1)
    step = highest
    while step:
        distance, offset, stride = step, 0, highest
        while True:
            yield from ((i, i + distance) for i in range(count - distance) if i & step == offset)
            if stride == step:
                break
            distance, offset, stride = stride - step, step, stride // 2
        step //= 2
