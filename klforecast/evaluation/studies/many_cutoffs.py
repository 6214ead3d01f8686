"""How the default forecasts from many cutoffs before the test parts: a yardstick for rules that hang on few windows.

    python -m klforecast.evaluation.studies.many_cutoffs --out rows.jsonl
    python -m klforecast.evaluation.studies.many_cutoffs --constant local.share:_PRIOR=0.3 --beside rows.jsonl

The corpus of the choices (`suites.corpus`) scores a series in four windows at most, in which chance is larger than
what most rules change. Here a series is fitted to 40 to 90 % of its rows and forecast from 16 cutoffs after each of
them, and a panel of up to 800 series from four cutoffs. All rows that are scored lie before the test part of every
suite. Rows of another state of the code, or with a constant changed, are compared with those of a file by `--beside`.
"""

import ast
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation import machine
from klforecast.evaluation.json_lines import read_lines
from klforecast.evaluation.studies.choices import constants_set
from klforecast.evaluation.studies.command import (
    append_rows,
    make_parser,
    make_table,
    percent,
    show,
)
from klforecast.evaluation.studies.timing import timed
from klforecast.evaluation.suites.competitions import COMPETITION_CONFIGS, competition_task
from klforecast.evaluation.suites.corpus import corpus_task
from klforecast.evaluation.suites.forecasters import PooledMemory
from klforecast.evaluation.suites.gift_eval import gift_eval_task
from klforecast.evaluation.suites.scores import LEVELS, Forecast, ScoreSums, seasonal_error
from klforecast.evaluation.suites.task import SuiteTask, rows_between, score_task

SERIES = (
    *("ett1/15T/short", "ett1/H/short", "ett1/H/medium", "ett1/D/short", "ett1/W/short"),
    *("us_births/D/short", "us_births/W/short", "us_births/M/short", "Exchange/30", "VicElec/336"),
    *("jena_weather/10T/short", "jena_weather/H/short", "jena_weather/D/short"),
    *("saugeen/D/short", "saugeen/W/short", "saugeen/M/short", "bizitobs_application/10S/short"),
    *("bizitobs_l2c/5T/short", "bizitobs_l2c/H/short", "bizitobs_l2c/H/medium"),
)
"""Sets whose series are fitted by themselves."""

PANELS = (
    *("hospital/M/short", "car_parts/M/short", "m4_weekly/W/short", "m4_hourly/H/short"),
    *(config for config in COMPETITION_CONFIGS if not config.startswith("M4")),
)
"""Sets whose series are fitted together."""

_PARTS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # of the rows of a series that are known to each fit
_CUTOFFS, _HORIZONS = 16, 8  # cutoffs after each fit, and the horizons that they spread over
_FEWEST_HORIZONS = 4  # that a series has to hold before a fit
_LONGEST_HORIZON = 240  # steps; a medium term of hours has twice as many
# Of a panel: half a minute for each set.
_MOST_SERIES, _MOST_ROWS, _FEWEST_SERIES = 800, 3000, 10
_BACK = (0.0, 1 / 3, 2 / 3, 1.0)  # horizons that the cutoffs of a panel lie before its last one
SCORES = ("mase", "mase_median", "crps", "coverage_80")
"""Fields of a row that are compared."""


def score_series(task: SuiteTask) -> tuple[ScoreSums, int]:
    """Scores of fits to parts of each series, from cutoffs after them, and how many forecasts were scored."""
    sums, horizon, count = ScoreSums(), min(task.horizon, _LONGEST_HORIZON), 0
    for rows in task.collection.series.values():
        values = rows.to_numpy(dtype=float)
        for part in _PARTS:
            known = int(part * len(values))
            last = min(len(values) - horizon, known + _HORIZONS * horizon)
            if known < _FEWEST_HORIZONS * horizon or last < known:
                continue
            cutoffs = np.unique(np.linspace(known, last, _CUTOFFS).astype(int))
            forecaster = KLMemoryForecaster(horizon, random_state=0).fit(rows.iloc[:known])
            point = forecaster.predict_windows(rows, cutoffs)
            quantiles = forecaster.predict_windows(rows, cutoffs, alpha=LEVELS)
            scale = seasonal_error(values[:known], task.season)
            for own, around, cutoff in zip(point, quantiles, cutoffs, strict=True):
                sums.add(values[cutoff : cutoff + horizon], Forecast(own, around), scale)
            count += len(cutoffs)
    return sums, count


