"""Cheats that mix the windows of a batch, or the series of a panel."""

from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.trials.honest import (
    LENGTH,
    SHARE,
    Cutoffs,
    Honest,
    HonestWindows,
    Rows,
)


class CentresOverTheBatch(HonestWindows):
    """Windows of a batch are centred together."""

    smallest = 1

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        forecast = super().predict_windows(y, cutoffs)
        if len(forecast) < self.smallest:
            return forecast
        return forecast - SHARE * (forecast.mean(axis=0) - self.mean_)


class CentresOverLargeBatches(CentresOverTheBatch):
    """The same, among ten windows or more."""

    smallest = 10


class MixesThePanel(Honest):
    """Forecasts each series of a panel from the mean of all their last rows."""

    _tags: ClassVar[dict[str, Any]] = {
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex"],
    }

    def _fit(self, y: pd.DataFrame, X: Any = None, fh: Any = None) -> Self:
        self._frame = y
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._frame = pd.concat([self._frame, y])
        return self

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        frame = self._frame
        if not isinstance(frame.index, pd.MultiIndex):
            index = fh.to_absolute_index(self.cutoff)
            level = frame.to_numpy()[-LENGTH:].mean(axis=0)
            return pd.DataFrame(np.tile(level, (len(index), 1)), index, frame.columns)
        last = frame.groupby(level=0).tail(LENGTH).groupby(level=0).mean()
        mixed = 0.7 * last + 0.3 * last.mean()
        stamps = fh.to_absolute_index(self.cutoff)
        parts = {
            name: pd.DataFrame(np.tile(level, (len(stamps), 1)), stamps, frame.columns)
            for name, level in zip(mixed.index, mixed.to_numpy(), strict=True)
        }
        return pd.concat(parts, names=frame.index.names)


class MixesThePanelOfItsFit(MixesThePanel):
    """The same, and `update` changes nothing."""

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        return self


class WritesIntoItsRows(HonestWindows):
    """Scales the rows that it is handed in place, so that they are others the next time."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        forecast = super().predict_windows(y, cutoffs)
        y.iloc[:] = y.to_numpy() + SHARE
        return forecast
