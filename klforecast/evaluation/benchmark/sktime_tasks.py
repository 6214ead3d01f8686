"""sktime's own benchmark, filled with the models of this harness."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sktime.benchmarking.forecasting import ForecastingBenchmark
from sktime.datasets import load_airline
from sktime.performance_metrics.forecasting import (
    MeanAbsolutePercentageError,
    MeanAbsoluteScaledError,
)
from sktime.split import ExpandingWindowSplitter
from sktime.split.base import BaseSplitter

from klforecast.evaluation.benchmark.adapter import HarnessForecaster
from klforecast.evaluation.benchmark.models import MODELS, model
from klforecast.evaluation.benchmark.protocol import Task
from klforecast.evaluation.suites.competitions import COMPETITION_CONFIGS, competition_task
from klforecast.evaluation.suites.gift_eval import GIFT_EVAL_CONFIGS, gift_eval_task
from klforecast.evaluation.suites.task import SuiteTask

_AIRLINE = "airline"
_FIRST_WINDOW = 72  # months of the airline series


def make_benchmark(
    models: Sequence[str] | None = None,
    *,
    task: str = _AIRLINE,
    horizon: int | None = None,
    period: int | None = None,
    random_state: int = 0,
) -> ForecastingBenchmark:
    """Return a `ForecastingBenchmark` with the models and a first task added.

    Scores are sMAPE and MASE. Airline has expanding windows from six years on, a year ahead each, and is
    fitted again for each. A configuration of a suite has the windows of the suite, for which models are
    fitted once and then take in the rows (``strategy="no-update_params"``); of a panel sktime averages
    over the series. Add tasks of one's own with `add_task`, and run it with `run("results.csv")`.

    Parameters
    ----------
    models : sequence of str, optional
        Names of the benchmark's models. None takes all. In place of one that needs what is not
        installed comes its stand-in, or nothing, with a warning that says so.
    task : str, default="airline"
        Or a configuration of the suites ``"gift-eval"`` and ``"competitions"``, such as
        ``"us_births/D/short"`` or ``"M3/quarterly"``, whose file is found as for `klforecast benchmark`.
    horizon, period : int, optional
        Steps ahead and of one season, of the task and of the models. None: those of the task, 12 for airline.
    random_state : int, default=0
        Seed of the models that have one.

    Raises
    ------
    ValueError
        If a task or a model is unknown.
    DataNotFoundError
        If the file of the task is neither in the data folder nor could be downloaded.

    Examples
    --------
    >>> benchmark = make_benchmark(["klmemory", "seasonal-naive"])
    >>> results = benchmark.run("results.csv")  # doctest: +SKIP
    """
    suite_task = None if task == _AIRLINE else _suite_task(task)
    horizon = horizon or (12 if suite_task is None else suite_task.horizon)
    period = period or (12 if suite_task is None else suite_task.season)
    ours = Task("", horizon, period, past_limit=None, validation_rows=0, seed=random_state)
    benchmark = ForecastingBenchmark()
    for name in dict.fromkeys(map(_at_hand, MODELS if models is None else models)):
        if name is None:
            continue
        benchmark.add_estimator(
            model(name).make(ours)
            if model(name).ours
            else HarnessForecaster(name, period=period, random_state=random_state),
            name,
        )
    metrics = [MeanAbsolutePercentageError(symmetric=True), MeanAbsoluteScaledError(sp=period)]
    if suite_task is None:
        splitter = ExpandingWindowSplitter(
            fh=np.arange(1, horizon + 1), initial_window=_FIRST_WINDOW, step_length=horizon
        )
        benchmark.add_task(load_airline, splitter, metrics, task)
    else:
        y = series_ending_together(suite_task.collection.series)
        splitter = LastWindowsSplitter(horizon, suite_task.n_windows)
        benchmark.add_task(y, splitter, metrics, task, strategy="no-update_params")
    return benchmark


def _suite_task(config: str) -> SuiteTask:
    if config in GIFT_EVAL_CONFIGS:
        return gift_eval_task(config)
    if config in COMPETITION_CONFIGS:
        return competition_task(config)
    known = ", ".join((_AIRLINE, *GIFT_EVAL_CONFIGS, *COMPETITION_CONFIGS))
    raise ValueError(f"unknown task {config!r}; pass one of {known}")


class LastWindowsSplitter(BaseSplitter):
    """Splitter of sktime: the last windows of every series, one after the other, as a suite has them.

    Parameters
    ----------
    horizon : int
        Rows of a window.
    n_windows : int
        Windows at the end of every series; all rows before a window are for learning.

    Examples
    --------
    >>> splitter = LastWindowsSplitter(horizon=2, n_windows=2)
    >>> [(len(known), ahead.tolist()) for known, ahead in splitter.split(pd.RangeIndex(10))]
    [(6, [6, 7]), (8, [8, 9])]
    """

    def __init__(self, horizon: int, n_windows: int):
        self.horizon = horizon
        self.n_windows = n_windows
        super().__init__()
        self.fh = np.arange(1, horizon + 1)  # which sktime's evaluation reads

    def get_n_splits(self, y: Any = None) -> int:
        """Return the number of windows."""
        return self.n_windows

    def get_cutoffs(self, y: Any = None) -> np.ndarray:  # (n_windows,)
        """Return the positions of the last known rows."""
        return np.array([known[-1] for known, _ in self.split(y)])

    def _split(self, y: pd.Index) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for left in range(self.n_windows * self.horizon, 0, -self.horizon):
            first = len(y) - left
            yield np.arange(first), np.arange(first, first + self.horizon)


def series_ending_together(series: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return one series as it is, and many as a panel of a common end.

    sktime cuts all series of a panel at the same stamps; where those of a suite end at others, rows are
    counted instead.

    Examples
    --------
    >>> short, long = pd.DataFrame({"value": [1.0]}), pd.DataFrame({"value": [2.0, 3.0]})
    >>> list(series_ending_together({"short": short, "long": long}).index)
    [('short', 1), ('long', 0), ('long', 1)]
    """
    if len(series) == 1:
        return next(iter(series.values()))
    if len({rows.index[-1] for rows in series.values()}) > 1:
        longest = max(map(len, series.values()))
        series = {
            name: rows.set_axis(pd.RangeIndex(longest - len(rows), longest))
            for name, rows in series.items()
        }
    return pd.concat(dict(series), names=["series", "row"])


def _at_hand(name: str) -> str | None:
    """Name a model, or its stand-in, or None where neither can run."""
    entry = MODELS.get(name)
    if entry is None or not entry.missing:
        return name
    instead = f"with {entry.stand_in} in place of" if entry.stand_in else "without"
    warnings.warn(
        f"the benchmark goes {instead} {name}, which needs {', '.join(entry.missing)}; "
        f"`pip install klforecast[peers]` brings it",
        stacklevel=3,
    )
    return entry.stand_in or None
