"""Where the windows at the end of a series begin, and which rows lie before and in each of them.

Window w of n leaves  left(w) = horizon + (n - 1 - w) step  rows of every series after its cutoff, so the
last one ends with the series. Series of a panel may differ in length and in end.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from klforecast.estimators.frames.panel import name_series, split_series

_LEAST_PAST = 2  # rows that a forecaster needs to learn anything


class Windows(NamedTuple):
    """The windows of a backtest, oldest first.

    Attributes
    ----------
    horizon, n_windows, step : int
        Steps of a forecast, number of cutoffs, rows from one cutoff to the next.
    """

    horizon: int
    n_windows: int
    step: int

    @property
    def left(self) -> list[int]:
        """Rows of every series that lie after each cutoff."""
        return [
            self.horizon + (self.n_windows - 1 - window) * self.step
            for window in range(self.n_windows)
        ]

    def blocks(self, refit: bool | int) -> Iterator[range]:
        """Windows that one fit serves: all of them, one, or `refit` many."""
        size = int(refit) or self.n_windows
        for start in range(0, self.n_windows, size):
            yield range(start, min(start + size, self.n_windows))


def check_windows(
    y: pd.DataFrame, horizon: int, n_windows: int, step: int | None, refit: bool | int
) -> Windows:
    """Return the windows asked for.

    Raises
    ------
    TypeError
        If a number is not an integer.
    ValueError
        If a number is less than one, or a series too short for that many windows.
    """
    step = horizon if step is None else step
    for name, value in {"horizon": horizon, "n_windows": n_windows, "step": step}.items():
        if isinstance(value, bool) or not isinstance(value, int | np.integer):
            raise TypeError(f"{name}={value!r} is no integer; pass a number of steps from 1 on")
        if value < 1:
            raise ValueError(f"{name}={value}; pass a number from 1 on")
    if not isinstance(refit, bool | int | np.integer):
        raise TypeError(
            f"refit={refit!r}; pass False, True or a number of windows between two fits"
        )
    if refit < 0:
        raise ValueError(f"refit={refit}; pass False, True or a number of windows from 1 on")
    windows = Windows(int(horizon), int(n_windows), int(step))
    wanted = windows.left[0] + _LEAST_PAST
    lengths = {key: len(rows.values) for key, rows in split_series(y).items()}
    short = {key: length for key, length in lengths.items() if length < wanted}
    if short:
        key, length = min(short.items(), key=lambda item: item[1])
        fitting = (length - _LEAST_PAST - horizon) // step + 1
        remedy = (
            f"pass n_windows={fitting} or a smaller step"
            if fitting > 0
            else "pass a shorter horizon or a longer series"
        )
        raise ValueError(
            f"{name_series(key)} has {length} rows ({len(short)} of {len(lengths)} series are too "
            f"short); {n_windows} windows of {horizon} steps, {step} rows apart, take {wanted}: {remedy}"
        )
    return windows


def rows_to_end(index: pd.Index) -> np.ndarray:  # (rows,) int
    """Count for each row how many rows of its series come from it on, itself included.

    Examples
    --------
    >>> rows_to_end(pd.MultiIndex.from_tuples([("a", 0), ("a", 1), ("b", 0)]))
    array([2, 1, 1])
    """
    if not isinstance(index, pd.MultiIndex):
        return np.arange(len(index), 0, -1)
    codes, _ = pd.factorize(index.droplevel(-1))
    places = pd.Series(codes).groupby(codes).cumcount(ascending=False)
    return places.to_numpy() + 1
