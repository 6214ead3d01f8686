"""What a panel in parts costs: seconds of each pass, bytes that travel, memory, from few series to many.

    python -m klforecast.evaluation.studies.scale_cost --series 1000 10000 --workers 1 2 --out rows.jsonl

Made-up monthly series as of `panel_cost`, made where they are worked on, so that no rows travel. CPU seconds of all
processes, with one thread each; the pass that forecasts makes 12 months of each series.
"""

import functools
import resource
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rich.table import Table

from klforecast.distributed.agreement import agree
from klforecast.distributed.moments import part_moments
from klforecast.distributed.panel_model import PanelModel, solve_panel
from klforecast.distributed.parts import merge_all, run
from klforecast.distributed.survey import survey_part
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import Key, TimeSeries, split_series
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.panel_cost import mixed_panel
from klforecast.evaluation.studies.timing import timed

_YEAR = 12  # months, the season of the series and the horizon of their forecasts
_SERIES_PER_PART = 5000  # some 100 MB at work
_MIB = 1024  # KiB, in which Linux counts the memory of a process


class ScaleCost(NamedTuple):
    """Cost of one panel.

    Attributes
    ----------
    series, rows, workers : int
        Size of the panel, rows of each series, processes.
    local_experts : bool
    survey, moments, solve, forecast : float
        CPU seconds of each stage, of all processes.
    wall : float
        Seconds of all of them by the clock.
    travelled : int
        Bytes of the moments of all parts.
    memory : float
        Most memory of this process, in MiB.
    """

    series: int
    rows: int
    workers: int
    local_experts: bool
    survey: float
    moments: float
    solve: float
    forecast: float
    wall: float
    travelled: int
    memory: float


def made_part(number: int, series: int, rows: int) -> dict[Key, TimeSeries]:
    """Series of one part, with labels that no other part has.

    Examples
    --------
    >>> list(made_part(3, series=2, rows=24))
    [('p00003-s000000',), ('p00003-s000001',)]
    """
    panel = split_series(mixed_panel(series, rows, random_state=number))
    months = next(iter(panel.values())).index
    return {
        (f"p{number:05d}-{key[0]}",): TimeSeries(part.values, months) for key, part in panel.items()
    }


def scale_cost(series: int, rows: int, workers: int, local_experts: bool) -> ScaleCost:
    """Measure the three passes over a panel."""
    sizes = [_SERIES_PER_PART] * (series // _SERIES_PER_PART)
    if series % _SERIES_PER_PART:
        sizes.append(series % _SERIES_PER_PART)
    parts = list(enumerate(sizes))
    forecaster = KLMemoryForecaster(_YEAR, local_experts=local_experts)
    begun = time.perf_counter()
    surveys, survey_cpu = _passed(survey_part, parts, rows, workers)
    survey = merge_all(surveys)
    agreed, agree_cpu = timed(lambda: agree(survey, forecaster))
    found, moments_cpu = _passed(
        functools.partial(part_moments, agreed=agreed), parts, rows, workers
    )
    travelled = sum(part.n_bytes() for part in found)
    model, solve_cpu = timed(lambda: solve_panel(agreed, survey, merge_all(found)))
    _, forecast_cpu = _passed(functools.partial(_forecast, model=model), parts, rows, workers)
    wall = time.perf_counter() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB
    cpu = survey_cpu, moments_cpu, agree_cpu + solve_cpu, forecast_cpu
    return ScaleCost(series, rows, workers, local_experts, *cpu, wall, travelled, memory)


def _passed(
    work: Callable[[dict], Any], parts: Sequence[tuple[int, int]], rows: int, workers: int
) -> tuple[list[Any], float]:
    """The answers of all parts, and the CPU seconds that they took, beside making the rows."""
    answers = list(run(functools.partial(_timed_part, work=work, rows=rows), parts, workers))
    return [answer for answer, _ in answers], sum(seconds for _, seconds in answers)


def _timed_part(part: tuple[int, int], work: Callable[[dict], Any], rows: int) -> tuple[Any, float]:
    made = made_part(*part, rows)
    return timed(lambda: work(made))


def _forecast(part: dict[Key, TimeSeries], model: PanelModel) -> int:
    return len(model.forecast(part, _YEAR)[0])


def table(costs: Sequence[ScaleCost]) -> Table:
    """One line for each panel."""
    columns = (
        *("series", "rows", "workers", "local", "survey s", "moments s", "solve s"),
        *("forecast s", "wall s", "MB travelled", "memory MiB", "ms a series"),
    )
    lines = [
        (
            f"{cost.series:,}",
            f"{cost.rows:,}",
            str(cost.workers),
            "yes" if cost.local_experts else "no",
            *(f"{value:.1f}" for value in cost[4:9]),
            f"{cost.travelled / 1e6:.1f}",
            f"{cost.memory:,.0f}",
            f"{1000 * sum(cost[4:8]) / cost.series:.2f}",
        )
        for cost in costs
    ]
    return make_table("panels in parts, 12 months ahead, CPU seconds", columns, lines, left=0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--series", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--without-local-experts", action="store_true")
    options = parser.parse_args(arguments)
    costs = [
        scale_cost(series, options.rows, workers, not options.without_local_experts)
        for series in options.series
        for workers in options.workers
    ]
    append_rows(options.out, (cost._asdict() for cost in costs))
    show(table(costs))


if __name__ == "__main__":
    main()
