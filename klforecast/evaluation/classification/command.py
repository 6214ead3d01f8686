"""`klforecast classify`: accuracy and seconds of the classifiers, with MiniRocket beside them.

The package is imported inside the command: torch and sktime take seconds, and `--help` should not.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from klforecast.exceptions import KLForecastError

if TYPE_CHECKING:
    from klforecast.evaluation.cells import Progress


def classify(
    out: Annotated[Path, typer.Option(help="File of JSON lines that rows are appended to.")],
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="Set by its name in the UCR or UEA archive, or MNIST; repeat."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="spectral-ssm, spectral-ssm-gradient or minirocket; repeat."),
    ] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Seed; repeat. Default: 0.")] = None,
    param: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE for the spectral models; repeat.")
    ] = None,
    table: Annotated[
        Path | None, typer.Option(help="Write the table of all rows in the file here.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
) -> None:
    """Fit classifiers on official training parts and score them on the test parts.

    A cell that has a row in the file, with the same data, settings and versions, is not run again.
    Exit code 1 says that a cell failed; its row holds the error.
    """
    import torch

    from klforecast.evaluation.benchmark.changes import read_changes
    from klforecast.evaluation.cells import run_cells
    from klforecast.evaluation.classification.run import (
        DATASETS,
        MODELS,
        ClassificationCell,
        classification_cells,
        render_table,
    )
    from klforecast.evaluation.json_lines import read_lines

    torch.set_num_threads(threads)
    console = Console()
    models = model or ["spectral-ssm", "minirocket"]
    unknown = [name for name in models if name not in MODELS]
    if unknown:
        typer.echo(
            f"Error: unknown model {unknown[0]!r}; pass one of {', '.join(MODELS)}", err=True
        )
        raise typer.Exit(2)

    def show(progress: "Progress") -> None:
        row = progress.row
        cell = f"{row['dataset']:<18} {row['model']:<22} seed {row['seed']}"
        if row["error"] is not None:
            result = f"[red]failed: {escape(row['error'])}[/red]"
        else:
            result = f"accuracy {row['accuracy']:.4f}  fit {row['fit_cpu_seconds']:.1f} s"
        note = "" if progress.is_new else "  (in the file already)"
        console.print(f"{cell}  {result}{note}", highlight=False, soft_wrap=True)

    try:
        params = read_changes(param or [])
        cells = [
            ClassificationCell(name, each, number, params if each.startswith("spectral") else {})
            for name in dataset or DATASETS
            for each in models
            for number in seed or [0]
        ]
        rows = run_cells(classification_cells(), cells, out, on_progress=show)
    except (ValueError, KLForecastError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    if table is not None:
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(render_table(read_lines(out)), encoding="utf-8")
    n_failed = sum(row["error"] is not None for row in rows)
    console.print(f"{len(rows) - n_failed} of {len(rows)} cells have a result in {out}")
    if n_failed:
        raise typer.Exit(1)
