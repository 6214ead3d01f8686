"""How names and numbers are written in every form of a report."""

from collections.abc import Mapping, Sequence
from typing import Any

from klforecast.evaluation.benchmark.published import standard_horizons
from klforecast.evaluation.report.tables import WINDOW_METRICS, Line, Table

SECTIONS = {
    "free": "Lookback free",
    "lookback96": "Lookback 96 (ILI: 36)",
    "hold-out": "Short and ordinary series",
}


def require_rows(*rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise a `ValueError` where there is no row of any kind to report."""
    if not any(rows):
        raise ValueError("there are no rows to report; run `klforecast benchmark` first")


def metric_name(metric: str) -> str:
    """Return a metric's name in print."""
    return {"smape": "sMAPE (%)"}.get(metric, metric.upper())


def section_of(table: Table) -> str:
    """Return the part of a report that a table belongs to."""
    return table.regime if table.metrics == WINDOW_METRICS else "hold-out"


def number(value: float | None, digits: int = 3) -> str:
    """Return a number for a table; a dash for None."""
    return "-" if value is None else f"{value:.{digits}f}"


def seconds(value: float | None) -> str:
    """Return seconds with two significant digits below ten; a dash for None."""
    return "-" if value is None else f"{value:.{0 if value >= 10 else 1 if value >= 1 else 2}f}"


def published_note(line: Line, table: Table) -> Mapping[str, Any] | None:
    """Return what the rows of a line say its authors, or a clean rerun, reached."""
    notes = line.quoted("published")
    if not notes or tuple(table.horizons) != standard_horizons(table.dataset):
        return None
    return notes[0]


def best_published(table: Table) -> tuple[str, float] | None:
    """Return the name and the average of the best result in print over a table's horizons."""
    averages = [(entry.model, entry.average(table.horizons)) for entry in table.published]
    known = [(name, value) for name, value in averages if value is not None]
    return min(known, key=lambda entry: entry[1], default=None)
