"""What the choices behind the default are worth, by domain, with one domain left out at a time.

    python -m klforecast.evaluation.studies.choices --out choices.jsonl --page choices.md

A choice is a constant of the package or an argument of the forecaster; an alternative sets it otherwise, and
all else stays. Both are scored on the tasks of `klforecast.evaluation.suites.corpus`, which lie before every
official test part. With

    g_d = mean over the tasks of domain d of (log CRPS' / CRPS + log MASE' / MASE) / 2

the default is kept without d where the mean of g over the other domains is not negative, and was right to be
kept where g_d is not negative either. A choice that is right only on what it was made on shows here.

Rows that the file holds already are not measured again, whatever state of the code they are of: `--out` names
another file for another state.
"""

import importlib
import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch

from klforecast.evaluation import machine
from klforecast.evaluation.cells import CellKind, Prepared, Progress, run_cells
from klforecast.evaluation.json_lines import read_lines, with_fields
from klforecast.evaluation.studies.command import (
    make_parser,
    make_table,
    markdown_table,
    percent,
    show,
    write_page,
)
from klforecast.evaluation.suites.corpus import CORPUS, corpus_task
from klforecast.evaluation.suites.forecasters import PooledMemory
from klforecast.evaluation.suites.runner import is_chosen
from klforecast.evaluation.suites.task import SuiteTask, score_task

DEFAULT = "default"
KIND = "choice"
_SCORES = ("mase_median", "crps", "coverage_80", "cpu_seconds")
_PLACE = ("config", "alternative", "params", "constants", "seed")
_FIELDS = (
    "kind",
    *_PLACE,
    "domain",
    "data_sha256",
    "horizon",
    "n_windows",
    "n_series",
    *_SCORES,
    "commit",
    "versions",
    "error",
)


class Alternative(NamedTuple):
    """The default with one thing changed.

    Attributes
    ----------
    name : str
        What is changed, and to what.
    params : mapping
        Arguments of `KLMemoryForecaster`.
    constants : mapping
        Values by ``"module:NAME"``, the module below `klforecast`.
    """

    name: str
    params: Mapping[str, Any] = {}
    constants: Mapping[str, Any] = {}


def _constants(module: str, **values: tuple[Any, ...]) -> list[Alternative]:
    """One alternative for every value of every constant of a module below `klforecast`."""
    holder = importlib.import_module(f"klforecast.{module}")
    return [
        Alternative(
            f"{module} {name.strip('_').lower()} {_text(value)} for {_text(getattr(holder, name))}",
            constants={f"{module}:{name}": value},
        )
        for name, others in values.items()
        for value in others
    ]


def _text(value: Any) -> str:
    return "none" if value in ((), np.inf) else f"{value}".replace("inf", "none")


