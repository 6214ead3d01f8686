"""MiniRocket and a ridge classifier, the opponent of every classification row (arXiv 2012.08791).

sktime's transformers, which need numba; features are standardised, which is better than the plain
pipeline on small sets, and the strength of the ridge is chosen by leave-one-out. A ridge has scores and no
probabilities: these are a softmax of the scores at the temperature under which the training rows are most
likely, each scored by the ridge of all others, as in the closed form (`classify.closed_form`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sktime.transformations.panel.rocket import (
    MiniRocket,
    MiniRocketMultivariate,
    MiniRocketMultivariateVariable,
)

from klforecast.classify.closed_form import choose_mixture
from klforecast.data.classification import LabelledSeries
from klforecast.ops.arrays import to_tensor

_SHORTEST = 9  # steps of a kernel


class MiniRocketRidge:
    """MiniRocket for equal lengths, its multivariate and its variable-length forms else.

    Parameters
    ----------
    seed : int
        For the kernels' biases and channels.
    """

    def __init__(self, seed: int):
        self.seed = seed

    def fit(self, part: LabelledSeries) -> None:
        """Transform the training part and fit the ridge."""
        series = part.series
        self.equal = len({values.shape[1] for values in series}) == 1
        if not self.equal:
            self.transform: Any = MiniRocketMultivariateVariable(
                reference_length="max", pad_value_short_series=0.0, random_state=self.seed
            )
        elif len(series[0]) == 1:
            self.transform = MiniRocket(random_state=self.seed)
        else:
            self.transform = MiniRocketMultivariate(random_state=self.seed)
        features = self.transform.fit_transform(self._container(series))
        self.ridge = make_pipeline(
            StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 3, 10))
        )
        self.ridge.fit(np.asarray(features), part.labels)
        self.classes = self.ridge.classes_
        self.temperature = self._temperature(np.asarray(features), part.labels)

    def predict_proba(self, series: Sequence[np.ndarray]) -> np.ndarray:
        """Softmax of the scores at the temperature of the rows left out."""
        features = np.asarray(self.transform.transform(self._container(series)))
        scores = _of_each_class(self.ridge.decision_function(features))
        return softmax(scores / self.temperature, axis=1)

    def _temperature(self, features: np.ndarray, labels: np.ndarray) -> float:
        scaler, ridge = (step for _, step in self.ridge.steps)
        one_hot = labels[:, None] == self.classes
        scores = left_out_scores(scaler.transform(features), 2.0 * one_hot - 1, ridge.alpha_)
        n = len(labels)
        temperature, _ = choose_mixture(
            to_tensor(scores),
            torch.empty(0, n, len(self.classes), dtype=torch.float64),
            to_tensor(one_hot.argmax(axis=1)),
            torch.full((n,), 1 / n, dtype=torch.float64),
        )
        return temperature

    def _container(self, series: Sequence[np.ndarray]) -> np.ndarray | pd.DataFrame:
        if not self.equal:
            return pd.DataFrame([[pd.Series(channel) for channel in values] for values in series])
        stacked = np.stack(series)
        missing = max(0, _SHORTEST - stacked.shape[2])
        return np.pad(stacked, ((0, 0), (0, 0), (0, missing)))


def left_out_scores(
    rows: np.ndarray,  # (n, features)
    targets: np.ndarray,  # (n, outputs)
    alpha: float,
) -> np.ndarray:  # (n, outputs)
    """Answer for each row by scikit-learn's ridge of strength `alpha` on all others; O(n^3)."""
    rows, middle = rows - rows.mean(axis=0), targets.mean(axis=0)
    gram = rows @ rows.T
    hat = gram @ np.linalg.inv(gram + alpha * np.eye(len(gram))) + 1 / len(gram)
    residual = targets - middle - hat @ (targets - middle)
    return targets - residual / (1 - np.diag(hat))[:, None]


def _of_each_class(scores: np.ndarray) -> np.ndarray:  # (n,) or (n, classes) -> (n, classes)
    return np.stack([-scores, scores], axis=1) if scores.ndim == 1 else scores
