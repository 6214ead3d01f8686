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
        Names of the benchmark's models. None takes all; a model that needs what is not installed
        is left out with a warning that names it.
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
    for name in MODELS if models is None else models:
        missing = MODELS[name].missing if name in MODELS else ()
        if missing:
            warnings.warn(
                f"the benchmark goes without {name}, which needs {', '.join(missing)}; "
                f"`pip install klforecast[peers]` brings it",
                stacklevel=2,
            )
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