def score_panel(task: SuiteTask) -> tuple[ScoreSums, int]:
    """Scores of fits to a panel up to several cutoffs, and how many forecasts were scored."""
    sums, horizon, count = ScoreSums(), task.horizon, 0
    before = rows_between(task.collection.series, None, horizon * task.n_windows)
    names = list(before)[:: max(1, len(before) // _MOST_SERIES)]
    fewest = max(3 * horizon, horizon + 2 * task.season)
    for back in (round(horizons * horizon) for horizons in _BACK):
        series = {name: before[name].iloc[: len(before[name]) - back] for name in names}
        series = {
            name: rows.iloc[-_MOST_ROWS:] for name, rows in series.items() if len(rows) >= fewest
        }
        if len(series) < _FEWEST_SERIES:
            continue
        panel = replace(task, collection=replace(task.collection, series=series), n_windows=1)
        score_task(panel, PooledMemory(horizon, 0, {}), sums)
        count += len(series)
    return sums, count


def measure(config: str, constants: Mapping[str, Any]) -> dict[str, Any]:
    """Row of one set.

    Parameters
    ----------
    config : str
        Of `SERIES` or `PANELS`.
    constants : mapping
        Constants of the package to change, see `choices.constants_set`.
    """
    panel = config in PANELS
    load = competition_task if config in COMPETITION_CONFIGS else gift_eval_task
    task = load(config) if panel else corpus_task(config)
    score = score_panel if panel else score_series
    with constants_set(constants), warnings.catch_warnings():
        # Series that are too short for a setting say so for every fit.
        warnings.simplefilter("ignore")
        (sums, count), seconds = timed(lambda: score(task))
    return {
        "config": config,
        "domain": task.domain,
        "constants": {name: str(value) for name, value in constants.items()},
        "data_sha256": task.collection.sha256,
        "forecasts": count,
        **{name: sums.result()[name] for name in SCORES},
        "cpu_seconds": seconds,
        "seed": 0,
        "commit": machine.commit(),
        "versions": machine.versions(),
    }


def lines_of(
    rows: Sequence[Mapping[str, Any]], beside: Sequence[Mapping[str, Any]] = ()
) -> list[list[str]]:
    """Lines of the table: scores, and their change from the rows of the same sets of another file.

    Examples
    --------
    >>> row = {"config": "a", "forecasts": 9, "mase": 0.9, "mase_median": 0.9, "crps": 0.1, "coverage_80": 0.8}
    >>> lines_of([row], [{**row, "mase": 1.0}])[0]
    ['a', '9', '0.900', '0.900', '0.1000', '80', '-10.0 %', '+0.0 %', '+0.0 %']
    >>> lines_of([row], [{**row, "mase": 1.0}])[-1][-3:]
    ['-10.0 %', '+0.0 %', '+0.0 %']
    """
    former = {row["config"]: row for row in beside}
    lines, changes = [], []
    for row in rows:
        line = [row["config"], f"{row['forecasts']:,}", f"{row['mase']:.3f}"]
        line += [
            f"{row['mase_median']:.3f}",
            f"{row['crps']:.4f}",
            f"{100 * row['coverage_80']:.0f}",
        ]
        if row["config"] in former:
            other = former[row["config"]]
            changes.append([np.log(row[name] / other[name]) for name in SCORES[:3]])
            line += [percent(change) for change in changes[-1]]
        lines.append(line)
    if changes:
        mean = [percent(fmean(column)) for column in zip(*changes, strict=True)]
        lines.append(["mean of the sets", "", "", "", "", "", *mean])
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, and append the rows to a file where asked for."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--only", nargs="+", default=[*SERIES, *PANELS], help="sets")
    parser.add_argument("--constant", nargs="+", default=[], help="MODULE:NAME=VALUE")
    parser.add_argument("--beside", type=Path, help="rows to compare with")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    pairs = (text.split("=", 1) for text in options.constant)
    constants = {name: ast.literal_eval(value) for name, value in pairs}
    rows = []
    for config in options.only:
        rows.append(measure(config, constants))
        append_rows(options.out, rows[-1:])
    beside = [] if options.beside is None else read_lines(options.beside)
    changes = ("MASE", "of the median", "CRPS") if beside else ()
    columns = ("set", "forecasts", "MASE", "of the median", "CRPS", "in 80 %", *changes)
    show(make_table("many cutoffs", columns, lines_of(rows, beside)))


if __name__ == "__main__":
    main()
