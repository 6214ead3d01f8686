"""Tell a number from a series: a ridge on spectral features, and trees.

    m_0(x) = r(x)        m_f(x) = (1 - a_f) m_{f-1}(x) + a_f t_f(x)        answer(x) = m_2(x)

r      the ridge on pooled filter responses (`kinds_ridge`)
t_f    the means of two forests (`forest`), on pooled responses and on statistics over intervals
a_f    share of a forest, in [0, 1], with the least squared error on the training series, each
       answered by the ridge of all others and by the trees that have not seen it

The target is standardised while it is learned, so that its unit does not matter.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from klforecast.classify.ridge_and_forests import RidgeAndForests

# Of the standardised target that trees see: far below its noise, far above the rounding of its unit.
_DECIMALS = 6


class ClosedFormRegressor(RidgeAndForests):
    """A ridge and two forests, each on its own features, and the mean of their answers.

    Parameters and further attributes are those of `RidgeAndForests`.

    Attributes
    ----------
    forest_shares_ : dict of str to float
        a of each forest.
    mean_, scale_ : float
        Of the target.
    left_out_ : Tensor (n,)
        Answer for each training series by the models of all others.
    """

    forest_shares_: dict[str, float]
    mean_: float
    scale_: float
    left_out_: Tensor

    def fit(
        self,
        series: Sequence[Tensor],  # (channels, length) each
        target: Tensor,  # (n,), float64
        row_weights: Tensor | None = None,  # (n,), above 0; None: one each
    ) -> "ClosedFormRegressor":
        """Draw the features, solve the ridge, grow the trees and weigh the two."""
        counts = torch.ones_like(target) if row_weights is None else row_weights
        weights = counts / counts.sum()
        self.mean_ = float(weights @ target)
        self.scale_ = float(weights @ (target - self.mean_).square()) ** 0.5 or 1.0
        wanted = (target - self.mean_) / self.scale_
        unseen = self._grow(
            series,
            wanted[:, None],
            weights,
            lambda rows: torch.ones_like(rows, dtype=torch.bool),
            # Where two features split a node alike, rounding of the target must not decide.
            wanted.round(decimals=_DECIMALS),
            n_classes=None,
            row_weights=row_weights,
        )
        mixed = self.ridge_.left_out_
        self.forest_shares_ = {}
        for name, told in unseen.items():
            share = _choose_share(mixed[:, 0], told[:, 0], wanted, weights)
            self.forest_shares_[name] = share
            mixed = (1 - share) * mixed + share * told
        self.left_out_ = self._mixed(self.ridge_.left_out_, unseen)
        return self

    def answer(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n,)
        """Numbers for series, in the unit of the target."""
        return self._answers(series)

    def _mixed(self, ridge: Tensor, forests: Mapping[str, Tensor]) -> Tensor:  # (n,)
        mixed = ridge
        for name, told in forests.items():
            mixed = (1 - self.forest_shares_[name]) * mixed + self.forest_shares_[name] * told
        return self.mean_ + self.scale_ * mixed[:, 0]


def _choose_share(
    mixed: Tensor,  # (n,), left out
    forest: Tensor,  # (n,), unseen
    wanted: Tensor,  # (n,)
    weights: Tensor,  # (n,), they sum to one
) -> float:
    """Share of a forest under which the mean errs least, in squares; half where they agree."""
    error, step = mixed - wanted, mixed - forest
    size = float(weights @ step.square())
    return min(1.0, max(0.0, float(weights @ (error * step)) / size)) if size > 0 else 0.5
