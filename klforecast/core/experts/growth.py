"""The last cycle, raised by what has been gained on the one before."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates
from klforecast.core.experts.base import REFERENCE, Moments, NothingToFit, Setting
from klforecast.core.experts.seasonal import SeasonalExpert


@dataclass(frozen=True)
class GrowthExpert(NothingToFit):
    """The last cycle once more, raised for each cycle ahead by what the last `steps` steps have gained on it.

    Parameters
    ----------
    period : int
        Steps of a cycle.
    steps : int
        Last steps whose mean is compared with that of the same steps one cycle earlier; `period` + `steps` steps lie
        within the depth.
    prior : float
        As for `RidgeExpert`.
    """

    period: int
    steps: int
    prior: float

    @classmethod
    def propose(cls, setting: Setting) -> Iterator[Self]:
        """Beside little that can be fitted: the gain of one step, of a quarter of a cycle and of a whole one."""
        period, doubt = setting.period, 1 - setting.prior
        if not doubt or period == 1:
            return
        for steps in dict.fromkeys((1, max(1, period // 4), period)):
            if period + steps <= setting.near:
                yield cls(period, steps, doubt * REFERENCE)

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        depth, weight = coordinates.depth, torch.zeros(coordinates.depth, dtype=torch.float64)
        weight[depth - self.steps :] += 1 / self.steps
        weight[depth - self.period - self.steps : depth - self.period] -= 1 / self.steps
        gain = coordinates.encode(weight)
        naive = SeasonalExpert(self.period, 1, self.prior).solve(moments, coordinates)
        cycles_ahead = torch.arange(len(naive)) // self.period + 1
        return naive + cycles_ahead[:, None] * gain
