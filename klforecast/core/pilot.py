"""What a linear core leaves over of rows that it was not solved on: the evidence on which covariates are judged.

The rows after the first window of each series are cut into K blocks of time. A window speaks for the block that holds
all its targets, and the pilot of a block is solved on the windows that have no target in it:

    block      [---- k-1 ----)[------ k ------)[---- k+1 ----)
    speaks for k                 c ... c+h
    solved on      c ... c+h                      c ... c+h

So no step is a target of two blocks, nor of a pilot and of what it is judged on. A horizon that is longer than half
a block would leave few windows or none; the pilot then looks fewer steps ahead than the core. That costs little:
the effect of a covariate is the same at every lead.

Letters   C channels, H horizon of the pilot, K blocks, D depth, n windows, d coordinates
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates, window_coordinates
from klforecast.core.experts import Moments, RidgeExpert, shares
from klforecast.core.gram import window_gram
from klforecast.core.moments import window_moments
from klforecast.core.out_of_fold import SpreadWindows, spread_windows
from klforecast.core.plan import CorePlan

_N_BLOCKS = 5  # as many as the core is judged on
LEAST_BLOCKS = 3  # two cannot tell agreement from chance
_N_JUDGED = (
    1000  # windows of all blocks that are judged; neighbours are nearly equal, so more add little
)
_WINDOWS_AT_ONCE = (
    32  # bounds the memory: each window has as many rows of every term as it has steps
)


def plan_pilot(
    lengths: Sequence[int], plan: CorePlan, plan_for: Callable[[int], CorePlan]
) -> CorePlan:
    """Plan a core that looks as far ahead as five blocks of the rows can be judged on.

    Parameters
    ----------
    lengths : sequence of int
        Rows of each series.
    plan : CorePlan
        Of the core.
    plan_for : callable
        The plan for another horizon.

    Returns
    -------
    CorePlan
        Its horizon is at most that of the core and half a block of the longest series.

    Examples
    --------
    >>> from functools import partial
    >>> from klforecast.core.plan import plan_core
    >>> plan_for = partial(plan_core, [120], 1)
    >>> plan_pilot([120], plan_for(28), plan_for).horizon
    9
    """
    half_block = (max(lengths) - plan.depth) // (2 * _N_BLOCKS)
    return plan if plan.horizon <= half_block else plan_for(max(1, half_block))


class Pilot:
    """Maps from the past of a window to its future, one for each block of time, solved without it.

    They are the mixture by prior weights of the ridge experts that all channels share; of those with nothing to fit
    where the series are too short for any.

    Parameters
    ----------
    panel : sequence of Tensor of shape (time, C)
        Each at least one window long.
    plan : CorePlan

    Attributes
    ----------
    blocks : list of Tensor of int
        Windows that are judged, for each block that has some and leaves some to solve a pilot on.
    is_enough : bool
        Whether the blocks are enough to tell agreement from chance.
    """

    def __init__(self, panel: Sequence[Tensor], plan: CorePlan):
        self.plan = plan
        lengths = [len(series) for series in panel]
        self.windows: SpreadWindows = spread_windows(lengths, plan)
        self.blocks, trained = cut_blocks(self.windows, lengths, plan)
        self.is_enough = len(self.blocks) >= LEAST_BLOCKS
        if not self.is_enough:
            return
        size = plan.depth + plan.horizon
        gram = window_gram([window_moments(series, size, plan.forgetting) for series in panel])
        self.coordinates: Coordinates = window_coordinates(
            gram, plan.edges, plan.horizon, plan.n_components, plan.n_outputs
        )
        shared = [expert for expert in plan.experts if expert.pooling != "channel"]
        fitted = any(isinstance(expert, RidgeExpert) for expert in shared)
        experts = [
            expert
            for expert in shared
            if (isinstance(expert, RidgeExpert) if fitted else expert.pooling == "none")
        ]
        self._maps = []
        for gram in self._trained_grams(panel, trained):
            maps = [expert.solve(Moments(gram, {}), self.coordinates) for expert in experts]
            self._maps.append(torch.einsum("e,ehd->hd", shares(experts), torch.stack(maps)).float())

    def _trained_grams(
        self, panel: Sequence[Tensor], trained: Sequence[Tensor]
    ) -> Tensor:  # (K, d + r, d + r)
        size = self.coordinates.sizes[-1] + self.coordinates.output_modes.shape[1]
        grams = torch.zeros(len(trained), size, size, dtype=torch.float64)
        for i, series in enumerate(panel):
            own = (self.windows.series == i).nonzero()[:, 0]
            for channel in range(series.shape[1]):
                raw = cut_windows(series[:, channel], self.windows.cutoff[own], self.plan)
                encoded = self.coordinates.encode_whole(raw).double()
                for gram, used in zip(grams, trained, strict=True):
                    among = encoded[used[own]]
                    gram += among.T @ among
        return grams

    def batches(self, block: int) -> list[tuple[Tensor, int]]:
        """Judged windows of a block: cutoffs, of one series each."""
        judged = self.blocks[block]
        return [
            (self.windows.cutoff[few], i)
            for i in self.windows.series[judged].unique().tolist()
            for few in judged[self.windows.series[judged] == i].split(_WINDOWS_AT_ONCE)
        ]

    def errors(self, block: int, windows: Tensor) -> Tensor:  # (..., D + H) -> (..., H)
        """What the pilot leaves over of the futures of windows."""
        past, future = windows[..., : self.plan.depth], windows[..., self.plan.depth :]
        return future - self.coordinates.encode(past) @ self._maps[block].T


def cut_blocks(
    windows: SpreadWindows, lengths: Sequence[int], plan: CorePlan
) -> tuple[list[Tensor], list[Tensor]]:  # K of (m,) int, K of (n,) bool
    """Which windows are judged for each block, and which its pilot is solved on."""
    ahead = torch.tensor(lengths)[windows.series] - plan.depth
    first_target = windows.cutoff - plan.depth
    first = first_target * _N_BLOCKS // ahead
    last = (first_target + plan.horizon - 1) * _N_BLOCKS // ahead
    judged, trained = [], []
    for k in range(_N_BLOCKS):
        inside = ((first == k) & (last == k)).nonzero()[:, 0]
        outside = (last < k) | (first > k)
        if len(inside) and outside.any():
            judged.append(inside[:: math.ceil(len(inside) * _N_BLOCKS / _N_JUDGED)])
            trained.append(outside)
    return judged, trained


def cut_windows(
    rows: Tensor, cutoffs: Tensor, plan: CorePlan
) -> Tensor:  # (..., T), (n,) -> (..., n, D + H)
    """Past and future around each cutoff, in float32."""
    return rows.float().unfold(-1, plan.depth + plan.horizon, 1)[..., cutoffs - plan.depth, :]
