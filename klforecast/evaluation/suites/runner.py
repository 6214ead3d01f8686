"""Run the configurations of suites, append a row for each, and go on where an earlier run stopped."""

import hashlib
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from klforecast.evaluation.benchmark import machine
from klforecast.evaluation.suites.competitions import COMPETITION_CONFIGS, competition_task
from klforecast.evaluation.suites.gift_eval import GIFT_EVAL_CONFIGS, gift_eval_task
from klforecast.evaluation.suites.models import SUITE_MODELS, suite_model
from klforecast.evaluation.suites.rows import (
    append_suite_row,
    complete,
    identity,
    read_suite_rows,
)
from klforecast.evaluation.suites.task import SuiteTask, score_task
from klforecast.evaluation.suites.world_rules import score_world, world_tasks
from klforecast.evaluation.suites.worlds import WORLDS

SUITE_CONFIGS: dict[str, tuple[str, ...]] = {
    "gift-eval": GIFT_EVAL_CONFIGS,
    "competitions": COMPETITION_CONFIGS,
    "worlds": tuple(WORLDS),
}
"""Configurations of each suite that this module runs."""

_TASKS: dict[str, Callable[[str], SuiteTask]] = {
    "gift-eval": gift_eval_task,
    "competitions": competition_task,
}


@dataclass(frozen=True)
class SuiteCell:
    """One entry of a run.

    Parameters
    ----------
    suite, config, model : str
        Names known to `SUITE_CONFIGS` and `SUITE_MODELS`.
    seed : int, default=0
        Seed of the model.
    params : mapping
        Settings that differ from the model's defaults.
    """

    suite: str
    config: str
    model: str
    seed: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)


class SuiteProgress(NamedTuple):
    """Where a run stands after a cell.

    Attributes
    ----------
    row : dict
        The row of the cell that is through, new or from the file.
    n_done, n_cells : int
        Cells that are through, and cells in all.
    seconds_left : float or None
        Estimate of the time left, from the mean of the cells run so far; None before the first.
    is_new : bool
        False for a row that was in the file already.
    """

    row: dict[str, Any]
    n_done: int
    n_cells: int
    seconds_left: float | None
    is_new: bool


def suite_cells(
    suites: Sequence[str],
    models: Sequence[str],
    only: Sequence[str] = (),
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
) -> list[SuiteCell]:
    """Return the cells of suites, the configurations in order and the models within each.

    Parameters
    ----------
    suites, models : sequence of str
        Names in `SUITE_CONFIGS` and `SUITE_MODELS`.
    only : sequence of str
        Patterns of configurations, such as ``"us_births/*"``; none takes all.
    seed, params
        As in `SuiteCell`.

    Raises
    ------
    ValueError
        If a model is unknown.
    ImportError
        If a model needs what is not installed.

    Examples
    --------
    >>> [cell.config for cell in suite_cells(["gift-eval"], ["mean"], ["us_births/*"])]
    ['us_births/D/short', 'us_births/W/short', 'us_births/M/short']
    """
    for name in models:
        suite_model(name)
    return [
        SuiteCell(suite, config, name, seed, dict(params or {}))
        for suite in suites
        for config in SUITE_CONFIGS[suite]
        if is_chosen(config, only)
        for name in models
    ]


def is_chosen(config: str, only: Sequence[str]) -> bool:
    """Say whether a configuration is like one of the patterns; no pattern chooses all.

    Examples
    --------
    >>> is_chosen("us_births/D/short", ["ett1/*", "*/D/*"]), is_chosen("worlds", [])
    (True, True)
    """
    return not only or any(fnmatch(config, pattern) for pattern in only)


def run_suite_cells(
    cells: Iterable[SuiteCell],
    out: Path,
    *,
    rerun: bool = False,
    on_progress: Callable[[SuiteProgress], None] | None = None,
) -> list[dict[str, Any]]:
    """Run the cells in order and append their rows to `out`.

    A cell whose row is in `out` already, with the same data, settings and versions, is not run
    again; one that fails gets a row with its error, and is tried again by a later run.

    Parameters
    ----------
    cells : iterable of SuiteCell
    out : Path
        File of JSON lines; made if absent.
    rerun : bool, default=False
        Run finished cells again and append a second row.
    on_progress : callable, optional
        Called with a `SuiteProgress` after each cell.

    Returns
    -------
    list of dict
        The row of each cell, in order.
    """
    cells = list(cells)
    known = read_suite_rows(out) if out.exists() and not rerun else []
    finished = {identity(row): row for row in known if row["error"] is None}
    rows, spent, n_run = [], 0.0, 0
    for n_done, cell in enumerate(cells, start=1):
        begun = time.perf_counter()
        row, is_new = _run_or_find(cell, finished)
        if is_new:
            append_suite_row(out, row)
            spent, n_run = spent + time.perf_counter() - begun, n_run + 1
        rows.append(row)
        if on_progress is not None:
            left = spent / n_run * (len(cells) - n_done) if n_run else None
            on_progress(SuiteProgress(row, n_done, len(cells), left, is_new))
    return rows


def _run_or_find(
    cell: SuiteCell, finished: Mapping[str, dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    entry = SUITE_MODELS[cell.model]
    row: dict[str, Any] = {
        "suite": cell.suite,
        "config": cell.config,
        "model": cell.model,
        "seed": cell.seed,
        "changed_params": dict(cell.params),
        "versions": machine.versions(entry.needs),
        "commit": machine.commit(),
        "machine": machine.machine(),
    }
    # Whatever a model raises is the result of its cell, and the cells after it still run.
    try:
        is_world = cell.suite == "worlds"
        tasks = world_tasks(cell.config) if is_world else [_TASKS[cell.suite](cell.config)]
        row |= _describe(cell, tasks)
        known = finished.get(identity(complete(row)))
        if known is not None:
            return known, False
        machine.reset_peak_memory()
        # A warning for each of a thousand series would drown the progress; the row keeps them.
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if is_world:
                row |= score_world(cell.config, entry, cell.seed, cell.params)
            else:
                row |= score_task(tasks[0], entry.make(tasks[0], cell.seed, cell.params))
        row["warnings"] = dict(Counter(str(warning.message) for warning in caught))
        row["peak_memory_mb"] = machine.peak_memory_mb()
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {error}"
    return complete(row), True


def _describe(cell: SuiteCell, tasks: Sequence[SuiteTask]) -> dict[str, Any]:
    """Fields that are settled before the model is fitted."""
    task = tasks[0]
    model = SUITE_MODELS[cell.model].make(task, cell.seed, cell.params)
    return {
        "domain": task.domain,
        "data_sha256": _checksum(tasks),
        "horizon": task.horizon,
        "season": task.season,
        "n_windows": task.n_windows * len(tasks),
        "n_series": len(task.collection.series),
        "n_channels": task.collection.n_channels,
        "params": model.get_params(),
    }


def _checksum(tasks: Sequence[SuiteTask]) -> str:
    """That of the data; of the checksums one after the other, where a world has many draws."""
    checksums = [task.collection.sha256 for task in tasks]
    if len(checksums) == 1:
        return checksums[0]
    return hashlib.sha256("".join(checksums).encode()).hexdigest()
