"""What the memory learns from and forecasts: rows less the effect of covariates, scaled, without gaps.

rows of y  ->  rest = rows - effect of X  ->  (rest - mean) / scale  ->  gaps filled  ->  windows
"""

from collections.abc import Callable

import numpy as np
import torch
from pandas.tseries.offsets import BaseOffset
from torch import Tensor

from klforecast.data.periods import find_periods
from klforecast.data.scaling import Standardizer
from klforecast.estimators import checks
from klforecast.estimators.base import SeriesForecaster
from klforecast.estimators.covariates.effects import Effects, learn_effects, rest_rows
from klforecast.estimators.frames.context import FilledRows, extend_past, forecast_windows
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.ops.missing import GapFiller, interpolate
from klforecast.training.nets import ForecastNet


class RestForecaster(SeriesForecaster):
    """Base of forecasters whose net reads windows of the rest, see `KLMemoryForecaster`.

    A subclass learns `net_` from `_rests` and calls `_fit_effects` before that and `_fit_scalers`
    after it.
    """

    horizon: int
    period: int | None
    forgetting: float

    net_: ForecastNet
    effects_: Effects | None
    scalers_: dict[Key, Standardizer]
    gap_covariance_: Tensor
    scale_lag_: int | None
    horizon_: int
    memory_depth_: int
    period_: int
    n_channels_: int

    def _periods(self, rows: np.ndarray, frequency: BaseOffset | None) -> list[int]:
        """Cycles of one series in steps, the leading one first."""
        if self.period is not None:
            return [self.period] if self.period > 1 else []
        if np.isnan(rows).any():
            rows = interpolate(torch.tensor(rows), 1).numpy()
        return [period for period in find_periods(rows, frequency) if period > 1]

    def _fit_effects(self) -> None:
        self.effects_ = None
        if self._covariates is not None:
            longest = max((series.values for series in self._series.values()), key=len)
            self.effects_ = learn_effects(
                self._series,
                self._covariates,
                min(self.horizon, checks.longest_horizon(len(longest))),
                (self._periods(longest, self._frequency) or [1])[0],
                self.get_params(deep=False),
            )

    def _rests(self) -> dict[Key, np.ndarray]:
        """Rows of each series less the effect of covariates: what the memory learns and forecasts."""
        return {
            key: rest_rows(self.effects_, self._covariates, key, series)
            for key, series in self._series.items()
        }

    def _fit_scalers(self) -> None:
        self.scalers_ = {
            key: Standardizer.fit(rows, self.forgetting, self.scale_lag_)
            for key, rows in self._rests().items()
        }

    def _window(
        self, key: Key, past: TimeSeries, filler: GapFiller
    ) -> np.ndarray:  # (depth, channels)
        """Scaled rows before the cutoff, without effects of covariates and without gaps."""
        depth, cutoff = self.memory_depth_, len(past.index)
        start = filler.first_row(cutoff, depth)
        rest = rest_rows(self.effects_, self._covariates, key, past, start)
        filled = FilledRows(self.scalers_[key].transform(rest), filler)
        return extend_past(filled.before(cutoff - start, depth), depth, self.period_)

    def _forecast(
        self,
        windows_of: Callable[[slice], np.ndarray],  # a batch -> (batch, depth, channels), scaled
        n_windows: int,
        steps: int,
    ) -> np.ndarray:  # (n_windows, steps, channels), scaled
        shape = (self.memory_depth_, self.n_channels_)
        return forecast_windows(self.net_.module_, windows_of, n_windows, steps, shape)
