"""What intervals add to the cost of a fit and of a forecast.

    python -m klforecast.evaluation.studies.interval_cost --datasets ETTh1

The linear core is solved with and without keeping its errors out of fold, in turns; CPU seconds of
one thread, medians over the repeats. Calibration sorts the errors and decides on the scale.
"""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import torch

from klforecast.core.plan import plan_core
from klforecast.core.solve import solve_from_plan
from klforecast.data.datasets import Dataset, load
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.benchmark.protocol import require_borders, standardize
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import in_turns
from klforecast.ops.conformal import calibrate


class IntervalCost(NamedTuple):
    """CPU seconds of a fit.

    Attributes
    ----------
    dataset : str
    horizon : int
    without, with_errors, calibration : float
        To solve the core keeping no errors; keeping them; to make them scores.
    kept_mb : float
        Size of what a fitted forecaster keeps.
    """

    dataset: str
    horizon: int
    without: float
    with_errors: float
    calibration: float
    kept_mb: float

    @property
    def ratio(self) -> float:
        """Cost of a fit with intervals over that of one without."""
        return (self.with_errors + self.calibration) / self.without


def interval_cost(data: Dataset, horizon: int, repeats: int) -> IntervalCost:
    """Measure fits to the training and validation rows.

    Parameters
    ----------
    data : Dataset
        With borders.
    horizon : int
        Steps ahead.
    repeats : int
        Fits of each kind.
    """
    rows = standardize(data).iloc[: require_borders(data).validation_end].to_numpy()
    panel = [torch.tensor(rows)]
    plan = plan_core([len(rows)], rows.shape[1], horizon, periods=data.periods)
    # The first one of a process pays for what all of them share.
    residuals = solve_from_plan(panel, plan).residuals
    if residuals is None:
        raise ValueError(f"{len(rows)} rows of {data.name} leave no errors; pass a shorter horizon")
    with one_thread():
        times = in_turns(
            {
                "without": lambda: solve_from_plan(panel, plan, most_errors=0),
                "with errors": lambda: solve_from_plan(panel, plan),
                "calibration": lambda: calibrate(residuals),
            },
            repeats,
        )
    size = calibrate(residuals).scores.nbytes / 1e6
    without, with_errors, calibration = map(statistics.median, times.values())
    return IntervalCost(data.name, horizon, without, with_errors, calibration, size)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--datasets", nargs="+", default=["ETTh1"])
    parser.add_argument("--horizons", type=int, nargs="+", default=[96])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    costs = [
        interval_cost(load(name), horizon, options.repeats)
        for name in options.datasets
        for horizon in options.horizons
    ]
    append_rows(options.out, (cost._asdict() for cost in costs))
    columns = ("data", "horizon", "without", "with errors", "calibration", "ratio", "MB kept")
    lines = [
        (
            cost.dataset,
            str(cost.horizon),
            f"{cost.without:.2f}",
            f"{cost.with_errors:.2f}",
            f"{cost.calibration:.2f}",
            f"{cost.ratio:.2f}",
            f"{cost.kept_mb:.1f}",
        )
        for cost in costs
    ]
    show(make_table("CPU seconds of a fit", columns, lines))


if __name__ == "__main__":
    main()
