"""A level as the forecast of every step: persistence, the mean of a cycle, the training mean."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates
from klforecast.core.experts.base import CYCLES_OF_A_WEEK, Fold, Moments, Setting


@dataclass(frozen=True)
class LevelExpert:
    """The mean of the last `steps` steps as the forecast of every step; 0 steps forecast the training mean.

    Parameters
    ----------
    steps : int
        At most the depth.
    prior : float
        As for `RidgeExpert`.
    """

    steps: int
    prior: float
    pooling: ClassVar[str] = "none"
    folds: ClassVar[tuple[Fold, ...]] = ()

    @classmethod
    def propose(cls, setting: Setting) -> Iterator[Self]:
        """The training mean, the last value, and the means of the last cycle and of the last seven."""
        for steps in dict.fromkeys((0, 1, setting.period, CYCLES_OF_A_WEEK * setting.period)):
            if steps <= setting.depth:
                yield cls(steps, setting.reference)

    @property
    def reverts(self) -> bool:
        """Whether its forecasts return to the mean of the training rows."""
        return self.steps == 0

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        horizon = len(coordinates.output_modes)
        if self.steps == 0:
            return torch.zeros(horizon, coordinates.sizes[-1], dtype=torch.float64)
        return coordinates.mean_of_last(self.steps).repeat(horizon, 1)
