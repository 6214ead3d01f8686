"""What a series of many channels costs, by one thread and by several.

    python -m klforecast.evaluation.studies.wide_cost --channels 200 1000 --jobs 1 2 --out rows.jsonl

Made-up hourly rows with a day, a week and errors that are autoregressive, two weeks of memory and more, 96 hours ahead.
CPU seconds of all threads, and seconds by the clock; the first fit of a process is not counted.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import timed

_HORIZON = 96  # hours
_DAY, _WEEK = 24, 168  # hours
_MEMORY = 0.8  # share of an error that is left after an hour
_WARM = (3, 1000)  # channels and rows of the first fit, which pays for imports and allocations


class WideCost(NamedTuple):
    """Cost of one series.

    Attributes
    ----------
    channels, rows, jobs : int
        Size of the series, and threads.
    cpu_seconds, seconds : float
        Of the fit, by all threads and by the clock.
    predict_seconds : float
        CPU seconds of a forecast.
    """

    channels: int
    rows: int
    jobs: int
    cpu_seconds: float
    seconds: float
    predict_seconds: float


def wide_series(channels: int, rows: int, random_state: int = 0) -> pd.DataFrame:
    """Make hourly rows of so many channels.

    Examples
    --------
    >>> wide_series(channels=2, rows=48).shape
    (48, 2)
    """
    rng = np.random.default_rng(random_state)
    hours = np.arange(rows)[:, None]
    day = rng.uniform(0.5, 2, channels) * np.sin(
        2 * np.pi * (hours / _DAY + rng.uniform(size=channels))
    )
    week = 0.5 * np.sin(2 * np.pi * (hours / _WEEK + rng.uniform(size=channels)))
    errors = 0.5 * rng.standard_normal((rows, channels))
    for hour in range(1, rows):
        errors[hour] += _MEMORY * errors[hour - 1]
    index = pd.date_range("2020-01-01", periods=rows, freq="h")
    return pd.DataFrame(10 + day + week + errors, index)


def wide_cost(channels: int, rows: int, jobs: int) -> WideCost:
    """Measure a fit to one series and a forecast."""
    y = wide_series(channels, rows)
    with one_thread():
        KLMemoryForecaster(_HORIZON, n_jobs=jobs).fit(wide_series(*_WARM)).predict()
        begun = time.perf_counter()
        forecaster, cpu = timed(lambda: KLMemoryForecaster(_HORIZON, n_jobs=jobs).fit(y))
        seconds = time.perf_counter() - begun
        _, predict = timed(forecaster.predict)
    return WideCost(channels, rows, jobs, cpu, seconds, predict)


def table(costs: Sequence[WideCost]) -> Table:
    """One line for each fit."""
    columns = ("channels", "rows", "threads", "fit, CPU s", "fit, clock s", "predict s")
    lines = [
        (
            f"{cost.channels:,}",
            f"{cost.rows:,}",
            f"{cost.jobs}",
            f"{cost.cpu_seconds:.1f}",
            f"{cost.seconds:.1f}",
            f"{cost.predict_seconds:.2f}",
        )
        for cost in costs
    ]
    return make_table("series of many channels, 96 hours ahead", columns, lines, left=0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--channels", type=int, nargs="*", default=[50, 200, 1000])
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--jobs", type=int, nargs="*", default=[1, 2])
    options = parser.parse_args(arguments)
    costs = [
        wide_cost(channels, options.rows, jobs)
        for channels in options.channels
        for jobs in options.jobs
    ]
    append_rows(options.out, (cost._asdict() for cost in costs))
    show(table(costs))


if __name__ == "__main__":
    main()
