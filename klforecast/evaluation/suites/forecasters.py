"""Models of the suites: ours, fitted once to all series, and plain ones, fitted to each.

    mean            mean of the past                  sigma: deviation of the past
    last value      y_T                               sigma sqrt(h)
    seasonal naive  y_{T + h - m ceil(h / m)}         sigma sqrt(ceil(h / m))
    Theta           `klforecast.evaluation.benchmark.theta`, points only

sigma is the root mean squared m-step change (m = 1 for the last value), and quantiles are those of a
normal distribution: Hyndman & Athanasopoulos (2021), "Forecasting: Principles and Practice", 5.5.
A missing value is taken to be the last known one; before the first known one, the first.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import norm

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.benchmark.theta import theta_forecast
from klforecast.evaluation.suites.scores import LEVELS, Forecast
from klforecast.evaluation.suites.task import SuiteForecaster

_THETA_SEASONS = (
    30  # as the benchmark's Theta: enough to average the indices, short enough for a local slope
)


class PooledMemory:
    """One `KLMemoryForecaster` for all series, fitted once; its context follows.

    Parameters
    ----------
    horizon : int
        Steps ahead.
    seed : int
        Seed of the forecaster.
    params : mapping
        Settings of the forecaster that differ from its defaults.
    """

    def __init__(self, horizon: int, seed: int, params: Mapping[str, Any]):
        self._forecaster = KLMemoryForecaster(horizon, **{"random_state": seed, **params})

    def get_params(self) -> dict[str, Any]:
        """Settings of the forecaster."""
        return self._forecaster.get_params(deep=False)

    def fit(self, past: Mapping[str, pd.DataFrame]) -> None:
        """Fit to all series at once."""
        self._channels = next(iter(past.values())).shape[1]
        self._names = list(past)
        self._forecaster.fit(_joined(past))

    def update(self, rows: Mapping[str, pd.DataFrame]) -> None:
        """Move the context on; no weight moves."""
        self._forecaster.update(_joined(rows), update_params=False)

    def forecast(self) -> dict[str, Forecast]:
        """Forecast the horizon of every series."""
        steps = np.arange(1, self._forecaster.horizon + 1)
        point = self._forecaster.predict(fh=steps)
        quantiles = self._forecaster.predict_quantiles(fh=steps, alpha=list(LEVELS))
        if len(self._names) == 1:
            names = self._names
        else:
            names = [str(name) for name in pd.unique(point.index.get_level_values(0))]
        shape = (len(names), len(steps), self._channels)
        points = point.to_numpy().reshape(shape)
        spread = quantiles.to_numpy().reshape(*shape, len(LEVELS))
        return {name: Forecast(points[i], spread[i]) for i, name in enumerate(names)}


def _joined(series: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    if len(series) == 1:
        return next(iter(series.values()))
    return pd.concat(series, names=["series", "step"])


class EachAlone:
    """A model of its own for every series, made by `make`."""

    def __init__(self, make: Callable[[], SuiteForecaster]):
        self._make = make

    def get_params(self) -> dict[str, Any]:
        """Settings of one of the models, and that each series has its own."""
        return {**self._make().get_params(), "one_model_a_series": True}

    def fit(self, past: Mapping[str, pd.DataFrame]) -> None:
        """Fit a new model to each series."""
        self._models = {name: self._make() for name in past}
        for name, model in self._models.items():
            model.fit({name: past[name]})

    def update(self, rows: Mapping[str, pd.DataFrame]) -> None:
        """Hand each model the rows of its series."""
        for name, model in self._models.items():
            model.update({name: rows[name]})

    def forecast(self) -> dict[str, Forecast]:
        """Forecast each series with its model."""
        return {name: model.forecast()[name] for name, model in self._models.items()}


class LocalForecaster:
    """Base of models that are made anew for every channel and cutoff from its own past.

    A subclass says how with `_channel`.

    Parameters
    ----------
    horizon, season : int
        Steps ahead; steps of one season, 1 for none.
    levels : sequence of float, default=LEVELS
        Levels of the quantiles.
    """

    def __init__(self, horizon: int, season: int, levels: Sequence[float] | np.ndarray = LEVELS):
        self.horizon, self.season, self.levels = horizon, season, levels

    def get_params(self) -> dict[str, Any]:
        """Settings that decide the forecast."""
        return {"horizon": self.horizon, "season": self.season}

    def fit(self, past: Mapping[str, pd.DataFrame]) -> None:
        """Keep the rows."""
        self._known = {name: rows.to_numpy(dtype=float) for name, rows in past.items()}

    def update(self, rows: Mapping[str, pd.DataFrame]) -> None:
        """Keep the new rows too."""
        self._known = {
            name: np.concatenate([known, rows[name].to_numpy(dtype=float)])
            for name, known in self._known.items()
        }

    def forecast(self) -> dict[str, Forecast]:
        """Forecast each channel of each series."""
        return {name: self.forecast_from(rows) for name, rows in self._known.items()}

    def forecast_from(self, rows: np.ndarray) -> Forecast:  # (time, channels)
        """Forecast what follows these rows."""
        filled = pd.DataFrame(rows).ffill().bfill().to_numpy()
        channels = [self._channel(filled[:, i], rows[:, i]) for i in range(rows.shape[1])]
        quantiles = [channel.quantiles for channel in channels if channel.quantiles is not None]
        return Forecast(
            np.stack([channel.point for channel in channels], axis=1),
            np.stack(quantiles, axis=1) if quantiles else None,
        )

    def _channel(self, filled: np.ndarray, rows: np.ndarray) -> Forecast:
        """Forecast from (time,) values without and with their gaps: (horizon,), (horizon, levels)."""
        raise NotImplementedError


def normal_forecast(
    point: np.ndarray,  # (horizon,)
    sigma: np.ndarray,  # (horizon,)
    levels: Sequence[float] | np.ndarray,
) -> Forecast:
    """Forecast with the quantiles of a normal distribution."""
    return Forecast(point, point[:, None] + sigma[:, None] * norm.ppf(levels))


class Mean(LocalForecaster):
    """The mean of the past."""

    def _channel(self, filled: np.ndarray, rows: np.ndarray) -> Forecast:
        known = rows[np.isfinite(rows)]
        ahead = np.ones(self.horizon)
        return normal_forecast(known.mean() * ahead, known.std() * ahead, self.levels)


class SeasonalNaive(LocalForecaster):
    """The last season; the last value where `season` is 1 or the past is shorter than a season."""

    def _channel(self, filled: np.ndarray, rows: np.ndarray) -> Forecast:
        season = self.season if self.season < len(filled) else 1
        steps = np.arange(self.horizon)
        changes = filled[season:] - filled[:-season]
        sigma = np.sqrt(np.mean(changes**2)) * np.sqrt(steps // season + 1)
        return normal_forecast(filled[steps % season - season], sigma, self.levels)


class Theta(LocalForecaster):
    """The Theta method on the last 30 seasons; a season is multiplicative in a positive past."""

    def _channel(self, filled: np.ndarray, rows: np.ndarray) -> Forecast:
        past = filled[-_THETA_SEASONS * self.season :] if self.season > 1 else filled
        positive = bool((past > 0).all())
        return Forecast(theta_forecast(past[None], self.horizon, self.season, positive)[0], None)
