"""Forecasts or a backtest of a file as one page of HTML that needs no other file and no network."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
:root { --ink: #1f2933; --muted: #616e7c; --line: #e4e7eb; --accent: #0072b2; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #fff; margin: 0; }
main { max-width: 1000px; margin: 0 auto; padding: 2rem 1.5rem 4rem; }
h1 { font-size: 1.6rem; margin: 0 0 .4rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; }
ul { color: var(--muted); padding-left: 1.2rem; } figure { margin: 1rem 0; }
figure svg { max-width: 100%; height: auto; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } thead th { border-bottom: 2px solid var(--ink); }
summary { cursor: pointer; color: var(--accent); margin: .6rem 0; } p.note { color: var(--muted); }
"""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table; every cell is escaped."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>'


def picture(figure: "Figure", caption: str) -> str:
    """Write a figure as SVG with its caption."""
    from klforecast.evaluation.report.figures import as_svg

    return f'<figure>{as_svg(figure)}<figcaption><p class="note">{escape(caption)}</p></figcaption></figure>'


def section(title: str, *parts: str) -> str:
    """Write a section."""
    return "\n".join([f"<h2>{escape(title)}</h2>", *parts])


def folded(title: str, part: str) -> str:
    """Write a part that opens when its title is clicked."""
    return f"<details><summary>{escape(title)}</summary>\n{part}\n</details>"


def page(title: str, sentences: Sequence[str], notes: Sequence[str], *sections: str) -> str:
    """Write the page: what was found, what was done to the rows, the sections."""
    said = "\n".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)
    items = "".join(f"<li>{escape(note)}</li>" for note in notes)
    body = "\n".join(
        [f"<h1>{escape(title)}</h1>", said, f"<ul>{items}</ul>" if items else "", *sections]
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )
