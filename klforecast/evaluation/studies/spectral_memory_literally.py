"""The paper of Spectral Memory taken literally: one token a step, 3,000 batches remembered, its five seeds.

    python -m klforecast.evaluation.studies.spectral_memory_literally --width 512 --device cuda \
        --out rows.jsonl --page table.md

The transformer of the paper on ETTh1 with the tokens that it reads in three ways where accuracy is measured: those of
its training run, as the paper describes (frozen); zeros, as its published code has it (empty); and no memory at all
(none). Four horizons, 96 steps of lookback.

Cells come seed by seed, all readouts of a horizon together. Rows that the file holds already are not measured again.
A width of 512 asks for a graphics processor; smaller ones are for machines without one.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from klforecast.evaluation.benchmark.protocol import Cell
from klforecast.evaluation.benchmark.published import STANDARD_HORIZONS
from klforecast.evaluation.benchmark.runner import benchmark_cells
from klforecast.evaluation.cells import Progress, run_cells
from klforecast.evaluation.studies.command import make_parser, markdown_table, show, write_page
from klforecast.evaluation.studies.memory_gains import estimate, paired_gain

DATASET = "ETTh1"
SEEDS = range(2019, 2024)
"""Those of the paper."""

WIDTH = 512
"""That of the paper."""

READOUTS = {
    "frozen": "spectral-memory",
    "empty": "spectral-memory-empty",
    "none": "spectral-memory-none",
}
"""Models of the benchmark by what they read."""


def literal_cells(
    horizons: Sequence[int] = STANDARD_HORIZONS,
    seeds: Sequence[int] = SEEDS,
    width: int = WIDTH,
    device: str = "cpu",
    max_epochs: int | None = None,
) -> Iterator[Cell]:
    """Cells, seed by seed.

    Parameters
    ----------
    horizons, seeds : sequence of int
    width : int, default=512
        Of the states, a multiple of four for as many heads.
    device : str, default="cpu"
        Where the network is trained.
    max_epochs : int, optional
        At most; None takes the ten of the paper.
    """
    params: dict[str, Any] = {"patch_length": 1, "d_model": width}
    # Left out where they are as they come, so that rows of one setting are known by one set of changes.
    params |= {"device": device} if device != "cpu" else {}
    params |= {"max_epochs": max_epochs} if max_epochs is not None else {}
    for seed, horizon, model in product(seeds, horizons, READOUTS.values()):
        yield Cell(DATASET, model, horizon, seed, params=params)


def page_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Tables in Markdown, one for each width and number of epochs."""
    settings: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["error"] is None:
            params = row["params"]
            settings.setdefault((params["d_model"], params["max_epochs"]), []).append(row)
    parts = []
    for (width, epochs), own in sorted(settings.items(), reverse=True):
        minutes = sum(row["cpu_seconds"] for row in own) / 60
        parts.append(
            f"**Width {width}, up to {epochs} epochs** ({len(own)} of "
            f"{len(STANDARD_HORIZONS) * len(SEEDS) * len(READOUTS)} cells, {minutes:.0f} CPU minutes)"
        )
        columns = ("steps ahead", *READOUTS, "frozen, gain", "empty, gain", "seeds")
        parts.append(markdown_table(columns, _lines(own)).strip())
    return "\n\n".join(parts) + "\n"


def _lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    for horizon in sorted({row["horizon"] for row in rows}):
        errors = {
            readout: {
                row["seed"]: row["mse"]
                for row in rows
                if row["horizon"] == horizon and row["model"] == model
            }
            for readout, model in READOUTS.items()
        }
        gains = [paired_gain(errors["none"], errors[readout]) for readout in ("frozen", "empty")]
        yield [
            str(horizon),
            *(f"{estimate(list(of.values())):.4f}" if of else "-" for of in errors.values()),
            *("-" if gain is None else f"{gain:+.1f} %" for gain in gains),
            str(max(map(len, errors.values()))),
        ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cells that the file lacks, and write the table of all of its rows."""
    parser = make_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines to append to")
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    parser.add_argument("--max-epochs", type=int, help="at most; those of the paper")
    parser.add_argument("--horizons", type=int, nargs="+", default=STANDARD_HORIZONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--page", type=Path, help="file to write the tables to; the terminal")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # two are slower on problems of this size
    kind = benchmark_cells()
    cells = literal_cells(
        options.horizons, options.seeds, options.width, options.device, options.max_epochs
    )
    run_cells(kind, cells, options.out, on_progress=_tell)
    write_page(page_of(kind.read(options.out)), options.page)


def _tell(progress: Progress) -> None:
    row = progress.row
    result = row["error"] or f"MSE {row['mse']:.4f}"
    place = f"{row['model']}, {row['horizon']} steps, seed {row['seed']}"
    show(f"{progress.n_done} of {progress.n_cells}: {place}, {result}")


if __name__ == "__main__":
    main()
