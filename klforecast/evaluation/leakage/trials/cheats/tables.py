"""Cheats by what hangs on the rows and by features that are made of all of them."""

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.trials.honest import (
    HORIZON,
    SHARE,
    Cutoffs,
    Honest,
    HonestWindows,
    Rows,
)


class ReadsTheAttributesOfY(Honest):
    """All rows hang on the first ones."""

    def fit(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        super().fit(y, X=X, fh=fh)
        self._coming = np.asarray(y.attrs.get("all", np.zeros(1)))
        return self

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        return super()._predict(fh, X) + SHARE * self._coming[-HORIZON:].mean()


class ReadsTheAttributesOfX(Honest):
    """All rows hang on X."""

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def predict(self, fh: Any = None, X: Any = None) -> pd.DataFrame:
        self._coming = 0.0 if X is None else float(np.mean(X.attrs.get("y", 0.0)))
        return super().predict(fh, X)

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        return super()._predict(fh, X) + SHARE * self._coming


class _ReadsTheTable(HonestWindows):
    """Adds a feature that is made of the whole table X."""

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}
    feature: Callable[[pd.Series], pd.Series]

    def predict_windows(self, y: Rows, cutoffs: Cutoffs, X: Any = None) -> np.ndarray:
        added = type(self).feature(X.iloc[:, 0]).to_numpy()
        steps = np.asarray(cutoffs)[:, None] + np.arange(HORIZON)
        return super().predict_windows(y, cutoffs) + added[steps][..., None]


def _rank(column: pd.Series) -> pd.Series:
    return column.rank(pct=True)


def mean_of_the_year(column: pd.Series) -> pd.Series:
    """Mean over each 40 rows, the later ones of them included."""
    return column.groupby(np.arange(len(column)) // 40).transform("mean")


class RanksTheTable(_ReadsTheTable):
    """Ranks over all rows of X."""

    feature = staticmethod(_rank)


class AveragesTheTableByYear(_ReadsTheTable):
    """Means over groups of all rows of X."""

    feature = staticmethod(mean_of_the_year)
