"""Picture of a backtest: the forecasts of the windows over what came, and the error by step."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from klforecast.estimators.plots import style
from klforecast.estimators.plots.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STEPS_SHOWN = 120  # of the newest windows together; more are too narrow to be seen


def plot_backtest(
    forecasts: pd.DataFrame | Mapping[str, pd.DataFrame],
    *,
    series: object = None,
    channel: object = None,
    unit: str | None = None,
) -> "Figure":
    """Draw the windows of a backtest, of one model or of several side by side.

    Above: what came in the newest windows that do not overlap, some 120 steps of them, and the forecasts
    of each; of the first model also its widest interval. Below: the mean absolute error by step over all
    windows.

    Parameters
    ----------
    forecasts : DataFrame or mapping of str to DataFrame
        As `Backtest.forecasts`; several models by name, the first one in front.
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
    >>> y = load_airline()
    >>> ours = backtest(KLMemoryForecaster(horizon=12), y, horizon=12, n_windows=3)
    >>> naive = backtest("seasonal-naive", y, horizon=12, n_windows=3)
    >>> figure = plot_backtest({"K-L memory": ours.forecasts, "seasonal naive": naive.forecasts})
    >>> [ax.get_ylabel() for ax in figure.axes]
    ['Number of airline passengers', 'mean absolute error']
    """
    models = {"forecast": forecasts} if isinstance(forecasts, pd.DataFrame) else forecasts
    shown = {name: rows_of(rows, series, channel) for name, rows in models.items()}
    first = next(iter(shown.values()))
    figure = new_figure((9, 6))
    above, below = figure.subplots(2, height_ratios=(3, 2))
    _draw_windows(above, shown, first)
    above.set_ylabel(style.value_label(first["channel"].iloc[0], unit))
    for (name, rows), (colour, dashes) in zip(shown.items(), style.MODELS, strict=False):
        errors = (rows["truth"] - rows["forecast"]).abs().groupby(rows["step"]).mean()
        below.plot(errors.index, errors, color=colour, linestyle=dashes, label=name)
    below.set_xlabel(style.steps_name(_times(first), "ahead"))
    below.set_ylabel(style.value_label("mean absolute error", unit))
    below.set_ylim(bottom=0)
    style.tidy_axes(below)
    return figure


def rows_of(
    forecasts: pd.DataFrame, series: object, channel: object, of: str = "the backtest"
) -> pd.DataFrame:
    """Rows of one series and channel of a tidy frame, the first ones by default.

    Raises
    ------
    ValueError
        If there are none.
    """
    wanted = forecasts["series"].iloc[0] if series is None else series
    rows = forecasts[forecasts["series"].map(lambda label: label == wanted).astype(bool)]
    if channel is None and len(rows):
        channel = rows["channel"].iloc[0]
    rows = rows[rows["channel"] == channel]
    if rows.empty:
        raise ValueError(
            f"{of} has no series {wanted!r} with a channel {channel!r}; it has the series "
            f"{list(forecasts['series'].unique()[:5])} and the channels "
            f"{list(forecasts['channel'].unique()[:5])}"
        )
    return rows


def windows_apart(rows: pd.DataFrame) -> list[pd.DataFrame]:
    """Windows that do not overlap, oldest first, the newest one among them."""
    windows = [window for _, window in rows.groupby("cutoff", sort=True)]
    chosen: list[pd.DataFrame] = []
    for window in reversed(windows):
        if not chosen or window["time"].iloc[-1] < chosen[-1]["time"].iloc[0]:
            chosen.append(window)
    return chosen[::-1]


def _draw_windows(ax: "Axes", shown: Mapping[str, pd.DataFrame], first: pd.DataFrame) -> None:
    windows = windows_apart(first)
    windows = windows[-max(1, _STEPS_SHOWN // len(windows[0])) :]
    truth = pd.concat([window.set_index("time")["truth"] for window in windows])
    ax.plot(style.drawable(truth.index), truth.to_numpy(), color=style.INK, label="actual")
    quantiles = [name for name in first if str(name).startswith("q")]
    cutoffs = [window["cutoff"].iloc[0] for window in windows]
    for (name, rows), (colour, dashes) in zip(shown.items(), style.MODELS, strict=False):
        for place, cutoff in enumerate(cutoffs):
            window = rows[rows["cutoff"] == cutoff]
            stamps = style.drawable(pd.Index(window["time"]))
            if rows is first and len(quantiles) > 1:
                low, high = (float(quantile[1:]) for quantile in (quantiles[0], quantiles[-1]))
                ax.fill_between(
                    stamps,
                    window[quantiles[0]].to_numpy(),
                    window[quantiles[-1]].to_numpy(),
                    color=style.BAND,
                    alpha=0.3,
                    linewidth=0,
                    label=None if place else f"{100 * (high - low):g} %",
                )
            ax.plot(
                stamps,
                window["forecast"].to_numpy(),
                color=colour,
                linestyle=dashes,
                linewidth=1.3,
                label=None if place else name,
            )
    for window in windows:
        start = style.drawable(pd.Index(window["time"]))[0]
        ax.axvline(start, color=style.FAINT, linewidth=1, zorder=0)
    ax.set_xlabel(style.step_name(_times(first)))
    style.legend_above(ax)
    style.tidy_axes(ax)


def _times(rows: pd.DataFrame) -> pd.Index:
    return pd.Index(rows.loc[rows["cutoff"] == rows["cutoff"].iloc[0], "time"])
