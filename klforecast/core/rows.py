"""The rows that windows are taken from: scaled beforehand, or where they are read.

Some thousand windows of a series are looked at, however long it is. A stream is kept in the units
of the data, since its scale changes with every row, and only the windows that are looked at are
scaled.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from torch import Tensor

from klforecast.core.plan import CorePlan
from klforecast.data.scaling import Standardizer
from klforecast.ops.arrays import to_tensor

_LIFETIMES = 3  # of a window, after which its weight is below 5 %


@dataclass(frozen=True)
class StreamRows:
    """Rows in the units of the data, with the scale in which they are to be read.

    Parameters
    ----------
    values : ndarray of shape (time, channels)
    scaler : Standardizer
    """

    values: np.ndarray
    scaler: Standardizer

    @property
    def shape(self) -> tuple[int, ...]:
        """(time, channels)."""
        return self.values.shape

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> "StreamRows":
        return StreamRows(self.values[rows], self.scaler)


Rows = Tensor | StreamRows


def check_lengths(panel: Sequence[Rows], plan: CorePlan) -> None:
    """Raise a ValueError unless one of the series is as long as a window."""
    longest = max(map(len, panel))
    if longest < plan.length:
        raise ValueError(
            f"the longest of {len(panel)} series has {longest} rows and one window takes "
            f"{plan.depth} + {plan.padded_horizon}; pass a smaller memory_depth or horizon"
        )


def spread_over(series: Rows, channel: int, length: int, stride: int) -> Tensor:
    """Every `stride`-th window of one channel, scaled, in float32.

    Parameters
    ----------
    series : Tensor or StreamRows, (time, channels)
        At least `length` rows.
    channel, length, stride : int
        Which channel, rows of a window, rows from one window to the next.

    Returns
    -------
    Tensor of shape (windows, length)
    """
    if isinstance(series, Tensor):
        return series[:, channel].float().unfold(0, length, stride)
    windows = sliding_window_view(series.values[:, channel], length)[::stride]
    own = Standardizer(series.scaler.mean[[channel]], series.scaler.scale[[channel]])
    return to_tensor(own.transform(windows)).float()


def spread_rows(series: Rows, most: int) -> Tensor:
    """About `most` rows, evenly spread, scaled, in float64.

    The step from one to the next is odd, so that an even period, of a day in hours or of a year in months, is met in
    more than one phase.

    Parameters
    ----------
    series : Tensor or StreamRows, (time, channels)
    most : int
        All rows of a series that has no more.

    Returns
    -------
    Tensor of shape (rows, channels)
    """
    step = (len(series) // most) | 1
    if isinstance(series, Tensor):
        return series[::step].double()
    return to_tensor(series.scaler.transform(series.values[::step]))


def newest_rows(series: Rows, count: int) -> Tensor:  # (count, channels), float64
    """The last `count` rows, scaled."""
    if isinstance(series, Tensor):
        return series[-count:].double()
    return to_tensor(series.scaler.transform(series.values[-count:]))


def remembered_rows(panel: Sequence[Rows], plan: CorePlan) -> list[Rows]:
    """The rows of each series whose windows still count; all of them without forgetting."""
    if plan.forgetting == 1:
        return list(panel)
    windows = math.ceil(_LIFETIMES / (1 - plan.forgetting))
    return [series[-(plan.depth + plan.padded_horizon + windows) :] for series in panel]
