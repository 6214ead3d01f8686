"""What a panel of many short series costs: the fit, the forecasts, the intervals.

    python -m klforecast.evaluation.studies.panel_cost --out rows.jsonl

Made-up monthly series, a third each with trend and season, of noise around a level, and of intermittent counts, in
one frame with the series and the months in its index. CPU seconds of one thread; the first fit of a process is not
counted.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import timed

_YEAR = 12  # months, the season of the series and the horizon of their forecasts
_COVERAGE = 0.9  # of the intervals; the cost is the same for any
_WARM_SERIES = 12  # of the first fit, which pays for imports and allocations


class PanelCost(NamedTuple):
    """Cost of one panel.

    Attributes
    ----------
    series, rows : int
        Size of the panel; rows of each series.
    fit, predict, intervals : float
        CPU seconds of one thread.
    """

    series: int
    rows: int
    fit: float
    predict: float
    intervals: float


def mixed_panel(series: int, rows: int, random_state: int = 0) -> pd.DataFrame:
    """Make monthly series of three kinds, in turns.

    Parameters
    ----------
    series, rows : int
    random_state : int, default=0

    Returns
    -------
    DataFrame
        Column ``y``; index of series and month.

    Examples
    --------
    >>> mixed_panel(series=3, rows=24).groupby("series").size().tolist()
    [24, 24, 24]
    """
    values = mixed_values(series, rows, random_state)
    months = pd.period_range("2015-01", periods=rows, freq="M")
    names = [f"s{number:06d}" for number in range(series)]
    index = pd.MultiIndex.from_product([names, months], names=["series", "month"])
    return pd.DataFrame({"y": values.ravel()}, index)


def mixed_values(series: int, rows: int, random_state: int = 0) -> np.ndarray:  # (series, rows)
    """The values of `mixed_panel`, in which every third series is of one kind."""
    rng = np.random.default_rng(random_state)
    time, size = np.arange(rows), (series, 1)
    level = 10.0 ** rng.uniform(1, 4, size)
    phase = 2 * np.pi * (time / _YEAR + rng.uniform(size=size))
    trend = 1 + rng.normal(0, 0.003, size) * time
    noise = 1 + 0.1 * rng.standard_normal((series, rows))
    seasonal = level * trend * (1 + rng.uniform(0.05, 0.4, size) * np.sin(phase)) * noise
    demand = rng.poisson(3.0, (series, rows)) * (rng.uniform(size=(series, rows)) < 0.3)
    kind = (np.arange(series) % 3)[:, None]
    return np.choose(kind, [seasonal, level * noise, demand])


def panel_cost(series: int, rows: int) -> PanelCost:
    """Measure a fit to a panel, its forecasts and their intervals."""
    y = mixed_panel(series, rows)
    ahead = range(1, _YEAR + 1)
    with one_thread():
        KLMemoryForecaster(_YEAR).fit(mixed_panel(_WARM_SERIES, rows)).predict(fh=ahead)
        forecaster, fit = timed(lambda: KLMemoryForecaster(_YEAR).fit(y))
        _, predict = timed(lambda: forecaster.predict(fh=ahead))
        _, intervals = timed(lambda: forecaster.predict_interval(fh=ahead, coverage=_COVERAGE))
    return PanelCost(series, rows, fit, predict, intervals)


def table(costs: Sequence[PanelCost]) -> Table:
    """One line for each panel."""
    columns = ("series", "rows", "fit s", "predict s", "intervals s", "fit ms a series")
    lines = [
        (
            f"{cost.series:,}",
            f"{cost.rows:,}",
            f"{cost.fit:.1f}",
            f"{cost.predict:.1f}",
            f"{cost.intervals:.1f}",
            f"{1000 * cost.fit / cost.series:.1f}",
        )
        for cost in costs
    ]
    return make_table("panels of monthly series, 12 months ahead", columns, lines, left=0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--series", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument("--rows", type=int, default=100)
    options = parser.parse_args(arguments)
    costs = [panel_cost(series, options.rows) for series in options.series]
    append_rows(options.out, (cost._asdict() for cost in costs))
    show(table(costs))


if __name__ == "__main__":
    main()
