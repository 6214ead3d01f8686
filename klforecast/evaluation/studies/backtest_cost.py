"""What a backtest costs beside sktime's `evaluate`, which gives the same forecasts.

    python -m klforecast.evaluation.studies.backtest_cost

Of a made-up hourly series with a daily cycle on a slow walk, forecast a day ahead from cutoffs four
hours apart, points alone. `evaluate` runs with ``strategy="no-update_params"`` (one fit, as `backtest`)
and with ``strategy="refit"``, its default (a fit at every cutoff). CPU seconds of one thread
(`time.process_time`), fits included. The weights of the closed form are applied to all cutoffs in one
product; local experts, where they have a share in the forecast, are run at each cutoff anew.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sktime.forecasting.model_evaluation import evaluate
from sktime.split import ExpandingWindowSplitter

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.backtesting.backtest import backtest
from klforecast.evaluation.studies.command import make_parser, make_table, show
from klforecast.evaluation.studies.timing import cpu_seconds

_HORIZON, _STEP = 24, 4  # hours


class BacktestCost(NamedTuple):
    """CPU seconds to forecast a series from many cutoffs.

    Attributes
    ----------
    rows, cutoffs : int
    local : bool
        Whether local experts have a share in the forecast.
    fit : float
        One fit alone.
    points, quantiles : float
        `backtest` of points, and of points and deciles.
    moved : float
        `evaluate` with one fit.
    refit : float or None
        `evaluate` with a fit at every cutoff; None where it was not run.
    """

    rows: int
    cutoffs: int
    local: bool
    fit: float
    points: float
    quantiles: float
    moved: float
    refit: float | None


def backtest_cost(rows: int, cutoffs: int, *, refit: bool) -> BacktestCost:
    """Measure one number of cutoffs.

    Parameters
    ----------
    rows, cutoffs : int
        Of the series; at its end.
    refit : bool
        Whether `evaluate` is also run with a fit at every cutoff.
    """
    y = _hours(rows)
    forecaster = KLMemoryForecaster(_HORIZON)
    first = rows - _HORIZON - (cutoffs - 1) * _STEP

    def theirs(strategy: str) -> float:
        splitter = ExpandingWindowSplitter(
            fh=np.arange(1, _HORIZON + 1), initial_window=first, step_length=_STEP
        )
        return cpu_seconds(
            lambda: evaluate(forecaster, splitter, y, strategy=strategy, error_score="raise")
        )

    def ours(levels: Sequence[float] | None) -> float:
        return cpu_seconds(
            lambda: backtest(
                forecaster, y, horizon=_HORIZON, n_windows=cutoffs, step=_STEP, levels=levels
            )
        )

    fitted = forecaster.clone()
    fit = cpu_seconds(lambda: fitted.fit(y[:first]))
    return BacktestCost(
        rows,
        cutoffs,
        fitted.reach_ > fitted.memory_depth_,
        fit,
        ours(()),
        ours(None),
        theirs("no-update_params"),
        theirs("refit") if refit else None,
    )


def _hours(rows: int) -> pd.Series:
    rng = np.random.default_rng(0)
    day = 3 * np.sin(2 * np.pi * np.arange(rows) / 24)
    walk = 0.05 * rng.normal(size=rows).cumsum()
    index = pd.date_range("2024-01-01", periods=rows, freq="h")
    return pd.Series(10 + day + walk + rng.normal(size=rows), index, name="load")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = make_parser(__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[4000, 6000])
    parser.add_argument("--cutoffs", type=int, nargs="+", default=[20, 100, 500])
    parser.add_argument(
        "--refit-at-most", type=int, default=20, help="cutoffs that are fitted anew"
    )
    options = parser.parse_args(arguments)
    with one_thread():
        # What is only slow the first time is paid before anything is measured.
        backtest_cost(400, 2, refit=False)
        costs = [
            backtest_cost(rows, cutoffs, refit=cutoffs <= options.refit_at_most)
            for rows in options.rows
            for cutoffs in options.cutoffs
        ]
    columns = (
        *("rows", "cutoffs", "local experts", "one fit", "backtest", "with deciles"),
        *("evaluate, one fit", "evaluate, refit", "one fit / backtest"),
    )
    lines = [
        (
            str(cost.rows),
            str(cost.cutoffs),
            "yes" if cost.local else "no",
            f"{cost.fit:.2f}",
            f"{cost.points:.2f}",
            f"{cost.quantiles:.2f}",
            f"{cost.moved:.2f}",
            "-" if cost.refit is None else f"{cost.refit:.1f}",
            f"{cost.moved / cost.points:.1f}",
        )
        for cost in costs
    ]
    show(make_table(f"CPU seconds, hours forecast {_HORIZON} ahead", columns, lines))


if __name__ == "__main__":
    main()
