"""Intervals of a forecaster: quantiles of its errors out of fold around its point forecast.

    predict_quantiles   point forecast + scale of the series + scale of the moment x quantile of scores
    update              windows whose horizon is complete move the levels at which scores are read

The mathematics is in `klforecast.ops.conformal`; here are indices, columns and batches.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from skbase.utils.dependencies import _check_soft_dependencies
from sktime.forecasting.base import ForecastingHorizon
from torch import Tensor

from klforecast.estimators.covariates.effects import rest_rows
from klforecast.estimators.frames.indices import steps_ahead
from klforecast.estimators.frames.panel import Key, TimeSeries, first_rows
from klforecast.estimators.rests import RestForecaster
from klforecast.exceptions import KLForecastError
from klforecast.ops.conformal import (
    GRID,
    Calibration,
    adapt_levels,
    adapted_levels,
    extend_steps,
    nominal_levels,
    score_quantiles,
)
from klforecast.ops.missing import GapFiller
from klforecast.ops.volatility import expected_scale, recent_volatility

_HORIZONS = 20  # horizons over which the levels follow a drift; `docs/intervals.md` compares others
_SCORED_WINDOWS = (
    256  # windows that one update looks at, all series together, one for each at least
)
_VALUES_PER_BATCH = 2**22
_DISTRIBUTION = (np.arange(100) + 0.5) / 100  # levels that stand for a whole distribution


class ConformalForecaster(RestForecaster):
    """Base of forecasters with intervals.

    A subclass learns `calibration_` beside its weights, calls `_start_levels` after every fit, and
    `_follow_levels` in every update before it learns from the new rows.
    """

    calibration_: Calibration | None
    _levels: dict[Key, Tensor]  # (C, G) each

    def _predict_quantiles(
        self, fh: ForecastingHorizon, X: Any, alpha: Sequence[float]
    ) -> pd.DataFrame:
        forecast = self._predict(fh=fh, X=X)
        values = forecast.to_numpy()[..., None] + self._offsets_ahead(fh, np.asarray(alpha))
        columns = pd.MultiIndex.from_product([self._get_varnames(), alpha])
        return pd.DataFrame(values.reshape(len(values), -1), forecast.index, columns)

    def _predict_var(
        self, fh: ForecastingHorizon, X: Any = None, cov: bool = False
    ) -> pd.DataFrame:
        if cov:
            raise NotImplementedError(
                f"{type(self).__name__} knows the errors of each step and channel, not how they "
                f"vary together; pass cov=False"
            )
        forecast = self._predict(fh=fh, X=X)
        offsets = self._offsets_ahead(fh, _DISTRIBUTION)
        return pd.DataFrame(offsets.var(axis=-1), forecast.index, forecast.columns)

    def _predict_proba(
        self, fh: ForecastingHorizon, X: Any = None, marginal: bool = True
    ) -> Any:  # a distribution of skpro
        if not _check_soft_dependencies("skpro", severity="none"):
            return super()._predict_proba(fh=fh, X=X, marginal=marginal)
        from skpro.distributions.empirical import Empirical

        forecast = self._predict(fh=fh, X=X)
        values = forecast.to_numpy()[..., None] + self._offsets_ahead(fh, _DISTRIBUTION)
        draws = [pd.DataFrame(draw, forecast.index, forecast.columns) for draw in values.T.mT]
        return Empirical(pd.concat(dict(enumerate(draws))))

    def _start_levels(self) -> None:
        """Take the levels as they are asked for; only rows after the present cutoffs move them."""
        nominal = nominal_levels(self.n_channels_)
        self._levels = dict.fromkeys(self._series, nominal)
        self._learned_until = self._scored_until = self._cutoffs

    def _follow_levels(self) -> None:
        """Let every horizon that the new rows complete move the levels of its series."""
        if self.calibration_ is None:
            return
        known = self._known_rows()
        most = max(1, _SCORED_WINDOWS // len(known))
        windows, steps = {}, {}
        for key, rows in known.items():
            cutoffs = self._newly_complete(key, rows)
            steps[key] = max(1, -(-len(cutoffs) // most))
            # The latest one is among those kept.
            windows[key] = cutoffs[::-1][:: steps[key]][::-1]
        places = [(key, cutoff) for key, cutoffs in windows.items() for cutoff in cutoffs]
        if places:
            self._levels = self._moved_levels(known, places, steps)
        self._scored_until = self._cutoffs

    def _newly_complete(self, key: Key, rows: TimeSeries) -> np.ndarray:  # (m,) int
        """Cutoffs of forecasts from rows after the fit, whose last step is among the new rows."""
        learned, scored = (
            rows.index.searchsorted(stamps[key], side="right")
            for stamps in (self._learned_until, self._scored_until)
        )
        horizon = self.horizon_
        return np.arange(max(learned, scored + 1 - horizon), len(rows.index) - horizon + 1)

    def _moved_levels(
        self,
        known: Mapping[Key, TimeSeries],
        places: Sequence[tuple[Key, int]],
        steps: Mapping[Key, int],
    ) -> dict[Key, Tensor]:
        errors = self._scaled_errors(known, places)
        levels = dict(self._levels)
        of_series: dict[Key, list[int]] = {}
        for place, (key, _) in enumerate(places):
            of_series.setdefault(key, []).append(place)
        size = self.horizon_ * self.n_channels_ * len(GRID)
        # Series do not wait for each other: the first windows of all of them, then the second ones.
        for turn in range(max(map(len, of_series.values()))):
            due = [key for key, own in of_series.items() if len(own) > turn]
            for keys in _batches(due, size):
                rates = [min(1.0, steps[key] / (_HORIZONS * self.horizon_)) for key in keys]
                moved = adapt_levels(
                    torch.stack([levels[key] for key in keys]),
                    errors[[of_series[key][turn] for key in keys]],
                    self._calibration(),
                    torch.tensor(rates, dtype=torch.float64)[:, None, None],
                )
                levels |= dict(zip(keys, moved, strict=True))
        return levels

    def _scaled_errors(
        self, known: Mapping[Key, TimeSeries], places: Sequence[tuple[Key, int]]
    ) -> Tensor:  # (places, H, C)
        filler, horizon = GapFiller(self.gap_covariance_), self.horizon_

        def windows_of(batch: slice) -> np.ndarray:
            return np.stack(
                [
                    self._window(key, first_rows(known[key], cutoff), filler)
                    for key, cutoff in places[batch]
                ]
            )

        def truth_of(key: Key, cutoff: int) -> np.ndarray:
            rows = first_rows(known[key], cutoff + horizon)
            rest = rest_rows(self.effects_, self._covariates, key, rows, cutoff)
            return self.scalers_[key].transform(rest)

        forecasts = self._forecast(windows_of, len(places), horizon)
        truth = np.stack([truth_of(key, cutoff) for key, cutoff in places])
        scales = self._scales(windows_of, [cutoff for _, cutoff in places])
        return torch.from_numpy(truth - forecasts) / scales[:, None]

    def _offsets_ahead(
        self, fh: ForecastingHorizon, levels: np.ndarray
    ) -> np.ndarray:  # (rows, C, Q), in the order of `_predict`
        """Quantiles around the forecasts of all series, in the units of the data."""
        known = self._known_rows()
        keys, pasts = list(known), list(known.values())
        ahead = [steps_ahead(fh, past.index[-1], self._frequency) for past in pasts]
        scalers = [self.scalers_[key] for key in keys]
        filler = GapFiller(self.gap_covariance_)

        def windows_of(batch: slice) -> np.ndarray:
            return np.stack([self._window(key, known[key], filler) for key in keys[batch]])

        steps = max(own.max() for own in ahead)
        lengths = [len(past.values) for past in pasts]
        offsets = self._offsets(windows_of, keys, lengths, steps, levels)
        return np.concatenate(
            [
                own_offsets[own_ahead - 1] * scaler.scale[:, None]
                for own_offsets, own_ahead, scaler in zip(offsets, ahead, scalers, strict=True)
            ]
        )

    def _offsets(
        self,
        windows_of: Callable[[slice], np.ndarray],  # a batch -> (batch, depth, channels), scaled
        keys: Sequence[Key],  # the series of each window
        lengths: Sequence[int] | np.ndarray,  # rows known before each window's cutoff
        steps: int,
        levels: np.ndarray,  # (Q,)
    ) -> np.ndarray:  # (windows, steps, C, Q), scaled
        """Quantiles around the forecasts of windows."""
        calibration = self._calibration()
        wanted = torch.from_numpy(levels)
        of_series = {
            key: extend_steps(
                score_quantiles(calibration, adapted_levels(adapted, wanted)),
                calibration.growth,
                steps,
            )
            for key, adapted in self._levels.items()
            if key in set(keys)
        }
        scales = self._scales(windows_of, lengths)
        offsets = np.empty((len(keys), steps, self.n_channels_, len(levels)))
        for row, (key, scale) in enumerate(zip(keys, scales, strict=True)):
            offsets[row] = scale[:, None] * of_series[key]
        return offsets

    def _scales(
        self, windows_of: Callable[[slice], np.ndarray], lengths: Sequence[int] | np.ndarray
    ) -> Tensor:  # (windows, C)
        """Scale of the errors to expect after each window."""
        model = self._calibration().scale
        # What continues a short past to the left was not observed.
        known = torch.as_tensor(lengths).clamp(max=self.memory_depth_)
        size = max(1, _VALUES_PER_BATCH // (self.memory_depth_ * self.n_channels_))
        scales = torch.empty(len(known), self.n_channels_, dtype=torch.float64)
        for start in range(0, len(known), size):
            batch = slice(start, start + size)
            past = torch.from_numpy(windows_of(batch))
            features = recent_volatility(past.mT, self.period_, known[batch, None])
            scales[batch] = expected_scale(model, features)
        return scales

    def _calibration(self) -> Calibration:
        if self.calibration_ is None:
            raise KLForecastError(
                "this forecaster holds no errors out of fold, from which intervals are made; "
                "call fit or pretrain again"
            )
        return self.calibration_


def _batches(keys: Sequence[Key], size: int) -> Iterator[Sequence[Key]]:
    """Runs of keys whose arrays of `size` values fit into a batch."""
    step = max(1, _VALUES_PER_BATCH // size)
    for start in range(0, len(keys), step):
        yield keys[start : start + step]
