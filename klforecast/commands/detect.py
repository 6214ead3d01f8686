"""`klforecast detect FILE`: which rows of the series in a file are not what their past led to expect.

The package is imported inside the command: torch and sktime take seconds, and `--help` should not.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from klforecast.commands.options import (
    Decimal,
    File,
    Freq,
    Html,
    Ids,
    Targets,
    Thousands,
    Time,
    Zone,
    in_a_sentence,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from klforecast.commands.detect_file import Found

_COLUMNS = ("series", "time", "value", "expected", "p-value", "kind")
_LINES_SHOWN = 60  # in the terminal; the others are counted


def detect(
    file: File,
    rate: Annotated[
        float, typer.Option(help="False alarms: share of undisturbed rows, and of cycles.")
    ] = 0.01,
    cycle: Annotated[
        int | None, typer.Option(min=1, help="Rows of a cycle. Default: found.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write what was found: .csv, .csv.gz, .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw one series: .png, .svg, .pdf.")] = None,
    html: Html = None,
    series: Annotated[str | None, typer.Option(help="Series to draw. Default: the first.")] = None,
    time: Time = None,
    ids: Ids = None,
    target: Targets = None,
    freq: Freq = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    tz: Zone = None,
) -> None:
    """Find outliers and changes of level in the series of a file, at a stated rate of false alarms.

    Each row is forecast from the rows before it. Nothing is written that was not asked for.
    """
    console = Console()
    with in_a_sentence(), Console(stderr=True).status("reading") as status:
        from klforecast.commands.detect_file import detect_file
        from klforecast.commands.outputs import check_outputs, write_table
        from klforecast.commands.roles import Asked
        from klforecast.commands.series_file import read_series
        from klforecast.commands.terminal import say_written

        check_outputs(out, plot, html)
        if not 0 < rate < 1:
            raise ValueError(f"--rate {rate:g}: pass a share between 0 and 1, such as 0.01")
        asked = Asked(time, ids or (), target or (), (), decimal, thousands, tz)
        read = read_series(file, asked, 1, freq)
        read.check_label(series)
        found = detect_file(read, rate, cycle, status.update)
        status.update("writing")
        if out is not None:
            write_table(found.detections, out)
        if plot is not None or html is not None:
            figure = _draw(found, series)
            if plot is not None:
                figure.savefig(plot, dpi=150)
            if html is not None:
                html.write_text(_page(found, figure), encoding="utf-8")
    _say(console, found)
    say_written(console, out, plot, html)


def _draw(found: "Found", series: str | None) -> "Figure":
    from klforecast.commands.pictures import name_clock
    from klforecast.estimators.plots.detections import plot_detections

    drawn = found.verdicts.index[0][0] if series is None else series
    figure = plot_detections(found.verdicts, rate=found.rate, series=drawn, name=str(drawn))
    name_clock(figure.axes[1], found.file)
    return figure


def _how_many(found: "Found") -> str:
    judged = int(found.verdicts["p_value"].notna().sum())
    return (
        f"{len(found.detections)} found in {judged:,} rows that could be forecast; if nothing was the "
        f"matter, some {judged * found.rate:.0f} would be called outliers"
    )


def _lines(detections: "pd.DataFrame") -> Iterable[tuple[str, ...]]:
    from klforecast.commands.wording import number, stamp

    for line in detections.itertuples(index=False):
        numbers = map(number, (line.value, line.expected, line.p_value))
        yield str(line.series), stamp(line.time), *numbers, str(line.kind)


def _page(found: "Found", figure: "Figure") -> str:
    from klforecast.commands.page import page, picture, section, table
    from klforecast.commands.wording import opening

    return page(
        f"What is odd in {found.file.name}",
        [opening(found.file), _how_many(found)],
        found.notes,
        section("Found", table(_COLUMNS, [*_lines(found.detections)])),
        section(
            "One series",
            picture(
                figure,
                "The rows, what was expected of them, and what was found; below, how likely as large an "
                "error is where nothing is the matter.",
            ),
        ),
    )


def _say(console: Console, found: "Found") -> None:
    from klforecast.commands.terminal import say_file

    say_file(console, found.file, found.notes)
    title = escape(_how_many(found))
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name in ("series", "time", "kind") else "right")
    for texts in _lines(found.detections.head(_LINES_SHOWN)):
        table.add_row(*map(escape, texts))
    console.print(table)
    if len(found.detections) > _LINES_SHOWN:
        console.print(f"and {len(found.detections) - _LINES_SHOWN} more", highlight=False)
