"""`klforecast leakage`: the leakage report of any sktime forecaster, for a terminal and for CI.

Exit code 0: clean. 1: a leak was found. 2: the arguments cannot be used, or a check could not be run
because the forecaster raised. 3: something is suspicious, and the evidence says what would settle it.

The package is imported inside the command: torch and sktime take seconds, and `--help` should not.
"""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from klforecast.evaluation.leakage import LeakageReport

_COLOURS = {"passed": "green", "leak": "bold red", "suspicious": "bold yellow", "error": "red"}
_QUIET = ("passed", "reported", "not applicable")  # their evidence is shown when asked for


def leakage(
    forecaster: Annotated[
        str,
        typer.Argument(
            metavar="MODULE:NAME",
            help="A forecaster's class, an instance, or a function of y that returns one; the "
            "working directory is looked in too.",
        ),
    ],
    dataset: Annotated[str | None, typer.Option(help="Data set. See `datasets`.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(help="File of one series: stamps in the first column.", exists=True),
    ] = None,
    rows: Annotated[int | None, typer.Option(min=20, help="Use the first rows only.")] = None,
    horizon: Annotated[
        int | None, typer.Option(min=1, help="Steps ahead. Default: see `leakage_report`.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the class or function; repeat.")
    ] = None,
    check: Annotated[list[str] | None, typer.Option(help="Check to run; repeat. All.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the changed rows.")] = 0,
    verbose: Annotated[bool, typer.Option(help="Show the evidence of what passed too.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="File to write too: .html, .json or .csv.")
    ] = None,
) -> None:
    """Check that a forecaster does not know what it must not know.

    Exit code 1 says that a leak was found, 3 that something is suspicious, 2 that the checks could
    not all be run.
    """
    from klforecast.evaluation.benchmark.changes import read_changes
    from klforecast.evaluation.leakage import leakage_report
    from klforecast.exceptions import KLForecastError

    try:
        if out is not None and out.suffix not in (".html", ".json", ".csv"):
            raise ValueError(f"--out takes a file .html, .json or .csv, got {out.name}")
        subject = _import(forecaster, read_changes(param or []))
        y = _read(dataset, csv).iloc[:rows]
        report = leakage_report(subject, y, fh=horizon, checks=check or None, random_state=seed)
    except (ValueError, TypeError, ImportError, AttributeError, KLForecastError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    console = Console()
    console.print(f"{escape(report.forecaster)}: [bold]{report.headline}[/]", highlight=False)
    console.print(_lines(report, verbose), highlight=False)
    if out is not None:
        _write(report, out)
    if not report.passed:
        raise typer.Exit({"leak": 1, "suspicious": 3}.get(report.verdict, 2))


def _import(name: str, params: dict[str, Any]) -> Any:
    from sktime.forecasting.base import BaseForecaster

    module, colon, attribute = name.partition(":")
    if not module or not colon or not attribute:
        raise ValueError(
            f"got {name!r}; name the forecaster as MODULE:NAME, for example "
            f"sktime.forecasting.naive:NaiveForecaster"
        )
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        found = getattr(import_module(module), attribute)
    finally:
        sys.path.remove(here)
    if isinstance(found, type):
        return found(**params)
    if isinstance(found, BaseForecaster):
        return found.clone().set_params(**params)
    return partial(found, **params)


def _read(dataset: str | None, csv: Path | None) -> "pd.DataFrame":
    import pandas as pd

    from klforecast.data import load

    if (dataset is None) == (csv is None):
        raise ValueError("pass either --dataset or --csv")
    if dataset is not None:
        return load(dataset).frame
    frame = pd.read_csv(csv, index_col=0)
    if not pd.api.types.is_integer_dtype(frame.index):
        frame.index = pd.to_datetime(frame.index)
        frame.index.freq = frame.index.inferred_freq
    return frame


def _lines(report: "LeakageReport", verbose: bool) -> Table:
    """One line for a check in which nothing was found; the evidence of all else below its route."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for check in dict.fromkeys(row.check for row in report.rows):
        rows = [row for row in report.rows if row.check == check]
        quiet = [row for row in rows if row.verdict in _QUIET and not verbose]
        if quiet:
            verdict = (
                "passed" if any(row.verdict == "passed" for row in quiet) else quiet[0].verdict
            )
            routes = ", ".join(row.route.split(" (")[0] for row in quiet if row.verdict == verdict)
            table.add_row(_coloured(verdict), f"[bold]{check}[/]: {escape(routes)}")
        for row in rows:
            if row not in quiet:
                where = (
                    f"[bold]{check}[/], {escape(row.route)}" if row.route else f"[bold]{check}[/]"
                )
                table.add_row(_coloured(row.verdict), f"{where}: {escape(row.evidence)}")
    return table


def _coloured(verdict: str) -> str:
    return f"[{_COLOURS.get(verdict, 'dim')}]{verdict}[/]"


def _write(report: "LeakageReport", out: Path) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    text = {
        ".html": report.to_html,
        ".json": report.to_json,
        ".csv": lambda: report.to_frame().to_csv(index=False),
    }[out.suffix]()
    out.write_text(text, encoding="utf-8")
    typer.echo(f"Report: {out}")
