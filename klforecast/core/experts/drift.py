"""A line through the last value and an earlier one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates
from klforecast.core.experts.base import REFERENCE, Moments, NothingToFit, Setting


@dataclass(frozen=True)
class DriftExpert(NothingToFit):
    """The line through the last value and the one `steps` steps before it.

    Parameters
    ----------
    steps : int
        Fewer than the recent steps.
    prior : float
        As for `RidgeExpert`.
    """

    steps: int
    prior: float

    @classmethod
    def propose(cls, setting: Setting) -> Iterator[Self]:
        """Beside little that can be fitted, where there is no season: over two steps, a quarter of the window, all."""
        doubt = 1 - setting.prior
        if not doubt or setting.period > 1:
            return
        for steps in dict.fromkeys((2, setting.recent // 4, setting.recent - 1)):
            if 0 < steps < setting.recent:
                yield cls(steps, doubt * REFERENCE)

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        horizon = len(coordinates.output_modes)
        ahead = torch.arange(1, horizon + 1, dtype=torch.float64) / self.steps
        weight = torch.zeros(horizon, coordinates.sizes[-1], dtype=torch.float64)
        weight[:, coordinates.recent - 1] = 1 + ahead
        weight[:, coordinates.recent - 1 - self.steps] = -ahead
        return weight
