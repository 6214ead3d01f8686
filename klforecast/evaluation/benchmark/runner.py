"""The benchmark: every model on every data set at every horizon, one cell each."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from klforecast.data.datasets import Dataset, dataset_names, load
from klforecast.evaluation import machine
from klforecast.evaluation.benchmark.holdout import holdout_task, run_holdout
from klforecast.evaluation.benchmark.models import GROUPS, MODELS, PUBLISHED_CELLS, model
from klforecast.evaluation.benchmark.protocol import Cell, describe, run_windows, task_of
from klforecast.evaluation.benchmark.published import (
    published_average,
    published_encoder,
    standard_horizons,
)
from klforecast.evaluation.benchmark.rows import complete, identity, read_rows
from klforecast.evaluation.cells import CellKind, Prepared


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


def benchmark_cells() -> CellKind[Cell]:
    """Return the kind of the cells of the benchmark; it keeps the data sets that it has loaded."""
    loaded: dict[str, Dataset] = {}
    return CellKind(_name, partial(_prepare, loaded=loaded), complete, identity, read_rows)


def _name(cell: Cell) -> dict[str, Any]:
    return {
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


def _published(cell: Cell) -> dict[str, Any] | None:
    if cell.model in PUBLISHED_CELLS:
        encoder = cell.model.partition("/")[0]
        return published_encoder(encoder, cell.dataset, cell.horizon)
    return published_average(cell.model, cell.dataset, cell.regime)


def _prepare(cell: Cell, loaded: dict[str, Dataset]) -> Prepared:
    if cell.dataset not in loaded:
        loaded[cell.dataset] = load(cell.dataset)
    data, make = loaded[cell.dataset], model(cell.model).make
    task, run = (holdout_task, run_holdout) if data.borders is None else (task_of, run_windows)
    return Prepared(describe(cell, task(cell, data), make, data), partial(run, cell, make, data))
