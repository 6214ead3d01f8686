"""The forecaster that all cheats are made of: the mean of the last rows, shrunk to the training mean.

forecast = mean + scale * 0.9 * mean of the last 8 rows, scaled by mean and scale of training
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

Rows: TypeAlias = pd.Series | pd.DataFrame
Cutoffs: TypeAlias = Sequence[int] | np.ndarray
LENGTH = 8  # rows that a forecast reads
HORIZON = 6  # shorter than what is read, so that windows overlap
SHARE = 0.1  # of what is known by cheating in a forecast; honest rows make up the rest
N_ROWS = 160  # 96 train; the 64 others hold ten horizons


class Trial(NamedTuple):
    """A forecaster and what it is checked on."""

    name: str
    make: Callable[[], Any]  # the forecaster, or a function of y that prepares it
    y: pd.Series | pd.DataFrame
    X: Any = None  # DataFrame, or function of y
    fh: int = HORIZON


def as_rows(y: Rows) -> np.ndarray:
    """Give the rows as (time, channels)."""
    return pd.DataFrame(y).to_numpy()


def wandering(seed: int = 3, rows: int = N_ROWS) -> pd.Series:
    """A slow wave and a random walk."""
    steps = np.arange(rows)
    walk = np.cumsum(np.random.default_rng(seed).standard_normal(rows))
    return pd.Series(10 + np.sin(steps / 5) + 0.5 * walk, pd.RangeIndex(rows))


class Honest(BaseForecaster):
    """Mean of the last rows, shrunk towards the training mean; looks at nothing else."""

    _tags: ClassVar[dict[str, Any]] = {
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:multivariate": True,
        "capability:exogenous": False,
        "requires-fh-in-fit": False,
        "capability:update": True,
    }
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}

    def __post_init__(self) -> None:
        """Declare what sktime keeps when a user asks it to remember data."""
        self._y = self._X = None

    def learn(self, rows: np.ndarray) -> None:
        """Keep mean and deviation of the training rows."""
        deviation = rows.std(axis=0)
        self.mean_, self.scale_ = rows.mean(axis=0), np.where(deviation > 0, deviation, 1.0)

    def level(self, rows: np.ndarray) -> np.ndarray:
        """Forecast from the scaled rows before a cutoff."""
        return 0.9 * rows[-LENGTH:].mean(axis=0)

    def forecast(self, rows: np.ndarray, cutoffs: Cutoffs) -> np.ndarray:
        """Forecast from each cutoff, (cutoffs, channels)."""
        scaled = (rows - self.mean_) / self.scale_
        return np.stack([self.level(scaled[:c]) for c in cutoffs]) * self.scale_ + self.mean_

    def _fit(self, y: pd.DataFrame, X: Any = None, fh: Any = None) -> Self:
        self._rows, self._columns = y.to_numpy(), y.columns
        self.learn(self._rows)
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._rows = np.concatenate([self._rows, y.to_numpy()])
        if update_params:
            self.learn(self._rows)
        return self

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        index = fh.to_absolute_index(self.cutoff)
        level = self.forecast(self._rows, [len(self._rows)])[0]
        return pd.DataFrame(np.tile(level, (len(index), 1)), index, self._columns)


class HonestWindows(Honest):
    """The same, with `predict_windows`, which is handed all rows."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        """Forecast from each cutoff, (cutoffs, horizon, channels)."""
        rows = pd.DataFrame(y).to_numpy()
        return np.repeat(self.forecast(rows, cutoffs)[:, None], HORIZON, axis=1)


class ReadsX(Honest):
    """Adds the last column of X, which is honest where X is known ahead."""

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        return super()._predict(fh, X) + X.loc[fh.to_absolute_index(self.cutoff)].to_numpy()[:, -1:]
