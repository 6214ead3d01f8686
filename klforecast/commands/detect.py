"""`klforecast detect FILE`: which rows of the series in a file are not what their past led to expect.

The package is imported inside the command: torch and sktime take seconds, and `--help` should not.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from klforecast.commands.options import File, Freq, Ids, Targets, Time, in_a_sentence

if TYPE_CHECKING:
    from klforecast.commands.detect_file import Found

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
    series: Annotated[str | None, typer.Option(help="Series to draw. Default: the first.")] = None,
    time: Time = None,
    ids: Ids = None,
    target: Targets = None,
    freq: Freq = None,
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
        from klforecast.estimators.plots.detections import plot_detections

        check_outputs(out, plot, None)
        if not 0 < rate < 1:
            raise ValueError(f"--rate {rate:g}: pass a share between 0 and 1, such as 0.01")
        read = read_series(file, Asked(time, ids or (), target or (), ()), 1, freq)
        read.check_label(series)
        found = detect_file(read, rate, cycle, status.update)
        status.update("writing")
        if out is not None:
            write_table(found.detections, out)
        if plot is not None:
            drawn = found.verdicts.index[0][0] if series is None else series
            figure = plot_detections(found.verdicts, rate=rate, series=drawn, name=str(drawn))
            figure.savefig(plot, dpi=150)
    _say(console, found)
    say_written(console, out, plot)


def _say(console: Console, found: "Found") -> None:
    from klforecast.commands.terminal import say_file
    from klforecast.commands.wording import number, stamp

    say_file(console, found.file, found.notes)
    judged = int(found.verdicts["p_value"].notna().sum())
    title = (
        f"{len(found.detections)} found in {judged:,} rows that could be forecast; if nothing was the "
        f"matter, some {judged * found.rate:.0f} would be called outliers"
    )
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("series", "time", "value", "expected", "p-value", "kind"):
        table.add_column(name, justify="left" if name in ("series", "time", "kind") else "right")
    for line in found.detections.head(_LINES_SHOWN).itertuples(index=False):
        texts = (
            str(line.series),
            stamp(line.time),
            number(line.value),
            number(line.expected),
            number(line.p_value),
            line.kind,
        )
        table.add_row(*map(escape, texts))
    console.print(table)
    if len(found.detections) > _LINES_SHOWN:
        console.print(f"and {len(found.detections) - _LINES_SHOWN} more", highlight=False)
