"""Series of equal length side by side, as the channels of one.

A step of arithmetic costs some microseconds before it computes anything, so a thousand short series are measured in
blocks, in the time of a few.

Letters   T rows, n series side by side, C channels of each
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.core.stream import scale_before
from klforecast.data.scaling import RowStatistics, Standardizer
from klforecast.estimators.frames.panel import Key
from klforecast.ops.arrays import to_tensor
from klforecast.ops.missing import GapFiller

_VALUES_PER_BLOCK = 1 << 17  # 1 MB, which stays in the caches


class Block(NamedTuple):
    """Series of equal length.

    Attributes
    ----------
    keys : list of tuple
        Of n series.
    statistics : RowStatistics
        Of n C channels, those of a series next to each other.
    rows : Tensor of shape (T, n C)
        In the scale of the statistics.
    """

    keys: list[Key]
    statistics: RowStatistics
    rows: Tensor

    def statistics_apart(self) -> dict[Key, RowStatistics]:
        """Of each series."""
        return dict(zip(self.keys, self.statistics.apart(len(self.keys)), strict=True))

    def rows_apart(self) -> dict[Key, Tensor]:  # (T, C) each
        """Of each series, in one layout whoever stands beside it."""
        series = self.rows.unflatten(1, (len(self.keys), -1)).transpose(0, 1)
        return dict(zip(self.keys, series.contiguous().unbind(), strict=True))

    def scalers(self, spared: int = 0, scale_lag: int | None = None) -> dict[Key, Standardizer]:
        """Mean and scale of each series.

        Parameters
        ----------
        spared : int, default=0
            Newest rows that are not to count, see `scale_before`. Rows have no gaps then.
        scale_lag : int, optional
            Of the statistics.
        """
        scaler = self.statistics.standardizer()
        if spared:
            before = scale_before(self.rows, spared, self.statistics.forgetting, scale_lag)
            scaler = scaler.then(before)
        return dict(zip(self.keys, scaler.apart(len(self.keys)), strict=True))

    def filled(self, filler: GapFiller) -> "Block":
        """The same without gaps."""
        if not torch.isnan(self.rows).any():
            return self
        series = self.rows_apart().values()
        filled = [filler.fill(rows) if torch.isnan(rows).any() else rows for rows in series]
        return self._replace(rows=torch.cat(filled, dim=1))


def side_by_side(
    panel: Mapping[Key, np.ndarray],  # (time, channels) each
    forgetting: float,
    scale_lag: int | None,
) -> Iterator[Block]:
    """Scale the series of a panel, those of equal length in blocks.

    Parameters
    ----------
    panel : mapping of tuple to ndarray, (time, channels) each
        In the units of the data, NaN where a value is missing.
    forgetting : float
        Weight of a row relative to the next newer one.
    scale_lag : int or None
        Steps of the change that is the unit of each series; None for the standard deviation.

    Examples
    --------
    >>> panel = {("a",): np.ones((5, 1)), ("b",): np.ones((3, 1)), ("c",): np.ones((5, 1))}
    >>> [(block.keys, tuple(block.rows.shape)) for block in side_by_side(panel, 1.0, None)]
    [([('a',), ('c',)], (5, 2)), ([('b',)], (3, 1))]
    """
    of_shape: dict[tuple[int, ...], list[Key]] = defaultdict(list)
    for key, rows in panel.items():
        of_shape[rows.shape].append(key)
    for (length, channels), keys in of_shape.items():
        at_once = max(1, _VALUES_PER_BLOCK // (length * channels))
        for start in range(0, len(keys), at_once):
            some = keys[start : start + at_once]
            rows = np.concatenate([panel[key] for key in some], axis=1)
            statistics = RowStatistics.of(rows, forgetting, scale_lag)
            scaled = statistics.standardizer().transform(rows)
            yield Block(some, statistics, to_tensor(scaled))
