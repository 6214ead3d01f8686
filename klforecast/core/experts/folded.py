"""One regression over cycles for all phases: a window as a matrix of cycles x phase."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates
from klforecast.core.experts.base import Fold, Moments, Setting, around_level
from klforecast.core.experts.ridge import STRENGTH
from klforecast.core.ridge import reduced_rank, ridge_from_gram

_RANK = 3  # modes over cycles: the next ones are hardly more than the last few cycles smoothed


@dataclass(frozen=True)
class FoldedExpert:
    """One map from the last N cycles to the next ones, the same for every phase of the cycle.

    Parameters
    ----------
    fold : Fold
        Period, cycles and level.
    pooling, strength, prior
        As for `RidgeExpert`.
    rank : int
        Modes over cycles that are kept of the forecast.
    """

    fold: Fold
    pooling: str
    strength: float
    rank: int
    prior: float
    reverts: ClassVar[bool] = False

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The one that its moments are taken over."""
        return (self.fold,)

    @classmethod
    def propose(cls, setting: Setting) -> Iterator[Self]:
        """One for each fold and pooling."""
        for fold in setting.folds:
            for pooling in setting.poolings:
                yield cls(fold, pooling, STRENGTH, _RANK, setting.prior)

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        period, cycles, level_cycles = self.fold
        gram = moments.folded[self.fold]
        inputs = gram[:cycles, :cycles]
        coefficients = ridge_from_gram(inputs, gram[:cycles, cycles:], self.strength)
        coefficients = reduced_rank(coefficients, inputs, self.rank)
        horizon = len(coordinates.output_modes)
        raw = torch.zeros(horizon, coordinates.depth, dtype=torch.float64)
        phases = torch.eye(period, dtype=torch.float64)
        steps = torch.einsum("nm,pq->mpnq", coefficients, phases).reshape(-1, cycles * period)
        raw[:, coordinates.depth - cycles * period :] = steps[:horizon]
        level = coordinates.mean_of_last(level_cycles * period)
        return around_level(coordinates.encode(raw), coordinates.ones(), level)
