"""Forecasts that take no tuning: the last value, the last season, one least-squares map.

    persistence       forecast_h = y_T
    seasonal naive    forecast_h = y_{T + h - P ceil(h / P)}                      P: the period
    OLS               forecast = m + W (past - m)          m: mean of the window, per channel

Every table of the harness holds them: a model that loses to one of them has learned nothing.
OLS with centred windows is the closed form that Toner & Darlow (2024), "An Analysis of Linear Time
Series Forecasting Models" (arXiv:2403.14587), show the linear networks to converge to.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

_CHUNK = 2048  # windows held at once: 2048 x 1,440 steps in float64 take 24 MB


def require_past(cutoffs: Sequence[int] | np.ndarray, steps: int) -> None:
    """Raise ValueError where a cutoff has fewer than `steps` rows before it."""
    first = int(min(cutoffs))
    if first < steps:
        raise ValueError(
            f"a cutoff at row {first} has fewer than the {steps} past steps that this model needs; "
            f"start later or allow it a shorter past"
        )


@dataclass
class Settings:
    """A model whose settings are its dataclass fields."""

    def get_params(self) -> dict[str, Any]:
        """Return every setting that decides the forecast."""
        return asdict(self)


@dataclass
class Persistence(Settings):
    """Repeat the last value.

    Parameters
    ----------
    horizon : int
        Steps ahead.
    """

    horizon: int

    def fit(self, y: pd.DataFrame) -> "Persistence":
        """Learn nothing."""
        self.input_length_ = self.memory_depth_ = 1
        self.n_parameters_ = 0
        return self

    def predict_windows(self, y: pd.DataFrame, cutoffs: Sequence[int] | np.ndarray) -> np.ndarray:
        """Forecast from each cutoff; returns (cutoffs, horizon, channels)."""
        require_past(cutoffs, 1)
        last = y.to_numpy(dtype=float)[np.asarray(cutoffs) - 1]
        return np.repeat(last[:, None], self.horizon, axis=1)


@dataclass
class SeasonalNaive(Settings):
    """Repeat the last `period` values.

    Parameters
    ----------
    horizon, period : int
        Steps ahead; steps of one season.
    """

    horizon: int
    period: int

    def fit(self, y: pd.DataFrame) -> "SeasonalNaive":
        """Learn nothing."""
        self.input_length_ = self.memory_depth_ = self.period
        self.n_parameters_ = 0
        return self

    def predict_windows(self, y: pd.DataFrame, cutoffs: Sequence[int] | np.ndarray) -> np.ndarray:
        """Forecast from each cutoff; returns (cutoffs, horizon, channels)."""
        require_past(cutoffs, self.period)
        offsets = np.arange(self.horizon) % self.period - self.period
        return y.to_numpy(dtype=float)[np.asarray(cutoffs)[:, None] + offsets]


@dataclass
class OLS(Settings):
    """Least squares from the centred window to the centred future, one map for all channels.

    Parameters
    ----------
    horizon, lookback : int
        Steps ahead; steps of the past.
    """

    horizon: int
    lookback: int

    def fit(self, y: pd.DataFrame) -> "OLS":
        """Accumulate the normal equations over all windows and channels, and solve them.

        Costs O(time * channels * lookback * (lookback + horizon)).
        """
        length = self.lookback + self.horizon
        if len(y) < length:
            raise ValueError(
                f"{len(y)} rows do not give one window of {self.lookback} + {self.horizon} steps; "
                f"pass a longer series or a shorter lookback"
            )
        gram = np.zeros((self.lookback, self.lookback))
        cross = np.zeros((self.lookback, self.horizon))
        for channel in y.to_numpy(dtype=float).T:
            windows = np.lib.stride_tricks.sliding_window_view(channel, length)
            for start in range(0, len(windows), _CHUNK):
                chunk = windows[start : start + _CHUNK]
                level = chunk[:, : self.lookback].mean(axis=1, keepdims=True)
                past = chunk[:, : self.lookback] - level
                gram += past.T @ past
                cross += past.T @ (chunk[:, self.lookback :] - level)
        # Centred windows leave the gram matrix one direction short: the least-norm solution.
        self.weight_ = np.linalg.lstsq(gram, cross, rcond=1e-10)[0]  # (lookback, horizon)
        self.input_length_ = self.memory_depth_ = self.lookback
        self.n_parameters_ = self.weight_.size
        return self

    def predict_windows(self, y: pd.DataFrame, cutoffs: Sequence[int] | np.ndarray) -> np.ndarray:
        """Forecast from each cutoff; returns (cutoffs, horizon, channels)."""
        require_past(cutoffs, self.lookback)
        steps = np.arange(-self.lookback, 0)
        past = y.to_numpy(dtype=float)[np.asarray(cutoffs)[:, None] + steps]
        level = past.mean(axis=1, keepdims=True)
        return np.einsum("blc,lh->bhc", past - level, self.weight_, optimize=True) + level
