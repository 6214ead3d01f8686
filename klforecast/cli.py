"""The command line: forecasts of a file, a demo, the benchmark, its report, and what there is to run.

The package is imported inside the commands: torch and sktime take seconds, and `--help` should not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from klforecast.commands.backtest import backtest
from klforecast.commands.detect import detect
from klforecast.commands.forecast import forecast
from klforecast.evaluation.classification.command import classify
from klforecast.evaluation.leakage.command import leakage
from klforecast.evaluation.lra.command import lra
from klforecast.exceptions import KLForecastError

if TYPE_CHECKING:
    from klforecast.evaluation.cells import Progress

app = typer.Typer(
    help="Forecasting and classification with spectral (Karhunen-Loeve) memory.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command()(forecast)
app.command()(backtest)
app.command()(detect)
app.command()(leakage)
app.command()(lra)
app.command()(classify)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"klforecast {metadata.version('klforecast')}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Forecasting and classification with spectral (Karhunen-Loeve) memory."""


class Regime(StrEnum):
    """How far back a forecast may look."""

    free = "free"
    lookback96 = "lookback96"


class FitOn(StrEnum):
    """Rows that a model is handed to fit on."""

    both = "train+validation"
    train = "train"


class Suite(StrEnum):
    """Data sets that are run together."""

    gift_eval = "gift-eval"
    competitions = "competitions"
    worlds = "worlds"
    long_horizon = "long-horizon"
    everything = "everything"


class Format(StrEnum):
    """Form of a report."""

    html = "html"
    markdown = "markdown"


Horizons = Annotated[
    list[int] | None,
    typer.Option("--horizon", min=1, help="Steps ahead; repeat. Default: those of the protocol."),
]


@contextmanager
def _plain(*kinds: type[Exception]) -> Iterator[None]:
    """End with the message of these errors, and exit code 2, instead of a traceback."""
    try:
        yield
    except kinds as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error


@app.command()
def demo(
    plot: Annotated[Path | None, typer.Option(help="Draw the forecast to this file.")] = None,
    horizon: Annotated[int, typer.Option(min=1, max=84, help="Months to hold out.")] = 36,
) -> None:
    """Forecast the airline series that ships with sktime, against Theta and the last season."""
    from klforecast.evaluation.demo import plot_demo, run_demo

    result = run_demo(horizon)
    table = Table(title=f"Airline passengers, the last {horizon} months held out")
    for column in ("model", "MAE (thousands)", "sMAPE (%)", "MASE", "seconds"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for made in result.forecasts:
        table.add_row(
            made.model,
            f"{made.mae:.1f}",
            f"{made.smape:.2f}",
            f"{made.mase:.3f}",
            f"{made.seconds:.2f}",
        )
    console = Console()
    console.print(table)
    if plot is not None:
        with _plain(ImportError, OSError, ValueError):
            plot_demo(result, plot)
        console.print(f"Picture: {plot}")


@app.command()
def benchmark(
    out: Annotated[Path, typer.Option(help="File of JSON lines that rows are appended to.")],
    dataset: Annotated[
        list[str] | None, typer.Option(help="Data set; repeat. See `datasets`.")
    ] = None,
    suite: Annotated[
        Suite | None, typer.Option(help="Many data sets by one protocol, in place of --dataset.")
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="Model; repeat. See `models`. Suites: klmemory and seasonal-naive."),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Pattern of a suite's configurations; repeat.")
    ] = None,
    horizon: Horizons = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed; repeat. Default: 0.")] = None,
    regime: Annotated[Regime, typer.Option(help="How far back a forecast may look.")] = Regime.free,
    fit_on: Annotated[FitOn, typer.Option(help="Rows handed to `fit`.")] = FitOn.both,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE to change in every model; repeat.")
    ] = None,
    rerun: Annotated[bool, typer.Option(help="Run cells that have a row already.")] = False,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads of torch; more can be slower on shared cores.")
    ] = 1,
    jobs: Annotated[
        int, typer.Option(help="Processes that cells run in; -1 takes all processors.")
    ] = 1,
) -> None:
    """Fit and score models on data sets, or on a suite of them, one JSON row per cell.

    A cell that has a row in the file, with the same data, settings and versions, is not run again.
    Exit code 1 says that a cell failed; its row holds the error.
    """
    import torch

    from klforecast.evaluation.benchmark.changes import read_changes
    from klforecast.evaluation.benchmark.runner import benchmark_cells, expand_cells
    from klforecast.evaluation.cells import run_cells
    from klforecast.evaluation.suites.plan import DEFAULT_MODELS, Plan, plan
    from klforecast.evaluation.suites.runner import SUITE_CELLS

    torch.set_num_threads(threads)
    seeds = seed or [0]
    with _plain(ValueError, ImportError, KLForecastError):
        if (suite is None) == (not dataset):
            raise ValueError("pass either --dataset or --suite")
        if jobs < 1 and jobs != -1:
            raise ValueError(
                f"--jobs is {jobs}; pass 1 or more processes, or -1 for all processors"
            )
        changes = read_changes(param or [])
        if suite is None:
            if not model or only:
                raise ValueError("--dataset needs --model, and takes no --only")
            cells = expand_cells(dataset or [], model, horizon, seeds, regime, fit_on, changes)
            todo = Plan([], cells, [])
        else:
            if horizon or len(seeds) > 1 or regime is not Regime.free or fit_on is not FitOn.both:
                raise ValueError(
                    "a suite has its own horizons, past and rows to fit on, and takes one seed; "
                    "leave out --horizon, --regime and --fit-on"
                )
            todo = plan(suite, model or DEFAULT_MODELS, only or (), seeds[0], changes)
    console = Console()
    if todo.left_out:
        console.print(f"the long-horizon suite does without {', '.join(todo.left_out)}")
    rows = []
    if todo.suite_cells:
        with _bar(console, len(todo.suite_cells), _suite_line) as show:
            rows += run_cells(
                SUITE_CELLS, todo.suite_cells, out, rerun=rerun, n_jobs=jobs, on_progress=show
            )
    if todo.window_cells:
        with _bar(console, len(todo.window_cells), _row_line) as show:
            rows += run_cells(
                benchmark_cells(),
                todo.window_cells,
                out,
                rerun=rerun,
                n_jobs=jobs,
                on_progress=show,
            )
    n_failed = sum(row["error"] is not None for row in rows)
    console.print(f"{len(rows) - n_failed} of {len(rows)} cells have a result in {out}")
    if n_failed:
        raise typer.Exit(1)


