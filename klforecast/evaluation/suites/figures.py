"""Pictures of the suites: accuracy against cost, every configuration, and the worlds.

Needs matplotlib (`pip install klforecast[plot]`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from klforecast.evaluation.report.figures import ACCENT, FAINT, INK, MUTED
from klforecast.evaluation.suites.standing import Entry
from klforecast.evaluation.suites.world_rules import MOST_WORSE

_OTHER = "#3b6ea5"
_BROKEN = "#b91c1c"
_LINES = 5  # published models drawn as lines: the best ones, apart enough to be read
_LEAST_GAP = 0.02  # in relative MASE, between two of those lines
_WIDEST_RATIO = 10.0  # a world lost by more is drawn at the edge


def cost_figure(entries: Sequence[Entry], configs: Sequence[str]) -> Figure | None:
    """Draw each measured model's relative MASE over its CPU seconds; published ones as lines.

    None when no measured model has all configurations.
    """
    points = [
        (entry, sum(entry.cpu_seconds[config] for config in configs), mase)
        for entry in entries
        for mase in [entry.mean("mase", configs)]
        if not entry.is_published and mase is not None
    ]
    if not points:
        return None
    figure = Figure(figsize=(8.4, 4.4))
    axes = figure.subplots()
    for entry, seconds, mase in points:
        colour = ACCENT if entry.is_ours else _OTHER
        axes.plot(seconds, mase, "o", color=colour, markersize=8 if entry.is_ours else 6.5)
        axes.annotate(
            f"{entry.label}  {mase:.3f}",
            (seconds, mase),
            xytext=(8, 0),
            textcoords="offset points",
            va="center",
            fontsize=9.5,
            color=colour if entry.is_ours else INK,
            fontweight="bold" if entry.is_ours else "normal",
        )
    drawn: list[float] = []
    printed = [(entry, entry.mean("mase", configs)) for entry in entries if entry.is_published]
    known = [(entry, mase) for entry, mase in printed if mase is not None]
    for entry, mase in sorted(known, key=lambda pair: pair[1]):
        if len(drawn) == _LINES or any(abs(mase - other) < _LEAST_GAP for other in drawn):
            continue
        drawn.append(mase)
        axes.axhline(mase, color=FAINT, linestyle=(0, (5, 3)), linewidth=1, zorder=0)
        axes.annotate(
            f"{entry.label} {mase:.3f}",
            (0, mase),
            xycoords=("axes fraction", "data"),
            xytext=(4, 2),
            textcoords="offset points",
            fontsize=8.5,
            color=MUTED,
        )
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.set_xlim(low / (high / low) ** 0.35, high * (high / low) ** 0.3)  # room for the labels
    axes.set_xlabel(f"CPU seconds to fit and to forecast, {len(configs)} configurations")
    axes.set_ylabel("MASE over seasonal naive's, geometric mean")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def configs_figure(entries: Sequence[Entry], configs: Sequence[str]) -> Figure:
    """Draw every configuration as a line of dots: published models grey, ours in colour."""
    figure = Figure(figsize=(9.6, 0.9 + 0.23 * len(configs)))
    panels = figure.subplots(1, 2, sharey=True)
    places = {config: -i for i, config in enumerate(configs)}
    for axes, metric, title in zip(panels, ("mase", "crps"), ("MASE", "CRPS"), strict=True):
        for entry in [*(e for e in entries if not e.is_ours), *(e for e in entries if e.is_ours)]:
            scores = entry.relative(metric)
            shown = [config for config in configs if scores.get(config, 0) > 0]
            style: dict[str, Any] = {"color": _OTHER, "markersize": 4, "marker": "x"}
            if entry.is_published:
                style = {"color": FAINT, "markersize": 4, "marker": "o"}
            if entry.is_ours:
                style = {"color": ACCENT, "markersize": 6, "marker": "o"}
            axes.plot(
                [scores[config] for config in shown],
                [places[config] for config in shown],
                linestyle="none",
                **style,
            )
        axes.axvline(1, color=INK, linewidth=0.8)
        axes.set_xscale("log")
        axes.set_xlim(0.1, 4)
        axes.set_xticks([0.125, 0.25, 0.5, 1, 2, 4], ["1/8", "1/4", "1/2", "1", "2", "4"])
        axes.minorticks_off()
        axes.set_title(f"{title} over seasonal naive's", fontsize=10)
        axes.set_yticks(list(places.values()), list(places), fontsize=8.5)
        axes.set_ylim(-len(configs) + 0.4, 0.6)
        axes.grid(axis="y", color="#eef1f4", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.subplots_adjust(left=0.2, right=0.99, wspace=0.05)
    return figure


def worlds_figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the error of one model in each world over that of the best plain reference."""
    figure = Figure(figsize=(8.4, 0.9 + 0.2 * len(rows)))
    axes = figure.subplots()
    for i, row in enumerate(rows):
        ratio = row["world"]["ratio"]
        if ratio is None:
            continue
        colour = _BROKEN if row["world"]["broken"] else _OTHER
        shown = min(max(ratio, 1 / _WIDEST_RATIO), _WIDEST_RATIO)
        axes.plot(shown, -i, marker="o" if shown == ratio else ">", color=colour, markersize=5)
    axes.axvline(1, color=INK, linewidth=0.8)
    axes.axvline(MOST_WORSE, color=_BROKEN, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_xscale("log")
    axes.set_xlim(0.9 / _WIDEST_RATIO, 1.1 * _WIDEST_RATIO)
    axes.set_xticks([0.125, 0.25, 0.5, 1, 2, 4, 8], ["1/8", "1/4", "1/2", "1", "2", "4", "8"])
    axes.minorticks_off()
    axes.set_yticks([-i for i in range(len(rows))], [row["config"] for row in rows], fontsize=8.5)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.grid(axis="y", color="#eef1f4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.set_xlabel("error over that of the best of mean, last value, seasonal naive and Theta")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
