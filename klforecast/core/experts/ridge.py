"""Ridge regression in Karhunen-Loeve coordinates, around a level of the window or around the training mean.

Around the last value a forecast goes on from where the series is. Around the mean of the training rows it returns
there, which is right as long as the level does not leave what was trained on. Around the mean of the whole window it
returns too, but to a level that follows the series.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates
from klforecast.core.experts.base import Fold, Moments, Setting, around_level
from klforecast.core.gram import center_gram
from klforecast.core.ridge import ridge_from_gram

STRENGTH = 0.01
"""Of the mean eigenvalue; 0.003 and 0.03 are as good within 0.2 %, 0.1 is worse (docs/method/linear_core.md)."""

_FAR_STRENGTH = 10 * STRENGTH  # the level is among its directions, and much the strongest
_MINOR = 0.3  # prior of the maps that revert and of the shallow one: each helps some series and harms others


@dataclass(frozen=True)
class RidgeExpert:
    """Ridge regression in the coordinates that reach back `depth` steps.

    Parameters
    ----------
    depth : int
        One of the edges of the coordinates.
    level : int
        Windows are centred by the mean of their last `level` steps: 1 step for the last value, `depth` for the whole
        window. With 0 they are not centred, and forecasts revert to the mean of the training rows.
    pooling : {"shared", "channel"}
        One map for all channels, or one each.
    strength : float
        Of the ridge, in units of the mean eigenvalue.
    prior : float
        Share in the mixture before any evidence, relative to the other experts.
    """

    depth: int
    level: int
    pooling: str
    strength: float
    prior: float

    folds: ClassVar[tuple[Fold, ...]] = ()

    @classmethod
    def propose(cls, setting: Setting) -> Iterator[Self]:
        """One for each depth, those that revert to a mean, and one for the recent steps alone.

        Without a season the input window has the same share as the history and a reverting map of its own: it may be
        left alone (`klforecast.core.out_of_fold`).
        """
        edges, prior = setting.edges, setting.prior
        plain = setting.period == 1
        for pooling in setting.poolings:
            for edge in edges if plain else edges[1:] or edges:
                yield cls(edge, 1, pooling, STRENGTH, prior)
            for edge in dict.fromkeys((edges[0], edges[-1])) if plain else edges[-1:]:
                yield cls(edge, 0, pooling, _FAR_STRENGTH, _MINOR * prior)
            if setting.near < setting.depth and not plain:
                yield cls(edges[0], 1, pooling, STRENGTH, _MINOR * prior)
        # A map for each channel adds nothing to this one, nor does one of the window alone (docs/method/weights.md).
        if setting.poolings:
            yield cls(edges[-1], edges[-1], "shared", _FAR_STRENGTH, _MINOR * prior)

    @property
    def reverts(self) -> bool:
        """Whether its forecasts return to the mean of the training rows."""
        return self.level == 0

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""
        size = coordinates.sizes[coordinates.edges.index(self.depth)]
        inputs = coordinates.sizes[-1]
        gram = _without(moments.gram, size, inputs)
        level = torch.zeros(inputs, dtype=torch.float64)
        if self.level:
            level = coordinates.mean_of_last(self.level)
            ones = torch.cat([coordinates.ones()[:size], coordinates.output_modes.sum(dim=0)])
            gram = center_gram(
                gram, torch.nn.functional.pad(level[:size], (0, len(gram) - size)), ones
            )
        coefficients = ridge_from_gram(gram[:size, :size], gram[:size, size:], self.strength)
        weight = torch.zeros(len(coordinates.output_modes), inputs, dtype=torch.float64)
        weight[:, :size] = coordinates.output_modes @ coefficients.T
        return around_level(weight, coordinates.ones(), level)


def _without(gram: Tensor, start: int, stop: int) -> Tensor:
    """Gram matrix without the rows and columns from `start` to `stop`."""
    if start == stop:
        return gram
    rows = torch.cat([gram[:start], gram[stop:]])
    return torch.cat([rows[:, :start], rows[:, stop:]], dim=1)
