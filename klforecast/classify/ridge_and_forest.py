"""What both closed forms learn from: a ridge on pooled filter responses, a forest on statistics over intervals.

The two err differently: the filters hear what occurs anywhere in a series, the intervals see where. How their answers
become one is said by the closed form (`closed_form`, `closed_form_regressor`).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from klforecast.classify.filter_features import FilterFeatures
from klforecast.classify.forest import Forest, answer, grow_forest
from klforecast.classify.interval_features import IntervalFeatures
from klforecast.classify.kinds_ridge import Judges, KindsRidge

_AT_ONCE = 500  # series whose features are held at a time while answering


class RidgeAndForest:
    """A ridge and a forest, each on its own features; a subclass mixes their answers in `_mixed`.

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
    """

    n_groups: int | None
    seed: int
    n_jobs: int | None
    features_: FilterFeatures
    ridge_: KindsRidge
    intervals_: IntervalFeatures
    forest_: Forest

    def __init__(self, n_groups: int | None = None, seed: int = 0, n_jobs: int | None = None):
        self.n_groups = n_groups
        self.seed = seed
        self.n_jobs = n_jobs

    def _grow(
        self,
        series: Sequence[Tensor],  # (channels, length) each
        targets: Tensor,  # (n, outputs), of the ridge
        weights: Tensor,  # (n,), of the ridge; they sum to one
        judges: Judges,
        wanted: Tensor,  # (n,), of the forest: classes, or numbers
        n_classes: int | None,
        row_weights: Tensor | None,  # (n,), of the forest
    ) -> Tensor:  # (n, classes or 1)
        """Draw the features, solve the ridge, grow the trees; answers of the trees that have not seen a row."""
        generator = torch.Generator().manual_seed(self.seed)
        self.features_ = FilterFeatures(self.n_groups, self.seed).fit(series)
        self.ridge_ = KindsRidge().fit(
            self.features_.transform(series), targets, weights, judges, generator
        )
        self.intervals_ = IntervalFeatures(self.seed).fit(series)
        self.forest_, unseen = grow_forest(
            self.intervals_.transform(series),
            wanted,
            n_classes=n_classes,
            seed=self.seed,
            weights=row_weights,
            n_jobs=self.n_jobs,
        )
        return unseen

    def _answers(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n, ...)
        """Mixed answers for series, some at a time."""
        batches = (series[i : i + _AT_ONCE] for i in range(0, len(series), _AT_ONCE))
        return torch.cat(
            [
                self._mixed(
                    self.ridge_.answer(self.features_.transform(batch)),
                    answer(self.forest_, self.intervals_.transform(batch)),
                )
                for batch in batches
            ]
        )

    def _mixed(self, ridge: Tensor, forest: Tensor) -> Tensor:
        """One answer from that of the ridge, (n, outputs), and that of the forest, (n, classes or 1)."""
        raise NotImplementedError
