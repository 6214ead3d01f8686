"""Forecasts from many cutoffs of one series with their labels, in the form of those of a backtest."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from klforecast.estimators import checks
from klforecast.estimators.frames.indices import stamps_ahead
from klforecast.estimators.frames.known_rows import KnownRows
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.rolling.tidy import forecast_frame


def windows_frame(
    y: pd.Series | pd.DataFrame | np.ndarray,
    cutoffs: Sequence[int] | np.ndarray,
    forecasts: np.ndarray,  # (n, horizon, channels)
    quantiles: np.ndarray | None,  # (n, horizon, channels, levels)
    alpha: Sequence[float] | np.ndarray | None,
    known: KnownRows,
) -> pd.DataFrame:
    """Put forecasts of `predict_windows` into one frame; steps after the last row of y have no truth."""
    series, positions = checks.check_windows(y, cutoffs, known.columns)
    steps = np.arange(1, forecasts.shape[1] + 1)
    later = stamps_ahead(series.index[-1], steps, known.frequency)
    unknown = np.full((len(steps), series.values.shape[1]), np.nan)
    reached = TimeSeries(np.concatenate([series.values, unknown]), series.index.append(later))
    levels = () if alpha is None else tuple(alpha)
    spread = np.empty((*forecasts.shape, 0)) if quantiles is None else quantiles
    key: Key = ()
    return forecast_frame(
        {key: reached}, known.columns, {key: positions}, {key: forecasts}, {key: spread}, levels
    )
