"""The forecasts of a backtest as one frame, a row for each series, channel, cutoff and step."""

from collections.abc import Sequence

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
    parts = [
        series_frame(
            key,
            rows,
            channels,
            len(rows.values) - np.asarray(windows.left),
            forecasts.points[key],
            forecasts.quantiles[key],
            levels,
        )
        for key, rows in panel.items()
    ]
    return pd.concat(parts, ignore_index=True)


def series_frame(
    key: Key,
    rows: TimeSeries,
    channels: pd.Index,
    cutoffs: np.ndarray,  # (n,) int
    points: np.ndarray,  # (n, horizon, channels)
    quantiles: np.ndarray,  # (n, horizon, channels, levels)
    levels: Sequence[float],
) -> pd.DataFrame:
    """The same of one series, whose rows reach to the last step that is forecast."""
    n_steps = points.shape[1]
    steps = np.arange(1, n_steps + 1)
    places = cutoffs[:, None] + steps - 1  # (n, horizon)
    each = np.indices(points.shape).reshape(3, -1)
    label = np.empty(each.shape[1], dtype=object)
    label[:] = [series_label(key)] * each.shape[1]
    frame = pd.DataFrame(
        {
            "series": label,
            "channel": channels.take(each[2]),
            "cutoff": rows.index[cutoffs - 1].take(each[0]),
            "step": steps[each[1]],
            "time": rows.index[places.ravel()].take(each[0] * n_steps + each[1]),
            "truth": rows.values[places].reshape(-1),
            "forecast": points.reshape(-1),
        }
    )
    columns = quantiles.reshape(len(frame), len(levels))
    return frame.assign(
        **{quantile_name(level): columns[:, place] for place, level in enumerate(levels)}
    ).infer_objects()
