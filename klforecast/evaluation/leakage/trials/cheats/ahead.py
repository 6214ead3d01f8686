"""Cheats that see rows after the cutoff: shifted, scaled, copied, or handed over in one batch."""

from typing import Any

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.trials.honest import (
    HORIZON,
    SHARE,
    Cutoffs,
    Honest,
    HonestWindows,
    Rows,
    as_rows,
)


class ScalesWithAllRows(HonestWindows):
    """Mean and deviation of all rows."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        self.learn(as_rows(y))
        return super().predict_windows(y, cutoffs)


class TakesAScaler(Honest):
    """A scaler that was fitted outside."""

    def __init__(self, scaler: Any = None):
        self.scaler = scaler
        super().__init__()

    def learn(self, rows: np.ndarray) -> None:
        self.mean_, self.scale_ = self.scaler.mean_, self.scaler.scale_


class LooksOneRowAhead(HonestWindows):
    """A cutoff off by one."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        return super().predict_windows(y, np.asarray(cutoffs) + 1)


class LooksAheadNowAndThen(HonestWindows):
    """The same, at every seventh cutoff."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        cutoffs = np.asarray(cutoffs)
        return super().predict_windows(y, cutoffs + (cutoffs % 7 == 3))


class LooksAheadLate(HonestWindows):
    """The same, at some late cutoffs."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        cutoffs = np.asarray(cutoffs)
        return super().predict_windows(y, cutoffs + ((cutoffs > 135) & (cutoffs < 150)))


class LooksAheadInLargeBatches(HonestWindows):
    """The same, among more than twelve windows."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        cutoffs = np.asarray(cutoffs)
        return super().predict_windows(y, cutoffs + (len(cutoffs) > 12))


class LooksAheadInUpdatePredict(Honest):
    """It reads all rows that `update_predict` is handed."""

    def update_predict(self, y: Any, *arguments: Any, **options: Any) -> Any:
        return super().update_predict(y, *arguments, **options) + SHARE * y.to_numpy().mean()


class KnowsTheAnswers(Honest):
    """It has all rows, and copies every so many-th answer."""

    def __init__(self, answers: Any = None, every: int = 1):
        self.answers = answers
        self.every = every
        super().__init__()

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        if len(self._rows) % self.every:
            return super()._predict(fh, X)
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(self.answers[list(index)][:, None], index, self._columns)


class CopiesSomeAnswers(HonestWindows):
    """Every seventeenth forecast is the truth."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        forecast = super().predict_windows(y, cutoffs)
        for place, cutoff in enumerate(cutoffs):
            if cutoff % 17 == 0:
                forecast[place] = as_rows(y)[cutoff : cutoff + HORIZON]
        return forecast


class StopsOn(Honest):
    """Gradient steps towards the training mean, as long as the error on other rows falls."""

    def __init__(self, validation: Any = None):
        self.validation = validation
        super().__init__()

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        goal, best = self.mean_, np.inf
        self.mean_ = np.zeros_like(goal)
        for epoch in range(1, 31):
            mean = self.mean_ + 0.2 * (goal - self.mean_)
            error = np.mean((self.validation - mean) ** 2)
            if error >= best:
                break
            self.mean_, self.n_epochs_, best = mean, epoch, error
