"""Picture of an explanation: what makes up each step, which rows of the past speak, and how much each part counts."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from klforecast.estimators.plots import style
from klforecast.estimators.plots.backtests import rows_of
from klforecast.estimators.plots.plotting import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

_CYCLES_NAMED = 2  # newest ones; older cycles are one part
_MOST_COVARIATES = 4  # largest ones; the others are one part
_IN_A_LINE = 6  # entries of the legend
_LEAST_SHARE = 0.02  # of the largest contribution, below which old rows are not drawn
# Colours of Okabe & Ito: blues of the past, the newest darkest, then one for each covariate.
_OF_PAST = ("#0072B2", "#56B4E9", "0.75")
_OF_OTHERS = ("#D55E00", "#009E73", "#CC79A7", "#E69F00", "0.45")


class _Part(NamedTuple):
    """One kind of contribution, (steps,), and how it is drawn."""

    name: str
    colour: str
    values: np.ndarray


def plot_explanation(
    explanation: pd.DataFrame,
    *,
    period: int = 1,
    series: object = None,
    channel: object = None,
    unit: str | None = None,
) -> "Figure":
    """Draw one channel of one series: what moves each step away from the level, and which rows speak.

    Above: contributions by step, those that raise the forecast stacked upwards, the others downwards; the
    line is the forecast less the level. Below: on the left the contribution of each row of the past to
    each step, on the right the mean size of each part over all steps.

    Parameters
    ----------
    explanation : DataFrame
        As ``explain(by="lag")`` of a forecaster gives it.
    period : int, default=1
        Steps of one cycle; the newest two cycles are parts of their own. 1 for none.
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
    >>> from klforecast import KLMemoryForecaster
    >>> forecaster = KLMemoryForecaster(horizon=12).fit(load_airline())
    >>> figure = plot_explanation(forecaster.explain(), period=12)
    >>> figure.axes[0].get_legend_handles_labels()[1]
    ['forecast less level', 'cycle 1', 'cycle 2', 'older cycles']
    """
    rows = rows_of(explanation, series, channel, of="the explanation")
    times = pd.Index(rows["time"].unique())
    name = style.value_label(rows["channel"].iloc[0], None)
    parts = [*_parts_of_past(rows, period), *_other_parts(rows)]
    figure = new_figure((9, 7))
    grid = figure.add_gridspec(2, 2, height_ratios=(3, 2), width_ratios=(3, 2))
    above, left, right = (
        figure.add_subplot(place) for place in (grid[0, :], grid[1, 0], grid[1, 1])
    )
    _draw_steps(above, parts, np.sort(rows["step"].unique()))
    above.set_xlabel(style.steps_name(times, "ahead"))
    above.set_ylabel(f"{name}\n{style.value_label('less level', unit)}")
    mesh = _draw_rows(left, rows)
    left.set_xlabel(style.steps_name(times, "before the forecast"))
    left.set_ylabel(style.steps_name(times, "ahead"))
    figure.colorbar(mesh, ax=left, label=style.plain_text(unit or ""))
    _draw_sizes(right, parts)
    right.set_xlabel(style.value_label("mean size", unit))
    return figure


def _parts_of_past(rows: pd.DataFrame, period: int) -> list[_Part]:
    """Contributions of the newest cycles, and of all older ones together."""
    past = rows[rows["lag"].notna()]
    ago = (past["lag"].to_numpy(dtype=int) - 1) // period if period > 1 else np.zeros(len(past))
    number = np.minimum(ago, _CYCLES_NAMED)
    by_step = past["value"].groupby([past["step"], number]).sum().unstack(fill_value=0.0)
    names = [*(f"cycle {ago + 1}" for ago in range(_CYCLES_NAMED)), "older cycles"]
    return [
        _Part(names[int(place)] if period > 1 else "past", _OF_PAST[int(place)], own.to_numpy())
        for place, own in by_step.items()
    ]


def _other_parts(rows: pd.DataFrame) -> list[_Part]:
    """Contributions of what is not the past: the largest by name, and all others together."""
    others = rows[rows["lag"].isna() & (rows["part"] != "level")]
    values = others.groupby(["step", "name"], observed=True)["value"].sum().unstack(fill_value=0.0)
    sizes = values.abs().mean().sort_values(ascending=False)
    names = list(sizes[sizes > 0].index)
    parts = [
        _Part(str(name), colour, values[name].to_numpy())
        for name, colour in zip(names[:_MOST_COVARIATES], _OF_OTHERS, strict=False)
    ]
    if len(names) > _MOST_COVARIATES:
        rest = values[names[_MOST_COVARIATES:]].sum(axis=1).to_numpy()
        parts.append(_Part("others", _OF_OTHERS[-1], rest))
    return parts


def _draw_steps(ax: "Axes", parts: list[_Part], steps: np.ndarray) -> None:
    up, down = np.zeros(len(steps)), np.zeros(len(steps))
    for name, colour, values in parts:
        start = np.where(values >= 0, up, down)
        label = style.plain_text(name)
        ax.bar(steps, values, bottom=start, color=colour, width=0.9, label=label)
        up, down = up + np.maximum(values, 0), down + np.minimum(values, 0)
    ax.plot(steps, up + down, color=style.INK, marker=".", label="forecast less level")
    ax.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=_IN_A_LINE,
        columnspacing=1.2,
        handlelength=1.2,
        frameon=False,
        borderaxespad=0.2,
    )
    style.tidy_axes(ax)


def _draw_rows(ax: "Axes", rows: pd.DataFrame) -> "QuadMesh":
    past = rows[rows["lag"].notna()]
    values = past.groupby(["step", past["lag"].astype(int)])["value"].sum().unstack(fill_value=0.0)
    size = values.abs().max()
    values = values.loc[:, : size[size >= _LEAST_SHARE * size.max()].index.max()]
    largest = float(size.max())
    mesh = ax.pcolormesh(
        _edges(-values.columns.to_numpy()),
        _edges(values.index.to_numpy()),
        values.to_numpy(),
        cmap="PuOr_r",
        vmin=-largest,
        vmax=largest,
        shading="flat",
        rasterized=True,
    )
    ax.set_title("what each row of the past adds", loc="left", fontsize=10)
    return mesh


def _edges(places: np.ndarray) -> np.ndarray:  # (n,) -> (n + 1,)
    """Edges of cells around places, a step wide where there is one alone."""
    halves = np.diff(places) / 2 if len(places) > 1 else np.array([0.5])
    return np.concatenate(
        [places[:1] - halves[0], places[:-1] + halves[: len(places) - 1], places[-1:] + halves[-1]]
    )


def _draw_sizes(ax: "Axes", parts: list[_Part]) -> None:
    shown = parts[::-1]
    sizes = [np.abs(part.values).mean() for part in shown]
    names = [style.plain_text(part.name) for part in shown]
    ax.barh(names, sizes, color=[part.colour for part in shown])
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title("which part counts", loc="left", fontsize=10)
