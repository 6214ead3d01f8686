"""Picture of what a forecaster leaves over in a backtest: over time, by size, by step, by quantile."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from klforecast.estimators.plots import style
from klforecast.estimators.plots.backtests import rows_of, windows_apart
from klforecast.estimators.plots.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_residuals(
    forecasts: pd.DataFrame,
    *,
    series: object = None,
    channel: object = None,
    unit: str | None = None,
) -> "Figure":
    """Draw the errors (truth less forecast) of one series in a backtest.

    Over time, in windows that do not overlap; their histogram; by step, the median and the middle 80 %;
    and, with quantiles, the share of truths below each of them, which should be its level. Without
    quantiles the last picture is the autocorrelation of the errors over time.

    Parameters
    ----------
    forecasts : DataFrame
        As `Backtest.forecasts`.
    series, channel : label, optional
        Which one to draw; the first ones by default.
    unit : str, optional
        Unit of the values, for the names of the axes.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there are no rows of that series and channel.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from klforecast import KLMemoryForecaster, backtest
    >>> tested = backtest(KLMemoryForecaster(horizon=12), load_airline(), horizon=12, n_windows=3)
    >>> figure = plot_residuals(tested.forecasts, unit="thousands")
    >>> [ax.get_title(loc="left") for ax in figure.axes]
    ['errors over time', 'how large they are', 'by steps ahead', 'truths below each quantile']
    """
    rows = rows_of(forecasts, series, channel)
    apart = pd.concat(windows_apart(rows))
    name = style.value_label("error", unit)
    figure = new_figure((9, 6))
    axes = figure.subplots(2, 2)
    _over_time(axes[0, 0], apart, name)
    _histogram(axes[0, 1], rows, name)
    _by_step(axes[1, 0], rows, name)
    quantiles = [column for column in rows if str(column).startswith("q")]
    if quantiles:
        _reliability(axes[1, 1], rows, quantiles)
    else:
        _autocorrelation(axes[1, 1], apart)
    for ax in axes.flat:
        style.tidy_axes(ax)
    return figure


def autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:  # (time,) -> (lags,)
    """Autocorrelation at the lags 1 ... lags; pairs with a missing value are left out.

    Examples
    --------
    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]), 2)
    array([-0.75,  0.5 ])
    """
    centred = values - np.nanmean(values)
    power = np.nansum(centred**2)
    return (
        np.array([np.nansum(centred[lag:] * centred[:-lag]) for lag in range(1, lags + 1)]) / power
    )


def _errors(rows: pd.DataFrame) -> np.ndarray:
    return (rows["truth"] - rows["forecast"]).to_numpy()


def _over_time(ax: "Axes", rows: pd.DataFrame, name: str) -> None:
    times = pd.Index(rows["time"])
    ax.axhline(0, color=style.MUTED, linewidth=1)
    ax.plot(style.drawable(times), _errors(rows), color=style.MODELS[0][0], linewidth=1)
    ax.set_xlabel("time")
    ax.set_ylabel(name)
    ax.tick_params(axis="x", rotation=30)
    ax.set_title("errors over time", loc="left", fontsize=10)


def _histogram(ax: "Axes", rows: pd.DataFrame, name: str) -> None:
    errors = _errors(rows)
    ax.hist(errors[np.isfinite(errors)], bins="auto", color=style.MODELS[0][0], alpha=0.8)
    ax.axvline(0, color=style.MUTED, linewidth=1)
    ax.set_xlabel(name)
    ax.set_ylabel("number of errors")
    ax.set_title("how large they are", loc="left", fontsize=10)


def _by_step(ax: "Axes", rows: pd.DataFrame, name: str) -> None:
    groups = pd.Series(_errors(rows)).groupby(rows["step"].to_numpy())
    middle = groups.quantile([0.1, 0.5, 0.9]).unstack()
    ax.axhline(0, color=style.MUTED, linewidth=1)
    steps, low, median, high = middle.reset_index().to_numpy().T
    style.draw_band(ax, steps, low, high, alpha=0.4, label="80 %")
    ax.plot(steps, median, color=style.MODELS[0][0], marker=style.marker_of(steps), label="median")
    ax.set_xlabel("steps ahead")
    ax.set_ylabel(name)
    ax.legend(loc="best", frameon=False)
    ax.set_title("by steps ahead", loc="left", fontsize=10)


def _reliability(ax: "Axes", rows: pd.DataFrame, quantiles: list[str]) -> None:
    known = rows[rows["truth"].notna()]
    levels = [float(quantile[1:]) for quantile in quantiles]
    below = [(known["truth"] <= known[quantile]).mean() for quantile in quantiles]
    ax.plot([0, 1], [0, 1], color=style.MUTED, linewidth=1, label="as it should be")
    ax.plot(levels, below, color=style.MODELS[0][0], marker="o", markersize=4, label="found")
    ax.set_xlabel("level of the quantile")
    ax.set_ylabel("share of truths below it")
    ax.legend(loc="upper left", frameon=False)
    ax.set_title("truths below each quantile", loc="left", fontsize=10)


def _autocorrelation(ax: "Axes", rows: pd.DataFrame) -> None:
    errors = _errors(rows)
    lags = min(len(errors) // 2, 40)
    ax.bar(range(1, lags + 1), autocorrelation(errors, lags), color=style.MODELS[0][0], width=0.6)
    # Two standard errors of the autocorrelation of white noise.
    chance = 2 / np.sqrt(np.isfinite(errors).sum())
    ax.axhspan(-chance, chance, color=style.BAND, alpha=0.3, linewidth=0, label="chance, 95 %")
    ax.set_xlabel("steps apart")
    ax.set_ylabel("autocorrelation")
    ax.legend(loc="upper right", frameon=False)
    ax.set_title("what errors share over time", loc="left", fontsize=10)
