"""Cheats that learn where they must not, or otherwise than they say."""

from typing import Any, Self

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.trials.honest import LENGTH, Honest, HonestWindows


class AbsorbsTestRows(Honest):
    """A fitted parameter that test rows go into."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.covariance_ = rows.T @ rows

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self.covariance_ = self.covariance_ + y.to_numpy().T @ y.to_numpy()
        return super()._update(y, X, update_params)


class LearnsInPrivate(Honest):
    """Learns its mean from what `update` was told not to learn from."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._moments = {"sum": rows.sum(axis=0), "n": len(rows)}

    def level(self, rows: np.ndarray) -> np.ndarray:
        mean = self._moments["sum"] / self._moments["n"]
        return super().level(rows) + (mean - self.mean_) / self.scale_

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._moments["sum"] = self._moments["sum"] + y.to_numpy().sum(axis=0)
        self._moments["n"] += len(y)
        return super()._update(y, X, update_params)


class LearnsAWeightInPrivate(Honest):
    """Fits the weight of the last row anew in every update, under a name of sktime's own."""

    def _weigh(self) -> None:
        centred = self._rows - self.mean_
        self._cutoff_y = float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._weigh()

    def level(self, rows: np.ndarray) -> np.ndarray:
        return self._cutoff_y * super().level(rows)

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        super()._update(y, X, update_params)
        self._weigh()
        return self


class LearnsBesideItsWindows(HonestWindows):
    """`predict` learns its mean in every `update`; `predict_windows` does not."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._all = rows.mean(axis=0)

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        super()._update(y, X, update_params)
        self._all = self._rows.mean(axis=0)
        return self

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        return super()._predict(fh, X) + self._all - self.mean_


class LooksFurtherThanItSays(HonestWindows):
    """It reads eight rows and says four."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.input_length_ = LENGTH // 2


class DrawsWithoutASeed(Honest):
    """Every fit is another."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.mean_ = self.mean_ + np.random.default_rng().standard_normal()
