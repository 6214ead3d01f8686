"""Tasks on which defaults are chosen: the rows before every official test part, in twelve domains.

    task of a suite     its test windows are cut off, and the windows before them are scored instead
    other series        Exchange and VicElec: the rows before the test part of the benchmark

What is scored here is known to the forecaster in no suite, and what a suite scores is not looked at here.
Large panels are thinned to series that lie evenly over them, long series are cut to their newest rows, and few
windows are scored, so that one setting takes a minute of one core.
"""

import numpy as np

from klforecast.data.collections import Collection
from klforecast.data.datasets import load
from klforecast.evaluation.suites.competitions import COMPETITION_CONFIGS, competition_task
from klforecast.evaluation.suites.gift_eval import GIFT_EVAL_CONFIGS, gift_eval_task
from klforecast.evaluation.suites.task import SuiteTask, rows_between

MOST_WINDOWS = 4
"""Windows of a task at most."""

MOST_SERIES = 80
"""Series of a task at most, evenly spread over its panel."""

MOST_ROWS = 10_000
"""Newest rows of a series that are used."""

_LEAST_HORIZONS = 3  # that a series needs: one to score, and two to learn from

# Medium terms of ten-second to quarter-hour series, and long ones, take as long as all others together.
_COSTLY = ("ett1/15T/", "jena_weather/10T/", "bizitobs_application/10S/", "bizitobs_l2c/5T/")
_FROM_GIFT_EVAL = tuple(
    config
    for config in GIFT_EVAL_CONFIGS
    if config.endswith("short") or (config.endswith("medium") and not config.startswith(_COSTLY))
)
# M4 weekly is among those of GIFT-Eval.
_FROM_COMPETITIONS = tuple(config for config in COMPETITION_CONFIGS if not config.startswith("M4"))
_SINGLE = {
    "Exchange/30": ("finance", 30, 1),
    "Exchange/96": ("finance", 96, 1),
    "VicElec/336": ("electricity", 336, 48),
}

CORPUS = (*_FROM_GIFT_EVAL, *_FROM_COMPETITIONS, *_SINGLE)
"""Names of the tasks."""


def corpus_task(name: str) -> SuiteTask:
    """Return a task with its data.

    Parameters
    ----------
    name : str
        One of `CORPUS`.

    Raises
    ------
    ValueError
        If the name is unknown.
    DataNotFoundError
        If its file is neither in the data folder nor could be downloaded.
    """
    if name in _FROM_GIFT_EVAL:
        return _before_the_test_part(gift_eval_task(name))
    if name in _FROM_COMPETITIONS:
        return _before_the_test_part(competition_task(name))
    if name in _SINGLE:
        return _of_the_benchmark(name)
    raise ValueError(f"unknown task {name!r}; pass one of {', '.join(CORPUS)}")


def _before_the_test_part(task: SuiteTask) -> SuiteTask:
    known = rows_between(task.collection.series, None, task.horizon * task.n_windows)
    long_enough = {
        name: rows for name, rows in known.items() if len(rows) >= _LEAST_HORIZONS * task.horizon
    }
    names = list(long_enough)
    places = np.linspace(0, len(names) - 1, min(len(names), MOST_SERIES)).round().astype(int)
    series = {names[place]: long_enough[names[place]].iloc[-MOST_ROWS:] for place in places}
    collection = Collection(task.config, series, task.collection.sha256, task.collection.source)
    n_windows = min(task.n_windows, MOST_WINDOWS, collection.shortest // task.horizon - 2)
    return SuiteTask(
        task.config, task.domain, collection, task.horizon, task.season, max(1, n_windows)
    )


def _of_the_benchmark(name: str) -> SuiteTask:
    domain, horizon, season = _SINGLE[name]
    data = load(name.partition("/")[0])
    end = len(data.frame) * 4 // 5 if data.borders is None else data.borders.validation_end
    channels = [column for column in data.frame if column not in data.covariates]
    rows = data.frame[channels].iloc[max(0, end - MOST_ROWS) : end]
    collection = Collection(name, {data.name: rows}, data.sha256, data.source)
    return SuiteTask(name, domain, collection, horizon, season, MOST_WINDOWS)
