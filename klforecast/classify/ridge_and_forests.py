"""What both closed forms learn from: a ridge on pooled filter responses, and two forests.

    ridge       all pooled responses, and the shape of the series     what occurs anywhere, added up
    responses   trees on pooled responses drawn at random             what of that must be there, and what not
    intervals   trees on statistics over intervals                    where something is

The three err differently. How their answers become one is said by the closed form (`closed_form`,
`closed_form_regressor`).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from klforecast.classify.filter_features import POOLED, FilterFeatures
from klforecast.classify.forest import Forest, answer, grow_forest
from klforecast.classify.interval_features import IntervalFeatures
from klforecast.classify.kinds_ridge import Judges, KindsRidge

_AT_ONCE = 500  # series whose features are held at a time while answering
# Pooled responses that trees see: as many as there are statistics over intervals of a series of 400 steps.
_MOST_RESPONSES = 4000
_RESPONSE_VALUES = 2e7  # memory of these: rows times responses


class RidgeAndForests:
    """A ridge and two forests, each on its own features; a subclass mixes their answers in `_mixed`.

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
    responses_ : dict of str to Tensor
        Places of the features of each kind that trees see.
    intervals_ : IntervalFeatures
    forests_ : dict of str to Forest
        "responses" and "intervals".
    """

    n_groups: int | None
    seed: int
    n_jobs: int | None
    features_: FilterFeatures
    ridge_: KindsRidge
    responses_: dict[str, Tensor]
    intervals_: IntervalFeatures
    forests_: dict[str, Forest]

    def __init__(self, n_groups: int | None = None, seed: int = 0, n_jobs: int | None = None):
        self.n_groups = n_groups
        self.seed = seed
        self.n_jobs = n_jobs

    def check_parts(self) -> None:
        """Raise a ValueError unless there is a forest for each of the rows; for models read from a file."""
        if set(self.forests_) != {"responses", "intervals"} or set(self.responses_) != set(POOLED):
            raise ValueError(f"forests {set(self.forests_)} on responses {set(self.responses_)}")

    def _grow(
        self,
        series: Sequence[Tensor],  # (channels, length) each
        targets: Tensor,  # (n, outputs), of the ridge
        weights: Tensor,  # (n,), of the ridge; they sum to one
        judges: Judges,
        wanted: Tensor,  # (n,), of the forests: classes, or numbers
        n_classes: int | None,
        row_weights: Tensor | None,  # (n,), of the forests
    ) -> dict[str, Tensor]:  # (n, classes or 1) each
        """Draw the features, solve the ridge, grow the trees; answers of the trees that have not seen a row."""
        generator = torch.Generator().manual_seed(self.seed)
        self.features_ = FilterFeatures(self.n_groups, self.seed).fit(series)
        features = self.features_.transform(series)
        self.responses_ = _draw_responses(features, self.seed)
        seen = {"responses": self._responses(features)}
        self.ridge_ = KindsRidge().fit(features, targets, weights, judges, generator)
        self.intervals_ = IntervalFeatures(self.seed).fit(series)
        seen["intervals"] = self.intervals_.transform(series)
        grown = {
            name: grow_forest(
                rows,
                wanted,
                n_classes=n_classes,
                seed=self.seed,
                weights=row_weights,
                n_jobs=self.n_jobs,
            )
            for name, rows in seen.items()
        }
        self.forests_ = {name: forest for name, (forest, _) in grown.items()}
        self.forests_["intervals"] = self._without_idle(seen["intervals"].shape[1])
        return {name: unseen for name, (_, unseen) in grown.items()}

    def _without_idle(self, n_features: int) -> Forest:
        """Let the intervals go that no tree asks for; the same trees on those that are left."""
        forest = self.forests_["intervals"]
        inner = forest.feature >= 0
        asked = torch.zeros(n_features, dtype=torch.bool)
        asked[forest.feature[inner].long()] = True
        places = self.intervals_.keep(asked).to(forest.feature.dtype)
        feature = forest.feature.clone()
        feature[inner] = places[feature[inner].long()]
        return forest._replace(feature=feature)

    def _answers(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n, ...)
        """Mixed answers for series, some at a time."""
        return torch.cat(
            [self._some(series[i : i + _AT_ONCE]) for i in range(0, len(series), _AT_ONCE)]
        )

    def _some(self, series: Sequence[Tensor]) -> Tensor:
        features = self.features_.transform(series)
        seen = {
            "responses": self._responses(features),
            "intervals": self.intervals_.transform(series),
        }
        return self._mixed(
            self.ridge_.answer(features),
            {name: answer(forest, seen[name]) for name, forest in self.forests_.items()},
        )

    def _responses(self, features: Mapping[str, Tensor]) -> Tensor:  # (n, responses), float32
        chosen = [features[kind][:, places] for kind, places in self.responses_.items()]
        return torch.cat(chosen, dim=1).float()

    def _mixed(self, ridge: Tensor, forests: Mapping[str, Tensor]) -> Tensor:
        """One answer from that of the ridge, (n, outputs), and those of the forests, (n, classes or 1)."""
        raise NotImplementedError


def _draw_responses(features: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """Places of as many features of each kind as memory allows for, in the proportion of the kinds."""
    generator = torch.Generator().manual_seed(seed)
    widths = {kind: features[kind].shape[1] for kind in POOLED}
    n = len(features[POOLED[0]])
    share = min(1.0, min(_MOST_RESPONSES, _RESPONSE_VALUES / n) / sum(widths.values()))
    return {
        kind: torch.randperm(width, generator=generator)[: max(1, int(share * width))]
        for kind, width in widths.items()
    }
