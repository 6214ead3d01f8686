"""What every study does with its question: read options, print a table, append rows, write a page."""

import argparse
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from klforecast.evaluation.json_lines import append_line


def make_parser(doc: str | None, *, rows: bool = False) -> argparse.ArgumentParser:
    """Make the parser of a study.

    Parameters
    ----------
    doc : str or None
        Docstring of its module; the first sentence becomes the description.
    rows : bool, default=False
        Whether it has ``--out``, a file that `append_rows` writes to.

    Examples
    --------
    >>> parser = make_parser("What it costs.", rows=True)
    >>> parser.description, parser.parse_args([]).out
    ('What it costs.', None)
    """
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    if rows:
        parser.add_argument("--out", type=Path, help="file of JSON lines to append the rows to")
    return parser


def append_rows(out: Path | None, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append rows to a file of JSON lines, each in one write; None writes nothing."""
    if out is not None:
        for row in rows:
            append_line(out, row)


def make_table(
    title: str, columns: Sequence[str], lines: Iterable[Sequence[str]], *, left: int = 1
) -> Table:
    """Make a table whose first `left` columns are text, and the others numbers.

    Examples
    --------
    >>> make_table("costs", ("fit", "ms"), [("first", "3.1"), ("second", "3.0")]).row_count
    2
    """
    table = Table(title=title)
    for position, column in enumerate(columns):
        table.add_column(column, justify="left" if position < left else "right")
    for line in lines:
        table.add_row(*line)
    return table


def markdown_table(columns: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown whose first column is text, and the others numbers.

    Examples
    --------
    >>> print(markdown_table(("fit", "ms"), [("first", "3.1")]), end="")
    | fit | ms |
    |---|--:|
    | first | 3.1 |
    """
    head = [f"| {' | '.join(columns)} |", f"|---|{'--:|' * (len(columns) - 1)}"]
    return "\n".join([*head, *(f"| {' | '.join(line)} |" for line in lines), ""])


def percent(log_ratio: float) -> str:
    """Write the logarithm of a ratio as a change in per cent.

    Examples
    --------
    >>> percent(0.0953), percent(-0.0101)
    ('+10.0 %', '-1.0 %')
    """
    return f"{100 * math.expm1(log_ratio):+.1f} %"


def show(*parts: Table | str) -> None:
    """Print tables and sentences, one below the other."""
    console = Console()
    for part in parts:
        console.print(part)


def write_page(page: str, out: Path | None) -> None:
    """Write a page to a file, or print it."""
    if out is None:
        print(page)
    else:
        out.write_text(page, encoding="utf-8")
