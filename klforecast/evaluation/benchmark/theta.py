"""The Theta method, for thousands of windows at once.

    z_t = y_t / s_t, or y_t - s_t                    s: seasonal indices of the window
    l_t = a z_t + (1 - a) l_{t-1}                    exponential smoothing, l_1 = z_1
    forecast_h = l_n + (b / 2) (h - 1 + (1 - (1 - a)^n) / a), times or plus s_{n+h}
    b: least-squares slope of z; a: the smallest squared one-step errors over a grid; n: steps

Paper     Assimakopoulos & Nikolopoulos (2000), Int. J. Forecasting 16(4); as exponential smoothing
          with half the trend as drift: Hyndman & Billah (2003), Int. J. Forecasting 19(2), eq. 9.
Kept      every window has its own smoothing, slope and seasonal indices, estimated from its own
          past alone, as if the method were fitted once per window.
Left out  the seasonality test: a period above 1 is always adjusted for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from klforecast.evaluation.benchmark.baselines import Settings, require_past

# Weights of the newest value that are tried: a tenth apart, and finer where memory is long.
_SMOOTHING = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99])
_SEASONS = 30  # a month of days: enough to average the indices, short enough for a local slope
_CHUNK = 4096  # windows at once; 30 MB at a thousand steps


def seasonal_indices(
    windows: np.ndarray,  # (n, time)
    period: int,
    multiplicative: bool = False,
) -> np.ndarray:  # (n, period), for the phases 0, 1, .. of the window's first steps
    """Average what a centred moving average over one period leaves, per phase.

    Additive indices sum to zero, multiplicative ones have the mean one.
    """
    half = period // 2
    sums = np.cumsum(np.pad(windows, ((0, 0), (1, 0))), axis=1)
    trend = (sums[:, period:] - sums[:, :-period]) / period
    if period % 2 == 0:
        # The centred average of an even period is the mean of two neighbouring plain ones.
        trend = (trend[:, 1:] + trend[:, :-1]) / 2
    inner = windows[:, half : half + trend.shape[1]]
    detrended = inner / trend if multiplicative else inner - trend
    phases = np.arange(half, half + trend.shape[1]) % period
    indices = np.stack([detrended[:, phases == p].mean(axis=1) for p in range(period)], axis=1)
    level = indices.mean(axis=1, keepdims=True)
    return indices / level if multiplicative else indices - level


def theta_forecast(
    windows: np.ndarray,  # (n, time)
    horizon: int,
    period: int = 1,
    multiplicative: bool = False,
) -> np.ndarray:  # (n, horizon)
    """Forecast each row by the Theta method; see the module's equations.

    Windows shorter than two periods and one step are not adjusted for the season. Costs
    O(n * time) for each of the 13 smoothing constants tried.

    Examples
    --------
    >>> line = np.arange(50.0)[None]
    >>> theta_forecast(line, horizon=2).round(1)
    array([[49.5, 50. ]])
    """
    length = windows.shape[1]
    seasonal = period > 1 and length > 2 * period
    if seasonal:
        indices = seasonal_indices(windows, period, multiplicative)
        season = indices[:, np.arange(length) % period]
        windows = windows / season if multiplicative else windows - season
    forecast = _unadjusted_forecast(windows, horizon)
    if not seasonal:
        return forecast
    season = indices[:, (length + np.arange(horizon)) % period]
    return forecast * season if multiplicative else forecast + season


def _unadjusted_forecast(windows: np.ndarray, horizon: int) -> np.ndarray:
    """Exponential smoothing with half the least-squares slope as drift."""
    n, length = windows.shape
    time = np.arange(length) - (length - 1) / 2
    slope = windows @ time / max(time @ time, 1.0)

    level = np.repeat(windows[:, :1], len(_SMOOTHING), axis=1)
    errors = np.zeros_like(level)
    for step in range(1, length):
        surprise = windows[:, step, None] - level
        errors += surprise**2
        level += _SMOOTHING * surprise
    best = errors.argmin(axis=1)
    smoothing = _SMOOTHING[best]
    drift = np.arange(horizon) + ((1 - (1 - smoothing) ** length) / smoothing)[:, None]
    return level[np.arange(n), best, None] + slope[:, None] / 2 * drift


@dataclass
class Theta(Settings):
    """The Theta method on the last `depth` steps before each cutoff, channel by channel.

    The season is multiplicative where every row given to `fit` is positive, as in the M4
    competition, and additive otherwise.

    Parameters
    ----------
    horizon, period : int
        Steps ahead; steps of one season, 1 for none.
    depth : int or None, default=None
        Steps of the past that a forecast is fitted to; None takes 30 seasons (as many as the rows
        given to `fit` when `period` is 1), and never more than those rows.
    """

    horizon: int
    period: int
    depth: int | None = None

    def fit(self, y: pd.DataFrame) -> "Theta":
        """Settle the depth and the kind of season; all else is estimated per window."""
        self.multiplicative_ = bool((y.to_numpy() > 0).all())
        depth = self.depth or (_SEASONS * self.period if self.period > 1 else len(y))
        self.input_length_ = self.memory_depth_ = min(depth, len(y))
        self.n_parameters_ = 0
        return self

    def predict_windows(self, y: pd.DataFrame, cutoffs: Sequence[int] | np.ndarray) -> np.ndarray:
        """Forecast from each cutoff; returns (cutoffs, horizon, channels)."""
        require_past(cutoffs, self.memory_depth_)
        starts = np.asarray(cutoffs) - self.memory_depth_
        forecasts = []
        for channel in y.to_numpy(dtype=float).T:
            windows = np.lib.stride_tricks.sliding_window_view(channel, self.memory_depth_)
            forecasts.append(
                np.concatenate(
                    [
                        theta_forecast(
                            windows[starts[i : i + _CHUNK]],
                            self.horizon,
                            self.period,
                            self.multiplicative_,
                        )
                        for i in range(0, len(starts), _CHUNK)
                    ]
                )
            )
        return np.stack(forecasts, axis=2)
