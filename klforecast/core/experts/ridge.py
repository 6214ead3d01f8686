"""Ridge regression in Karhunen-Loeve coordinates, around the last value or around the training mean."""

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
"""Of the mean eigenvalue; 0.003 and 0.03 are as good within 0.2 %, 0.1 is worse (docs/linear_core.md)."""

_UNCENTRED_STRENGTH = 10 * STRENGTH  # the level is among its directions, and much the strongest
_MINOR = (
    0.3  # prior of the uncentred and of the shallow map: each helps some series and harms others
)


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

    folds: ClassVar[tuple[Fold, ...]] = ()

    @classmethod
    def propose(cls, setting: Setting) -> Iterator[Self]:
        """One for each depth, one that reverts to the mean, and one for the recent steps alone."""
        edges, prior = setting.edges, setting.prior
        for pooling in setting.poolings:
            for edge in edges[1:] or edges:
                yield cls(edge, True, pooling, STRENGTH, prior)
            yield cls(edges[-1], False, pooling, _UNCENTRED_STRENGTH, _MINOR * prior)
            if len(edges) > 1:
                yield cls(edges[0], True, pooling, STRENGTH, _MINOR * prior)

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
            gram = center_gram(
                gram, torch.nn.functional.pad(level[:size], (0, len(used) - size)), ones
            )
        coefficients = ridge_from_gram(gram[:size, :size], gram[:size, size:], self.strength)
        weight = torch.zeros(len(coordinates.output_modes), inputs, dtype=torch.float64)
        weight[:, :size] = coordinates.output_modes @ coefficients.T
        return around_level(weight, coordinates.ones(), level)
