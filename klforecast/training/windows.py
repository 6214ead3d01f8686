"""Windows of a panel for training: gathered a batch at a time, split in order of time.

    rows            [ series 1 ........................ | series 2 ......... | ... ]
    a window        at start s: past rows s .. s + depth - 1, future the next horizon rows
    validation      the newest rows of each series

The rows before `validation_start` are the only ones whose future is trained on.
"""

from collections.abc import Sequence
from copy import copy
from typing import Self

import torch
from torch import Tensor
from torch.utils.data import Dataset

from klforecast.data.windows import sliding_windows


def validation_start(n_rows: int, horizon: int, validation_fraction: float) -> int:
    """First row that is forecast for validation; only the rows before it are trained on.

    Parameters
    ----------
    n_rows : int
        Length of the series, in steps.
    horizon : int
        Steps of a forecast. The validation part has at least as many rows.
    validation_fraction : float
        Share of the rows, in [0, 1). 0 leaves none for validation.

    Raises
    ------
    ValueError
        If the fraction is not in [0, 1).

    Examples
    --------
    >>> validation_start(8640, horizon=96, validation_fraction=0.2)
    6912
    """
    if not 0 <= validation_fraction < 1:
        raise ValueError(
            f"got validation_fraction={validation_fraction!r}; pass a number from 0 to below 1"
        )
    if validation_fraction == 0:
        return n_rows
    return max(0, n_rows - max(horizon, round(validation_fraction * n_rows)))


class PanelWindows(Dataset):
    """All windows of a panel as pairs (past, future), in batches without a loop over windows.

    Windows are ordered by series, and by time within a series. A series with fewer than
    ``depth + horizon`` rows has none.

    Parameters
    ----------
    panel : sequence of Tensor, each (time, channels)
        Scaled series, all with the same channels.
    depth, horizon : int
        Steps of the past and of the future of a window.

    Notes
    -----
    Holds one copy of the rows, O(time) memory; a batch is one gather.

    Examples
    --------
    >>> windows = PanelWindows([torch.arange(6.0)[:, None]], depth=2, horizon=1)
    >>> past, future = windows.__getitems__([0, 3])
    >>> past[..., 0], future[..., 0]
    (tensor([[0., 1.],
             [3., 4.]]), tensor([[2.],
             [5.]]))
    """

    def __init__(self, panel: Sequence[Tensor], depth: int, horizon: int):
        self.depth = depth
        self.horizon = horizon
        self.lengths = torch.tensor([len(series) for series in panel])
        self._all = sliding_windows(torch.cat(list(panel)), depth + horizon)
        self._first_rows = self.lengths.cumsum(0) - self.lengths
        counts = (self.lengths - depth - horizon + 1).clamp(min=0)
        self._series = torch.arange(len(counts)).repeat_interleave(counts)
        within = torch.arange(len(self._series)) - (counts.cumsum(0) - counts)[self._series]
        self.starts = self._first_rows[self._series] + within

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor]:
        past, future = self.__getitems__([position])
        return past[0], future[0]

    def __getitems__(self, positions: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Gather windows: past (n, depth, channels) and future (n, horizon, channels)."""
        windows = self._all[self.starts[torch.as_tensor(positions)]]
        past, future = windows.split([self.depth, self.horizon], dim=1)
        return past, future

    def split(self, validation_fraction: float) -> tuple[Self, Self]:
        """Split in order of time: windows to train on, and the newest ones to validate on.

        No row is forecast in both parts: the windows whose forecast crosses the border, fewer than
        `horizon` for each series, belong to neither.

        Parameters
        ----------
        validation_fraction : float
            Share of the rows of each series, see `validation_start`.

        Returns
        -------
        training, validation : PanelWindows
            Over the same rows; either may be empty.
        """
        borders = self._first_rows + torch.tensor(
            [validation_start(n, self.horizon, validation_fraction) for n in self.lengths.tolist()]
        )
        cutoffs = self.starts + self.depth
        border = borders[self._series]
        return self._subset(cutoffs + self.horizon <= border), self._subset(cutoffs >= border)

    def _subset(self, chosen: Tensor) -> Self:  # (windows,), bool
        part = copy(self)
        part.starts, part._series = self.starts[chosen], self._series[chosen]
        return part
