"""What an expert of the linear core is: a linear map from the coordinates of a window to its forecast.

An expert sees the second moments of windows in their coordinates (`klforecast.core.coordinates`) and answers with a
matrix of shape (H, d). All share one recipe: centre the window by a level, forecast what is left, add the level back:

    forecast = f(x - 1 l'x) + 1 l'x

A class of experts also says which of its members a core of a given size should have (`Expert.propose`).

Letters   H horizon, d coordinates, r output modes, P period, N cycles of the past, M of the future
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates

REFERENCE = 0.1
"""Prior of an expert with nothing to fit, beside 1 for one that is fitted from windows enough."""

CYCLES_OF_A_WEEK = 7
"""A season of days has a longer one beside it more often than not; seven days are the one that calendars have."""


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


class Setting(NamedTuple):
    """What a core has to work with, from which its experts are chosen.

    Attributes
    ----------
    edges : tuple of int
        Ages in steps at which the blocks of a window end; the first is the input window, the last the depth.
    folds : tuple of Fold
        Views of the depth as a matrix of cycles x phase that the series are long enough for.
    period : int
        Steps of the leading cycle; 1 for none.
    channels : int
        Channels of each series.
    prior : float
        Prior weight of what is fitted, from 0 (there is nothing to fit from) to 1.
    """

    edges: tuple[int, ...]
    folds: tuple[Fold, ...]
    period: int
    channels: int
    prior: float

    @property
    def recent(self) -> int:
        """Steps of the input window."""
        return self.edges[0]

    @property
    def depth(self) -> int:
        """Steps that a window looks back."""
        return self.edges[-1]

    @property
    def near(self) -> int:
        """Steps that every expert may read: the input window, and a block behind it that ends with the second cycle."""
        holds_second_cycle = len(self.edges) > 1 and self.edges[1] <= 2 * self.period
        return self.edges[1] if holds_second_cycle else self.recent

    @property
    def seasonal(self) -> bool:
        """Whether the input window holds a whole cycle."""
        return 1 < self.period <= self.recent

    @property
    def poolings(self) -> tuple[str, ...]:
        """Whose windows a fitted map may be solved from."""
        if self.prior == 0:
            return ()
        return ("shared", "channel") if self.channels > 1 else ("shared",)

    @property
    def reference(self) -> float:
        """Prior of a level as reference.

        Where there is a season, levels, which have none, weigh no more than what is fitted; the last cycle gets
        the share that both lose.
        """
        return self.prior * REFERENCE if self.seasonal else REFERENCE


class Expert(Protocol):
    """A member of the mixture: a frozen dataclass, equal to another one with the same parameters.

    Attributes
    ----------
    prior : float
        Share in the mixture before any evidence, relative to the other experts.
    pooling : {"shared", "channel", "none"}
        One map for all channels, one each, or one that nothing is fitted for.
    reverts : bool
        Whether its forecasts return to the mean of the training rows.
    folds : tuple of Fold
        Folds whose moments it is solved from.
    """

    @property
    def prior(self) -> float:
        """See the attributes."""

    @property
    def pooling(self) -> str:
        """See the attributes."""

    @property
    def reverts(self) -> bool:
        """See the attributes."""

    @property
    def folds(self) -> tuple[Fold, ...]:
        """See the attributes."""

    @classmethod
    def propose(cls, setting: Setting) -> Iterator[Self]:
        """Yield the members that a core of this size should have."""

    def solve(self, moments: Moments, coordinates: Coordinates) -> Tensor:
        """Map of shape (H, d)."""


class NothingToFit:
    """Mixin of the references: a rule that takes no moments."""

    pooling: ClassVar[str] = "none"
    reverts: ClassVar[bool] = False
    folds: ClassVar[tuple[Fold, ...]] = ()


def folded_gram(windows: Tensor, fold: Fold) -> Tensor:  # (n, (N + M) P) -> (N + M, N + M), float64
    """Gram matrix over cycles of given windows, each centred by the mean of its last cycles before the cutoff."""
    cycles = windows.reshape(len(windows), -1, fold.period)
    level = cycles[:, fold.cycles - fold.level : fold.cycles].mean(dim=(1, 2), keepdim=True)
    centred = (cycles - level).transpose(0, 1).reshape(cycles.shape[1], -1)
    return (centred @ centred.T).double()


def around_level(weight: Tensor, ones: Tensor, level: Tensor) -> Tensor:  # (H, d)
    """The map that centres by the level, applies `weight` and adds the level back."""
    return weight + (1 - weight @ ones)[:, None] * level


def shares(experts: Sequence[Expert]) -> Tensor:
    """Prior weights of the experts, with sum one."""
    prior = torch.tensor([expert.prior for expert in experts], dtype=torch.float64)
    return prior / prior.sum()
