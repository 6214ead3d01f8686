"""The tables of a report as Markdown, for the documentation."""

from collections.abc import Mapping, Sequence
from typing import Any

from klforecast.evaluation.benchmark.published import Published, standard_horizons
from klforecast.evaluation.lra.page import in_markdown
from klforecast.evaluation.lra.page import markdown_sections as arena_sections
from klforecast.evaluation.report.tables import Line, Table, build_tables
from klforecast.evaluation.report.wording import (
    SECTIONS,
    metric_name,
    number,
    published_note,
    require_rows,
    seconds,
    section_of,
)
from klforecast.evaluation.suites.page import markdown_sections as suite_sections


def render_markdown(
    rows: Sequence[Mapping[str, Any]],
    lra_rows: Sequence[Mapping[str, Any]] = (),
    suite_rows: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the tables for `rows`, one section per regime, published numbers in italics.

    The suites come first; those of `lra` follow, official and synthetic sequences apart.

    Raises
    ------
    ValueError
        If there is no row.
    """
    require_rows(rows, lra_rows, suite_rows)
    tables = build_tables(rows)
    parts = suite_sections(suite_rows)
    for regime, title in SECTIONS.items():
        chosen = [table for table in tables if section_of(table) == regime]
        if chosen:
            parts.append(f"## {title}")
            parts += [_table(table) for table in chosen]
    return "\n\n".join([*parts, *arena_sections(lra_rows)]) + "\n"


def _table(table: Table) -> str:
    first, second = table.metrics
    columns = [
        "model",
        *(f"{metric_name(first)} {horizon}" for horizon in table.horizons),
        f"mean {metric_name(first)}",
        f"mean {metric_name(second)}",
        "± seeds",
        "past",
        "fit s",
        "forecast s",
        "published",
    ]
    averages = [line.average(first, table.horizons) for line in table.lines]  # the best one first
    lines = [_line(line, table, averages[0]) for line in table.lines]
    lines += [_published_line(entry, table) for entry in table.published]
    failed = [
        in_markdown(
            f"- {row['model']}, horizon {row['horizon']}, seed {row['seed']} failed: {row['error']}"
        )
        for row in table.failed
    ]
    windows = ", ".join(str(n) for n in table.quoted("n_test_windows"))
    checksums = ", ".join(f"`{checksum[:12]}`" for checksum in table.quoted("dataset_sha256"))
    text = [
        f"### {in_markdown(table.dataset)}",
        "",
        "| " + " | ".join(columns) + " |",
        "|:--" + "|--:" * (len(columns) - 1) + "|",
        *lines,
        "",
        in_markdown(f"Scored: {windows}. SHA-256 of the data: {checksums}."),
    ]
    return "\n".join([*text, "", *failed] if failed else text)


def _line(line: Line, table: Table, best: float | None) -> str:
    first, second = table.metrics
    horizons = table.horizons
    note = published_note(line, table)
    past = line.quoted("memory_depth")
    average = line.average(first, horizons)
    mean = number(average, 4)
    return _join(
        [
            line.label,
            *(number(line.mean(first, horizon), 4) for horizon in horizons),
            f"**{mean}**" if average is not None and average == best else mean,
            number(line.average(second, horizons), 4),
            number(line.spread(first, horizons), 4),
            f"{max(past)}" if past else "-",
            seconds(line.seconds(horizons, "fit_seconds")),
            seconds(line.seconds(horizons, "predict_seconds")),
            "" if note is None else f"{note['mse']:.4g} ({note['source']})",
        ]
    )


def _published_line(entry: Published, table: Table) -> str:
    is_whole = tuple(table.horizons) == standard_horizons(table.dataset)
    return _join(
        [
            f"*{entry.model}, published*",
            *(f"*{number((entry.mse or {}).get(horizon), 4)}*" for horizon in table.horizons),
            f"*{number(entry.average(table.horizons), 4)}*",
            f"*{number(entry.mae_average if is_whole else None, 4)}*",
            "",
            f"*{entry.lookback}*",
            "",
            "",
            f"*{entry.source}*",
        ]
    )


def _join(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(in_markdown, cells)) + " |"
