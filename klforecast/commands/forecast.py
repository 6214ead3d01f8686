"""`klforecast forecast FILE`: forecasts of the series in a file, and the error to expect of them.

The package is imported inside the command: torch and sktime take seconds, and `--help` should not.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from klforecast.commands.options import (
    Covariates,
    Decimal,
    File,
    Freq,
    Future,
    Holidays,
    Horizon,
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

    from klforecast.commands.forecast_file import Outlook

_LINES_SHOWN = 20  # of a table in the terminal
_HEADER = ("series", "rows", "first", "last", "missing", "error", "seasonal naive")


def forecast(
    file: File,
    horizon: Horizon,
    out: Annotated[
        Path | None, typer.Option(help="Write the forecasts: .csv, .csv.gz, .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them: .png, .svg, .pdf.")] = None,
    html: Html = None,
    time: Time = None,
    ids: Ids = None,
    target: Targets = None,
    covariate: Covariates = None,
    future: Future = None,
    level: Annotated[
        list[float] | None,
        typer.Option(help="Coverage of an interval in percent; repeat. Default: 80 and 95."),
    ] = None,
    holidays: Holidays = None,
    freq: Freq = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    tz: Zone = None,
) -> None:
    """Forecast the series in a CSV or Parquet file, and say what error to expect.

    Columns of time, series and target are found where they are not named. Nothing is written that was
    not asked for.
    """
    console = Console()
    with in_a_sentence(), Console(stderr=True).status("reading") as status:
        from klforecast.commands.forecast_file import forecast_file
        from klforecast.commands.outputs import check_outputs, write_table
        from klforecast.commands.roles import Asked
        from klforecast.commands.series_file import read_series
        from klforecast.commands.terminal import say_written
        from klforecast.estimators.arguments import check_percentages

        check_outputs(out, plot, html)
        check_percentages("--level", level or ())
        asked = Asked(time, ids or (), target or (), covariate or (), decimal, thousands, tz)
        series = read_series(file, asked, horizon, freq, future)._replace(holidays=holidays)
        outlook = forecast_file(series, horizon, level or (80.0, 95.0), status.update)
        status.update("writing")
        if out is not None:
            write_table(as_rows(outlook), out)
        if plot is not None or html is not None:
            from klforecast.commands.pictures import draw_forecasts

            figure = draw_forecasts(outlook)
            if plot is not None:
                figure.savefig(plot, dpi=150)
            if html is not None:
                html.write_text(_page(outlook, figure), encoding="utf-8")
    _say(console, outlook)
    if not say_written(console, out, plot, html):
        _show_rows(console, outlook)


def as_rows(outlook: "Outlook") -> "pd.DataFrame":
    """Forecasts with the columns of the file: series where it has some, time, forecast, intervals."""
    file = outlook.file
    rows = file.written(outlook.forecasts.reset_index(), file.panel.index.names[1])
    named = file.roles.ids or file.is_panel
    return rows if named else rows.iloc[:, 1:]


def _say(console: Console, outlook: "Outlook") -> None:
    from klforecast.commands.terminal import say_file
    from klforecast.commands.wording import cycles, held_out, notes, summary

    say_file(console, outlook.file, notes(outlook))
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(_HEADER):
        table.add_column(
            name, justify="right" if place else "left", overflow="fold", no_wrap=place in (2, 3)
        )
    lines = summary(outlook)
    for line in lines[:_LINES_SHOWN]:
        table.add_row(*map(escape, line))
    console.print(table)
    if len(lines) > _LINES_SHOWN:
        console.print(f"and {len(lines) - _LINES_SHOWN} series more", highlight=False)
    if outlook.held is not None:
        console.print(
            "Errors are mean absolute ones over held-out rows, in the units of the file: what to expect.",
            highlight=False,
        )
    console.print(cycles(outlook.periods, outlook.file.frequency), highlight=False)
    console.print(held_out(outlook), highlight=False)


def _show_rows(console: Console, outlook: "Outlook") -> None:
    from klforecast.commands.wording import number, stamp

    rows = as_rows(outlook)
    table = Table(title="forecast", title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    texts = [name for name in rows.columns if rows[name].dtype.kind != "f"]
    for name in rows.columns:
        table.add_column(escape(str(name)), justify="left" if name in texts else "right")
    shown = rows.head(_LINES_SHOWN)
    columns = [shown[name].map(stamp if name in texts else number) for name in shown]
    for cells in zip(*columns, strict=True):
        table.add_row(*map(escape, cells))
    console.print(table)
    left = len(rows) - _LINES_SHOWN
    more = f"and {left} rows more; " if left > 0 else ""
    console.print(f"{more}--out forecast.csv writes the rows", highlight=False)


def _page(outlook: "Outlook", figure: "Figure") -> str:
    from klforecast.commands.page import folded, page, picture, section, table
    from klforecast.commands.pictures import MOST_DRAWN
    from klforecast.commands.wording import (
        cycles,
        held_out,
        notes,
        number,
        opening,
        stamp,
        summary,
    )

    file = outlook.file
    drawn = "" if len(file.labels) <= MOST_DRAWN else f" of the first {MOST_DRAWN} series"
    header = [file.roles.time or "row", *outlook.forecasts]
    parts = [
        folded(
            str(label),
            table(
                header,
                [
                    [stamp(time), *(number(value) for value in row)]
                    for time, row in zip(
                        file.shown(rows.index.get_level_values(1)), rows.to_numpy(), strict=True
                    )
                ],
            ),
        )
        for label, rows in outlook.forecasts.groupby(level=0, sort=False)
    ]
    return page(
        f"Forecast of {file.name}",
        [opening(file), cycles(outlook.periods, file.frequency), held_out(outlook)],
        notes(outlook),
        section(
            "Forecasts",
            picture(figure, f"Forecasts{drawn} with intervals, after the newest known rows."),
        ),
        section(
            "Series",
            table(_HEADER, summary(outlook)),
            '<p class="note">Errors are mean absolute ones over the held-out rows, in the units of the '
            "file.</p>",
        ),
        section("Numbers", *parts),
    )
