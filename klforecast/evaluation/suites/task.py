"""One configuration of a suite, and how it is scored.

The last `n_windows` times `horizon` rows of every series are the test part, cut into windows that do
not overlap. A model is fitted once, on all rows before the first window, and is then handed the rows
of each window after its forecast of them: what a forecaster that is in use sees.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import pandas as pd

from klforecast.data.collections import Collection
from klforecast.evaluation.suites.scores import Forecast, ScoreSums, seasonal_error


@dataclass(frozen=True)
class SuiteTask:
    """A configuration of a suite.

    Parameters
    ----------
    config, domain : str
        Name; the kind of data, for choices that leave one kind out.
    collection : Collection
        The series, the held-out rows at their ends.
    horizon : int
        Steps ahead.
    season : int
        Steps of the season of the MASE, 1 for none.
    n_windows : int
        Windows of `horizon` rows at the end of every series.
    """

    config: str
    domain: str
    collection: Collection
    horizon: int
    season: int
    n_windows: int


class SuiteForecaster(Protocol):
    """What a suite asks of a model."""

    def fit(self, past: Mapping[str, pd.DataFrame]) -> Any:
        """Learn from the rows of each series."""

    def update(self, rows: Mapping[str, pd.DataFrame]) -> Any:
        """Take in the rows of each series that follow the known ones, without fitting again."""

    def forecast(self) -> Mapping[str, Forecast]:
        """Forecast each series from its last known row."""

    def get_params(self) -> dict[str, Any]:
        """Return every setting that decides the result."""


def rows_between(
    series: Mapping[str, pd.DataFrame], first: int | None, last: int
) -> dict[str, pd.DataFrame]:
    """Return the rows of each series that lie from `first` to `last` rows before its end.

    None takes all rows from the start.
    """
    return {
        name: rows.iloc[None if first is None else len(rows) - first : len(rows) - last]
        for name, rows in series.items()
    }


def score_task(
    task: SuiteTask, model: SuiteForecaster, sums: ScoreSums | None = None
) -> dict[str, Any]:
    """Fit and score a model, and return the fields of its row that are known only afterwards.

    Scores are added to `sums` where these are given, and are then those of all that was added to them.

    Raises
    ------
    ValueError
        If a series has no row before its first window, or a forecast is missing, of another shape
        or not finite.
    """
    series, horizon = task.collection.series, task.horizon
    n_test = horizon * task.n_windows
    if task.collection.shortest <= n_test:
        raise ValueError(
            f"{task.config} holds a series of {task.collection.shortest} rows, and the last "
            f"{n_test} of each are the test part; leave it out or score fewer windows"
        )
    sums = ScoreSums() if sums is None else sums
    begun, cpu_begun = time.perf_counter(), time.process_time()
    model.fit(rows_between(series, None, n_test))
    fit_seconds = time.perf_counter() - begun
    predict_seconds = 0.0
    for left in range(n_test, 0, -horizon):
        asked = time.perf_counter()
        if left < n_test:
            model.update(rows_between(series, left + horizon, left))
        forecasts = model.forecast()
        predict_seconds += time.perf_counter() - asked
        for name, rows in series.items():
            values = rows.to_numpy()
            cutoff = len(values) - left
            scale = seasonal_error(values[:cutoff], task.season)
            sums.add(values[cutoff : cutoff + horizon], forecasts[name], scale)
    return {
        **sums.result(),
        "fit_seconds": fit_seconds,
        "predict_seconds": predict_seconds,
        "cpu_seconds": time.process_time() - cpu_begun,
    }
