"""The picture of a compression: accuracy against cost, a line per kind of mask.

Needs matplotlib (`pip install klforecast[plot]`).
"""

from collections.abc import Mapping
from typing import Any

from matplotlib.figure import Figure

from klforecast.evaluation.report.figures import ACCENT, FAINT, INK, MUTED

_COLOURS = {"low_pass": "#3b6ea5", "random": MUTED, "energy": ACCENT, "learned": "#2f855a"}


def accuracy_against_share(row: Mapping[str, Any]) -> Figure:
    """Draw the accuracy of a compressed network over its operations per step.

    Parameters
    ----------
    row : mapping
        Row of a run with compression.
    """
    figure = Figure(figsize=(7.2, 4.0))
    axes = figure.subplots()
    points = row["compression"]
    for mask in dict.fromkeys(point["mask"] for point in points):
        line = sorted(
            (point["flops_per_token"], point["accuracy"])
            for point in points
            if point["mask"] == mask
        )
        # Dashed, because a mask that has learned little lies on the low-pass one.
        style = "--" if mask == "learned" else "-"
        axes.plot(*zip(*line, strict=True), style, marker="o", color=_COLOURS[mask], label=mask)
    for ratio in dict.fromkeys(point["ratio"] for point in points):
        same = [point for point in points if point["ratio"] == ratio]
        highest = max(same, key=lambda point: point["accuracy"])
        axes.annotate(
            f"{ratio:g}",
            (highest["flops_per_token"], highest["accuracy"]),
            xytext=(0, 7),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=INK,
        )
    axes.axhline(row["majority"], color=MUTED, linestyle=(0, (5, 3)), linewidth=1)
    axes.set_title(f"{row['task']}, {row['source']} sequences", fontsize=10.5, color=INK)
    axes.set_xlabel("floating point operations per step, products only")
    axes.set_ylabel("accuracy")
    axes.margins(x=0.07, y=0.12)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return figure
