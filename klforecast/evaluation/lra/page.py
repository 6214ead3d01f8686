"""Rows of the arena in a report: tables and pictures, official and synthetic ones apart."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from klforecast.evaluation.lra.run_rows import OFFICIAL, SYNTHETIC, of_source

_TITLES = {
    OFFICIAL: "Long Range Arena, official files",
    SYNTHETIC: "Tasks like those of Long Range Arena, synthetic sequences",
}
_NOTES = {
    OFFICIAL: "Accuracies on the test parts of the official files.",
    SYNTHETIC: "The sequences are drawn by generators of our own and are as short as the table says. "
    "These accuracies must not be held against published ones.",
}
_COLUMNS = (
    "task",
    "length",
    "train / test",
    "seed",
    "accuracy",
    "most frequent class",
    "epochs",
    "fit s",
    "parameters",
    "steps/s",
    "peak MiB",
)
_COSTS = ("accuracy", "parameters", "FLOPs per step", "steps/s")


def html_sections(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sections of an HTML page, one per source that has rows."""
    parts = []
    for source, title in _TITLES.items():
        chosen = of_source(rows, source)
        if not chosen:
            continue
        parts.append(f'<h2>{escape(title)}</h2>\n<p class="note">{escape(_NOTES[source])}</p>')
        parts.append(_html_table(_COLUMNS, [_line(row) for row in chosen]))
        for row in chosen:
            parts += _html_details(row)
    return parts


def markdown_sections(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sections in Markdown, one per source that has rows."""
    parts = []
    for source, title in _TITLES.items():
        chosen = of_source(rows, source)
        if not chosen:
            continue
        parts += [f"## {title}", _NOTES[source], _markdown_table(_COLUMNS, map(_line, chosen))]
        for row in chosen:
            if row["compression"]:
                parts += [f"### {_name(row)}: keeping a share of the modes", _markdown_curve(row)]
            if row["layers"]:
                parts += [f"### {_name(row)}: layers", _markdown_table(*_layers(row))]
            parts += [f"{_name(row)}, not measured: {why}." for why in _unmeasured(row)]
    return parts


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['task']} ({row['source']}), seed {row['seed']}"


def _line(row: Mapping[str, Any]) -> list[str]:
    start = [
        f"{row['task']} ({row['source']})",
        f"{row['length']}",
        f"{row['n_train']:,} / {row['n_test']:,}",
        f"{row['seed']}",
    ]
    if row["error"] is not None:
        return [*start, f"failed: {row['error']}", *[""] * (len(_COLUMNS) - len(start) - 1)]
    speed, memory = row["throughput"], row["memory"]
    return [
        *start,
        f"{row['accuracy']:.3f}",
        f"{row['majority']:.3f}",
        f"{row['epochs']}",
        f"{row['fit_seconds']:.0f}",
        f"{row['n_parameters']:,}",
        "-" if speed is None else f"{speed['tokens_per_second']:,.0f}",
        "-" if memory is None else _peak(memory["training_mib"]),
    ]


def _unmeasured(row: Mapping[str, Any]) -> list[str]:
    return [f"{name} ({why})" for name, why in (row["unmeasured"] or {}).items()]


def _peak(mebibytes: float | None) -> str:
    return "-" if mebibytes is None else f"{mebibytes:.0f}"


def _layers(row: Mapping[str, Any]) -> tuple[tuple[str, ...], list[list[str]]]:
    lines = [
        [
            layer["layer"],
            f"{layer['milliseconds']:.2f}",
            f"{layer['share']:.0%}",
            f"{layer['flops']:,}",
            f"{layer['n_parameters']:,}",
        ]
        for layer in row["layers"]
    ]
    return ("layer", "ms", "share", "FLOPs", "parameters"), lines


def _curve(row: Mapping[str, Any]) -> tuple[tuple[str, ...], list[list[str]]]:
    lines = [
        [
            point["mask"],
            f"{point['ratio']:g}",
            f"{point['accuracy']:.3f}",
            f"{point['n_parameters']:,}",
            f"{point['flops_per_token']:,.0f}",
            f"{point['tokens_per_second']:,.0f}",
        ]
        for point in row["compression"]
    ]
    return ("mask", "share kept", *_COSTS), lines


def _markdown_curve(row: Mapping[str, Any]) -> str:
    """One line per share, and a column of accuracies per mask."""
    points = row["compression"]
    masks = list(dict.fromkeys(point["mask"] for point in points))
    lines = []
    for ratio in dict.fromkeys(point["ratio"] for point in points):
        same = [point for point in points if point["ratio"] == ratio]
        accuracies = [f"{point['accuracy']:.3f}" for point in same]
        costs = [f"{same[0]['n_parameters']:,}", f"{same[0]['flops_per_token']:,.0f}"]
        fastest = max(point["tokens_per_second"] for point in same)
        lines.append([f"{ratio:g}", *accuracies, *costs, f"{fastest:,.0f}"])
    return _markdown_table(("share kept", *masks, *_COSTS[1:]), lines)


def _markdown_table(columns: Sequence[str], lines: Any) -> str:
    head = f"| {' | '.join(columns)} |\n|:--{'|--:' * (len(columns) - 1)}|"
    return "\n".join([head, *(f"| {' | '.join(map(in_markdown, line))} |" for line in lines)])


def in_markdown(text: str) -> str:
    """Text of a cell without markup: of HTML, which Markdown lets through, and of its own tables."""
    return escape(text, quote=False).replace("|", "\\|").replace("\n", " ")


def _html_table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in line)}</tr>" for line in lines
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def _html_details(row: Mapping[str, Any]) -> list[str]:
    parts = []
    if row["compression"]:
        from klforecast.evaluation.lra.figure import accuracy_against_share
        from klforecast.evaluation.report.figures import as_svg

        parts.append(
            f"<h3>{escape(_name(row))}: keeping a share of the modes</h3><figure>"
            f"{as_svg(accuracy_against_share(row))}<figcaption>Accuracy on the test part against "
            f"the operations per step, by the kind of mask; numbers are shares of the modes. "
            f"Dashed: the most frequent class.</figcaption></figure>"
        )
        parts.append(_html_table(*_curve(row)))
    if row["layers"]:
        parts += [f"<h3>{escape(_name(row))}: layers</h3>", _html_table(*_layers(row))]
    parts += [f'<p class="facts">Not measured: {escape(why)}.</p>' for why in _unmeasured(row)]
    parts.append(f'<p class="facts">SHA-256 of the sequences: {escape(row["data_sha256"])}.</p>')
    return parts
