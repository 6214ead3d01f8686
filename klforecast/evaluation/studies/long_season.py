"""What a cycle that is too long for a window costs and gains: years of hours, generated.

    python -m klforecast.evaluation.studies.long_season --periods 2000 4000 8760

A series is a long cycle with its second harmonic, a day of 24 steps, and AR(1) noise. It is forecast from its
end on, at every seventh cutoff, once with the cycle given as `period` and once without. Each fit is made in a process
of its own, on one thread.
"""

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation import machine
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import cpu_seconds

_DAY = 24  # hours
_AMPLITUDES = (10.0, 3.0, 2.0)  # of the long cycle, its second harmonic, and the day
_MEMORY = 0.9  # of the noise, which covers a day and little of the long cycle
_SHOCK = 0.4  # makes noise of a deviation of about 0.9
_AHEAD = 700  # rows after the end, so that a hundred windows are scored
_STRIDE = 7  # shares no factor with a day: every hour is a cutoff


class LongSeasonRow(NamedTuple):
    """One fit and its forecasts.

    Attributes
    ----------
    period, steps, horizon, seed : int
        Long cycle, rows of the fit, steps ahead, and seed of the series.
    given : bool
        Whether the forecaster was told the long cycle.
    seconds : float
        CPU seconds of the fit.
    peak_mb : float or None
        Peak resident memory of the process during the fit, libraries included.
    mse : float
        Of all windows.
    """

    period: int
    steps: int
    horizon: int
    seed: int
    given: bool
    seconds: float
    peak_mb: float | None
    mse: float


def long_cycle(rows: int, period: int, seed: int) -> pd.Series:
    """Generate a long cycle, a day and noise.

    Examples
    --------
    >>> len(long_cycle(100, 2000, seed=0))
    100
    """
    shocks = _SHOCK * np.random.default_rng(seed).normal(size=rows)
    noise = np.zeros(rows)
    for step in range(1, rows):
        noise[step] = _MEMORY * noise[step - 1] + shocks[step]
    turns = 2 * np.pi * np.arange(rows)
    first, second, day = _AMPLITUDES
    long = first * np.sin(turns / period) + second * np.sin(2 * turns / period + 1)
    return pd.Series(long + day * np.sin(turns / _DAY) + noise)


def run_cell(period: int, steps: int, horizon: int, seed: int, given: bool) -> LongSeasonRow:
    """Fit and score once, in this process."""
    y = long_cycle(steps + _AHEAD + horizon, period, seed)
    forecaster = KLMemoryForecaster(horizon, period=period if given else None)
    machine.reset_peak_memory()
    seconds = cpu_seconds(lambda: forecaster.fit(y[:steps]))
    peak = machine.peak_memory_mb()
    cutoffs = np.arange(steps, steps + _AHEAD, _STRIDE)
    truth = y.to_numpy()[cutoffs[:, None] + np.arange(horizon)]
    errors = forecaster.predict_windows(y.to_frame(), cutoffs)[..., 0] - truth
    mse = float(np.square(errors).mean())
    return LongSeasonRow(period, steps, horizon, seed, given, seconds, peak, mse)


def summary(rows: Sequence[LongSeasonRow]) -> list[tuple[str, ...]]:
    """Lines of the table: for each cycle, its gain, and the dearest fit with it and without."""
    lines = []
    for period in dict.fromkeys(row.period for row in rows):
        of = {
            given: [row for row in rows if (row.period, row.given) == (period, given)]
            for given in (True, False)
        }
        gains = [told.mse / plain.mse for told, plain in zip(of[True], of[False], strict=True)]
        lines.append(
            (
                f"{period:,}",
                f"{np.exp(np.log(gains).mean()):.3f}",
                f"{min(gains):.3f} to {max(gains):.3f}",
                *(f"{max(row.seconds for row in of[given]):.1f}" for given in (True, False)),
                *(
                    f"{max(row.peak_mb or np.nan for row in of[given]):,.0f}"
                    for given in (True, False)
                ),
            )
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--periods", type=int, nargs="+", default=[2000, 4000, 8760])
    parser.add_argument("--steps", type=int, default=3 * 8760, help="rows of a fit")
    parser.add_argument("--horizon", type=int, default=96)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    spawn = multiprocessing.get_context("spawn")
    rows = []
    for period in options.periods:
        for seed in range(options.seeds):
            for given in (True, False):
                size = (period, options.steps, options.horizon, seed, given)
                with ProcessPoolExecutor(
                    1, mp_context=spawn, initializer=torch.set_num_threads, initargs=(1,)
                ) as pool:
                    rows.append(pool.submit(run_cell, *size).result())
                append_rows(options.out, [rows[-1]._asdict()])
    columns = ("period", "error", "of seeds", "s", "s without", "MB", "MB without")
    title = (
        f"{options.steps:,} rows, {options.horizon} steps ahead; error as a share of that without"
    )
    show(make_table(title, columns, summary(rows)))


if __name__ == "__main__":
    main()
