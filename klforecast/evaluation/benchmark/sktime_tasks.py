"""sktime's own benchmark, filled with the models of this harness."""

import warnings
from collections.abc import Sequence

import numpy as np
from sktime.benchmarking.forecasting import ForecastingBenchmark
from sktime.datasets import load_airline
from sktime.performance_metrics.forecasting import (
    MeanAbsolutePercentageError,
    MeanAbsoluteScaledError,
)
from sktime.split import ExpandingWindowSplitter

from klforecast.evaluation.benchmark.adapter import HarnessForecaster
from klforecast.evaluation.benchmark.models import MODELS, model
from klforecast.evaluation.benchmark.protocol import Task

_FIRST_WINDOW = 72  # months of the airline series


def make_benchmark(
    models: Sequence[str] | None = None,
    *,
    horizon: int = 12,
    period: int = 12,
    random_state: int = 0,
) -> ForecastingBenchmark:
    """Return a `ForecastingBenchmark` with the models added and airline as its first task.

    The task has expanding windows from six years on, a year ahead each, scored by sMAPE and MASE.
    Add tasks of one's own with `add_task`, and run it with `run("results.csv")`.

    Parameters
    ----------
    models : sequence of str, optional
        Names of the benchmark's models. None takes all. In place of one that needs what is not
        installed comes its stand-in, or nothing, with a warning that says so.
    horizon : int, default=12
        Horizon of `KLMemoryForecaster` and of the airline task, in steps.
    period : int, default=12
        Steps of one season.
    random_state : int, default=0
        Seed of the models that have one.

    Examples
    --------
    >>> benchmark = make_benchmark(["klmemory", "seasonal-naive"])
    >>> results = benchmark.run("results.csv")  # doctest: +SKIP
    """
    task = Task("", horizon, period, past_limit=None, validation_rows=0, seed=random_state)
    benchmark = ForecastingBenchmark()
    for name in dict.fromkeys(map(_at_hand, MODELS if models is None else models)):
        if name is None:
            continue
        benchmark.add_estimator(
            model(name).make(task)
            if model(name).ours
            else HarnessForecaster(name, period=period, random_state=random_state),
            name,
        )
    splitter = ExpandingWindowSplitter(
        fh=np.arange(1, horizon + 1), initial_window=_FIRST_WINDOW, step_length=horizon
    )
    metrics = [MeanAbsolutePercentageError(symmetric=True), MeanAbsoluteScaledError(sp=period)]
    benchmark.add_task(load_airline, splitter, metrics, "airline")
    return benchmark


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
