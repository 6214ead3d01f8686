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

from klforecast.classify.filter_features import FilterFeatures
from klforecast.classify.forest import Forest, answer, grow_forest
from klforecast.classify.interval_features import IntervalFeatures
from klforecast.classify.kinds_ridge import KindsRidge

_AT_ONCE = 500  # series whose features are held at a time while answering


class ClosedFormRegressor:
    """A ridge and a forest, each on its own features, and the mean of their answers.

    Parameters
    ----------
    n_groups : int or None, default=None
        Of `FilterFeatures`.
    seed : int, default=0
        For everything that is drawn.
    n_jobs : int or None, default=None
        Processors that grow trees; the answers do not depend on it.

    Attributes
    ----------
    features_ : FilterFeatures
    ridge_ : KindsRidge
    intervals_ : IntervalFeatures
    forest_ : Forest
    forest_share_ : float
        a.
    mean_, scale_ : float
        Of the target.
    left_out_ : Tensor (n,)
        Answer for each training series by the models of all others.
    """

    n_groups: int | None
    seed: int
    n_jobs: int | None
    features_: FilterFeatures
    ridge_: KindsRidge
    intervals_: IntervalFeatures
    forest_: Forest
    forest_share_: float
    mean_: float
    scale_: float
    left_out_: Tensor

    def __init__(self, n_groups: int | None = None, seed: int = 0, n_jobs: int | None = None):
        self.n_groups = n_groups
        self.seed = seed
        self.n_jobs = n_jobs

    def fit(
        self,
        series: Sequence[Tensor],  # (channels, length) each
        target: Tensor,  # (n,), float64
    ) -> "ClosedFormRegressor":
        """Draw the features, solve the ridge, grow the trees and weigh the two."""
        generator = torch.Generator().manual_seed(self.seed)
        self.mean_ = float(target.mean())
        self.scale_ = float(target.std(correction=0)) or 1.0
        wanted = (target - self.mean_) / self.scale_
        even = torch.full_like(wanted, 1 / len(wanted))
        self.features_ = FilterFeatures(self.n_groups, self.seed).fit(series)
        self.ridge_ = KindsRidge().fit(
            self.features_.transform(series),
            wanted[:, None],
            even,
            lambda rows: torch.ones_like(rows, dtype=torch.bool),
            generator,
        )
        self.intervals_ = IntervalFeatures(self.seed).fit(series)
        self.forest_, unseen = grow_forest(
            self.intervals_.transform(series),
            wanted,
            n_classes=None,
            seed=self.seed,
            n_jobs=self.n_jobs,
        )
        self.forest_share_ = _choose_share(self.ridge_.left_out_[:, 0], unseen[:, 0], wanted)
        self.left_out_ = self._mixed(self.ridge_.left_out_, unseen)
        return self

    def answer(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n,)
        """Numbers for series, in the unit of the target."""
        return torch.cat(
            [self._some(series[i : i + _AT_ONCE]) for i in range(0, len(series), _AT_ONCE)]
        )

    def _some(self, series: Sequence[Tensor]) -> Tensor:
        return self._mixed(
            self.ridge_.answer(self.features_.transform(series)),
            answer(self.forest_, self.intervals_.transform(series)),
        )

    def _mixed(self, ridge: Tensor, forest: Tensor) -> Tensor:
        mean = (1 - self.forest_share_) * ridge + self.forest_share_ * forest
        return self.mean_ + self.scale_ * mean[:, 0]


def _choose_share(
    ridge: Tensor,  # (n,), left out
    forest: Tensor,  # (n,), unseen
    wanted: Tensor,  # (n,)
) -> float:
    """Share of the forest under which the mean errs least, in squares; half where they agree."""
    error, step = ridge - wanted, ridge - forest
    size = float(step @ step)
    return min(1.0, max(0.0, float(error @ step) / size)) if size > 0 else 0.5
