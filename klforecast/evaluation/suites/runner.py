"""The suites: every model on every configuration of a suite, one cell each."""

import hashlib
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import partial
from typing import Any

from klforecast.evaluation import machine
from klforecast.evaluation.cells import CellKind, Prepared
from klforecast.evaluation.suites.competitions import COMPETITION_CONFIGS, competition_task
from klforecast.evaluation.suites.gift_eval import GIFT_EVAL_CONFIGS, gift_eval_task
from klforecast.evaluation.suites.models import SUITE_MODELS, suite_model
from klforecast.evaluation.suites.rows import complete, identity, read_suite_rows
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


def _name(cell: SuiteCell) -> dict[str, Any]:
    return {
        "suite": cell.suite,
        "config": cell.config,
        "model": cell.model,
        "seed": cell.seed,
        "changed_params": dict(cell.params),
        "versions": machine.versions(SUITE_MODELS[cell.model].needs),
        "commit": machine.commit(),
        "machine": machine.machine(),
    }


def _prepare(cell: SuiteCell) -> Prepared:
    is_world = cell.suite == "worlds"
    tasks = world_tasks(cell.config) if is_world else [_TASKS[cell.suite](cell.config)]
    return Prepared(_describe(cell, tasks), partial(_measure, cell, tasks))


def _measure(cell: SuiteCell, tasks: Sequence[SuiteTask]) -> dict[str, Any]:
    entry = SUITE_MODELS[cell.model]
    machine.reset_peak_memory()
    # A warning for each of a thousand series would drown the progress; the row keeps them.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if cell.suite == "worlds":
            scores = score_world(cell.config, entry, cell.seed, cell.params)
        else:
            scores = score_task(tasks[0], entry.make(tasks[0], cell.seed, cell.params))
    said = Counter(str(warning.message) for warning in caught)
    return {**scores, "warnings": dict(said), "peak_memory_mb": machine.peak_memory_mb()}


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


SUITE_CELLS: CellKind[SuiteCell] = CellKind(_name, _prepare, complete, identity, read_suite_rows)
"""The kind of the cells of suites."""
