"""Pictures of a file's forecasts, a small one for each series."""

from typing import TYPE_CHECKING

import pandas as pd

from klforecast.commands.forecast_file import FORECAST, Outlook
from klforecast.commands.series_file import SeriesFile
from klforecast.estimators.plots.plotting import new_figure, plot_forecast
from klforecast.estimators.plots.style import plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_DRAWN = 12
"""Series in one picture; more are too small to be read."""

_HISTORY = 4  # horizons of the past that are drawn, or two cycles where these are longer


def draw_forecasts(outlook: Outlook) -> "Figure":
    """Draw the forecasts of the first twelve series.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    file, labels = outlook.file, outlook.file.labels[:MOST_DRAWN]
    columns = 1 if len(labels) == 1 else 2
    lines = -(-len(labels) // columns)
    figure = new_figure((9, 4) if columns == 1 else (11, 2.8 * lines))
    axes = figure.subplots(lines, columns, squeeze=False)
    history = max(_HISTORY * outlook.horizon, 2 * max(outlook.periods, default=1))
    for place, label in enumerate(labels):
        ax = axes.flat[place]
        ahead = outlook.forecasts.loc[label]
        plot_forecast(
            file.panel.loc[label],
            ahead[FORECAST],
            intervals=_bounds(ahead, outlook.levels),
            outliers=_outliers_of(outlook, label),
            history=history,
            ax=ax,
        )
        ax.set_xlabel(plain_text(file.time_title))
        if len(labels) > 1:
            ax.set_title(plain_text(str(label)), loc="left", fontsize=10)
            ax.get_legend().remove()
    for ax in axes.flat[len(labels) :]:
        ax.remove()
    if len(labels) > 1:
        figure.legend(
            *axes.flat[0].get_legend_handles_labels(),
            loc="outside upper left",
            ncols=len(outlook.levels) + 3,
            frameon=False,
        )
    return figure


def name_clock(ax: "Axes", file: SeriesFile) -> None:
    """Add the clock of the times, where they have one, to the name of the axis of time."""
    if file.clock is not None:
        ax.set_xlabel(f"{ax.get_xlabel()} ({file.clock.inside})")


def _outliers_of(outlook: Outlook, label: object) -> pd.DataFrame:
    found = outlook.outliers
    if len(outlook.file.labels) == 1:
        return found
    return found.loc[[series == label for series in found["series"]]]


def _bounds(ahead: pd.DataFrame, levels: tuple[float, ...]) -> pd.DataFrame | None:
    """Bounds of the intervals with the columns of `predict_interval`."""
    if not levels:
        return None
    parts = {
        (FORECAST, level / 100, end): ahead[f"{short}-{level:g}"]
        for level in levels
        for short, end in (("lo", "lower"), ("hi", "upper"))
    }
    return pd.DataFrame(parts)
