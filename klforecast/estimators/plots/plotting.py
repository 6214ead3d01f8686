"""Pictures of a forecast and of Karhunen-Loeve modes; they need the `plot` extra (matplotlib)."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_forecast(
    y: pd.Series | pd.DataFrame,
    forecast: pd.Series | pd.DataFrame,
    *,
    actual: pd.Series | pd.DataFrame | None = None,
    channel: object = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw one channel: what was known, what was forecast and, where given, what came.

    Parameters
    ----------
    y : Series or DataFrame
        Known rows of one series; pass the last ones only, if there are many.
    forecast : Series or DataFrame
        As `predict` gives it.
    actual : Series or DataFrame, optional
        What came after the cutoff.
    channel : label, optional
        Column to draw; the first one by default.
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
    lines = [("known", y, "0.4"), ("forecast", forecast, "C0")]
    if actual is not None:
        lines.insert(1, ("actual", actual, "0.7"))
    for label, rows, colour in lines:
        values = _one_channel(rows, channel)
        index = values.index
        stamps = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
        ax.plot(stamps, values.to_numpy(), color=colour, label=label)
        if label == "known":
            ax.axvline(stamps[-1], color="0.8", linewidth=1)
            ax.set_ylabel("" if values.name is None else str(values.name))
    ax.legend(loc="upper left", frameon=False)
    return ax


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
        labels = [f"{label} ({share:.0%})" for label, share in zip(labels, shares, strict=True)]
    for mode, label in zip(columns, labels, strict=True):
        ax.plot(np.arange(1 - len(mode), 1), mode, label=label)
    ax.set_xlabel("steps before the newest")
    ax.legend(loc="upper left", frameon=False)
    return ax


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