ALTERNATIVES = (
    Alternative("no local experts", {"local_experts": False}),
    Alternative("no history beyond the recent window", {"memory": "none"}),
    Alternative(
        "no history of short series, and up to 96 raw steps",
        constants={"core.plan:_SHORT_CYCLES": 10**6, "core.plan:_SHORT_SHARE": 10**6},
    ),
    Alternative(
        "reversion never doubted",
        constants={
            "core.reversion:_WITH_SEASON": (2.0, 3.0),
            "core.reversion:_WITHOUT_SEASON": (2.0, 3.0),
        },
    ),
    *_constants(
        "estimators.weeks", _LEAST_GAIN=(0.02, 0.2, 1.0), _FORGETTING=(0.0, 0.3), _KNOWN=(2,)
    ),
    *_constants("local.shifts", _FAR=(np.inf,)),
    *_constants(
        "local.share",
        _PRIOR=(0.35, 0.55),
        _PRIOR_LONG=(0.1, 0.3),
        _DOUBT_OF_ALL=(5.0, 20.0),
        _DOUBT_OF_EACH=(2.0, 8.0),
        _DOUBT_OF_FEW=(20.0, 80.0),
        _LEAST_SHARE=(0.0, 0.3),
        _SURPRISES=((), ((13, 2.0), (5, 4.0))),
        _OPTIMISM=(1.0, 1.1),
    ),
    *_constants("core.plan", _SHRINKAGE=(5.0, 20.0, 1e9), _SHORT_COMPONENTS=(8,)),
    *_constants("local.weights", _SHARPNESS=(0.1, 0.4), _PANEL=(30.0, 300.0), _SURPRISE=(np.inf,)),
    *_constants("local.kinds", _OF_COPIES=(0.3, 1.0), _OF_SLOPES=(0.5, 1.0)),
    *_constants("local.model", _NEAR=(1.0,), LONGEST=(1000,)),
    *_constants("local.intermittent", _INTERMITTENT=(np.inf,)),
    *_constants("local.comparison", _HORIZONS=(5, 20), _FARTHEST=(24, np.inf)),
    *_constants("core.experts.ridge", STRENGTH=(0.003, 0.03), _MINOR=(0.1, 1.0)),
    *_constants("local.weights", _RECENT=(0.95, 1.0), _POWER=(1.0, 2.0)),
    *_constants("local.law_weights", _OPTIMISM=(1.0, 1.3)),
    *_constants("local.origins", _ORIGINS=(12,), _JUDGED_STEPS=(12,)),
    *_constants("local.residual_law", _OF_OTHERS=(2.0, 32.0)),
    *_constants("local.likeness", _ALIKE=(12, np.inf)),
    *_constants("local.seasons", _NOISE=(1.0, 4.0)),
    *_constants("core.plan", _RECENT=(48,), _CYCLES=(7,), _WINDOWS_PER_INPUT=(3, 30)),
    *_constants("core.out_of_fold", _N_BLOCKS=(3, 8)),
    *_constants("core.mixture", _LEAST_HORIZONS=(np.inf,)),
    *_constants("core.plan", _N_OUTPUTS=(32, 128), _SHRINKAGE_WITHOUT_PRIOR=(0.0, 10.0)),
    *_constants("core.experts.ridge", _FAR_STRENGTH=(0.03, 0.3)),
    *_constants("core.experts.folded", _RANK=(1, 6)),
    *_constants("core.season", _HARMONICS=(3, 12)),
    *_constants("data.periods", _FALSE_ALARM_RATE=(0.001, 0.05), _SMALLEST_SHARE=(0.02, 0.1)),
    *_constants("data.periods", _SMALLEST_REPEAT=(0.02, 0.1)),
    *_constants("local.autoregression", _NOISE=(0.5, 2.0), _ROWS_PER_LAG=(2, 6), _MOST=(24,)),
    Alternative(
        "no returns to the last cycles",
        constants={"local.last_cycles:_RETURNS": (), "local.experts:N_RETURNS": 0},
    ),
    *_constants("local.last_cycles", _RETURNS=((0.95, 0.985),), _CYCLES_BACK=(8,)),
    *_constants("local.experts", _RANGES=(1.5, 6.0)),
    *_constants("local.weights", _TYPICAL=(1.0, 4.0)),
    *_constants("local.origins", _HORIZONS=(3, 12), _KNOWN=(0.3, 0.7)),
    *_constants("local.comparison", _ORIGINS=(6, 24), _SHARE_SPARED=(3, 6)),
    *_constants("local.residual_law", _CHOSEN=(0.0, 4.0)),
    *_constants("ops.cycle_law", _LEAST_GAIN=(0.0, 0.1, np.inf), _CYCLES=(4, 16)),
    *_constants("ops.volatility", _RIDGE=(0.01, 1.0), _CYCLES=(4, 16)),
    *_constants("ops.widening", _MOST=(1.0, 4.0)),
    Alternative("24 components a block for 96", {"n_components": 24}),
)
"""What is compared with the default."""


@contextmanager
def constants_set(values: Mapping[str, Any]) -> Iterator[None]:
    """Set constants of the package for a while.

    Parameters
    ----------
    values : mapping
        By ``"module:NAME"``, the module below `klforecast`.

    Raises
    ------
    AttributeError
        If a module has no such constant; nothing is set then.

    Examples
    --------
    >>> from klforecast.local import model
    >>> with constants_set({"local.model:LONGEST": 10}):
    ...     model.LONGEST
    10
    >>> model.LONGEST > 10
    True
    """
    places = []
    for path in values:
        module, name = path.split(":")
        holder = importlib.import_module(f"klforecast.{module}")
        places.append((holder, name, getattr(holder, name)))
    try:
        for (holder, name, _), value in zip(places, values.values(), strict=True):
            setattr(holder, name, value)
        yield
    finally:
        for holder, name, former in places:
            setattr(holder, name, former)


class Choice(NamedTuple):
    """One alternative on one task of the corpus."""

    config: str
    alternative: Alternative
    seed: int = 0


def _prepare(choice: Choice) -> Prepared:
    task = _task(choice.config)
    fields = {
        "domain": task.domain,
        "data_sha256": task.collection.sha256,
        "horizon": task.horizon,
        "n_windows": task.n_windows,
        "n_series": len(task.collection.series),
    }
    return Prepared(fields, partial(_measure, choice, task))


def _measure(choice: Choice, task: SuiteTask) -> dict[str, Any]:
    constants, params = choice.alternative.constants, choice.alternative.params
    with constants_set(constants), warnings.catch_warnings():
        # Series that are too short for a setting say so for every window.
        warnings.simplefilter("ignore")
        scores = score_task(task, PooledMemory(task.horizon, choice.seed, params))
    return {name: scores[name] for name in _SCORES}


@cache
def _task(config: str) -> SuiteTask:
    return corpus_task(config)


def _name(choice: Choice) -> dict[str, Any]:
    alternative = choice.alternative
    return {
        "config": choice.config,
        "alternative": alternative.name,
        "params": dict(alternative.params),
        "constants": {name: str(value) for name, value in alternative.constants.items()},
        "seed": choice.seed,
        "commit": machine.commit(),
        "versions": machine.versions(()),
    }


