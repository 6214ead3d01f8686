"""A report as one self-contained page: pictures, tables, published numbers, versions.

Everything on the page comes from the rows; it needs no network and no other file.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from klforecast.evaluation.benchmark.models import MODELS
from klforecast.evaluation.benchmark.published import Published, standard_horizons
from klforecast.evaluation.lra.page import html_sections as arena_sections
from klforecast.evaluation.report.figures import (
    accuracy_against_cost,
    as_svg,
    critical_difference,
)
from klforecast.evaluation.report.ranks import rank_models, rank_scores
from klforecast.evaluation.report.tables import WINDOW_METRICS, Line, Table, build_tables
from klforecast.evaluation.report.wording import (
    SECTIONS,
    metric_name,
    number,
    published_note,
    require_rows,
    seconds,
    section_of,
)
from klforecast.evaluation.suites.page import html_sections as suite_sections

_REGIME_NOTES = {
    "free": "Every model looks back as far as it likes: our models and the closed forms as far as "
    "their defaults say, each network as far as its authors published.",
    "lookback96": "No forecast sees more than the last 96 steps (36 on ILI); the harness checks it "
    "in every cell. Not to be compared with the other regime.",
    "hold-out": "The last steps of each series are held out; sMAPE and MASE as in the M4 "
    "competition, averaged over series.",
}
_STYLE = """
:root { --ink: #1f2933; --muted: #7b8794; --line: #e4e7eb; --accent: #c2410c; --best: #fff4ed; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff; margin: 0; }
main { max-width: 1280px; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { margin-top: 3rem; border-bottom: 2px solid
var(--ink); padding-bottom: .2rem; } h3 { margin: 2rem 0 .4rem; }
p.note, figcaption, td small, .facts { color: var(--muted); font-size: .85rem; }
.facts { word-break: break-all; } figure { margin: 1rem 0; } figure svg { max-width: 100%;
height: auto; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .87rem; }
th, td { padding: .28rem .6rem; text-align: right; border-bottom: 1px solid var(--line);
white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid var(--ink); vertical-align: bottom; }
td small { display: block; line-height: 1.1; } tr.ours td:first-child { color: var(--accent);
font-weight: 600; } td.best { background: var(--best); font-weight: 600; }
tr.published td { color: var(--muted); font-style: italic; } tr.failed td { color: #b91c1c;
white-space: normal; } td.text { text-align: left; white-space: normal; }
"""


def render_html(
    rows: Sequence[Mapping[str, Any]],
    title: str = "klforecast benchmark",
    lra_rows: Sequence[Mapping[str, Any]] = (),
    suite_rows: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the page for the rows of `benchmark`, of its suites, and of `lra`, as text.

    Raises
    ------
    ValueError
        If there is no row.
    """
    require_rows(rows, lra_rows, suite_rows)
    tables = build_tables(rows)
    sections = [
        _section(regime, chosen)
        for regime in SECTIONS
        for chosen in [[table for table in tables if section_of(table) == regime]]
        if chosen
    ]
    body = "\n".join(
        [
            f"<h1>{escape(title)}</h1>",
            f'<p class="note">{escape(_summary(rows, tables))}</p>' if rows else "",
            *suite_sections(suite_rows),
            *sections,
            *arena_sections(lra_rows),
            _environment([*rows, *lra_rows, *suite_rows]),
        ]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _summary(rows: Sequence[Mapping[str, Any]], tables: Sequence[Table]) -> str:
    n_failed = sum(len(table.failed) for table in tables)
    n_done = sum(len(of) for t in tables for line in t.lines for of in line.rows.values())
    failed = f", {n_failed} failed" if n_failed else ""
    return (
        f"{n_done} measured cells{failed}, from {len(rows)} rows. Errors are in units of the "
        f"training deviation unless said otherwise, over every test window; lower is better. "
        f"Grey italics are published numbers, measured elsewhere. Unless a line says otherwise, a "
        f"model is handed the training and the validation rows: networks stop early on the latter, "
        f"closed forms fit both. Published results were trained on the training rows, so a line "
        f"'fitted on train' is the one to hold against them."
    )


def _section(regime: str, tables: Sequence[Table]) -> str:
    parts = [
        f"<h2>{escape(SECTIONS[regime])}</h2>",
        f'<p class="note">{escape(_REGIME_NOTES[regime])}</p>',
    ]
    for table in tables:
        parts.append(f"<h3>{escape(table.dataset)}</h3>")
        figure = accuracy_against_cost(table)
        if figure is not None:
            parts.append(
                f"<figure>{as_svg(figure)}<figcaption>Accuracy against cost on "
                f"{escape(table.dataset)}. Triangles lie above the picture; bars are the standard "
                f"deviation over seeds.</figcaption></figure>"
            )
        parts += [_table(table), _facts(table)]
    ranking = rank_models(rank_scores(tables))
    if ranking is not None:
        parts.append(
            f"<h3>Ranks over {ranking.n_cells} cells</h3><figure>"
            f"{as_svg(critical_difference(ranking))}<figcaption>Average ranks of the models that "
            f"were run in all {ranking.n_cells} cells (data set and horizon); Friedman test: "
            f"p = {ranking.friedman_p:.2g}. A bar joins models that the Nemenyi test at 5 % cannot "
            f"tell apart. Horizons of one data set are not independent, so read it as a "
            f"description.</figcaption></figure>"
        )
    return "\n".join(parts)


def _table(table: Table) -> str:
    first, second = table.metrics
    columns = [
        f"{metric_name(first)} <small>{metric_name(second)}</small>",
        *(escape(str(horizon)) for horizon in table.horizons),
        "mean",
        "± seeds",
        "published",
        "past",
        "fit s",
        "forecast s",
        "CPU s",
        "peak MB",
        "parameters",
    ]
    best = {
        column: min(v for line in table.lines if (v := _value(line, column, table)) is not None)
        for column in [*table.horizons, None]
        if any(_value(line, column, table) is not None for line in table.lines)
    }
    lines = [_line(line, table, best) for line in table.lines]
    lines += [_published_line(entry, table) for entry in table.published]
    lines += [
        f'<tr class="failed"><td>{escape(row["model"])}</td><td class="text" '
        f'colspan="{len(columns) - 1}">{escape(_failure(row))}</td></tr>'
        for row in table.failed
    ]
    head = "".join(f"<th>{column}</th>" for column in columns)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody></table></div>"
    )


def _failure(row: Mapping[str, Any]) -> str:
    return f"horizon {row['horizon']}, seed {row['seed']}: {row['error']}"


def _value(line: Line, column: int | None, table: Table) -> float | None:
    """The first metric at a horizon, or over all of them for None."""
    metric = table.metrics[0]
    return line.average(metric, table.horizons) if column is None else line.mean(metric, column)


def _line(line: Line, table: Table, best: Mapping[int | None, float]) -> str:
    first, second = table.metrics
    cells = []
    for column in [*table.horizons, None]:
        value = _value(line, column, table)
        other = (
            line.average(second, table.horizons) if column is None else line.mean(second, column)
        )
        small = "" if other is None else f"<small>{number(other)}</small>"
        mark = ' class="best"' if value is not None and value == best[column] else ""
        digits = 4 if column is None else 3
        cells.append(f"<td{mark}>{number(value, digits)}{small}</td>")
    spread = line.spread(first, table.horizons)
    note = published_note(line, table)
    reached = line.average(first, table.horizons)
    if note is None:
        said = ""
    else:
        off = (
            "" if reached is None else f"<small>{100 * (reached / note['mse'] - 1):+.1f} %</small>"
        )
        said = f'<span title="{escape(note["source"])}">{note["mse"]:.4g}</span>{off}'
    seeds = len(line.quoted("seed"))
    parameters = line.quoted("n_parameters")
    peaks = line.quoted("peak_memory_mb")
    cells += [
        f"<td>{number(spread, 4)}<small>{seeds} seed{'s' * (seeds != 1)}</small></td>",
        f"<td>{said}</td>",
        f"<td>{_span(line.quoted('memory_depth'))}</td>",
        f"<td>{seconds(line.seconds(table.horizons, 'fit_seconds'))}</td>",
        f"<td>{seconds(line.seconds(table.horizons, 'predict_seconds'))}</td>",
        f"<td>{seconds(line.seconds(table.horizons, 'cpu_seconds'))}</td>",
        f"<td>{number(max(peaks), 0) if peaks else '-'}</td>",
        f"<td>{_span(parameters)}</td>",
    ]
    ours = line.model in MODELS and MODELS[line.model].ours
    start = '<tr class="ours">' if ours else "<tr>"
    return f"{start}<td>{escape(line.label)}</td>{''.join(cells)}</tr>"


def _span(values: Sequence[int]) -> str:
    if not values:
        return "-"
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _published_line(entry: Published, table: Table) -> str:
    cells = [f"<td>{number((entry.mse or {}).get(horizon))}</td>" for horizon in table.horizons]
    is_whole = tuple(table.horizons) == standard_horizons(table.dataset)
    mae = entry.mae_average if is_whole else None
    small = "" if mae is None else f"<small>{number(mae)}</small>"
    cells.append(f"<td>{number(entry.average(table.horizons), 4)}{small}</td>")
    cells.append(f"<td></td><td></td><td>{escape(str(entry.lookback))}</td>")
    cells.append(f'<td class="text" colspan="5">{escape(entry.source)}</td>')
    return f'<tr class="published"><td>{escape(entry.model)}</td>{"".join(cells)}</tr>'


def _facts(table: Table) -> str:
    checksums = ", ".join(table.quoted("dataset_sha256"))
    windows = ", ".join(str(n) for n in table.quoted("n_test_windows"))
    borders = "; ".join(", ".join(map(str, b)) for b in table.quoted("borders"))
    ends = f"Parts end at rows {borders}. " if borders else ""
    scored = "Windows scored" if table.metrics == WINDOW_METRICS else "Series scored"
    text = f"{ends}{scored}: {windows}. SHA-256 of the data: {checksums}."
    return f'<p class="facts">{escape(text)}</p>'


def _environment(rows: Sequence[Mapping[str, Any]]) -> str:
    def distinct(name: str) -> str:
        texts = dict.fromkeys(_flat(row[name]) for row in rows if row[name])
        return "<br>".join(escape(text) for text in texts) or "unknown"

    return (
        f"<h2>Measured with</h2>\n<table><tbody>"
        f'<tr><td>versions</td><td class="text">{distinct("versions")}</td></tr>'
        f'<tr><td>commit</td><td class="text">{distinct("commit")}</td></tr>'
        f'<tr><td>machine</td><td class="text">{distinct("machine")}</td></tr>'
        f"</tbody></table>"
    )


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {item}" for name, item in value.items())
    return str(value)
