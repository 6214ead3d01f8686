"""The experts of the linear core: each one a linear map from the coordinates of a window to its forecast.

An expert sees the second moments of windows in their coordinates (`klforecast.core.coordinates`) and answers with a
matrix of shape (H, d). All share one recipe: centre the window by a level, forecast what is left, add the level back:

    forecast = f(x - 1 l'x) + 1 l'x

Letters   H horizon, d coordinates, r output modes, P period, N cycles of the past, M of the future
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates
from klforecast.core.gram import centre_gram
from klforecast.core.ridge import reduced_rank, ridge_from_gram


class Fold(NamedTuple):
    """How a window becomes a matrix of cycles x phase: N cycles of `period` steps, centred by the last `level`."""

    period: int
    cycles: int
    level: int


class Moments(NamedTuple):
    """Second moments of windows, of one channel or summed over channels.

    Attributes
    ----------
    gram : Tensor of shape (d + r, d + r)
        ``sum [x; z][x; z]'`` over the windows.
    folded : mapping from a fold to a Tensor of shape (N + M, N + M)
        Gram matrices over cycles, already centred.
    """

    gram: Tensor
    folded: Mapping[Fold, Tensor]


@dataclass(frozen=True)
class RidgeExpert:
    """Ridge regression in the coordinates that reach back `depth` steps.

    Parameters
    ----------
    depth : int
        One of the edges of the coordinates.
    centred : bool
        Whether windows are centred by their last value; otherwise forecasts revert to the mean of the training rows.
    pooling : {"shared", "channel"}
        One map for all channels, or one each.
    strength : float
        Of the ridge, in units of the mean eigenvalue.
    prior : float
        Share in the mixture before any evidence, relative to the other experts.
    """

    depth: int
    centred: bool
    pooling: str
    strength: float
    prior: float

    @property
    def reverts(self) -> bool:
        """Whether its forecasts return to the mean of the training rows."""
        return not self.centred

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        size = coordinates.sizes[coordinates.edges.index(self.depth)]
        inputs = coordinates.sizes[-1]
        used = torch.cat([torch.arange(size), torch.arange(inputs, len(moments.gram))])
        gram = moments.gram[used[:, None], used]
        level = torch.zeros(inputs, dtype=torch.float64)
        if self.centred:
            level[coordinates.recent - 1] = 1.0
            ones = torch.cat([coordinates.ones()[:size], coordinates.output_modes.sum(dim=0)])
            gram = centre_gram(
                gram, torch.nn.functional.pad(level[:size], (0, len(used) - size)), ones
            )
        coefficients = ridge_from_gram(gram[:size, :size], gram[:size, size:], self.strength)
        weight = torch.zeros(len(coordinates.output_modes), inputs, dtype=torch.float64)
        weight[:, :size] = coordinates.output_modes @ coefficients.T
        return _around_level(weight, coordinates.ones(), level)


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
        return _around_level(coordinates.encode(raw), coordinates.ones(), level)


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


@dataclass(frozen=True)
class SeasonalExpert:
    """The mean of the last cycles, phase by phase; of the last one alone, it is the seasonal naive forecast.

    Parameters
    ----------
    period : int
        Steps of a cycle.
    cycles : int
        Cycles in the mean; all of them within the recent steps.
    prior : float
        As for `RidgeExpert`.
    """

    period: int
    cycles: int
    prior: float
    pooling: ClassVar[str] = "none"
    reverts: ClassVar[bool] = False

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        horizon = len(coordinates.output_modes)
        step = torch.arange(horizon)
        weight = torch.zeros(horizon, coordinates.sizes[-1], dtype=torch.float64)
        for cycle in range(1, self.cycles + 1):
            newest = coordinates.recent - cycle * self.period
            weight[step, newest + step % self.period] = 1 / self.cycles
        return weight


@dataclass(frozen=True)
class GrowthExpert:
    """The last cycle once more, raised for each cycle ahead by what the last `steps` steps have gained on it.

    Parameters
    ----------
    period : int
        Steps of a cycle.
    steps : int
        Last steps whose mean is compared with that of the same steps one cycle earlier; `period` + `steps` steps lie
        within the recent ones.
    prior : float
        As for `RidgeExpert`.
    """

    period: int
    steps: int
    prior: float
    pooling: ClassVar[str] = "none"
    reverts: ClassVar[bool] = False

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        recent, gain = coordinates.recent, torch.zeros(coordinates.sizes[-1], dtype=torch.float64)
        gain[recent - self.steps : recent] += 1 / self.steps
        gain[recent - self.period - self.steps : recent - self.period] -= 1 / self.steps
        naive = SeasonalExpert(self.period, 1, self.prior).solve(moments, coordinates)
        cycles_ahead = torch.arange(len(naive)) // self.period + 1
        return naive + cycles_ahead[:, None] * gain


@dataclass(frozen=True)
class DriftExpert:
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
    pooling: ClassVar[str] = "none"
    reverts: ClassVar[bool] = False

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        horizon = len(coordinates.output_modes)
        ahead = torch.arange(1, horizon + 1, dtype=torch.float64) / self.steps
        weight = torch.zeros(horizon, coordinates.sizes[-1], dtype=torch.float64)
        weight[:, coordinates.recent - 1] = 1 + ahead
        weight[:, coordinates.recent - 1 - self.steps] = -ahead
        return weight


Expert = RidgeExpert | FoldedExpert | LevelExpert | SeasonalExpert | GrowthExpert | DriftExpert


def folded_gram(windows: Tensor, fold: Fold) -> Tensor:  # (n, (N + M) P) -> (N + M, N + M), float64
    """Gram matrix over cycles of given windows, each centred by the mean of its last cycles before the cutoff."""
    cycles = windows.reshape(len(windows), -1, fold.period)
    level = cycles[:, fold.cycles - fold.level : fold.cycles].mean(dim=(1, 2), keepdim=True)
    centred = (cycles - level).transpose(0, 1).reshape(cycles.shape[1], -1)
    return (centred @ centred.T).double()


def _around_level(weight: Tensor, ones: Tensor, level: Tensor) -> Tensor:  # (H, d)
    """The map that centres by the level, applies `weight` and adds the level back."""
    return weight + (1 - weight @ ones)[:, None] * level


def shares(experts: Sequence[Expert]) -> Tensor:
    """Prior weights of the experts, with sum one."""
    prior = torch.tensor([expert.prior for expert in experts], dtype=torch.float64)
    return prior / prior.sum()
