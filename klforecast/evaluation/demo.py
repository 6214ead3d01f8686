"""The airline series, held out and forecast: errors, seconds, and a picture. Needs no network."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from klforecast.data.datasets import load
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.karhunen_loeve import KarhunenLoeve
from klforecast.evaluation.benchmark.baselines import SeasonalNaive
from klforecast.evaluation.benchmark.holdout import hold_out, mase, season, smape
from klforecast.evaluation.benchmark.theta import Theta

_CYCLES_IN_A_WINDOW = 3  # enough to tell a cycle from a trend in a picture
_N_MODES = 4  # that are printed: trend, level and a pair for the cycle


class DemoForecast(NamedTuple):
    """One model's forecast of the held-out rows and what it cost.

    Attributes
    ----------
    model : str
    values : ndarray of shape (horizon,)
        In units of the series.
    mae, smape, mase : float
        Mean absolute error in units of the series; the two M4 errors.
    seconds : float
        To fit and to forecast.
    """

    model: str
    values: np.ndarray
    mae: float
    smape: float
    mase: float
    seconds: float


class Demo(NamedTuple):
    """The series cut in two, the forecasts, and the leading K-L modes of the known rows.

    Attributes
    ----------
    known, truth : Series
        Rows given to the models; rows held out.
    forecasts : list of DemoForecast
        Ours first.
    modes : ndarray of shape (n_modes, window)
        Leading modes over time of the windows of the known rows, each minus its mean.
    shares : ndarray of shape (n_modes,)
        Share of the variance of the windows that each mode explains.
    """

    known: pd.Series
    truth: pd.Series
    forecasts: list[DemoForecast]
    modes: np.ndarray
    shares: np.ndarray


def run_demo(horizon: int = 36) -> Demo:
    """Hold the last `horizon` months of the airline series out and forecast them.

    Parameters
    ----------
    horizon : int, default=36
        Months to hold out, from 1 to 84.

    Raises
    ------
    ValueError
        If fewer than five years are left to learn from.
    """
    data = load("airline")
    period = season(data)
    if not 1 <= horizon <= len(data.frame) - 5 * period:
        raise ValueError(
            f"the demo holds out 1 to {len(data.frame) - 5 * period} months, got {horizon}"
        )
    known = hold_out(data, horizon).known[data.name]
    truth = data.frame.iloc[-horizon:]
    models: dict[str, Any] = {
        "KLMemoryForecaster": KLMemoryForecaster(horizon=horizon),
        "Theta": Theta(horizon, period),
        "seasonal naive": SeasonalNaive(horizon, period),
    }
    forecasts = []
    for name, model in models.items():
        begun = time.perf_counter()
        values = model.fit(known).predict_windows(known, [len(known)])[0, :, 0]
        seconds = time.perf_counter() - begun
        errors = truth.to_numpy()[:, 0], values
        forecasts.append(
            DemoForecast(
                name,
                values,
                float(np.abs(errors[0] - errors[1]).mean()),
                smape(*errors),
                mase(*errors, known.to_numpy()[:, 0], period),
                seconds,
            )
        )
    modes, shares = leading_modes(known.to_numpy()[:, 0], _CYCLES_IN_A_WINDOW * period)
    return Demo(known.iloc[:, 0], truth.iloc[:, 0], forecasts, modes, shares)


def leading_modes(values: np.ndarray, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the leading modes over time of all windows of a series, and their shares.

    Each window is taken relative to its own mean.

    Examples
    --------
    >>> modes, shares = leading_modes(np.sin(np.arange(120.0) * np.pi / 6), window=24)
    >>> modes.shape, shares[:2].sum().round(3)
    ((4, 24), np.float64(1.0))
    """
    windows = np.lib.stride_tricks.sliding_window_view(values, window)
    centred = windows - windows.mean(axis=1, keepdims=True)
    transform = KarhunenLoeve(n_components=_N_MODES).fit(centred)
    return transform.components_, transform.explained_variance_ratio_


def plot_demo(demo: Demo, path: Path) -> None:
    """Draw history, held-out rows, forecasts and the leading modes; the suffix names the format.

    Needs matplotlib (`pip install klforecast[plot]`).
    """
    from matplotlib.figure import Figure

    from klforecast.estimators.plots.style import FAINT, INK, MODELS, MUTED, tidy_axes

    figure = Figure(figsize=(10, 6.4), layout="constrained")
    grid = figure.add_gridspec(2, len(demo.modes), height_ratios=(2.3, 1))
    axes = figure.add_subplot(grid[0, :])
    known, truth = (rows.to_timestamp() for rows in (demo.known, demo.truth))
    axes.plot(known.index, known, color=INK, linewidth=1.3, label="known")
    axes.plot(truth.index, truth, color=MUTED, linewidth=1.6, label="held out")
    for forecast, (colour, line), width in zip(
        demo.forecasts, MODELS, (2.2, 1.2, 1.4), strict=False
    ):
        axes.plot(
            truth.index,
            forecast.values,
            color=colour,
            linestyle=line,
            linewidth=width,
            label=f"{forecast.model}  (sMAPE {forecast.smape:.1f} %)",
        )
    axes.axvline(truth.index[0], color=FAINT, linewidth=1)
    axes.set_ylabel("passengers, thousands per month")
    axes.set_title(
        f"Airline passengers: {len(truth)} months forecast from {len(known)}", loc="left"
    )
    axes.legend(loc="upper left", frameon=False)
    axes.set_xlabel("month")
    tidy_axes(axes)
    window = demo.modes.shape[1]
    first = None
    for i, (mode, share) in enumerate(zip(demo.modes, demo.shares, strict=True)):
        first = axes = figure.add_subplot(grid[1, i], sharey=first)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.plot(np.arange(-window, 0), mode, color=MODELS[0][0], linewidth=1.6)
        axes.set_title(f"mode {i + 1}: {100 * share:.1f} %", fontsize=10, loc="left")
        axes.set_xlabel("months before the cutoff")
        axes.set_xticks(range(-window, 1, 12))
        tidy_axes(axes)
        axes.tick_params(labelleft=i == 0)
        if i == 0:
            axes.set_ylabel("weight of the month")
    figure.savefig(path, dpi=150)
