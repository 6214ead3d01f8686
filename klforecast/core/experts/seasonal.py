"""The last cycles once more, phase by phase."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates
from klforecast.core.experts.base import REFERENCE, Moments, NothingToFit, Setting

_NAIVE = (
    0.3  # what the last cycle gains where fitted experts have no prior: it is then the one to beat
)


@dataclass(frozen=True)
class SeasonalExpert(NothingToFit):
    """The mean of the last cycles, phase by phase; of the last one alone, it is the seasonal naive forecast.

    Parameters
    ----------
    period : int
        Steps of a cycle.
    cycles : int
        Cycles in the mean; all of them within the depth.
    prior : float
        As for `RidgeExpert`.
    """

    period: int
    cycles: int
    prior: float

    @classmethod
    def propose(cls, setting: Setting) -> Iterator[Self]:
        """The last cycle; beside little that can be fitted, the mean of all recent ones too."""
        if not setting.seasonal:
            return
        doubt = 1 - setting.prior
        yield cls(setting.period, 1, REFERENCE + doubt * _NAIVE)
        if doubt and 2 * setting.period <= setting.near:
            yield cls(setting.period, setting.near // setting.period, doubt * REFERENCE)

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        horizon = len(coordinates.output_modes)
        step = torch.arange(horizon)
        weight = torch.zeros(horizon, coordinates.depth, dtype=torch.float64)
        for cycle in range(1, self.cycles + 1):
            newest = coordinates.depth - cycle * self.period
            weight[step, newest + step % self.period] = 1 / self.cycles
        return coordinates.encode(weight)
