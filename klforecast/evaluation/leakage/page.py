"""A leakage report as one self-contained page."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; margin: 0; }
main { max-width: 1280px; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.6rem; margin: 0; } p.setup { color: #7b8794; font-size: .85rem; }
table { border-collapse: collapse; font-size: .87rem; width: 100%; }
th, td { padding: .35rem .6rem; text-align: left; vertical-align: top;
border-bottom: 1px solid #e4e7eb; } td.number { font-variant-numeric: tabular-nums; }
td.verdict { white-space: nowrap; font-weight: 600; } tr.passed .verdict { color: #15803d; }
tr.leak { background: #fef2f2; } tr.leak .verdict, tr.error .verdict { color: #b91c1c; }
tr.suspicious { background: #fffbeb; } tr.suspicious .verdict { color: #b45309; }
tr.not-applicable, tr.reported { color: #7b8794; } td small { display: block; color: #7b8794; }
"""
_HEADER = ("verdict", "check", "route", "evidence, and what must be seen", "value", "ratio")


def render_page(
    forecaster: str,
    headline: str,
    setup: Mapping[str, Any],
    rows: Sequence[Mapping[str, Any]],
) -> str:
    """Return the page as text.

    Parameters
    ----------
    forecaster, headline : str
        What was checked, and the verdict.
    setup : mapping
        Facts of the run, printed below the headline.
    rows : sequence of mapping
        With the fields of `klforecast.evaluation.leakage.report.Row`.
    """
    header = "".join(f"<th>{name}</th>" for name in _HEADER)
    facts = "; ".join(f"{name}: {value}" for name, value in setup.items())
    title = f"Leakage report: {headline}"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(title)}</h1>\n<p>{escape(forecaster)}</p>\n"
        f'<p class="setup">{escape(facts)}</p>\n'
        f"<table>\n<thead><tr>{header}</tr></thead>\n<tbody>\n"
        + "\n".join(_line(row) for row in rows)
        + "\n</tbody>\n</table>\n</main>\n</body>\n</html>\n"
    )


def _line(row: Mapping[str, Any]) -> str:
    verdict = str(row["verdict"])
    return (
        f'<tr class="{verdict.replace(" ", "-")}"><td class="verdict">{escape(verdict)}</td>'
        f"<td>{escape(row['check'])}</td><td>{escape(row['route'])}</td>"
        f"<td>{escape(row['evidence'])}<small>{escape(row['expected'])}</small></td>"
        f'<td class="number">{_number(row["value"])}</td>'
        f'<td class="number">{_number(row["ratio"])}</td></tr>'
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
