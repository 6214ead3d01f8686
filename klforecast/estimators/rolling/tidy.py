"""The forecasts of a backtest as one frame, a row for each series, channel, cutoff and step."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from klforecast.estimators.frames.panel import Key, TimeSeries, series_label
from klforecast.estimators.rolling.cutoffs import Windows
from klforecast.estimators.rolling.forecasts import WindowForecasts


def quantile_name(level: float) -> str:
    """Name the column of a quantile.

    Examples
    --------
    >>> quantile_name(0.05)
    'q0.05'
    """
    return f"q{level:g}"


def tidy_frame(
    panel: dict[Key, TimeSeries],
    channels: pd.Index,
    windows: Windows,
    forecasts: WindowForecasts,
    levels: Sequence[float],
) -> pd.DataFrame:
    """Put truth and forecasts of all windows into one frame.

    Returns
    -------
    DataFrame
        Columns series, channel, cutoff (last known stamp), step, time, truth, forecast, and one for
        each level.
    """
    left = np.asarray(windows.left)
    cutoffs = {key: len(rows.values) - left for key, rows in panel.items()}
    return forecast_frame(panel, channels, cutoffs, forecasts.points, forecasts.quantiles, levels)


def forecast_frame(
    panel: Mapping[Key, TimeSeries],
    channels: pd.Index,
    cutoffs: Mapping[Key, np.ndarray],  # (n,) int each
    points: Mapping[Key, np.ndarray],  # (n, horizon, channels) each
    quantiles: Mapping[Key, np.ndarray],  # (n, horizon, channels, levels) each
    levels: Sequence[float],
) -> pd.DataFrame:
    """The same of forecasts from as many cutoffs of each series, whose rows reach to the last step that is forecast."""
    labels = np.empty(len(panel), dtype=object)
    labels[:] = [series_label(key) for key in panel]
    forecasts = np.stack([points[key] for key in panel])  # (series, n, horizon, channels)
    series, window, step, channel = np.indices(forecasts.shape).reshape(4, -1)
    n, horizon = forecasts.shape[1:3]
    window += series * n
    last, times, truth = [], [], []
    for key, rows in panel.items():
        places = cutoffs[key][:, None] + np.arange(horizon)
        last.append(rows.index[cutoffs[key] - 1])
        times.append(rows.index[places.ravel()])
        truth.append(rows.values[places].ravel())
    spread = np.stack([quantiles[key] for key in panel]).reshape(series.size, len(levels))
    frame = {
        "series": labels[series],
        "channel": channels.take(channel),
        "cutoff": last[0].append(last[1:]).take(window),
        "step": step + 1,
        "time": times[0].append(times[1:]).take(window * horizon + step),
        "truth": np.concatenate(truth),
        "forecast": forecasts.ravel(),
    }
    frame |= {quantile_name(level): spread[:, place] for place, level in enumerate(levels)}
    return pd.DataFrame(frame).infer_objects()
