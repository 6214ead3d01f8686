"""Run cells, append a row for each, and go on where an earlier run stopped."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from klforecast.data.datasets import Dataset, dataset_names, load
from klforecast.evaluation.benchmark import machine
from klforecast.evaluation.benchmark.holdout import holdout_task, run_holdout
from klforecast.evaluation.benchmark.models import GROUPS, MODELS, PUBLISHED_CELLS, model
from klforecast.evaluation.benchmark.protocol import Cell, describe, run_windows, task_of
from klforecast.evaluation.benchmark.published import (
    published_average,
    published_encoder,
    standard_horizons,
)
from klforecast.evaluation.benchmark.rows import append_row, complete, identity, read_rows


class Progress(NamedTuple):
    """Where a run stands after a cell.

    Attributes
    ----------
    cell : Cell
        The cell that is through.
    row : dict
        Its row, new or from the file.
    n_done, n_cells : int
        Cells that are through, and cells in all.
    seconds_left : float or None
        Estimate of the time left, from the mean of the cells run so far; None before the first.
    is_new : bool
        False for a row that was in the file already.
    """

    cell: Cell
    row: dict[str, Any]
    n_done: int
    n_cells: int
    seconds_left: float | None
    is_new: bool


def expand_cells(
    datasets: Sequence[str],
    models: Sequence[str],
    horizons: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    regime: str = "free",
    fit_on: str = "train+validation",
    params: Mapping[str, Any] | None = None,
) -> list[Cell]:
    """Return every combination; a model that no seed changes gets the first seed only.

    Parameters
    ----------
    datasets, models : sequence of str
        Known names; data sets in any case. A group of models stands for all of them.
    horizons : sequence of int, optional
        None takes those of the protocol: 96, 192, 336 and 720 (24, 36, 48 and 60 on ILI), or the
        official horizon of a series that is held out.
    seeds, regime, fit_on, params
        As in `Cell`.

    Raises
    ------
    ValueError
        If a name is unknown, or a data set has no horizon of its own and none is given.
    ImportError
        If a model needs what is not installed.
    """
    models = [name for given in models for name in GROUPS.get(given, (given,))]
    for name in models:
        model(name)
    return [
        Cell(dataset, name, horizon, seed, str(regime), str(fit_on), dict(params or {}))
        for dataset in map(_official_name, datasets)
        for ahead in [horizons or _protocol_horizons(dataset)]
        for name in models
        for seed in (seeds if model(name).seeded else seeds[:1])
        for horizon in ahead
    ]


def _official_name(dataset: str) -> str:
    known = {name.lower(): name for name in dataset_names()}
    if dataset.lower() not in known:
        raise ValueError(f"unknown data set {dataset!r}; pass one of {', '.join(known.values())}")
    return known[dataset.lower()]


def _protocol_horizons(dataset: str) -> Sequence[int]:
    data = load(dataset)
    if data.borders is not None:
        return standard_horizons(data.name)
    if data.horizon is None:
        raise ValueError(f"{dataset} has no horizon of its own; pass one")
    return [data.horizon]


def run_cells(
    cells: Iterable[Cell],
    out: Path,
    *,
    rerun: bool = False,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[dict[str, Any]]:
    """Run the cells in order and append their rows to `out`.

    A cell whose row is in `out` already, with the same data, settings and versions, is not run
    again. A cell that fails gets a row with its error, and the run goes on; a later run tries it
    again.

    Parameters
    ----------
    cells : iterable of Cell
        What to run.
    out : Path
        File of JSON lines; made if absent.
    rerun : bool, default=False
        Run finished cells again and append a second row.
    on_progress : callable, optional
        Called with a `Progress` after each cell.

    Returns
    -------
    list of dict
        The row of each cell, in order.
    """
    cells = list(cells)
    finished = {} if rerun else _finished_rows(out)
    loaded: dict[str, Dataset] = {}
    rows, spent, n_run = [], 0.0, 0
    for n_done, cell in enumerate(cells, start=1):
        begun = time.perf_counter()
        row, is_new = _run_or_find(cell, finished, loaded)
        if is_new:
            append_row(out, row)
            spent, n_run = spent + time.perf_counter() - begun, n_run + 1
        rows.append(row)
        if on_progress is not None:
            left = spent / n_run * (len(cells) - n_done) if n_run else None
            on_progress(Progress(cell, row, n_done, len(cells), left, is_new))
    return rows


def _finished_rows(out: Path) -> dict[str, dict[str, Any]]:
    if not out.exists():
        return {}
    return {identity(row): row for row in read_rows(out) if row["error"] is None}


def _published(cell: Cell) -> dict[str, Any] | None:
    if cell.model in PUBLISHED_CELLS:
        encoder = cell.model.partition("/")[0]
        return published_encoder(encoder, cell.dataset, cell.horizon)
    return published_average(cell.model, cell.dataset, cell.regime)


def _run_or_find(
    cell: Cell, finished: dict[str, dict[str, Any]], loaded: dict[str, Dataset]
) -> tuple[dict[str, Any], bool]:
    row: dict[str, Any] = {
        "dataset": cell.dataset,
        "model": cell.model,
        "horizon": cell.horizon,
        "seed": cell.seed,
        "regime": cell.regime,
        "fit_on": cell.fit_on,
        "params": dict(cell.params),
        "changed_params": dict(cell.params),
        "published": _published(cell),
        "versions": machine.versions(MODELS[cell.model].needs if cell.model in MODELS else ()),
        "commit": machine.commit(),
        "machine": machine.machine(),
    }
    # Whatever a model raises is the result of its cell, and the cells after it still run.
    try:
        if cell.dataset not in loaded:
            loaded[cell.dataset] = load(cell.dataset)
        data = loaded[cell.dataset]
        make = model(cell.model).make
        task, run = (holdout_task, run_holdout) if data.borders is None else (task_of, run_windows)
        row |= describe(cell, task(cell, data), make, data)
        known = finished.get(identity(complete(row)))
        if known is not None:
            return known, False
        row |= run(cell, make, data)
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {error}"
    return complete(row), True