def _complete(row: Mapping[str, Any]) -> dict[str, Any]:
    return with_fields({"kind": KIND, **row}, _FIELDS)


# Rows keep from state to state: to measure another state of the code, name another file.
CHOICES: CellKind[Choice] = CellKind(
    name=_name,
    prepare=_prepare,
    complete=_complete,
    identity=lambda row: json.dumps([row[name] for name in _PLACE], sort_keys=True),
    read=lambda path: [_complete(row) for row in read_lines(path) if row["kind"] == KIND],
)
"""How the cells of this study run."""


def gains(rows: Sequence[Mapping[str, Any]], metric: str) -> dict[str, dict[str, float]]:
    """Mean log ratio to the default by alternative and domain; below zero is better than the default.

    Tasks that one of both lacks, or on which either is exact, are left out.
    """
    of_default = {row["config"]: row[metric] for row in rows if row["alternative"] == DEFAULT}
    ratios: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        ours = of_default.get(row["config"])
        if row["alternative"] == DEFAULT or not ours or not row[metric]:
            continue
        by_domain = ratios.setdefault(row["alternative"], {})
        by_domain.setdefault(row["domain"], []).append(float(np.log(row[metric] / ours)))
    return {
        name: {domain: float(np.mean(logs)) for domain, logs in by_domain.items()}
        for name, by_domain in ratios.items()
    }


class Verdict(NamedTuple):
    """What leaving one domain out says of one alternative.

    Attributes
    ----------
    kept : int
        Domains without which the others speak for the default.
    right : int
        Of these, domains on which the default is not worse.
    domains : int
    """

    kept: int
    right: int
    domains: int


def verdict(gain: Mapping[str, float]) -> Verdict:
    """Decide on all domains but one, for each.

    Examples
    --------
    >>> verdict({"weather": 0.02, "health": 0.01, "retail": -0.01})
    Verdict(kept=3, right=2, domains=3)
    """
    kept = [
        domain
        for domain in gain
        if len(gain) > 1 and fmean(g for other, g in gain.items() if other != domain) >= 0
    ]
    return Verdict(len(kept), sum(gain[domain] >= 0 for domain in kept), len(gain))


_COLUMNS = ("alternative", "CRPS", "MASE", "best for it", "worst for it", "default kept", "right")


def lines_of(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The table as text: one line for each alternative, what speaks against the default first.

    One that lacks tasks of the default is left out.
    """
    tasks = {
        name: {row["config"] for row in rows if row["alternative"] == name}
        for name in {row["alternative"] for row in rows}
    }
    rows = [row for row in rows if tasks[row["alternative"]] == tasks[DEFAULT]]
    crps, mase = gains(rows, "crps"), gains(rows, "mase_median")
    lines = []
    for name, by_domain in crps.items():
        both = {
            domain: (by_domain[domain] + mase[name].get(domain, by_domain[domain])) / 2
            for domain in by_domain
        }
        kept = verdict(both)
        ends = (min(both, key=both.__getitem__), max(both, key=both.__getitem__))
        cells = [
            name,
            percent(fmean(by_domain.values())),
            percent(fmean(mase[name].values())),
            *(f"{domain} {percent(both[domain])}" for domain in ends),
            f"{kept.kept} of {kept.domains}",
            f"{kept.right}",
        ]
        lines.append((fmean(both.values()), cells))
    return [cells for _, cells in sorted(lines, key=lambda line: line[0])]


def page_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table in Markdown."""
    return markdown_table(_COLUMNS, lines_of(rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the alternatives and print the table."""
    parser = make_parser(__doc__, rows=True)
    parser.set_defaults(out=Path("choices.jsonl"))
    parser.add_argument("--tasks", nargs="*", default=[], help="patterns of tasks; all")
    parser.add_argument("--alternatives", nargs="*", default=[], help="patterns of names; all")
    parser.add_argument("--page", type=Path, help="file to write the table to, in Markdown")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # two are slower on problems of this size
    chosen = [one for one in ALTERNATIVES if is_chosen(one.name, options.alternatives)]
    configs = [config for config in CORPUS if is_chosen(config, options.tasks)]
    cells = [Choice(config, one) for one in (Alternative(DEFAULT), *chosen) for config in configs]
    rows = run_cells(CHOICES, cells, options.out, on_progress=_show_progress)
    measured = [row for row in rows if row["error"] is None]
    show(make_table("against the default", _COLUMNS, lines_of(measured)))
    if options.page:
        write_page(page_of(measured), options.page)


def _show_progress(progress: Progress) -> None:
    if progress.is_new:
        row, left = progress.row, progress.seconds_left or 0.0
        result = row["error"] or f"CRPS {row['crps']:.4g}, MASE {row['mase_median']:.4g}"
        show(f"{row['alternative']}, {row['config']}: {result}; about {left / 60:.0f} min left")


if __name__ == "__main__":
    main()
