"""Tell a number from a series: a ridge on spectral features and trees on statistics of intervals.

    answer(x) = (1 - a) r(x) + a t(x)

r    the ridge on pooled filter responses (`kinds_ridge`)
t    the mean of a forest on statistics over intervals (`forest`)
a    share of the forest, in [0, 1], with the least squared error on the training series, each
     answered by the ridge of all others and by the trees that have not seen it

The target is standardised while it is learned, so that its unit does not matter.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from klforecast.classify.ridge_and_forest import RidgeAndForest


class ClosedFormRegressor(RidgeAndForest):
    """A ridge and a forest, each on its own features, and the mean of their answers.

    Parameters and further attributes are those of `RidgeAndForest`.

    Attributes
    ----------
    forest_share_ : float
        a.
    mean_, scale_ : float
        Of the target.
    left_out_ : Tensor (n,)
        Answer for each training series by the models of all others.
    """

    forest_share_: float
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
            wanted,
            n_classes=None,
            row_weights=row_weights,
        )
        self.forest_share_ = _choose_share(
            self.ridge_.left_out_[:, 0], unseen[:, 0], wanted, weights
        )
        self.left_out_ = self._mixed(self.ridge_.left_out_, unseen)
        return self

    def answer(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n,)
        """Numbers for series, in the unit of the target."""
        return self._answers(series)

    def _mixed(self, ridge: Tensor, forest: Tensor) -> Tensor:  # (n,)
        mean = (1 - self.forest_share_) * ridge + self.forest_share_ * forest
        return self.mean_ + self.scale_ * mean[:, 0]


def _choose_share(
    ridge: Tensor,  # (n,), left out
    forest: Tensor,  # (n,), unseen
    wanted: Tensor,  # (n,)
    weights: Tensor,  # (n,), they sum to one
) -> float:
    """Share of the forest under which the mean errs least, in squares; half where they agree."""
    error, step = ridge - wanted, ridge - forest
    size = float(weights @ step.square())
    return min(1.0, max(0.0, float(weights @ (error * step)) / size)) if size > 0 else 0.5