@contextmanager
def _bar(console: Console, total: int, line: Callable[[Any], str]) -> Iterator[Callable]:
    """Show a progress bar; what is yielded takes the progress after each cell."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with ProgressBar(*columns, console=console) as bar:
        task = bar.add_task("cells", total=total, left="")

        def show(progress: "Progress") -> None:
            left = progress.seconds_left
            bar.update(task, completed=progress.n_done, left="" if left is None else _left(left))
            console.print(line(progress), highlight=False, soft_wrap=True)

        yield show


def _left(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"about {minutes} min left" if minutes else f"about {rest} s left"


def _row_line(progress: "Progress") -> str:
    row = progress.row
    cell = f"{row['dataset']:<10} {row['model']:<20} {row['horizon']:>4}  seed {row['seed']}"
    if row["error"] is not None:
        return f"{cell}  [red]failed: {escape(row['error'])}[/red]"
    names = ("mse", "mae") if row["mse"] is not None else ("smape", "mase")
    errors = "  ".join(f"{name} {row[name]:.4f}" for name in names)
    cost = f"fit {row['fit_seconds']:.1f} s  forecast {row['predict_seconds']:.1f} s"
    return f"{cell}  {errors}  {cost}" + ("" if progress.is_new else "  (in the file already)")


def _suite_line(progress: "Progress") -> str:
    from klforecast.evaluation.suites.wording import scores_of

    row = progress.row
    cell = f"{row['config']:<30} {row['model']:<15}"
    if row["error"] is not None:
        return f"{cell}  [red]failed: {escape(row['error'])}[/red]"
    said = f"{cell}  {scores_of(row)}  CPU {row['cpu_seconds']:.1f} s"
    n_warnings = sum((row["warnings"] or {}).values())
    if n_warnings:
        said += f"  {n_warnings} warnings, in the row"
    return said + ("" if progress.is_new else "  (in the file already)")


@app.command()
def report(
    rows: Annotated[list[Path], typer.Argument(help="Files of `benchmark` or `lra`.", exists=True)],
    out: Annotated[Path | None, typer.Option(help="File to write. Default: the terminal.")] = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the report.")] = Format.html,
    title: Annotated[str, typer.Option(help="Title of the page.")] = "klforecast benchmark",
) -> None:
    """Write pictures and tables of benchmark rows, beside published numbers and their sources."""
    with _plain(ImportError, ValueError):
        from klforecast.evaluation.benchmark.rows import read_rows
        from klforecast.evaluation.lra.run_rows import read_runs
        from klforecast.evaluation.report.html import render_html
        from klforecast.evaluation.report.markdown import render_markdown
        from klforecast.evaluation.suites.rows import read_suite_rows

        found, runs, suites = read_rows(*rows), read_runs(*rows), read_suite_rows(*rows)
        text = (
            render_html(found, title, runs, suites)
            if form is Format.html
            else render_markdown(found, runs, suites)
        )
    if out is None:
        typer.echo(text)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{len(found) + len(runs) + len(suites)} rows: {out}")


@app.command()
def datasets() -> None:
    """List the data sets, and which of their files are found."""
    from klforecast.evaluation.benchmark.listing import dataset_sources

    table = Table("data set", "file")
    with _plain(KLForecastError):
        for name, source in dataset_sources().items():
            table.add_row(name, source)
    Console().print(table)


@app.command()
def models() -> None:
    """List the models of the benchmark."""
    from klforecast.evaluation.benchmark.models import GROUPS, MODELS
    from klforecast.evaluation.suites.models import SUITE_MODELS

    table = Table("model", "what it is", "needs")
    for name, entry in MODELS.items():
        missing = ", ".join(entry.missing)
        table.add_row(name, entry.about, f"{missing} (not installed)" if missing else "")
    for name, members in GROUPS.items():
        table.add_row(name, f"{len(members)} models: {members[0]} ... {members[-1]}", "")
    Console().print(table)
    suites = Table("model of the suites", "what it is", "needs")
    for name, suite_entry in SUITE_MODELS.items():
        suites.add_row(name, suite_entry.about, ", ".join(suite_entry.needs))
    Console().print(suites)
