"""Forecasts from many cutoffs of a series at once, with the fitted, frozen model.

What benchmarks and backtests ask for: a window for each cutoff, forecast in batches, in place of a
call of `predict` for each.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from klforecast.estimators import checks
from klforecast.estimators.covariates.effects import effect_of_windows, rest_rows
from klforecast.estimators.covariates.table import of_windows
from klforecast.estimators.frames.context import FilledRows, extend_past
from klforecast.estimators.frames.panel import TimeSeries, split_series
from klforecast.estimators.intervals import ConformalForecaster
from klforecast.ops.missing import GapFiller


class CutoffForecaster(ConformalForecaster):
    """Base of forecasters that forecast from many cutoffs at once."""

    def predict_windows(
        self,
        y: pd.Series | pd.DataFrame | np.ndarray,  # (time, channels)
        cutoffs: Sequence[int] | np.ndarray,  # (n,)
        X: pd.DataFrame | np.ndarray | None = None,
        alpha: Sequence[float] | np.ndarray | None = None,  # (levels,)
    ) -> np.ndarray:  # (n, horizon, channels), or (n, horizon, channels, levels)
        """Forecast `horizon` steps from many cutoffs of a series with the fitted, frozen model.

        Parameters
        ----------
        y : Series, DataFrame or ndarray, (time, channels)
            Rows in the units of `fit`, with its columns.
        cutoffs : sequence of int, (n,)
            Positions in y. The forecast from cutoff c covers the rows c .. c + horizon - 1 and
            reads the rows before c only; 1 <= c <= time.
        X : DataFrame or ndarray, optional
            Covariates from the first row of y to the last step that is forecast, if `fit` was
            given some. An array has the rows of y and those that follow.
        alpha : sequence of float, optional
            Levels of quantiles, between 0 and 1, to return in place of point forecasts.

        Returns
        -------
        ndarray, (n, horizon, channels), float64
            In the units of y; with `alpha` one more axis, (n, horizon, channels, len(alpha)).

        Examples
        --------
        >>> import numpy as np
        >>> from klforecast import KLMemoryForecaster
        >>> y = np.sin(np.arange(200) * np.pi / 6)[:, None]
        >>> forecaster = KLMemoryForecaster(horizon=24).fit(y[:150])
        >>> forecaster.predict_windows(y, [150, 151, 152]).shape
        (3, 24, 1)
        """
        self.check_is_fitted(method_name="predict_windows")
        if () not in self.scalers_:
            raise ValueError(
                f"predict_windows forecasts one series, but this forecaster was fitted on "
                f"{len(self.scalers_)}; fit it on the one series, after pretrain on the panel"
            )
        frame = y if isinstance(y, pd.Series | pd.DataFrame) else pd.DataFrame(np.asarray(y))
        checks.check_rows(frame)
        values = split_series(pd.DataFrame(frame))[()].values
        if isinstance(y, pd.DataFrame):
            checks.check_columns(self._columns, y.columns, "y")
        else:
            checks.check_channels(self.n_channels_, values.shape[1])
        positions = checks.check_cutoffs(cutoffs, len(values))
        covariates = of_windows(self._covariates, X, frame.index)
        read = slice(0, positions.max(initial=1))
        past = TimeSeries(values[read], frame.index[read])
        rest = rest_rows(self.effects_, covariates, (), past)
        scaler, depth = self.scalers_[()], self.memory_depth_
        filled = FilledRows(scaler.transform(rest), GapFiller(self.gap_covariance_))

        def windows_of(batch: slice) -> np.ndarray:
            return np.stack(
                [
                    extend_past(filled.before(cutoff, depth), depth, self.period_)
                    for cutoff in positions[batch]
                ]
            )

        scaled = self._forecast(windows_of, len(positions), self.horizon)
        forecasts = scaler.inverse_transform(scaled)
        if covariates is not None and len(positions):
            forecasts = forecasts + effect_of_windows(
                self.effects_, covariates, past.index, positions, self.horizon
            )
        if alpha is None:
            return forecasts
        levels = checks.check_levels(alpha)
        offsets = self._offsets(windows_of, [()] * len(positions), positions, self.horizon, levels)
        return forecasts[..., None] + offsets * scaler.scale[:, None]
