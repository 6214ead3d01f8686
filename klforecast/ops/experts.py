"""The experts of the linear core: each one a linear map from the coordinates of a window to its forecast.

An expert sees the second moments of all windows in their coordinates (`klforecast.ops.coordinates`) and answers with
a matrix of shape (maps, H, d); maps is 1 for all channels, or C for one each. All share one recipe: centre the window
by a level, forecast what is left, add the level back:

    forecast = f(x - 1 l'x) + 1 l'x

Letters   H horizon, d coordinates, r output modes, C channels, P period, N cycles
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.ops.coordinates import Coordinates
from klforecast.ops.ridge import reduced_rank, ridge_from_gram

_POOLING = {"shared": None, "shrunk": 1.0, "channel": 0.0}


class Moments(NamedTuple):
    """Second moments of windows, one matrix for each channel.

    Attributes
    ----------
    gram : Tensor of shape (C, d + r, d + r)
        ``sum [x; z][x; z]'`` over the windows.
    folded : mapping from a fold to a Tensor of shape (C, N + M, N + M)
        Gram matrices over cycles, already centred.
    """

    gram: Tensor
    folded: Mapping["Fold", Tensor]


class Fold(NamedTuple):
    """How a window becomes a matrix of cycles x phase: N cycles of `period` steps, centred by the last `level`."""

    period: int
    cycles: int
    level: int


@dataclass(frozen=True)
class RidgeExpert:
    """Ridge regression in the coordinates that reach back `depth` steps.

    Parameters
    ----------
    depth : int
        One of the edges of the coordinates.
    centred : bool
        Whether windows are centred by their last value; otherwise forecasts revert to the mean of the training rows.
    pooling : {"shared", "shrunk", "channel"}
        One map for all channels, one each that is drawn towards the shared one, or one each.
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

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (maps, H, d)."""
        size = coordinates.sizes[coordinates.edges.index(self.depth)]
        inputs = coordinates.sizes[-1]
        used = torch.cat([torch.arange(size), torch.arange(inputs, moments.gram.shape[-1])])
        gram = pool(moments.gram[:, used][:, :, used], size, self.pooling)
        level = torch.zeros(size, dtype=torch.float64)
        if self.centred:
            level[coordinates.recent - 1] = 1.0
        ones = torch.cat([coordinates.ones()[:size], coordinates.output_modes.sum(dim=0)])
        gram = _centre_coordinates(
            gram, ones, torch.cat([level, torch.zeros(len(used) - size, dtype=torch.float64)])
        )
        coefficients = ridge_from_gram(gram[:, :size, :size], gram[:, :size, size:], self.strength)
        weight = torch.zeros(len(gram), len(coordinates.output_modes), inputs, dtype=torch.float64)
        weight[:, :, :size] = coordinates.output_modes @ coefficients.mT
        return _around_level(
            weight, coordinates.ones(), torch.nn.functional.pad(level, (0, inputs - size))
        )


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

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (maps, H, d)."""
        period, cycles, level_cycles = self.fold
        gram = pool(moments.folded[self.fold], cycles, self.pooling)
        inputs = gram[:, :cycles, :cycles]
        coefficients = ridge_from_gram(inputs, gram[:, :cycles, cycles:], self.strength)
        coefficients = reduced_rank(coefficients, inputs, self.rank)
        horizon = len(coordinates.output_modes)
        steps = torch.einsum("cnm,pq->cmpnq", coefficients, torch.eye(period, dtype=torch.float64))
        steps = steps.reshape(len(gram), -1, cycles * period)[:, :horizon]
        raw = torch.zeros(len(gram), horizon, coordinates.depth, dtype=torch.float64)
        raw[:, :, coordinates.depth - cycles * period :] = steps
        level = coordinates.mean_of_last(level_cycles * period)
        return _around_level(coordinates.encode(raw), coordinates.ones(), level)


@dataclass(frozen=True)
class LevelExpert:
    """The mean of the last `steps` steps as the forecast of every step; 0 steps forecast the training mean."""

    steps: int
    prior: float

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (1, H, d)."""
        horizon = len(coordinates.output_modes)
        if self.steps == 0:
            return torch.zeros(1, horizon, coordinates.sizes[-1], dtype=torch.float64)
        return coordinates.mean_of_last(self.steps).expand(1, horizon, -1)


@dataclass(frozen=True)
class SeasonalExpert:
    """The last cycle once more: the seasonal naive forecast. Its period must lie within the recent steps."""

    period: int
    prior: float

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (1, H, d)."""
        horizon = len(coordinates.output_modes)
        weight = torch.zeros(1, horizon, coordinates.sizes[-1], dtype=torch.float64)
        step = torch.arange(horizon)
        weight[0, step, coordinates.recent - self.period + step % self.period] = 1.0
        return weight


Expert = RidgeExpert | FoldedExpert | LevelExpert | SeasonalExpert


def pool(gram: Tensor, inputs: int, pooling: str) -> Tensor:  # (C, m, m) -> (1 or C, m, m)
    """Pool second moments over channels.

    "shared" sums them. "shrunk" gives every channel its own moments plus the mean ones, scaled to its own size: the
    solution of a ridge regression that penalises the distance from the shared map in the metric of the data.
    """
    own = _POOLING[pooling]
    if own is None:
        return gram.mean(dim=0, keepdim=True)
    if own == 0.0:
        return gram
    size = gram[:, :inputs, :inputs].diagonal(dim1=-2, dim2=-1).mean(dim=-1)[:, None, None]
    return gram + own * size / size.mean().clamp(min=torch.finfo(gram.dtype).tiny) * gram.mean(
        dim=0
    )


def folded_gram(windows: Tensor, fold: Fold) -> Tensor:  # (n, (N + M) P) -> (N + M, N + M), float64
    """Gram matrix over cycles of given windows, each centred by the mean of its last cycles before the cutoff."""
    cycles = windows.reshape(len(windows), -1, fold.period)
    level = cycles[:, fold.cycles - fold.level : fold.cycles].mean(dim=(1, 2), keepdim=True)
    centred = (cycles - level).transpose(0, 1).reshape(cycles.shape[1], -1)
    return (centred @ centred.T).double()


def _centre_coordinates(gram: Tensor, ones: Tensor, level: Tensor) -> Tensor:
    """`centre_gram` in coordinates, where the constant window is `ones` and not a vector of ones."""
    projected = gram @ level
    total = projected @ level
    shift = ones[:, None] * projected[..., None, :]
    return gram - shift - shift.mT + total[..., None, None] * ones[:, None] * ones


def _around_level(weight: Tensor, ones: Tensor, level: Tensor) -> Tensor:  # (maps, H, d)
    """The map that centres by the level, applies `weight` and adds the level back."""
    return weight + (1 - weight @ ones)[..., None] * level


def shares(experts: Sequence[Expert]) -> Tensor:
    """Prior weights of the experts, with sum one."""
    prior = torch.tensor([expert.prior for expert in experts], dtype=torch.float64)
    return prior / prior.sum()
