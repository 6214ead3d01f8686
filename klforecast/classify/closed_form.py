"""Classify series by ridge regression on spectral features: no epochs, nothing but linear algebra.

    z = [ sqrt(w_b / p_b) (f_b - mean) / deviation ]_b        b over the kinds of features
    scores(z) = z' W + intercept                              ridge on targets -1 and +1

The weights w of the kinds are the mean of the `_AVERAGED` candidates with the least leave-one-out
errors, on at most `_JUDGED` rows; the strength of the ridge is that with the least, on all of them.
The only row of its class judges nothing: left out, it is scored by a model without its class.
The ridge is solved on the Gram matrix of the training rows. Of more than `_DIRECT` rows, a random
`_LANDMARKS` span the solution: the rows are projected on the leading Karhunen-Loeve modes of these.
Probabilities are a softmax of the scores, at the temperature under which the left-out rows are most
likely.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from klforecast.classify.spectral_features import KINDS, SpectralFeatures
from klforecast.ops.loo_ridge import LooRidge, center_gram, gram_modes, loo_ridge, row_modes

# Weights of the kinds that are tried: sides, peak, contest, shape.
_WEIGHTS = tuple(product((1.0,), (0.0, 0.3), (0.0, 0.5, 2.0), (0.0, 0.1, 0.5)))
_TEMPERATURES = tuple(10.0 ** (power / 10) for power in range(-20, 11))

_AVERAGED = 3
_JUDGED = 400
# Fewer rows than this choose neither weights nor strength: in training parts with one class of two
# and singletons, accuracy is .716 without their choice and .704 with it.
_FEWEST_JUDGES = 3
# Strength and temperature, times the classes less one, where no row can judge. Of training parts cut
# to one series for each class, 19 UCR and UEA sets: log loss 1.22, 1.47 for even probabilities.
_TYPICAL_STRENGTH = 0.3
_TYPICAL_TEMPERATURE = 4.0
_DIRECT = 2500
_LANDMARKS = 2000
_AT_ONCE = 500  # series whose features are held at a time while scoring


class ClosedFormClassifier:
    """Spectral features and the ridge solved on them.

    Parameters
    ----------
    n_groups : int or None, default=None
        Of `SpectralFeatures`.
    seed : int, default=0
        For everything that is drawn.

    Attributes
    ----------
    features_ : SpectralFeatures
    weights_ : dict of str to float
        Weight of each kind of features.
    strength_ : float
        Of the ridge, in units of the mean eigenvalue.
    left_out_ : Tensor (n, classes)
        Scores of each training series by the model of all others. The scale of the features and
        the weights of the kinds have seen it.
    temperature_ : float
        Probabilities are softmax(scores / temperature_).
    """

    n_groups: int | None
    seed: int
    features_: SpectralFeatures
    weights_: dict[str, float]
    strength_: float
    left_out_: Tensor
    temperature_: float
    _scaling: dict[str, tuple[Tensor, Tensor]]
    _coef: dict[str, Tensor]
    _intercept: Tensor

    def __init__(self, n_groups: int | None = None, seed: int = 0):
        self.n_groups = n_groups
        self.seed = seed

    def fit(
        self,
        series: Sequence[Tensor],  # (channels, length) each
        labels: Tensor,  # (n,), integers from 0
        class_weights: Tensor,  # (classes,)
    ) -> "ClosedFormClassifier":
        """Draw the features and solve for the classes."""
        generator = torch.Generator().manual_seed(self.seed)
        self.features_ = SpectralFeatures(self.n_groups, self.seed).fit(series)
        features = self.features_.transform(series)
        self._scaling = {kind: _scaling(values) for kind, values in features.items()}
        rows = self._scaled(features)
        targets = 2 * F.one_hot(labels, len(class_weights)).double() - 1
        weights = class_weights[labels].double()
        weights = weights / weights.sum()
        order = torch.randperm(len(labels), generator=generator)
        self.weights_ = _choose_weights(rows, labels, targets, weights, order[:_JUDGED])
        landmarks = order[:_LANDMARKS] if len(labels) > _DIRECT else None
        spanning = {
            kind: values if landmarks is None else values[landmarks]
            for kind, values in rows.items()
        }
        cross = _total(
            weight * _products(rows[kind], spanning[kind]) for kind, weight in self.weights_.items()
        )
        fit, dual = _solve(cross, landmarks, targets, weights, _judges(labels))
        self._coef = {
            kind: weight * (spanning[kind].T @ dual.to(spanning[kind].dtype)).double()
            for kind, weight in self.weights_.items()
        }
        self._intercept = fit.intercept - weights @ cross @ dual
        self.strength_ = fit.strength
        self.left_out_ = fit.left_out
        self.temperature_ = _choose_temperature(fit.left_out, labels, weights)
        return self

    def scores(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> Tensor:  # (n, classes)
        """Scores of the classes; -1 and +1 stand for no and yes."""
        return torch.cat(
            [self._some_scores(series[i : i + _AT_ONCE]) for i in range(0, len(series), _AT_ONCE)]
        )

    def _some_scores(self, series: Sequence[Tensor]) -> Tensor:
        rows = self._scaled(self.features_.transform(series))
        return self._intercept + _total(
            rows[kind].double() @ coef for kind, coef in self._coef.items()
        )

    def probabilities(self, scores: Tensor) -> Tensor:  # (n, classes)
        """Turn scores into probabilities."""
        return (scores / self.temperature_).softmax(dim=1)

    def _scaled(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        # In place: features are the largest thing in memory, and nobody else holds them.
        for kind, values in features.items():
            mean, factor = self._scaling[kind]
            values.sub_(mean).mul_(factor)
        return features


def _scaling(features: Tensor) -> tuple[Tensor, Tensor]:
    """Means, and factors that give rows a mean square norm of one."""
    deviation = features.std(0, correction=0)
    varies = deviation > 1e-6 * (1 + features.abs().amax(0))
    factor = torch.where(varies, 1 / deviation, 0.0) / max(1, int(varies.sum())) ** 0.5
    return features.mean(0), factor


def _total(parts: Iterable[Tensor]) -> Tensor:
    return reduce(torch.add, parts)


def _products(rows: Tensor, others: Tensor) -> Tensor:
    return (rows @ others.T).double()


def _judges(labels: Tensor) -> Tensor:  # (n,), bool
    """Rows whose class has another row, which a model without them has seen."""
    return labels.bincount()[labels] > 1


def _choose_weights(
    rows: dict[str, Tensor], labels: Tensor, targets: Tensor, weights: Tensor, judged: Tensor
) -> dict[str, float]:
    """Mean of the weights with the least leave-one-out errors on some rows."""
    judging = _judges(labels[judged])
    candidates = list(_WEIGHTS)
    if judging.sum() >= _FEWEST_JUDGES:
        some = weights[judged] / weights[judged].sum()
        grams = [
            center_gram(_products(rows[kind][judged], rows[kind][judged]), some) for kind in KINDS
        ]
        errors = {}
        for candidate in _WEIGHTS:
            gram = _total(weight * part for weight, part in zip(candidate, grams, strict=True))
            errors[candidate] = loo_ridge(
                *gram_modes(gram, some), targets[judged], some, judging=judging
            ).error
        candidates = sorted(errors, key=errors.__getitem__)[:_AVERAGED]
    mean = torch.tensor(candidates, dtype=torch.float64).mean(0)
    return dict(zip(KINDS, mean.tolist(), strict=True))


def _solve(
    cross: Tensor,  # (n, landmarks), inner products
    landmarks: Tensor | None,  # (landmarks,), which rows they are; None for all in their order
    targets: Tensor,  # (n, classes)
    weights: Tensor,  # (n,)
    judging: Tensor,  # (n,), bool
) -> tuple[LooRidge, Tensor]:
    """Ridge in the span of the landmarks; its coefficients are ``landmark rows.T @ dual``."""
    few = judging.sum() < _FEWEST_JUDGES
    options = {"strengths": (_TYPICAL_STRENGTH,)} if few else {"judging": judging}
    if landmarks is None:
        modes = gram_modes(center_gram(cross, weights), weights)
        fit = loo_ridge(*modes, targets, weights, **options)
        return fit, fit.dual
    even = torch.full((len(landmarks),), 1 / len(landmarks), dtype=cross.dtype)
    eigenvalues, modes = torch.linalg.eigh(center_gram(cross[landmarks], even))
    kept = eigenvalues > 1e-6 * eigenvalues.max()
    basis = modes[:, kept] * eigenvalues[kept].rsqrt()
    rows = cross @ basis
    rows = rows - weights @ rows
    fit = loo_ridge(*row_modes(rows, weights), targets, weights, **options)
    return fit, basis @ (rows.T @ fit.dual)


def _choose_temperature(left_out: Tensor, labels: Tensor, weights: Tensor) -> float:
    """Temperature of the softmax under which the rows left out are most likely.

    Of m rows that judge, one more is supposed to be of any class (with two classes half of what
    Platt 1999 adds): where no row is wrong, a likelihood alone would ask for probabilities of zero
    and one. On a scale of logarithms, every row that cannot judge pulls towards what is typical
    where none can.
    """
    n_classes = left_out.shape[1]
    typical = _TYPICAL_TEMPERATURE / (n_classes - 1)
    judging = _judges(labels)
    count = int(judging.sum())
    if not count:
        return typical
    targets = (count * F.one_hot(labels, n_classes) + 1 / n_classes) / (count + 1)
    losses = {
        temperature: float(
            weights[judging]
            @ F.cross_entropy(left_out[judging] / temperature, targets[judging], reduction="none")
        )
        for temperature in _TEMPERATURES
    }
    share = count / len(labels)
    return min(losses, key=losses.__getitem__) ** share * typical ** (1 - share)
