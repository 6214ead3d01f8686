"""The pictures of a report: accuracy against cost, average ranks, and their form as SVG text.

Needs matplotlib (`pip install klforecast[plot]`).
"""

import io
from collections.abc import Sequence
from itertools import pairwise

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from klforecast.evaluation.benchmark.models import MODELS
from klforecast.evaluation.report.ranks import Ranking
from klforecast.evaluation.report.tables import Table
from klforecast.evaluation.report.wording import best_published, metric_name

INK, MUTED, FAINT, ACCENT = "#1f2933", "#7b8794", "#cbd2d9", "#c2410c"
_OTHER = "#3b6ea5"
_EVEN = 0.05  # share above the best up to which the scale of errors is even; from there on it is logarithmic
_MULTIPLES = (
    1,
    1.02,
    1.05,
    1.1,
    1.2,
    1.5,
    2,
    3,
    5,
    10,
    30,
    100,
    1000,
)  # of the best error, with a mark each


def as_svg(figure: Figure) -> str:
    """Return the figure as an SVG element, the same text for the same figure."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "klforecast"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def accuracy_against_cost(table: Table) -> Figure | None:
    """Draw the average error of each model over its seconds to fit and predict all windows.

    The scale of the errors is even near the best of them and logarithmic above, so that both small
    differences and models that are far off can be read.

    Returns None when fewer than two models were run at all horizons.
    """
    metric = table.metrics[0]
    points = [
        (line, seconds, error)
        for line in table.lines
        for seconds, error in [(line.seconds(table.horizons), line.average(metric, table.horizons))]
        if seconds is not None and error is not None
    ]
    if len(points) < 2:
        return None
    best = min(error for _, _, error in points)
    printed = best_published(table)
    if printed is not None:
        best = min(best, printed[1])
    unit = _EVEN * best or 1.0  # of an error of nothing there is no share

    def height(error: np.ndarray) -> np.ndarray:
        return np.arcsinh((error - best) / unit)

    def error_at(height: np.ndarray) -> np.ndarray:
        return best + unit * np.sinh(height)

    heights = height(np.array([error for _, _, error in points]))
    top = max(heights.max(), 1.0)  # models that are all alike are drawn close together
    label_heights = _apart(heights, gap=0.05 * top)
    figure = Figure(figsize=(8.4, 4.6))
    axes = figure.subplots()
    axes.set_yscale("function", functions=(height, error_at))
    for (line, seconds, error), label in zip(points, error_at(label_heights), strict=True):
        ours = line.model in MODELS and MODELS[line.model].ours
        colour = ACCENT if ours else _OTHER
        axes.plot(seconds, error, marker="o", color=colour, markersize=8 if ours else 6.5, zorder=3)
        spread = line.spread(metric, table.horizons)
        if spread is not None:
            axes.errorbar(seconds, error, yerr=spread, color=colour, capsize=3, zorder=2)
        axes.annotate(
            line.label,
            (seconds, label),
            parse_math=False,  # a dollar in a name is no formula
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
            color=colour if ours else INK,
            fontweight="bold" if ours else "normal",
        )
    if printed is not None:
        axes.axhline(printed[1], color=MUTED, linestyle=(0, (5, 3)), linewidth=1)
        axes.annotate(
            f"best published: {printed[0]} {printed[1]:.4g}",
            (0, printed[1]),  # on the left, where models that cost nothing are far above
            xycoords=("axes fraction", "data"),
            xytext=(4, 4),
            textcoords="offset points",
            ha="left",
            va="bottom",
            fontsize=8.5,
            color=MUTED,
        )
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low, high * (high / low) ** 0.22)  # room for the labels on the right
    low, high = error_at(np.array([-0.08 * top, max(top, label_heights.max()) + 0.06 * top]))
    axes.set_ylim(low, high)
    axes.set_yticks([mark for mark in best * np.array(_MULTIPLES) if mark <= high])
    axes.yaxis.set_major_formatter("{x:.3g}")
    axes.set_xlabel(f"seconds to fit and to forecast every window, {_count(table.horizons)}")
    axes.set_ylabel(f"{metric_name(metric)}, mean over horizons")
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _count(horizons: Sequence[int]) -> str:
    return "one horizon" if len(horizons) == 1 else f"{len(horizons)} horizons together"


def _apart(heights: np.ndarray, gap: float) -> np.ndarray:
    """Move labels upwards until each is `gap` above the one below."""
    moved = heights.copy()
    for below, above in pairwise(np.argsort(heights, kind="stable")):
        moved[above] = max(moved[above], moved[below] + gap)
    return moved


def critical_difference(ranking: Ranking) -> Figure:
    """Draw average ranks, best on the right, and a bar over ranks that cannot be told apart."""
    models = list(ranking.average.index)  # best first
    n_right = (len(models) + 1) // 2
    n_bars = len(ranking.cliques)
    # Laid out in inches: the scale, the bars below it, then one line of text per model.
    height = 1.0 + 0.12 * n_bars + 0.24 * n_right
    figure = Figure(figsize=(10, height))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, 10), ylim=(height, 0))
    axes.axis("off")
    left, right, scale = 3.3, 6.7, 0.6

    def position(rank: float) -> float:
        return right - (rank - 1) / max(len(models) - 1, 1) * (right - left)

    axes.plot([left, right], [scale, scale], color=INK, linewidth=1.2)
    for rank in range(1, len(models) + 1):
        axes.plot([position(rank)] * 2, [scale, scale - 0.07], color=INK, linewidth=1)
        axes.text(position(rank), scale - 0.11, str(rank), ha="center", va="bottom", fontsize=9)
    width = position(1) - position(1 + ranking.critical_difference)
    if width <= right - left:
        axes.plot([left, left + width], [0.16, 0.16], color=MUTED, linewidth=1.5)
        axes.text(left + width + 0.08, 0.16, "critical difference", va="center", fontsize=8.5)
    for i, clique in enumerate(ranking.cliques):
        ends = [position(ranking.average[model]) for model in (clique[0], clique[-1])]
        axes.plot(
            [ends[0] + 0.04, ends[1] - 0.04], [scale + 0.12 * (i + 1)] * 2, color=INK, linewidth=3
        )
    for i, model in enumerate(models):
        is_right = i < n_right
        row = i if is_right else len(models) - 1 - i
        y, end = scale + 0.12 * n_bars + 0.24 * (row + 1), right if is_right else left
        x = position(ranking.average[model])
        ours = model.split(" ")[0] in MODELS and MODELS[model.split(" ")[0]].ours
        colour = ACCENT if ours else INK
        axes.plot([x, x, end], [scale, y, y], color=FAINT, linewidth=1, zorder=0)
        axes.text(
            end + (0.08 if is_right else -0.08),
            y,
            f"{model}  {ranking.average[model]:.2f}",
            parse_math=False,
            ha="left" if is_right else "right",
            va="center",
            fontsize=9.5,
            color=colour,
            fontweight="bold" if ours else "normal",
        )
    return figure
