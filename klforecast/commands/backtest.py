"""`klforecast backtest FILE`: how forecasts of the series in a file would have done.

The package is imported inside the command: torch and sktime take seconds, and `--help` should not.
"""

from collections.abc import Sequence
from enum import StrEnum
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

    from klforecast.commands.backtest_file import Tested

_LINES_SHOWN = 60  # of a table by series, step or cutoff in the terminal
# No timing repeats to more, and seven columns of four digits are too wide for a terminal of 80.
_SECONDS_DIGITS = 2
_TITLES = {
    "mae": "MAE",
    "mase": "MASE",
    "rmsse": "RMSSE",
    "smape": "sMAPE %",
    "wql": "WQL",
    "coverage_80": "80 % held",
    "seconds": "seconds",
}


class By(StrEnum):
    """What scores are broken down by."""

    series = "series"
    step = "step"
    cutoff = "cutoff"


def backtest(
    file: File,
    horizon: Horizon,
    windows: Annotated[int, typer.Option(min=1, help="Cutoffs to forecast from.")] = 8,
    step: Annotated[
        int | None, typer.Option(min=1, help="Rows between cutoffs. Default: the horizon.")
    ] = None,
    refit: Annotated[
        int, typer.Option(min=0, help="Windows between two fits. Default: 0, one fit for all.")
    ] = 0,
    by: Annotated[By | None, typer.Option(help="Break the scores down.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write all forecasts: .csv, .csv.gz, .parquet.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw one series: .png, .svg, .pdf.")] = None,
    html: Html = None,
    series: Annotated[str | None, typer.Option(help="Series to draw. Default: the first.")] = None,
    time: Time = None,
    ids: Ids = None,
    target: Targets = None,
    covariate: Covariates = None,
    holidays: Holidays = None,
    freq: Freq = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    tz: Zone = None,
) -> None:
    """Forecast the ends of the series in a file from many cutoffs, beside seasonal naive and Theta.

    Each forecast reads only the rows before its cutoff. Nothing is written that was not asked for.
    """
    console = Console()
    with in_a_sentence(), Console(stderr=True).status("reading") as status:
        from klforecast.commands.backtest_file import backtest_file
        from klforecast.commands.outputs import check_outputs, write_table
        from klforecast.commands.roles import Asked
        from klforecast.commands.series_file import read_series
        from klforecast.commands.terminal import say_written

        check_outputs(out, plot, html)
        asked = Asked(time, ids or (), target or (), covariate or (), decimal, thousands, tz)
        # Covariates are known in all windows; none are needed after the last row.
        read = read_series(file, asked, horizon, freq, known_ahead=True)
        read = read._replace(holidays=holidays)
        read.check_label(series)
        tested = backtest_file(read, horizon, windows, step, refit, status.update)
        status.update("writing")
        if out is not None:
            write_table(tested.rows(), out)
        if plot is not None or html is not None:
            figure = _draw(tested, series)
            if plot is not None:
                figure.savefig(plot, dpi=150)
            if html is not None:
                html.write_text(_page(tested, figure), encoding="utf-8")
    _say(console, tested, by)
    say_written(console, out, plot, html)


def _draw(tested: "Tested", series: str | None) -> "Figure":
    from klforecast.commands.pictures import name_clock
    from klforecast.estimators.plots.backtests import plot_backtest

    rows = {name: model.forecasts for name, model in tested.models.items()}
    figure = plot_backtest(rows, series=series)
    name_clock(figure.axes[0], tested.file)
    return figure


def _say(console: Console, tested: "Tested", by: By | None) -> None:
    from klforecast.commands.terminal import say_file
    from klforecast.commands.wording import windows_of

    say_file(console, tested.file, tested.notes)
    header, rows = score_table(tested.scores())
    console.print(_terminal_table(windows_of(tested), ["model", *header], rows))
    if by is not None:
        scores = tested.scores(by.value).drop(columns="seconds")
        header, rows = score_table(scores)
        shown = _terminal_table(f"by {by.value}", ["model", by.value, *header], rows[:_LINES_SHOWN])
        console.print(shown)
        if len(rows) > _LINES_SHOWN:
            console.print(f"and {len(rows) - _LINES_SHOWN} rows more", highlight=False)


def _terminal_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for place, name in enumerate(header):
        table.add_column(
            name, justify="right" if place else "left", overflow="fold", no_wrap=not place
        )
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def score_table(scores: "pd.DataFrame") -> tuple[list[str], list[list[str]]]:
    """Titles and text of the scores that are shown, the labels of each row before its numbers."""
    from klforecast.commands.wording import number, stamp

    shown = [name for name in _TITLES if name in scores]
    rows = []
    for label, line in scores[shown].iterrows():
        labels = label if isinstance(label, tuple) else (label,)
        texts = [
            f"{100 * value:.0f} %"
            if name.startswith("coverage") and value == value
            else number(value, digits=_SECONDS_DIGITS if name == "seconds" else 4)
            for name, value in line.items()
        ]
        rows.append([*map(stamp, labels), *texts])
    return [_TITLES[name] for name in shown], rows


def _page(tested: "Tested", figure: "Figure") -> str:
    from klforecast.commands.page import folded, page, picture, section, table
    from klforecast.commands.wording import opening, windows_of

    header, rows = score_table(tested.scores())
    parts = []
    for by in By:
        titles, lines = score_table(tested.scores(by.value).drop(columns="seconds"))
        parts.append(folded(f"by {by.value}", table(["model", by.value, *titles], lines)))
    return page(
        f"Backtest of {tested.file.name}",
        [opening(tested.file), windows_of(tested)],
        tested.notes,
        section("Scores", table(["model", *header], rows), *parts),
        section(
            "Forecasts",
            picture(
                figure,
                "What came and what was forecast in the newest windows of one series; below, the mean "
                "absolute error by step over all windows.",
            ),
        ),
    )
