"""What a report says of the suites, in parts that do not know the form of the page.

A part is a heading, a note, and a picture or a table. Numbers are written here, once for HTML and
Markdown.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from klforecast.evaluation.report.wording import number, seconds
from klforecast.evaluation.suites.rows import latest_rows
from klforecast.evaluation.suites.runner import SUITE_CONFIGS
from klforecast.evaluation.suites.standing import (
    Entry,
    entries_of,
    geometric_mean,
    label_of,
    shared_configs,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TITLES = {
    "gift-eval": "GIFT-Eval, rebuilt from small files",
    "competitions": "M1, M3 and M4 weekly",
    "worlds": "Generated worlds",
}
_NOTES = {
    "gift-eval": "One default for every configuration, fitted once to the rows before the first "
    "window; its context follows. Scores are divided by those of seasonal naive and averaged "
    "geometrically, as on the leaderboard, which takes the MASE of the median.",
    "competitions": "The last rows of every series are held out, at the horizon of the competition. "
    "Means are over the six sets with published results. Seasonal naive, in print, has its points "
    "at every level.",
    "worlds": "Ten draws of each world. The error is the mean absolute one, for counts, rare demand "
    "and noise the root of the mean squared one; the best reference is the best of mean, last "
    "value, seasonal naive and Theta.",
}
_N_LOSSES = 12  # as many as are looked at before the next change


class Line(NamedTuple):
    """A line of a table: its cells, and whether it is "ours", "published", "failed" or ""."""

    cells: list[str]
    kind: str = ""


@dataclass(frozen=True)
class Part:
    """A heading with what stands below it.

    Attributes
    ----------
    title, note : str
    columns : sequence of str
        Of the table; empty for none.
    lines : sequence of Line
    draw : callable or None
        `draw()` returns the picture, or None where there is nothing to draw yet.
    caption : str
        Of the picture.
    level : int
        2 for a suite, 3 for a part of one.
    """

    title: str
    note: str = ""
    columns: Sequence[str] = ()
    lines: Sequence[Line] = field(default_factory=list)
    draw: Callable[[], "Figure | None"] | None = None
    caption: str = ""
    level: int = 3


def suite_parts(rows: Sequence[Mapping[str, Any]]) -> list[Part]:
    """Return the parts of all suites that have rows."""
    parts = []
    for suite, title in TITLES.items():
        chosen = latest_rows(row for row in rows if row["suite"] == suite)
        if not chosen:
            continue
        order = {config: i for i, config in enumerate(SUITE_CONFIGS[suite])}
        chosen.sort(key=lambda row: order.get(row["config"], len(order)))
        parts.append(Part(title, _NOTES[suite], level=2))
        parts += _world_parts(chosen) if suite == "worlds" else _score_parts(suite, chosen)
        parts += _failures(chosen)
    return parts


def _figures() -> ModuleType:
    # Imported when a picture is drawn: Markdown has none and needs no matplotlib.
    from klforecast.evaluation.suites import figures

    return figures


def _score_parts(suite: str, rows: list[dict[str, Any]]) -> list[Part]:
    entries, configs = entries_of(suite, rows), shared_configs(suite, rows)
    everywhere = list(dict.fromkeys(row["config"] for row in rows if row["error"] is None))
    return [
        Part(
            "Accuracy against cost",
            draw=lambda: _figures().cost_figure(entries, configs),
            caption="Dashed lines are published results, measured elsewhere.",
        ),
        _standings(entries, configs),
        *(_losses(entry, entries, configs) for entry in entries if entry.is_ours),
        Part(
            "Every configuration",
            draw=lambda: _figures().configs_figure(entries, everywhere),
            caption="Published models are grey, ours is a filled dot, other measured models are "
            "crosses; left of the line is better than seasonal naive.",
        ),
        _against_naive(entries, everywhere),
        _by_domain(entries, rows, configs),
        _as_measured(rows),
    ]


def _standings(entries: Sequence[Entry], configs: Sequence[str]) -> Part:
    def rank(entry: Entry) -> tuple[bool, float]:
        mean = entry.mean("mase", configs)
        return mean is None, mean or 0.0

    ours = next((entry for entry in entries if entry.is_ours), None)
    lines = []
    for entry in sorted(entries, key=rank):
        n_done = sum(config in entry.mase for config in configs)
        covered = [entry.coverage_80[c] for c in configs if c in entry.coverage_80]
        cost = [entry.cpu_seconds[c] for c in configs if c in entry.cpu_seconds]
        cells = [
            entry.label,
            f"{n_done} of {len(configs)}",
            *(number(entry.mean(m, configs)) for m in ("mase", "mase_median", "crps")),
            number(sum(covered) / len(covered), 2) if covered else "-",
            seconds(sum(cost)) if cost else "-",
            "" if ours is None or entry.is_ours else _n_won(ours, entry, configs),
            entry.kind,
            entry.trust,
        ]
        lines.append(Line(cells, _kind(entry)))
    columns = (
        "model",
        "configurations",
        "MASE",
        "MASE of median",
        "CRPS",
        "in 80 % interval",
        "CPU s",
        "loses to us (MASE, CRPS)",
        "how it learned",
        "who ran it",
    )
    sources = dict.fromkeys(entry.source for entry in entries if entry.is_published)
    note = f"Published results are grey; read from {'; '.join(sources)}." if sources else ""
    return Part("Over seasonal naive, geometric mean", note, columns, lines)


def _n_won(ours: Entry, rival: Entry, configs: Sequence[str]) -> str:
    won = []
    for metric in ("mase", "crps"):
        us, them = ours.relative(metric), rival.relative(metric)
        both = [config for config in configs if config in us and config in them]
        won.append(f"{sum(us[config] < them[config] for config in both)}")
    return ", ".join(won)


def _kind(entry: Entry) -> str:
    if entry.is_ours:
        return "ours"
    return "published" if entry.is_published else ""


def _losses(ours: Entry, entries: Sequence[Entry], configs: Sequence[str]) -> Part:
    lost = []
    for metric in ("mase", "crps"):
        for config in configs:
            rivals = [
                (entry.relative(metric)[config], entry.label)
                for entry in entries
                if not entry.is_ours and config in entry.relative(metric)
            ]
            score = ours.relative(metric).get(config)
            if score is not None and rivals and min(rivals)[0] > 0:
                lost.append((score / min(rivals)[0], config, metric, score, *min(rivals)))
    lost.sort(reverse=True)
    n_won = sum(ratio <= 1 for ratio, *_ in lost)
    lines = [
        Line([config, metric.upper(), f"{score:.3f}", name, f"{best:.3f}", f"{ratio:.2f}"])
        for ratio, config, metric, score, best, name in lost[:_N_LOSSES]
        if ratio > 1
    ]
    note = f"Ahead of every rival in {n_won} of {len(lost)} comparisons; these are the worst."
    columns = ("configuration", "metric", ours.label, "best rival", "reaches", "ratio")
    return Part(f"Where {ours.label} loses first", note, columns, lines)


def _against_naive(entries: Sequence[Entry], configs: Sequence[str]) -> Part:
    lines = [_means_of(entries, config, [config]) for config in configs]
    columns = ("configuration", *(_header(entry) for entry in entries))
    return Part("MASE / CRPS over seasonal naive's", "", columns, lines)


def _by_domain(
    entries: Sequence[Entry], rows: Sequence[Mapping[str, Any]], shared: Sequence[str]
) -> Part:
    domain_of = {row["config"]: row["domain"] for row in rows if row["error"] is None}
    domains: dict[str, list[str]] = {}
    for config in shared:
        domains.setdefault(domain_of[config], []).append(config)
    lines = [_means_of(entries, name, configs) for name, configs in domains.items()]
    columns = ("domain", *(_header(entry) for entry in entries))
    note = "Geometric means; a choice is made on all domains but one, and must help on that one."
    return Part("By domain", note, columns, lines)


def _means_of(entries: Sequence[Entry], name: str, configs: Sequence[str]) -> Line:
    means = [[number(entry.mean(m, configs), 2) for m in ("mase", "crps")] for entry in entries]
    return Line([name, *(" / ".join(pair) for pair in means)])


def _header(entry: Entry) -> str:
    return f"{entry.label}, published" if entry.is_published else entry.label


def _as_measured(rows: Sequence[Mapping[str, Any]]) -> Part:
    lines = []
    for row in rows:
        if row["error"] is not None:
            continue
        cells = [
            row["config"],
            label_of(row),
            f"{row['horizon']}",
            f"{row['n_windows']} x {row['n_series']} x {row['n_channels']}",
            number(row["mase"], 4),
            number(row["mase_median"], 4),
            number(row["crps"], 5),
            number(row["smape"], 2),
            number(row["coverage_80"], 2),
            number(row["coverage_90"], 2),
            seconds(row["fit_seconds"]),
            seconds(row["predict_seconds"]),
            seconds(row["cpu_seconds"]),
        ]
        lines.append(Line(cells))
    columns = (
        "configuration",
        "model",
        "h",
        "windows x series x channels",
        "MASE",
        "MASE of median",
        "CRPS",
        "sMAPE (%)",
        "in 80 %",
        "in 90 %",
        "fit s",
        "forecast s",
        "CPU s",
    )
    return Part("As measured", "", columns, lines)


def _world_parts(rows: list[dict[str, Any]]) -> list[Part]:
    parts = []
    for label in dict.fromkeys(label_of(row) for row in rows):
        done = [row for row in rows if label_of(row) == label and row["error"] is None]
        if not done:
            continue
        broken = [row for row in done if row["world"]["broken"]]
        ratios = [row["world"]["ratio"] for row in done if row["world"]["ratio"]]
        note = f"Breaks a rule in {len(broken)} of {len(done)} worlds"
        if ratios:
            note += f"; error over the best reference, geometric mean: {geometric_mean(ratios):.3f}"
        parts.append(
            Part(
                label,
                f"{note}.",
                _WORLD_COLUMNS,
                list(map(_world, done)),
                draw=partial(_draw_worlds, done),
                caption="Red: a rule is broken; the dashed line is 1.1 times the best reference.",
            )
        )
    return parts


def _draw_worlds(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    return _figures().worlds_figure(rows)


_WORLD_COLUMNS = (
    "world",
    "error",
    "best reference",
    "reaches",
    "ratio",
    "in 90 % interval",
    "CPU s",
    "rules broken",
)


def _world(row: Mapping[str, Any]) -> Line:
    world = row["world"]
    cells = [
        row["config"],
        f"{world['error']:.4g} {world['metric'].upper()}",
        world["best"],
        f"{world['references'][world['best']]:.4g}",
        "-" if world["ratio"] is None else f"{world['ratio']:.4g}",
        number(row["coverage_90"], 2),
        seconds(row["cpu_seconds"]),
        ", ".join(world["broken"]),
    ]
    return Line(cells, "failed" if world["broken"] else "")


def _failures(rows: Sequence[Mapping[str, Any]]) -> list[Part]:
    failed = [row for row in rows if row["error"] is not None]
    lines = [Line([row["config"], label_of(row), row["error"]], "failed") for row in failed]
    return [Part("Failed", "", ("configuration", "model", "error"), lines)] if lines else []
