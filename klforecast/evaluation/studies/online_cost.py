"""What a row costs the online Karhunen-Loeve update, beside the decomposition over time.

    python -m klforecast.evaluation.studies.online_cost

The first table shows that absorbing rows costs the same however many rows were absorbed before.
The second shows, on rows of rank k, that the modes agree with those of the T x T covariance, and
what that decomposition costs. Times are CPU time (`time.process_time`) of one thread.
"""

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from rich.table import Table
from torch import Tensor

from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.command import make_parser, make_table, show
from klforecast.evaluation.studies.timing import cpu_seconds, in_turns
from klforecast.ops.kl import empirical_kl
from klforecast.ops.linalg import fix_signs, safe_eigh
from klforecast.ops.online import KLState, absorb, empty_state, feature_modes

_STREAM_CHUNK = 10_000  # rows that are made and absorbed at once; 5 MB


class RowCost(NamedTuple):
    """Cost of absorbing a row into a state that has seen `seen` rows."""

    seen: int
    microseconds: float  # median over the repeats
    ratio: float  # to the first state measured


class Agreement(NamedTuple):
    """Online and exact decompositions of T rows of rank k: seconds, and the largest differences."""

    T: int
    covariance_over_time: float  # seconds for safe_eigh of the T x T matrix
    smaller_problem: float  # seconds for empirical_kl
    online: float  # seconds to absorb all T rows
    eigenvalue_difference: float  # relative to the eigenvalue
    mode_difference: float  # absolute, of entries of unit vectors


def row_costs(
    seen: Sequence[int] = (1_000, 10_000, 100_000, 1_000_000),
    *,
    d: int = 64,
    rank: int = 16,
    rows: int = 512,
    repeats: int = 200,
) -> list[RowCost]:
    """Measure the cost per row of `absorb` after streams of different lengths.

    Parameters
    ----------
    seen : sequence of int, default=(1_000, 10_000, 100_000, 1_000_000)
        Numbers of rows absorbed before measuring, ascending.
    d, rank : int, default=64, 16
        Features of a row, and directions kept.
    rows : int, default=512
        Rows absorbed in one measurement, in one call.
    repeats : int, default=200
        Measurements per state. They take turns, so that whatever else the machine does meets
        all states alike.

    Returns
    -------
    list of RowCost
        One for each entry of `seen`.
    """
    generator = torch.Generator().manual_seed(0)
    new_rows = torch.randn(rows, d, generator=generator, dtype=torch.float64)
    states = _states_after(seen, d, rank, generator)
    runs = {
        f"{n}": partial(absorb, state, new_rows, rank)
        for n, state in zip(seen, states, strict=True)
    }
    times = in_turns(runs, repeats)
    medians = [1e6 * statistics.median(column) / rows for column in times.values()]
    return [
        RowCost(n, median, median / medians[0]) for n, median in zip(seen, medians, strict=True)
    ]


def agreement(T: int, *, d: int = 64, rank: int = 16, repeats: int = 3) -> Agreement:
    """Compare the online update with the decomposition over time, on rows of rank `rank`.

    Parameters
    ----------
    T : int
        Number of rows.
    d, rank : int, default=64, 16
        Features of a row; rank of the centred rows and directions kept.
    repeats : int, default=3
        Measurements, of which the median counts.

    Returns
    -------
    Agreement
        Seconds and differences.
    """
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn(T, rank, generator=generator, dtype=torch.float64)
    rows = scores @ torch.randn(rank, d, generator=generator, dtype=torch.float64)
    centred = rows - rows.mean(dim=0)
    exact = safe_eigh(centred @ centred.mT / T)
    eigenvalues, modes = feature_modes(absorb(empty_state(d), rows, rank))
    over_time = fix_signs(centred @ modes / (T * eigenvalues).sqrt())
    return Agreement(
        T=T,
        covariance_over_time=_median(lambda: safe_eigh(centred @ centred.mT / T), repeats),
        smaller_problem=_median(lambda: empirical_kl(rows, rank), repeats),
        online=_median(lambda: absorb(empty_state(d), rows, rank), repeats),
        eigenvalue_difference=(eigenvalues / exact[0][:rank] - 1).abs().max().item(),
        mode_difference=(over_time - exact[1][:, :rank]).abs().max().item(),
    )


def _states_after(
    seen: Sequence[int], d: int, rank: int, generator: torch.Generator
) -> list[KLState]:
    state, done, states = empty_state(d), 0, []
    for target in seen:
        while done < target:
            count = min(_STREAM_CHUNK, target - done)
            chunk: Tensor = torch.randn(count, d, generator=generator, dtype=torch.float64)
            state, done = absorb(state, chunk, rank), done + count
        states.append(state)
    return states


def _median(run: Callable[[], object], repeats: int) -> float:
    return statistics.median(cpu_seconds(run) for _ in range(repeats))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both tables."""
    parser = make_parser(__doc__)
    parser.add_argument("--d", type=int, default=64, help="features of a row")
    parser.add_argument("--rank", type=int, default=16, help="directions kept")
    parser.add_argument("--repeats", type=int, default=200, help="measurements of a row's cost")
    parser.add_argument("--seen", type=int, nargs="+", default=[1_000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--steps", type=int, nargs="+", default=[1_000, 2_000, 3_000])
    options = parser.parse_args(arguments)
    sizes = {"d": options.d, "rank": options.rank}
    with one_thread():
        costs = row_costs(options.seen, repeats=options.repeats, **sizes)
        comparisons = [agreement(T, **sizes) for T in options.steps]
    show(_cost_table(costs, **sizes), _agreement_table(comparisons, **sizes))


def _cost_table(costs: Sequence[RowCost], d: int, rank: int) -> Table:
    return make_table(
        f"absorb: cost of a row of {d} features at rank {rank}",
        ("rows seen before", "microseconds per row", "ratio"),
        [(f"{cost.seen:,}", f"{cost.microseconds:.2f}", f"{cost.ratio:.2f}") for cost in costs],
        left=0,
    )


def _agreement_table(comparisons: Sequence[Agreement], d: int, rank: int) -> Table:
    lines = [
        (
            f"{row.T:,}",
            f"{row.covariance_over_time:.3f}",
            f"{row.smaller_problem:.4f}",
            f"{row.online:.4f}",
            f"{row.eigenvalue_difference:.0e}",
            f"{row.mode_difference:.0e}",
        )
        for row in comparisons
    ]
    table = make_table(
        f"all rows at once or as they come: {d} features of rank {rank}, seconds",
        ("T", "T x T eigh", "smaller problem", "absorb all T", "eigenvalues", "modes"),
        lines,
        left=0,
    )
    table.caption = "last two columns: largest difference between online and T x T"
    return table


if __name__ == "__main__":
    main()
