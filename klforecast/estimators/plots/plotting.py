"""Pictures of a forecast and of Karhunen-Loeve modes; they need the `plot` extra (matplotlib)."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from klforecast.estimators.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_forecast(
    y: pd.Series | pd.DataFrame,
    forecast: pd.Series | pd.DataFrame,
    *,
    intervals: pd.DataFrame | None = None,
    actual: pd.Series | pd.DataFrame | None = None,
    outliers: pd.DataFrame | None = None,
    channel: object = None,
    series: object = None,
    history: int | None = None,
    unit: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw one channel of one series: what was known, the forecast with its intervals, what came.

    Parameters
    ----------
    y : Series or DataFrame
        Known rows.
    forecast : Series or DataFrame
        As `predict` gives it.
    intervals : DataFrame, optional
        As `predict_interval` gives it; the wider the coverage, the paler the band.
    actual : Series or DataFrame, optional
        What came after the cutoff.
    outliers : DataFrame, optional
        As `outliers` of a forecaster gives them: rings around the values that are read as others.
    channel : label, optional
        Column to draw; the first one by default.
    series : label, optional
        Of a panel, the series to draw; the first one by default.
    history : int, optional
        Newest known rows to draw; all by default.
    unit : str, optional
        Unit of the values, for the name of their axis.
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    KeyError
        If there is no such channel or series.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from klforecast import KLMemoryForecaster
    >>> y = load_airline()
    >>> forecaster = KLMemoryForecaster(horizon=12).fit(y[:-12])
    >>> ax = plot_forecast(
    ...     y[:-12],
    ...     forecaster.predict(),
    ...     intervals=forecaster.predict_interval(coverage=[0.8, 0.95]),
    ...     actual=y[-12:],
    ...     history=48,
    ...     unit="thousands",
    ... )
    >>> ax.get_ylabel(), ax.get_legend_handles_labels()[1]
    ('Number of airline passengers (thousands)', ['known', 'actual', '95 %', '80 %', 'forecast'])
    """
    ax = new_axes(ax)
    known = _one_channel(_one_series(y, series), channel)
    known = known if history is None else known.iloc[-history:]
    colour, dashes = style.MODELS[0]
    ax.axvline(style.drawable(known.index)[-1], color=style.FAINT, linewidth=1)
    _draw_line(ax, known, "known", style.INK, "-")
    if outliers is not None:
        _draw_rings(ax, known[known.index.isin(_own_times(outliers, y, series, channel))])
    if actual is not None:
        came = _one_channel(_one_series(actual, series), channel)
        _draw_line(ax, came, "actual", style.MUTED, "-")
    if intervals is not None:
        _draw_bands(ax, _one_series(intervals, series), channel)
    _draw_line(ax, _one_channel(_one_series(forecast, series), channel), "forecast", colour, dashes)
    ax.set_xlabel(style.time_label(known.index))
    ax.set_ylabel(style.value_label(known.name, unit))
    style.legend_above(ax)
    style.tidy_axes(ax)
    return ax


def _draw_line(ax: "Axes", values: pd.Series, label: str, colour: str, dashes: str) -> None:
    places = style.drawable(values.index)
    ax.plot(
        places,
        values.to_numpy(),
        color=colour,
        linestyle=dashes,
        marker=style.marker_of(places),
        label=label,
    )


def _draw_rings(ax: "Axes", values: pd.Series) -> None:
    if values.empty:
        return
    ax.plot(
        style.drawable(values.index),
        values.to_numpy(),
        linestyle="none",
        marker="o",
        fillstyle="none",
        color=style.RING,
        label="outliers",
    )


def _draw_bands(ax: "Axes", intervals: pd.DataFrame, channel: object) -> None:
    name = intervals.columns[0][0] if channel is None else channel
    bounds = intervals[name]
    coverages = sorted(bounds.columns.unique(level=0), reverse=True)
    for place, coverage in enumerate(coverages):
        style.draw_band(
            ax,
            style.drawable(bounds.index),
            bounds[coverage, "lower"].to_numpy(),
            bounds[coverage, "upper"].to_numpy(),
            # Each narrower band lies on the wider ones.
            alpha=0.25 + 0.25 * place / len(coverages),
            label=f"{100 * coverage:g} %",
        )


def plot_modes(
    modes: np.ndarray,  # (time, n_components)
    eigenvalues: np.ndarray | None = None,  # (n_components,)
    *,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw modes over time, where eigenvalues are given each with its share of their sum.

    Parameters
    ----------
    modes : ndarray, (time, n_components)
        One mode per column; the last row is the newest step.
    eigenvalues : ndarray, (n_components,), optional
    ax : matplotlib Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    ax = new_axes(ax)
    columns = np.asarray(modes).T
    labels = [f"mode {number}" for number in range(1, len(columns) + 1)]
    if eigenvalues is not None:
        shares = np.asarray(eigenvalues) / (np.sum(eigenvalues) or 1.0)
        percent = [f"{100 * share:.0f} %" for share in shares]
        labels = [f"{label} ({part})" for label, part in zip(labels, percent, strict=True)]
    for place, (mode, label) in enumerate(zip(columns, labels, strict=True)):
        colour, dashes = style.MODELS[place % len(style.MODELS)]
        ax.plot(np.arange(1 - len(mode), 1), mode, color=colour, linestyle=dashes, label=label)
    ax.set_xlabel("steps before the newest")
    ax.set_ylabel("weight of the step")
    style.legend_above(ax)
    style.tidy_axes(ax)
    return ax


def _own_times(
    lines: pd.DataFrame, rows: pd.Series | pd.DataFrame, series: object, channel: object
) -> pd.Series:
    """Times in a tidy frame that belong to the channel and series that are drawn."""
    own = np.ones(len(lines), dtype=bool)
    if isinstance(rows.index, pd.MultiIndex):
        label = rows.index.droplevel(-1)[0] if series is None else series
        own &= np.array([found == label for found in lines["series"]], dtype=bool)
    if isinstance(rows, pd.DataFrame):
        label = rows.columns[0] if channel is None else channel
        own &= np.array([found == label for found in lines["channel"]], dtype=bool)
    return lines.loc[own, "time"]


def _one_series(rows: pd.Series | pd.DataFrame, series: object) -> pd.Series | pd.DataFrame:
    if not isinstance(rows.index, pd.MultiIndex):
        return rows
    labels = rows.index.droplevel(-1)
    wanted = labels[0] if series is None else series
    return rows[labels == wanted].droplevel(list(range(rows.index.nlevels - 1)))


def _one_channel(rows: pd.Series | pd.DataFrame, channel: object) -> pd.Series:
    if isinstance(rows, pd.Series):
        return rows
    return rows[rows.columns[0] if channel is None else channel]


def new_axes(ax: "Axes | None" = None) -> "Axes":
    """Return the given axes, or those of a new figure; ImportError where matplotlib is missing."""
    return new_figure((8, 4)).add_subplot() if ax is None else ax


def new_figure(size: tuple[float, float]) -> "Figure":
    """Return an empty figure of that size in inches; ImportError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "plots need matplotlib, which is not installed; run pip install 'klforecast[plot]'"
        ) from error
    # A figure of its own, outside pyplot, so that nothing global collects figures.
    return Figure(figsize=size, layout="constrained")
