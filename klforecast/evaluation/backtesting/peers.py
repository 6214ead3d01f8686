"""Plain forecasts to stand beside: made anew at every cutoff from the past of each series alone.

The definitions are those of `klforecast.evaluation.suites.forecasters`.
"""

import time
from collections.abc import Sequence

import numpy as np

from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.rolling.cutoffs import Windows
from klforecast.estimators.rolling.forecasts import WindowForecasts
from klforecast.evaluation.suites.forecasters import LocalForecaster, Mean, SeasonalNaive, Theta

PEERS: dict[str, type[LocalForecaster]] = {
    "seasonal-naive": SeasonalNaive,
    "theta": Theta,
    "persistence": SeasonalNaive,
    "mean": Mean,
}
"""Plain forecasters by name; persistence is seasonal naive with a season of one step."""


def peer_windows(
    name: str,
    panel: dict[Key, TimeSeries],
    windows: Windows,
    season: int,
    levels: Sequence[float],
) -> tuple[WindowForecasts, tuple[float, ...]]:
    """Forecast every window by a plain forecaster; also return the levels that it has quantiles at.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    """
    if name not in PEERS:
        raise ValueError(
            f"unknown forecaster {name!r}; pass a forecaster of sktime, or one of {', '.join(PEERS)}"
        )
    model = PEERS[name](windows.horizon, 1 if name == "persistence" else season, levels)
    begun = time.perf_counter()
    points: dict[Key, np.ndarray] = {}
    quantiles: dict[Key, np.ndarray] = {}
    chosen = tuple(levels)
    for key, rows in panel.items():
        found = [
            model.forecast_from(rows.values[: len(rows.values) - left]) for left in windows.left
        ]
        points[key] = np.stack([forecast.point for forecast in found])
        spreads = [forecast.quantiles for forecast in found if forecast.quantiles is not None]
        if spreads:
            quantiles[key] = np.stack(spreads)
        else:
            chosen = ()
            quantiles[key] = np.empty((*points[key].shape, 0))
    seconds = time.perf_counter() - begun
    return WindowForecasts(points, quantiles, 0.0, seconds), chosen
