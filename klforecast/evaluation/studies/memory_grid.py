"""What tokens of a memory add to an encoder, and to a linear core that reads the past already.

    python -m klforecast.evaluation.studies.memory_grid --out docs/results/memory_grid.jsonl

Six encoders, each alone and as a correction of the linear core, with tokens of nothing, of the past of each window, of
the training run, and of the training run by writes that learn; beside them the core by itself. All have one budget,
with which validation stops training, and are scored on every test window.

Cells come in the order in which they say most: all of the first seed at 96 steps, further seeds, then 336 steps. Rows
that the file holds already are not measured again, so a run that was stopped goes on where it was.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import torch

from klforecast.estimators.memory_options import MemoryOptions
from klforecast.evaluation.benchmark.protocol import Cell
from klforecast.evaluation.benchmark.runner import benchmark_cells
from klforecast.evaluation.cells import Progress, run_cells
from klforecast.evaluation.studies.command import make_parser, show

DATASET = "ETTh1"
ENCODERS = ("transformer", "patchtst", "itransformer", "gru", "s4d", "dlinear")
HORIZONS = (96, 336)
"""Steps ahead: four days of hours, and two weeks, where the core gains most by its past."""

SEEDS = (0, 1, 2)
"""Of the encoders; fewer give no interval."""

# The sizes of the group "encoders" of the benchmark, but as many epochs as validation asks for: after ten the learning
# rate has come to nothing, and the best epoch of most cells is one before the last.
BUDGET: dict[str, Any] = {
    "d_model": 32,
    "n_layers": 1,
    "patch_length": 24,
    "batch_size": 128,
    "lr": 3e-3,
    "max_epochs": 10,
    "patience": 3,
}

MEMORIES: dict[str, MemoryOptions] = {
    "none": MemoryOptions(source="none"),
    "history": MemoryOptions(source="history"),
    "trajectory": MemoryOptions(source="trajectory"),
    "trained writes": MemoryOptions(source="trajectory", detach=False),
}
"""Whose states the tokens of the encoder come from; the core, where there is one, has its own history."""


def grid(
    encoders: Sequence[str] = ENCODERS,
    horizons: Sequence[int] = HORIZONS,
    seeds: Sequence[int] = SEEDS,
) -> Iterator[Cell]:
    """Cells, those that say most first; the core by itself at the first seed of each horizon."""
    for horizon, seed in product(horizons, seeds):
        if seed == seeds[0]:
            # Local experts are no part of a core under an encoder, and no seed changes it.
            yield _cell(horizon, SEEDS[0], encoder="linear", local_experts=False)
        for encoder, core, memory in product(encoders, (True, False), MEMORIES.values()):
            yield _cell(
                horizon, seed, encoder=encoder, linear_core=core, memory_options=memory, **BUDGET
            )


def _cell(horizon: int, seed: int, **params: Any) -> Cell:
    return Cell(DATASET, "klmemory", horizon, seed, fit_on="train", params=params)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the cells that the file lacks."""
    parser = make_parser(__doc__)
    parser.add_argument("--out", type=Path, required=True, help="file of JSON lines to append to")
    parser.add_argument("--encoders", nargs="+", default=ENCODERS, choices=ENCODERS)
    parser.add_argument("--horizons", type=int, nargs="+", default=HORIZONS)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # two are slower on problems of this size
    cells = grid(options.encoders, options.horizons, options.seeds)
    run_cells(benchmark_cells(), cells, options.out, on_progress=_tell)


def _tell(progress: Progress) -> None:
    row = progress.row
    result = row["error"] or f"MSE {row['mse']:.4f}"
    show(f"{progress.n_done} of {progress.n_cells}: {row['changed_params']}, {result}")


if __name__ == "__main__":
    main()
