"""Forecasts from many cutoffs: one fit, then the context moves on and no weight does.

    at once      `KLMemoryForecaster`, fitted to one series, forecasts all cutoffs in a batch
    one by one   any other forecaster of sktime, and panels: `update(update_params=False)`, then `predict`

A forecast reads the rows before its cutoff, the covariates before it, and those of the steps that are
forecast. Columns of X whose future is not known are the forecaster's to leave unread.
"""

import time
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import Key, split_series
from klforecast.estimators.rolling.cutoffs import Windows, rows_to_end


class WindowForecasts(NamedTuple):
    """Forecasts of all windows, series by series.

    Attributes
    ----------
    points : dict of tuple to ndarray, (windows, horizon, channels)
        In the units of the data.
    quantiles : dict of tuple to ndarray, (windows, horizon, channels, levels)
        The last axis is empty where no level was asked for.
    fit_seconds, predict_seconds : float
        Spent in `fit`; in `update` and in what forecasts.
    """

    points: dict[Key, np.ndarray]
    quantiles: dict[Key, np.ndarray]
    fit_seconds: float
    predict_seconds: float


def can_forecast_quantiles(forecaster: BaseForecaster) -> bool:
    """Tell whether a forecaster of sktime has `predict_quantiles`."""
    return bool(forecaster.get_tag("capability:pred_int", False, raise_error=False))


def check_forecaster(
    forecaster: Any, windows: Windows, refit: bool | int, levels: Sequence[float]
) -> None:
    """Raise unless the forecaster can be taken through the windows.

    Raises
    ------
    TypeError
        If it is no forecaster of sktime.
    ValueError
        If it has no quantiles, or cannot move on without a new fit, and is asked to.
    """
    if not isinstance(forecaster, BaseForecaster):
        raise TypeError(
            f"forecaster is a {type(forecaster).__name__}; pass a forecaster of sktime, such as "
            "KLMemoryForecaster(horizon=28)"
        )
    if levels and not can_forecast_quantiles(forecaster):
        raise ValueError(
            f"{type(forecaster).__name__} forecasts no quantiles; pass levels=() for point forecasts alone"
        )
    moves = forecaster.get_tag("capability:update", False, raise_error=False)
    if not moves and any(len(block) > 1 for block in windows.blocks(refit)):
        raise _stands_still(forecaster)


def _stands_still(forecaster: BaseForecaster) -> ValueError:
    return ValueError(
        f"{type(forecaster).__name__} takes in no new rows without a new fit, so a second window would be "
        "forecast from the past of the first; pass refit=True"
    )


def forecast_windows(
    forecaster: BaseForecaster,
    y: pd.Series | pd.DataFrame,
    X: pd.DataFrame | None,  # rows at the stamps of y
    windows: Windows,
    refit: bool | int,
    levels: Sequence[float],
) -> WindowForecasts:
    """Forecast every window of y; the forecaster itself is not fitted, clones of it are.

    Costs one fit per block of windows, and one forecast per window.
    """
    road = _at_once if _has_fast_road(forecaster, y, windows) else _one_by_one
    to_end = rows_to_end(y.index)
    fit_seconds = predict_seconds = 0.0
    found: list[tuple[dict[Key, np.ndarray], dict[Key, np.ndarray]]] = []
    for block in windows.blocks(refit):
        left = [windows.left[window] for window in block]
        begun = time.perf_counter()
        known = to_end > left[0]
        fitted = forecaster.clone().fit(
            y[known], X=None if X is None else X[known], fh=_steps(windows.horizon)
        )
        fit_seconds += time.perf_counter() - begun
        begun = time.perf_counter()
        found += road(fitted, y, X, to_end, left, windows.horizon, levels)
        predict_seconds += time.perf_counter() - begun
    keys = list(found[0][0])
    return WindowForecasts(
        {key: np.stack([points[key] for points, _ in found]) for key in keys},
        {key: np.stack([quantiles[key] for _, quantiles in found]) for key in keys},
        fit_seconds,
        predict_seconds,
    )


def _has_fast_road(
    forecaster: BaseForecaster, y: pd.Series | pd.DataFrame, windows: Windows
) -> bool:
    is_single = not isinstance(y.index, pd.MultiIndex)
    return (
        is_single
        and isinstance(forecaster, KLMemoryForecaster)
        and windows.horizon <= forecaster.horizon
    )


def _at_once(
    fitted: KLMemoryForecaster,
    y: pd.Series | pd.DataFrame,
    X: pd.DataFrame | None,
    to_end: np.ndarray,
    left: Sequence[int],
    horizon: int,
    levels: Sequence[float],
) -> list[tuple[dict[Key, np.ndarray], dict[Key, np.ndarray]]]:
    # Rows after the last window of the block are not handed over at all.
    end = len(y) - left[-1] + horizon
    rows, covariates = y.iloc[:end], None if X is None else X.iloc[:end]
    cutoffs = len(y) - np.asarray(left)
    points, quantiles = fitted._windows_ahead(rows, cutoffs, covariates, levels or None)
    if quantiles is None:
        quantiles = np.empty((*points.shape, 0))
    return [
        ({(): point[:horizon]}, {(): spread[:horizon]})
        for point, spread in zip(points, quantiles, strict=True)
    ]


def _one_by_one(
    fitted: BaseForecaster,
    y: pd.Series | pd.DataFrame,
    X: pd.DataFrame | None,
    to_end: np.ndarray,
    left: Sequence[int],
    horizon: int,
    levels: Sequence[float],
) -> list[tuple[dict[Key, np.ndarray], dict[Key, np.ndarray]]]:
    forecasts = []
    for place, rest in enumerate(left):
        ahead = (to_end <= rest) & (to_end > rest - horizon)
        future = None if X is None else X[ahead]
        fh = _steps(horizon)
        if place:
            new = (to_end > rest) & (to_end <= left[place - 1])
            rows = y[new], None if X is None else X[new]
            if place == 1 and not _moves_on(fitted, *rows, fh, future):
                raise _stands_still(fitted)
            fitted.update(*rows, update_params=False)
        points = _by_series(fitted.predict(fh=fh, X=future))
        channels = next(iter(points.values())).shape[1]
        if levels:
            spread = _by_series(fitted.predict_quantiles(fh=fh, X=future, alpha=list(levels)))
        else:
            spread = {key: np.empty((horizon, 0)) for key in points}
        quantiles = {
            key: rows.reshape(horizon, channels, len(levels)) for key, rows in spread.items()
        }
        forecasts.append((points, quantiles))
    return forecasts


def _moves_on(
    fitted: BaseForecaster,
    y: pd.Series | pd.DataFrame,
    X: pd.DataFrame | None,
    fh: np.ndarray,
    future: pd.DataFrame | None,
) -> bool:
    """Whether new rows have an effect without a new fit, whatever the forecaster says of itself.

    Several of sktime move their cutoff alone, and go on with the forecasts of the former past.
    """
    if isinstance(fitted, KLMemoryForecaster):
        return True
    one, other = (
        deepcopy(fitted).update(rows, X=X, update_params=False).predict(fh=fh, X=future)
        for rows in (y, y + 1 + y.abs().max())
    )
    return not np.array_equal(np.asarray(one), np.asarray(other), equal_nan=True)


def _steps(horizon: int) -> np.ndarray:
    return np.arange(1, horizon + 1)


def _by_series(forecast: pd.Series | pd.DataFrame) -> dict[Key, np.ndarray]:
    return {key: rows.values for key, rows in split_series(pd.DataFrame(forecast)).items()}
