"""Series of unequal length as one array, the newest row of each in the last column.

Letters   N series, T rows of the longest
"""

from collections.abc import Sequence

import numpy as np

from klforecast.ops.far_rows import median_of_known


def align(
    pasts: Sequence[np.ndarray], longest: int, rows: int | None = None
) -> np.ndarray:  # (N, T), float64
    """Newest rows of every series side by side, with NaN before its first.

    Parameters
    ----------
    pasts : sequence of ndarray of shape (time,) or (time, channels)
        Oldest row first, NaN where nothing was observed; every channel becomes a series of its own.
    longest : int
        Older rows are left out, which bounds the cost.
    rows : int, optional
        Of the longest series of a panel that these are a part of; None for the longest of these.

    Returns
    -------
    ndarray of shape (series, min(longest, rows of the longest))

    Raises
    ------
    ValueError
        If there is no series, or one has no rows, more than two dimensions or infinite values among its newest.

    Examples
    --------
    >>> align([np.array([1.0, 2.0, 3.0]), np.array([9.0])], longest=2)
    array([[ 2.,  3.],
           [nan,  9.]])
    """
    series: list[np.ndarray] = []
    for number, past in enumerate(pasts):
        values = np.asarray(past, dtype=np.float64)
        if values.ndim not in (1, 2) or values.size == 0:
            raise ValueError(
                f"past {number} has shape {values.shape}; pass (time,) or (time, channels) "
                "with at least one row and channel"
            )
        series.append(values[:, None] if values.ndim == 1 else values)
    if not series:
        raise ValueError("there is no series; pass at least one past")
    columns = min(longest, max(rows or 0, *map(len, series)))
    aligned = np.full((sum(values.shape[1] for values in series), columns), np.nan)
    start = 0
    for values in series:
        newest, stop = values[-columns:], start + values.shape[1]
        aligned[start:stop, columns - len(newest) :] = newest.T
        start = stop
    if np.isinf(aligned).any():
        _refuse_infinite(series)
    return aligned


def _refuse_infinite(series: Sequence[np.ndarray]) -> None:
    number, values = next(
        (place, rows) for place, rows in enumerate(series) if np.isinf(rows).any()
    )
    raise ValueError(
        f"past {number} holds {int(np.isinf(values).sum())} infinite values; "
        "mark what was not observed by NaN"
    )


def movement(past: np.ndarray) -> np.ndarray:  # (N, T) -> (N,)
    """Mean absolute difference of neighbouring rows, the unit of a series' errors; 0 where there is none."""
    steps = np.abs(np.diff(past, axis=1))
    known = np.isfinite(steps)
    return np.where(known, steps, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)


def median(rows: np.ndarray) -> np.ndarray:  # (N, T) -> (N, 1)
    """Median of what was observed in each row, at least one value; `np.nanmedian` takes five times as long.

    Examples
    --------
    >>> median(np.array([[1.0, np.nan, 3.0], [7.0, 9.0, 8.0]]))
    array([[2.],
           [8.]])
    """
    return median_of_known(rows, axis=1)[0][:, None]


def moving_sums(past: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:  # (N, T - w + 1)
    """Sums over `width` rows from each row on, and how many of these were observed.

    Examples
    --------
    >>> sums, counts = moving_sums(np.array([[1.0, np.nan, 3.0]]), width=2)
    >>> sums, counts
    (array([[1., 3.]]), array([[1., 1.]]))
    """
    known = np.isfinite(past)
    if known.all():
        sums = _sums_from_each(past, width)
        return sums, np.full(sums.shape, float(width))
    filled = np.where(known, past, 0.0)
    return _sums_from_each(filled, width), _sums_from_each(known.astype(np.float64), width)


def _sums_from_each(values: np.ndarray, width: int) -> np.ndarray:  # (N, T - w + 1)
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums[:, width:] - sums[:, :-width]


def are_positive(past: np.ndarray) -> np.ndarray:  # (N,)
    """Series above zero throughout, whose logarithm can be taken."""
    return np.where(np.isfinite(past), past, np.inf).min(axis=1) > 0
