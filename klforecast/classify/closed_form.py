"""Classify series by a ridge on spectral features and trees on statistics of intervals: no epochs.

    logits(x) = s(x) / T + b log t(x)

s    scores of the ridge on pooled filter responses (`kinds_ridge`), on targets -1 and +1
t    shares of the classes among the trees of a forest on statistics over intervals (`forest`), one
     more tree supposed to be of any class
T, b temperature and weight under which the training series are most likely, each answered by the
     ridge of all others and by the trees that have not seen it

The only series of its class judges nothing: left out, it is scored by a model without its class.
"""

from collections.abc import Sequence
from itertools import product

from torch import Tensor
from torch.nn import functional as F

from klforecast.classify.ridge_and_forest import RidgeAndForest

# Finer and further than the likelihood tells temperatures and weights apart.
_TEMPERATURES = tuple(10.0 ** (power / 10) for power in range(-20, 11))
_FOREST_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
# Temperature, times the classes less one, where no row can judge. Of training parts cut to one series
# for each class, 19 UCR and UEA sets: log loss 1.22, 1.47 for even probabilities.
_TYPICAL_TEMPERATURE = 4.0


class ClosedFormClassifier(RidgeAndForest):
    """A ridge and a forest, each on its own features, and the product of their answers.

    Parameters and further attributes are those of `RidgeAndForest`.

    Attributes
    ----------
    temperature_, forest_weight_ : float
        T and b.
    class_weights_ : Tensor (classes,)
        Of the loss.
    left_out_ : Tensor (n, classes)
        Logits of each training series by the models of all others. The scale of the features and
        the weights of the kinds have seen it.
    """

    temperature_: float
    forest_weight_: float
    class_weights_: Tensor
    left_out_: Tensor

    def fit(
        self,
        series: Sequence[Tensor],  # (channels, length) each
        labels: Tensor,  # (n,), integers from 0
        class_weights: Tensor,  # (classes,)
        row_weights: Tensor | None = None,  # (n,), above 0; None: one each
    ) -> "ClosedFormClassifier":
        """Draw the features, solve the ridge, grow the trees and weigh the two."""
        weights = class_weights[labels].double()
        if row_weights is not None:
            weights = weights * row_weights
        weights = weights / weights.sum()
        shares = self._grow(
            series,
            2 * F.one_hot(labels, len(class_weights)).double() - 1,
            weights,
            lambda rows: _judges(labels[rows]),
            labels,
            n_classes=len(class_weights),
            row_weights=row_weights,
        )
        self.class_weights_ = class_weights.double()
        self.temperature_, self.forest_weight_ = _choose_mixture(
            self.ridge_.left_out_, self._log_votes(shares), labels, weights
        )
        self.left_out_ = self._mixed(self.ridge_.left_out_, shares)
        return self

    def scores(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n, classes)
        """Logits of the classes."""
        return self._answers(series)

    def probabilities(self, scores: Tensor) -> Tensor:  # (n, classes)
        """Turn scores into probabilities."""
        return scores.softmax(dim=1)

    def _log_votes(self, shares: Tensor) -> Tensor:  # (n, classes)
        """Logarithms of the trees' shares, one more tree being for every class alike.

        The leaves of a full-grown tree are of one class, whatever the weights of its rows: so the
        weights of the classes multiply the shares.
        """
        n_trees = len(self.forest_.roots)
        votes = n_trees * shares + 1 / shares.shape[1]
        return (self.class_weights_ * votes).log().log_softmax(1)

    def _mixed(self, ridge: Tensor, forest: Tensor) -> Tensor:  # (n, classes)
        return ridge / self.temperature_ + self.forest_weight_ * self._log_votes(forest)


def _judges(labels: Tensor) -> Tensor:  # (n,), bool
    """Rows whose class has another row, which a model without them has seen."""
    return labels.bincount()[labels] > 1


def _choose_mixture(
    scores: Tensor,  # (n, classes), left out
    votes: Tensor,  # (n, classes), unseen
    labels: Tensor,  # (n,)
    weights: Tensor,  # (n,)
) -> tuple[float, float]:
    """Temperature of the scores and weight of the votes under which rows left out are most likely.

    Of m rows that judge, one more is supposed to be of any class (with two classes half of what
    Platt 1999 adds): where no row is wrong, a likelihood alone would ask for probabilities of zero
    and one. Every row that cannot judge pulls the logarithm of the temperature towards what is
    typical where none can, and the weight towards zero.
    """
    n_classes = scores.shape[1]
    typical = _TYPICAL_TEMPERATURE / (n_classes - 1)
    judging = _judges(labels)
    count = int(judging.sum())
    if not count:
        return typical, 0.0
    targets = (count * F.one_hot(labels, n_classes) + 1 / n_classes) / (count + 1)
    losses = {
        (temperature, weight): float(
            weights[judging]
            @ F.cross_entropy(
                (scores / temperature + weight * votes)[judging],
                targets[judging],
                reduction="none",
            )
        )
        for temperature, weight in product(_TEMPERATURES, _FOREST_WEIGHTS)
    }
    temperature, weight = min(losses, key=losses.__getitem__)
    share = count / len(labels)
    return temperature**share * typical ** (1 - share), weight * share
