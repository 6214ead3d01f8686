"""What solving the linear core costs, beside what the formulas of its parts say.

    python -m klforecast.evaluation.studies.fit_cost --out rows.jsonl

One size grows at a time: the steps of a series, the depth that is looked back, the channels. Every
line is measured in a process of its own, on one thread, in CPU seconds, on made-up series. Beside
it stands the number of floating-point operations that the formulas give; where they hold, operations
per second stay within what large and small matrices reach on the same machine.
"""

import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import torch
from rich.table import Table

from klforecast.core.plan import CorePlan, plan_core
from klforecast.core.solve import solve_from_plan
from klforecast.evaluation import machine
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import cpu_seconds

_PERIOD = 24  # hours of a day, the cycle of the made-up series
_N_BLOCKS = 5  # solutions out of fold, beside the one from all windows
_WINDOWS = 2500  # that are looked at out of fold, as in `core.out_of_fold`
_EIGH = 9  # operations of a full symmetric eigendecomposition, in units of b^3


class FitCost(NamedTuple):
    """Cost of one fit.

    Attributes
    ----------
    steps, depth, channels, horizon : int
        Size of the problem.
    seconds : float
        CPU seconds of one thread.
    peak_mb : float or None
        Growth of the resident memory of the process during the fit, beyond the series itself.
    operations : float
        Floating-point operations by formula.
    """

    steps: int
    depth: int
    channels: int
    horizon: int
    seconds: float
    peak_mb: float | None
    operations: float


def operations(plan: CorePlan, steps: int, channels: int) -> float:
    """Floating-point operations of the terms that lead the cost of a fit on one series.

    Parameters
    ----------
    plan : CorePlan
    steps : int
        T, rows of the series.
    channels : int
        C.

    Returns
    -------
    float
        Sum of the terms in `docs/method/linear_core.md`: the correlation by Fourier transform, the Gram
        matrices and their projection, the modes, the windows out of fold, the experts.
    """
    length = plan.depth + plan.padded_horizon
    lengths = [old - young for young, old in pairwise(plan.edges)]
    modes = [min(plan.n_components + 1, block) for block in lengths]
    outputs = min(plan.n_outputs, plan.horizon)
    inputs = plan.edges[0] + sum(modes)
    encode = sum(b * m for b, m in zip(lengths, modes, strict=True)) + plan.horizon * outputs
    windows = min(_WINDOWS, max(1, steps - length))
    shared = sum(expert.pooling != "channel" for expert in plan.experts)
    own = len(plan.experts) - shared
    solves = (_N_BLOCKS + 1) * (shared + channels * own)
    return sum(
        (
            channels * 15 * steps * math.log2(2 * length),
            (channels + 1) * (6 * length**2 + 2 * length * encode),
            _EIGH * (sum(b**3 for b in lengths) + plan.horizon**3),
            channels * 2 * windows * (2 * encode + 2 * (inputs + outputs) ** 2),
            channels * 2 * windows * len(plan.experts) * inputs * plan.horizon,
            solves
            * (inputs**3 / 3 + 2 * inputs**2 * outputs + 2 * inputs * outputs * plan.horizon),
        )
    )


def fit_cost(steps: int, depth: int | None, channels: int, horizon: int) -> FitCost:
    """Measure one fit in a process of its own.

    Parameters
    ----------
    steps : int
        Rows of the series.
    depth : int, optional
        Steps to look back; None leaves it to the plan.
    channels : int
    horizon : int

    Returns
    -------
    FitCost
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(_fit_cost, steps, depth, channels, horizon).result()


def _fit_cost(steps: int, depth: int | None, channels: int, horizon: int) -> FitCost:
    torch.set_num_threads(1)
    plan = _plan(steps, depth, channels, horizon)
    generator = torch.Generator().manual_seed(0)
    series = torch.randn(steps, channels, generator=generator, dtype=torch.float64)
    season = torch.sin(torch.arange(steps, dtype=torch.float64) * (2 * math.pi / _PERIOD))
    series.add_(season[:, None])
    machine.reset_peak_memory()
    before = machine.peak_memory_mb()
    seconds = cpu_seconds(lambda: solve_from_plan([series], plan))
    after = machine.peak_memory_mb()
    peak = None if before is None or after is None else after - before
    counted = operations(plan, steps, channels)
    return FitCost(steps, plan.depth, channels, horizon, seconds, peak, counted)


def _plan(steps: int, depth: int | None, channels: int, horizon: int) -> CorePlan:
    plan = plan_core(
        [steps], channels, horizon, periods=[_PERIOD], memory_depth=depth, input_length=96
    )
    if depth is None or depth <= plan.depth:
        return plan
    # The plan of itself looks back no further than pays; what lies before becomes one more block.
    return plan._replace(edges=(*plan.edges, depth))


def table(title: str, costs: Sequence[FitCost]) -> Table:
    """One line for each fit."""
    columns = ("steps", "depth", "channels", "seconds", "peak MB", "10^9 operations", "10^9 / s")
    lines = [
        (
            f"{cost.steps:,}",
            f"{cost.depth:,}",
            f"{cost.channels:,}",
            f"{cost.seconds:.2f}",
            "" if cost.peak_mb is None else f"{cost.peak_mb:,.0f}",
            f"{cost.operations / 1e9:.1f}",
            f"{cost.operations / 1e9 / cost.seconds:.1f}",
        )
        for cost in costs
    ]
    return make_table(title, columns, lines, left=0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each size that grows and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--steps", type=int, nargs="*", default=[10**4, 10**5, 10**6, 10**7])
    parser.add_argument("--depths", type=int, nargs="*", default=[96, 336, 720, 1440, 2880, 5760])
    parser.add_argument("--channels", type=int, nargs="*", default=[1, 10, 100, 1000])
    parser.add_argument(
        "--rows", type=int, nargs=2, default=[50_000, 5_000], help="for --depths and --channels"
    )
    parser.add_argument("--horizon", type=int, default=96)
    options = parser.parse_args(arguments)
    few, fewer = options.rows
    for title, sizes in (
        ("one channel, more and more steps", [(steps, None, 1) for steps in options.steps]),
        ("one channel, deeper and deeper", [(few, depth, 1) for depth in options.depths]),
        ("more and more channels", [(fewer, None, channels) for channels in options.channels]),
    ):
        if not sizes:
            continue
        costs = [
            fit_cost(steps, depth, channels, options.horizon) for steps, depth, channels in sizes
        ]
        append_rows(options.out, (cost._asdict() for cost in costs))
        show(table(title, costs))


if __name__ == "__main__":
    main()
