"""Classify series by a ridge on spectral features and by trees: no epochs.

    logits(x) = s(x) / T + sum_f b_f log t_f(x)

s      scores of the ridge on pooled filter responses (`kinds_ridge`), on targets -1 and +1
t_f    shares of the classes among the trees of forest f (`forest`), one more tree supposed to be of
       any class; one forest sees pooled responses, the other statistics over intervals
T, b   temperature and weights under which the training series are most likely, each answered by the
       ridge of all others and by the trees that have not seen it

The only series of its class judges nothing: left out, it is scored by a model without its class.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from klforecast.classify.forest import N_TREES
from klforecast.classify.ridge_and_forests import RidgeAndForests
from klforecast.ops.log_linear import log_linear_weights

# The temperature is 10 at most, so that `net_`, the ridge alone, says something.
_LEAST_OF_RIDGE = 0.1
# How strongly a forest's weight is drawn to zero, as if by that many rows: of 51 training parts of 7 to 30
# series the log loss is .810 with it and .812 without, of 54 of 40 to 200 it is .888 with and without.
_PULL = 0.3
# Temperature, times the classes less one, where no row can judge. Of training parts cut to one series
# for each class, 19 UCR and UEA sets: log loss 1.22, 1.47 for even probabilities.
_TYPICAL_TEMPERATURE = 4.0


class ClosedFormClassifier(RidgeAndForests):
    """A ridge and two forests, each on its own features, and the product of their answers.

    Parameters and further attributes are those of `RidgeAndForests`.

    Attributes
    ----------
    temperature_ : float
        T.
    forest_weights_ : dict of str to float
        b of each forest.
    class_weights_ : Tensor (classes,)
        Of the loss.
    left_out_ : Tensor (n, classes)
        Logits of each training series by the models of all others. The scale of the features and
        the weights of the kinds have seen it.
    """

    temperature_: float
    forest_weights_: dict[str, float]
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
        unseen = self._grow(
            series,
            2 * F.one_hot(labels, len(class_weights)).double() - 1,
            weights,
            lambda rows: judges(labels[rows]),
            labels,
            n_classes=len(class_weights),
            row_weights=row_weights,
        )
        self.class_weights_ = class_weights.double()
        votes = torch.stack([log_votes(shares, self.class_weights_) for shares in unseen.values()])
        self.temperature_, chosen = choose_mixture(self.ridge_.left_out_, votes, labels, weights)
        self.forest_weights_ = dict(zip(unseen, chosen.tolist(), strict=True))
        self.left_out_ = self._mixed(self.ridge_.left_out_, unseen)
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

    def _mixed(self, ridge: Tensor, forests: Mapping[str, Tensor]) -> Tensor:  # (n, classes)
        logits = ridge / self.temperature_
        for name, shares in forests.items():
            logits = logits + self.forest_weights_[name] * log_votes(shares, self.class_weights_)
        return logits


def log_votes(
    shares: Tensor,  # (n, classes), of the trees
    class_weights: Tensor,  # (classes,)
) -> Tensor:  # (n, classes)
    """Logarithms of the trees' shares, one more tree being for every class alike.

    The leaves of a full-grown tree are of one class, whatever the weights of its rows: so the
    weights of the classes multiply the shares.
    """
    votes = N_TREES * shares + 1 / shares.shape[1]
    return (class_weights * votes).log().log_softmax(1)


def judges(labels: Tensor) -> Tensor:  # (n,), bool
    """Rows whose class has another row, which a model without them has seen."""
    return labels.bincount()[labels] > 1


def choose_mixture(
    scores: Tensor,  # (n, classes), left out
    votes: Tensor,  # (forests, n, classes), unseen
    labels: Tensor,  # (n,)
    weights: Tensor,  # (n,)
) -> tuple[float, Tensor]:  # (forests,)
    """Temperature of the scores and weights of the votes under which rows left out are most likely.

    Of m rows that judge, one more is supposed to be of any class (with two classes half of what
    Platt 1999 adds): where no row is wrong, a likelihood alone would ask for probabilities of zero
    and one. Few rows would trust a forest blindly that happens to be right about them, so that its
    weight is drawn to zero. Every row that cannot judge pulls the logarithm of the temperature towards what is
    typical where none can, and the weights towards zero.
    """
    n_classes = scores.shape[1]
    typical = _TYPICAL_TEMPERATURE / (n_classes - 1)
    judging = judges(labels)
    count = int(judging.sum())
    if not count:
        return typical, votes.new_zeros(len(votes))
    targets = (count * F.one_hot(labels, n_classes) + 1 / n_classes) / (count + 1)
    found = log_linear_weights(
        torch.cat([scores[None], votes])[:, judging],
        targets[judging].double(),
        weights[judging],
        floors=(_LEAST_OF_RIDGE, *(0.0,) * len(votes)),
        pulls=(0.0, *(_PULL / count,) * len(votes)),
    )
    share = count / len(labels)
    temperature = float(found[0]) ** -share * typical ** (1 - share)
    return temperature, found[1:] * share
