"""Ridge regression on features of several kinds, whose weights leaving out chooses.

    z = [ sqrt(w_b / p_b) (f_b - mean) / deviation ]_b        b over the kinds of features
    answer(z) = z' W + intercept

The weights w of the kinds are the mean of the `_AVERAGED` candidates with the least leave-one-out
errors, on at most `_JUDGED` rows; the strength of the ridge is that with the least, on all of them.
The ridge is solved on the Gram matrix of the training rows. Of more than `_DIRECT` rows, a random
`_LANDMARKS` span the solution: the rows are projected on the leading Karhunen-Loeve modes of these,
some at a time, so that memory does not grow with the rows but for their features.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import product
from typing import Any

import torch
from torch import Tensor

from klforecast.classify.filter_features import KINDS
from klforecast.ops.loo_ridge import LooRidge, center_gram, gram_modes, loo_ridge
from klforecast.ops.streamed_ridge import StreamedRidge, streamed_ridge

# Weights of the kinds that are tried: sides, peak, contest, shape.
_WEIGHTS = tuple(product((1.0,), (0.0, 0.3), (0.0, 0.5, 2.0), (0.0, 0.1, 0.5)))

_AVERAGED = 3  # varies less on small sets than the best one; one and six are as good on average
_JUDGED = 400  # rows, for which 18 eigendecompositions take a second
# Fewer rows than this choose neither weights nor strength: in training parts with one class of two
# and singletons, accuracy is .716 without their choice and .704 with it.
_FEWEST_JUDGES = 3
# Strength where no row can judge, chosen together with the temperature of `closed_form`.
_TYPICAL_STRENGTH = 0.3
_DIRECT = 2500  # rows, for which the eigendecomposition takes some ten seconds
_AT_ONCE = 1000  # rows of a block, whose projections are 16 MB
_LANDMARKS = 2000  # fewer than `_DIRECT`, and enough that the rows beside them are spanned

Judges = Callable[[Tensor], Tensor]
"""From places of rows, (m,), to whether each can judge a model that was made without it, (m,)."""


class KindsRidge:
    """Ridge regression on the features of `FilterFeatures`, or on others by kind.

    Attributes
    ----------
    weights_ : dict of str to float
        Weight of each kind of features.
    strength_ : float
        Of the ridge, in units of the mean eigenvalue.
    left_out_ : Tensor (n, outputs)
        Answer for each training row by the model of all others. The scale of the features and the
        weights of the kinds have seen it.
    """

    weights_: dict[str, float]
    strength_: float
    left_out_: Tensor
    _scaling: dict[str, tuple[Tensor, Tensor]]
    _coef: dict[str, Tensor]
    _intercept: Tensor

    def fit(
        self,
        features: dict[str, Tensor],  # (n, features of the kind); scaled in place
        targets: Tensor,  # (n, outputs)
        weights: Tensor,  # (n,), they sum to one
        judges: Judges,
        generator: torch.Generator,
    ) -> "KindsRidge":
        """Choose the weights of the kinds and the strength, and solve."""
        self._scaling = {kind: _scaling(values) for kind, values in features.items()}
        rows = self._scaled(features)
        order = torch.randperm(len(targets), generator=generator)
        self.weights_ = _choose_weights(rows, targets, weights, order[:_JUDGED], judges)
        judging = judges(torch.arange(len(targets)))
        few = judging.sum() < _FEWEST_JUDGES
        options: dict[str, Any] = (
            {"strengths": (_TYPICAL_STRENGTH,)} if few else {"judging": judging}
        )
        fit: LooRidge | StreamedRidge
        if len(targets) > _DIRECT:
            basis = self._basis({kind: values[order[:_LANDMARKS]] for kind, values in rows.items()})
            fit = streamed_ridge(lambda: _blocks(rows), targets, weights, basis=basis, **options)
            coef = (basis.double() @ fit.coef).split([part.shape[1] for part in rows.values()])
            self._coef = dict(zip(rows, coef, strict=True))
            self._intercept = fit.intercept
        else:
            cross = self._cross(rows)
            fit = loo_ridge(
                *gram_modes(center_gram(cross, weights), weights), targets, weights, **options
            )
            dual = fit.dual
            self._coef = {
                kind: weight * (rows[kind].T @ dual.to(rows[kind].dtype)).double()
                for kind, weight in self.weights_.items()
            }
            self._intercept = fit.intercept - weights @ cross @ dual
        self.strength_ = fit.strength
        self.left_out_ = fit.left_out
        return self

    def answer(
        self,
        features: dict[str, Tensor],  # (n, features of the kind); scaled in place
    ) -> Tensor:  # (n, outputs)
        """Answers of the ridge."""
        rows = self._scaled(features)
        return self._intercept + _total(
            rows[kind].double() @ coef for kind, coef in self._coef.items()
        )

    def rows(
        self,
        features: dict[str, Tensor],  # (n, features of the kind); scaled in place
    ) -> Tensor:  # (n, features), float64
        """Scaled features of all kinds that count, side by side."""
        scaled = self._scaled(features)
        return torch.cat([scaled[kind].double() for kind in self._coef], dim=1)

    def linear_map(self) -> tuple[Tensor, Tensor]:  # (features, outputs), (outputs,)
        """Map from `rows` to answers, and what is added."""
        return torch.cat(list(self._coef.values())), self._intercept

    def _cross(self, rows: dict[str, Tensor]) -> Tensor:  # (n, n)
        """Weighted inner products of rows."""
        return _total(
            weight * _products(rows[kind], rows[kind]) for kind, weight in self.weights_.items()
        )

    def _basis(self, landmarks: dict[str, Tensor]) -> Tensor:  # (features, r)
        """Map from features of all kinds, side by side, to the leading modes of some rows."""
        gram = self._cross(landmarks)
        even = torch.full((len(gram),), 1 / len(gram), dtype=gram.dtype)
        eigenvalues, modes = torch.linalg.eigh(center_gram(gram, even))
        kept = eigenvalues > 1e-6 * eigenvalues.max()
        dual = modes[:, kept] * eigenvalues[kept].rsqrt()
        return torch.cat(
            [
                self.weights_[kind] * (rows.T @ dual.to(rows.dtype))
                for kind, rows in landmarks.items()
            ]
        )

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


def _choose_weights(
    rows: dict[str, Tensor], targets: Tensor, weights: Tensor, judged: Tensor, judges: Judges
) -> dict[str, float]:
    """Mean of the weights with the least leave-one-out errors on some rows."""
    judging = judges(judged)
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


def _blocks(rows: dict[str, Tensor]) -> Iterator[Tensor]:
    """Features of all kinds, side by side, of some rows at a time."""
    parts = (values.split(_AT_ONCE) for values in rows.values())
    yield from (torch.cat(some, dim=1) for some in zip(*parts, strict=True))
