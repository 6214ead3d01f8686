"""MiniRocket and a ridge classifier, the opponent of every classification row (arXiv 2012.08791).

sktime's transformers, which need numba; features are standardised, which is better than the plain
pipeline on small sets, and the strength of the ridge is chosen by leave-one-out.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sktime.transformations.panel.rocket import (
    MiniRocket,
    MiniRocketMultivariate,
    MiniRocketMultivariateVariable,
)

from klforecast.data.classification import LabelledSeries

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

    def predict_proba(self, series: Sequence[np.ndarray]) -> np.ndarray:
        """One for the class of the largest score, zero for the others."""
        features = np.asarray(self.transform.transform(self._container(series)))
        return (self.ridge.predict(features)[:, None] == self.classes).astype(float)

    def _container(self, series: Sequence[np.ndarray]) -> np.ndarray | pd.DataFrame:
        if not self.equal:
            return pd.DataFrame([[pd.Series(channel) for channel in values] for values in series])
        stacked = np.stack(series)
        missing = max(0, _SHORTEST - stacked.shape[2])
        return np.pad(stacked, ((0, 0), (0, 0), (0, missing)))
