"""The hold-out protocol for short and ordinary series: the last steps of each series are the test.

    sMAPE = 200 / h * sum_t |y_t - f_t| / (|y_t| + |f_t|)                                  percent
    MASE  = mean_t |y_t - f_t| / mean_{t > m} |y_t - y_{t-m}|           denominator: known rows only

per series, then averaged over series, in the units of the data, as in the M4 competition
(Makridakis, Spiliotis & Assimakopoulos 2020, Int. J. Forecasting 36(1)), whose weekly series have
m = 1. A forecaster of panels learns one model from all series; any other model is made anew for
each series and sees that series alone.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from klforecast.data.datasets import Dataset
from klforecast.evaluation import machine
from klforecast.evaluation.benchmark.protocol import Cell, Task, WindowModel, count_parameters

_OFFICIAL_SEASON = {"M4Weekly": 1}  # where the competition's m is not the calendar's period


def smape(truth: np.ndarray, forecast: np.ndarray) -> float:
    """Return the symmetric mean absolute percentage error, in percent, from 0 to 200.

    Examples
    --------
    >>> smape(np.array([100.0]), np.array([50.0])).round(2)
    np.float64(66.67)
    """
    size = np.abs(truth) + np.abs(forecast)
    # Zero truth forecast by zero is no error.
    return 200 * np.mean(np.abs(truth - forecast) / np.where(size > 0, size, 1.0))


def mase(truth: np.ndarray, forecast: np.ndarray, known: np.ndarray, season: int) -> float:
    """Return the mean absolute error over that of the seasonal naive forecast on the known rows.

    Raises
    ------
    ValueError
        If the known rows repeat themselves exactly, so that there is no error to compare with.

    Examples
    --------
    >>> mase(np.array([4.0]), np.array([6.0]), np.array([1.0, 2.0, 3.0]), season=1)
    np.float64(2.0)
    """
    scale = np.mean(np.abs(known[season:] - known[:-season]))
    if not scale > 0:
        raise ValueError(
            f"the {len(known)} known rows repeat themselves every {season} steps, so the MASE has "
            f"nothing to divide by; leave this series out"
        )
    return np.mean(np.abs(truth - forecast)) / scale


class Split(NamedTuple):
    """Known rows and held-out rows of each series, by name."""

    known: dict[str, pd.DataFrame]
    truth: dict[str, np.ndarray]  # (horizon, channels)


def hold_out(data: Dataset, horizon: int) -> Split:
    """Cut the last `horizon` rows off every series.

    Raises
    ------
    ValueError
        If a series has no more than `horizon` rows, or `horizon` is not the official one.
    """
    if data.horizon is not None and horizon != data.horizon:
        raise ValueError(
            f"{data.name} is scored at its official horizon of {data.horizon}, got {horizon}; "
            f"pass horizon={data.horizon}"
        )
    frame = data.frame.drop(columns=list(data.covariates))
    if isinstance(frame.index, pd.MultiIndex):
        series = {str(name): rows.droplevel(0) for name, rows in frame.groupby(level=0, sort=False)}
    else:
        series = {data.name: frame}
    short = [name for name, rows in series.items() if len(rows) <= horizon]
    if short:
        raise ValueError(
            f"{len(short)} series have no more than {horizon} rows (first: {short[0]}); "
            f"pass a shorter horizon"
        )
    return Split(
        {name: rows.iloc[:-horizon] for name, rows in series.items()},
        {name: rows.iloc[-horizon:].to_numpy() for name, rows in series.items()},
    )


def holdout_task(cell: Cell, data: Dataset) -> Task:
    """Return what the model of `cell` may know in advance; no rows are set aside for stopping."""
    if cell.regime != "free":
        raise ValueError(
            f"the hold-out of {data.name} has the regime 'free' only, got {cell.regime!r}"
        )
    return Task(data.name, cell.horizon, season(data), None, validation_rows=0, seed=cell.seed)


def season(data: Dataset) -> int:
    """Return the m of the MASE: the competition's, else the shortest period of the calendar."""
    return _OFFICIAL_SEASON.get(data.name, data.periods[0] if data.periods else 1)


def run_holdout(cell: Cell, make: Callable[..., WindowModel], data: Dataset) -> dict[str, Any]:
    """Fit on the known rows, forecast the held-out ones, and return the fields of the row."""
    split = hold_out(data, cell.horizon)
    task = holdout_task(cell, data)
    machine.reset_peak_memory()
    cpu_begun = time.process_time()
    run = _panel_forecasts if isinstance(make(task, **cell.params), BaseForecaster) else _forecasts
    result = run(split.known, cell.horizon, lambda: make(task, **cell.params))
    cpu_seconds, peak_memory = time.process_time() - cpu_begun, machine.peak_memory_mb()
    errors = [
        (
            smape(truth, result.forecasts[name]),
            mase(truth, result.forecasts[name], known, task.period),
        )
        for name, truth in split.truth.items()
        for known in [split.known[name].to_numpy()]
    ]
    mean_smape, mean_mase = np.mean(errors, axis=0)
    return {
        "n_test_windows": len(split.truth),
        "input_length": getattr(result.model, "input_length_", None),
        "memory_depth": getattr(result.model, "memory_depth_", None),
        "smape": mean_smape,
        "mase": mean_mase,
        "fit_seconds": result.fit_seconds,
        "predict_seconds": result.predict_seconds,
        "cpu_seconds": cpu_seconds,
        "peak_memory_mb": peak_memory,
        "n_parameters": count_parameters(result.model),
    }


class _Forecasts(NamedTuple):
    forecasts: Mapping[str, np.ndarray]  # (horizon, channels) per series
    model: Any  # the last one fitted
    fit_seconds: float
    predict_seconds: float


def _forecasts(known: dict[str, pd.DataFrame], horizon: int, make: Callable[[], Any]) -> _Forecasts:
    forecasts, fit_seconds, predict_seconds = {}, 0.0, 0.0
    model = None
    for name, rows in known.items():
        begun = time.perf_counter()
        model = make()
        model.fit(rows)
        fitted = time.perf_counter()
        forecasts[name] = model.predict_windows(rows, [len(rows)])[0]
        fit_seconds += fitted - begun
        predict_seconds += time.perf_counter() - fitted
    return _Forecasts(forecasts, model, fit_seconds, predict_seconds)


def _panel_forecasts(
    known: dict[str, pd.DataFrame], horizon: int, make: Callable[[], Any]
) -> _Forecasts:
    panel = pd.concat(known, names=["series"]) if len(known) > 1 else next(iter(known.values()))
    begun = time.perf_counter()
    model = make()
    model.fit(panel)
    fitted = time.perf_counter()
    forecast = model.predict(fh=np.arange(1, horizon + 1))
    predict_seconds = time.perf_counter() - fitted
    if len(known) == 1:
        forecasts = {next(iter(known)): forecast.to_numpy()}
    else:
        forecasts = {
            str(name): rows.to_numpy() for name, rows in forecast.groupby(level=0, sort=False)
        }
    return _Forecasts(forecasts, model, fitted - begun, predict_seconds)
