"""`klforecast lra`: train on a task of Long Range Arena and measure the network.

Under `torchrun` or `accelerate launch` all processes share the batch, and the first one writes:

    torchrun --nproc-per-node 2 -m klforecast.evaluation.lra --task listops

`--evaluate CHECKPOINT` trains nothing, and measures the network of a training that has ended.
The package is imported inside the command: torch and skorch take seconds, and `--help` should not.
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping


class TaskName(StrEnum):
    """Tasks of the arena."""

    listops = "listops"
    text = "text"
    retrieval = "retrieval"
    pathfinder = "pathfinder"


def lra(
    task: Annotated[TaskName | None, typer.Option(help="Task.")] = None,
    evaluate: Annotated[
        Path | None,
        typer.Option(
            metavar="CHECKPOINT",
            help="Train nothing: score and measure the network of this checkpoint. Task, "
            "configuration and seed are in it.",
        ),
    ] = None,
    config: Annotated[str, typer.Option(help="small, full, or a YAML file of your own.")] = "small",
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the official files. Default: synthetic sequences.", exists=True
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File of JSON lines. Default: lra-synthetic.jsonl or lra-official.jsonl."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, order and dropout.")] = 0,
    param: Annotated[
        list[str] | None,
        typer.Option(help="PART.NAME=VALUE to change in the configuration; repeat."),
    ] = None,
    mixed_precision: Annotated[
        str | None, typer.Option(help="no, bf16 or fp16. Default: that of the configuration.")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Folder to write checkpoints to, to resume and to measure from. Default: one "
            "beside --out."
        ),
    ] = None,
    wandb: Annotated[
        str | None, typer.Option(help="Log to this project of Weights & Biases.")
    ] = None,
    measure_throughput: Annotated[bool, typer.Option(help="Measure steps per second.")] = False,
    measure_memory: Annotated[bool, typer.Option(help="Measure the peak of memory.")] = False,
    profile_layers: Annotated[bool, typer.Option(help="Measure the cost of each layer.")] = False,
    compression_ratios: Annotated[
        list[float] | None,
        typer.Option(
            metavar="SHARE...",
            help="Shares of the modes to keep, for example 1 0.5 0.25: accuracy and cost with "
            "low-pass, random and energy masks, and learned ones where there are some.",
        ),
    ] = None,
    # An option takes one value; what follows it arrives here.
    more_ratios: Annotated[list[float] | None, typer.Argument(hidden=True)] = None,
    rerun: Annotated[bool, typer.Option(help="Train again what has a row already.")] = False,
    cpu: Annotated[bool, typer.Option(help="Compute on the CPU, whatever else there is.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
) -> None:
    """Train on a task of Long Range Arena, score its test part, and append a row.

    Without --data the sequences are drawn by generators of our own. They are synthetic, the row
    says so, and its accuracy must not be held against published ones. A run that has a row in the
    file is not trained again; measures that its row lacks are taken from its checkpoint. Exit code
    1 says that the run or a measure failed; the row holds the error.
    """
    import torch

    from klforecast.evaluation.benchmark.changes import read_changes
    from klforecast.evaluation.lra.config import read_config
    from klforecast.evaluation.lra.measure import Measures
    from klforecast.evaluation.lra.run import evaluate_checkpoint, run_task
    from klforecast.exceptions import KLForecastError
    from klforecast.training.accelerated import leave_processes

    torch.set_num_threads(threads)
    console = Console()
    try:
        measures = Measures(
            measure_throughput,
            measure_memory,
            profile_layers,
            _ratios(compression_ratios or [], more_ratios or []),
        )
        out = out or Path(f"lra-{'synthetic' if data is None else 'official'}.jsonl")
        if evaluate is not None:
            _refuse_beside_a_checkpoint(
                {
                    "--task": task is not None,
                    "--config": config != "small",
                    "--seed": seed != 0,
                    "--param": bool(param),
                    "--mixed-precision": mixed_precision is not None,
                },
                {
                    "--checkpoints": checkpoints is not None,
                    "--wandb": wandb is not None,
                    "--rerun": rerun,
                },
            )
            row = evaluate_checkpoint(evaluate, out, folder=data, measures=measures, cpu=cpu)
            is_new = False
        elif task is None:
            raise ValueError("pass --task, or --evaluate with a checkpoint")
        else:
            changes = read_changes(param or [])
            if mixed_precision is not None:
                changes["training.mixed_precision"] = mixed_precision
            row, is_new = run_task(
                read_config(config, task.value).changed(changes),
                out,
                folder=data,
                seed=seed,
                measures=measures,
                checkpoints=checkpoints,
                callbacks=[] if wandb is None else [_wandb_logger(wandb, task.value, seed)],
                cpu=cpu,
                rerun=rerun,
                verbose=1,
            )
    except (ValueError, TypeError, OSError, ImportError, KLForecastError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from error
    finally:
        leave_processes()
    if row["error"] is not None:
        typer.echo(f"Error: {row['error']}", err=True)
        raise typer.Exit(1)
    console.print(_table(row, is_new))
    for name, why in (row["unmeasured"] or {}).items():
        typer.echo(f"Error: {name} could not be measured: {why}", err=True)
    if row["unmeasured"]:
        raise typer.Exit(1)


def _refuse_beside_a_checkpoint(held: dict[str, bool], training: dict[str, bool]) -> None:
    for option in (name for name, given in held.items() if given):
        raise ValueError(f"{option} is in the checkpoint; leave it out")
    for option in (name for name, given in training.items() if given):
        raise ValueError(f"{option} trains; leave it out with --evaluate")


def _ratios(first: list[float], more: list[float]) -> tuple[float, ...]:
    if more and not first:
        raise ValueError(f"got {more[0]:g} without an option; name the option it belongs to")
    if any(not 0 < ratio <= 1 for ratio in first + more):
        raise ValueError(f"compression ratios are {first + more}; pass shares of modes in (0, 1]")
    return tuple(first + more)


def _wandb_logger(project: str, task: str, seed: int) -> Any:
    from klforecast.training.accelerated import wandb_logger

    return wandb_logger(project, name=f"{task}-seed{seed}")


def _table(row: "Mapping[str, Any]", is_new: bool) -> Table:
    note = "" if is_new else " (trained before)"
    table = Table(title=f"{row['task']}, {row['source']} sequences, seed {row['seed']}{note}")
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_row("accuracy", f"{row['accuracy']:.4f}")
    table.add_row("most frequent class", f"{row['majority']:.4f}")
    table.add_row("length", f"{row['length']}")
    table.add_row("epochs", f"{row['epochs']}, best {row['best_epoch']}")
    table.add_row("seconds to fit", f"{row['fit_seconds']:.0f}")
    table.add_row("parameters", f"{row['n_parameters']:,}")
    if row["throughput"] is not None:
        table.add_row("steps per second", f"{row['throughput']['tokens_per_second']:,.0f}")
    for name, value in (row["memory"] or {}).items():
        table.add_row(name, "unknown" if value is None else f"{value:.0f}")
    for layer in row["layers"] or []:
        table.add_row(layer["layer"], f"{layer['milliseconds']:.1f} ms, {layer['share']:.0%}")
    for point in row["compression"] or []:
        table.add_row(
            f"{point['mask']}, {point['ratio']:g} of the modes", f"{point['accuracy']:.4f}"
        )
    return table
