"""What a suite, or all of them, will run: cells of the suites and cells of the long-horizon protocol.

The suite ``"long-horizon"`` is `klforecast.evaluation.benchmark` on four data sets at four horizons;
its rows are those of that benchmark.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from klforecast.evaluation.benchmark.models import MODELS
from klforecast.evaluation.benchmark.protocol import Cell
from klforecast.evaluation.benchmark.published import standard_horizons
from klforecast.evaluation.benchmark.runner import expand_cells
from klforecast.evaluation.suites.models import SUITE_MODELS
from klforecast.evaluation.suites.runner import SUITE_CONFIGS, SuiteCell, is_chosen, suite_cells

DEFAULT_MODELS = ("klmemory", "seasonal-naive")
"""Models of a suite when none is named."""

_LONG_HORIZON = "long-horizon"
_EVERYTHING = "everything"
_DATASETS = ("ETTh1", "ETTm1", "Weather", "Exchange")
SUITES = (*SUITE_CONFIGS, _LONG_HORIZON, _EVERYTHING)
"""Names of the suites; the last one stands for all."""


class Plan(NamedTuple):
    """Cells to run, and names of models that a part of them has to do without."""

    suite_cells: list[SuiteCell]
    window_cells: list[Cell]
    left_out: list[str]


def plan(
    suite: str,
    models: Sequence[str] = DEFAULT_MODELS,
    only: Sequence[str] = (),
    seed: int = 0,
    params: Mapping[str, Any] | None = None,
) -> Plan:
    """Return the cells of a suite.

    Parameters
    ----------
    suite : str
        One of `SUITES`.
    models : sequence of str
        Names of `SUITE_MODELS`; for ``"long-horizon"``, of the benchmark's `MODELS`. Of
        ``"everything"``, a model that only one of the two knows runs there alone.
    only : sequence of str
        Patterns of configurations, such as ``"us_births/*"`` or ``"ETTh1/96"``; none takes all.
    seed : int, default=0
        Seed of the models.
    params : mapping, optional
        Settings that differ from the models' defaults.

    Raises
    ------
    ValueError
        If a suite or a model is unknown, or a pattern is like no configuration.
    ImportError
        If a model needs what is not installed.

    Examples
    --------
    >>> len(plan("gift-eval").suite_cells), len(plan("long-horizon", ["klmemory"]).window_cells)
    (68, 16)
    """
    with_windows = suite in (_LONG_HORIZON, _EVERYTHING)
    suites = (
        list(SUITE_CONFIGS) if suite == _EVERYTHING else [s for s in SUITE_CONFIGS if s == suite]
    )
    if suite not in SUITES:
        raise ValueError(f"unknown suite {suite!r}; pass one of {', '.join(SUITES)}")
    _check_patterns(suites, with_windows, only)
    if suite != _EVERYTHING:
        suite_models = window_models = list(models)
    else:
        # A name that neither knows is refused by the suites below.
        suite_models = [name for name in models if name in SUITE_MODELS or name not in MODELS]
        window_models = [name for name in models if name in MODELS]
    cells = suite_cells(suites, suite_models, only, seed, params)
    windows = (
        expand_cells(_DATASETS, window_models, seeds=(seed,), params=params) if with_windows else []
    )
    chosen = [cell for cell in windows if is_chosen(f"{cell.dataset}/{cell.horizon}", only)]
    left_out = [name for name in models if name not in window_models and with_windows]
    return Plan(cells, chosen, left_out)


def _check_patterns(suites: Sequence[str], with_windows: bool, only: Sequence[str]) -> None:
    configs = [config for suite in suites for config in SUITE_CONFIGS[suite]]
    if with_windows:
        configs += [f"{name}/{h}" for name in _DATASETS for h in standard_horizons(name)]
    for pattern in only:
        if not any(is_chosen(config, [pattern]) for config in configs):
            raise ValueError(
                f"no configuration is like {pattern!r}; there are {', '.join(configs)}"
            )
