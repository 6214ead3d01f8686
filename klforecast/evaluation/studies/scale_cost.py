"""What a panel in parts costs: seconds of each pass, bytes that travel, memory, from few series to many.

    python -m klforecast.evaluation.studies.scale_cost --series 1000 10000 --workers 1 2 --out rows.jsonl
    python -m klforecast.evaluation.studies.scale_cost --series 1000000 --workers 2 --engine dask

Made-up monthly series as of `panel_cost`, made where they are worked on, so that no rows travel. CPU seconds of all
processes, with one thread each, without those that make the rows; the pass that forecasts makes 12 months of each
series. Seconds by the clock have all of that, without the start of the processes.
"""

import functools
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pandas as pd
from joblib import parallel_config
from rich.table import Table

from klforecast.distributed.agreement import Agreement, agree
from klforecast.distributed.moments import PartMoments, part_moments
from klforecast.distributed.panel_model import PanelModel, solve_panel
from klforecast.distributed.parts import merge_all, run
from klforecast.distributed.survey import survey_part
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.panel_cost import mixed_values
from klforecast.evaluation.studies.timing import timed

_YEAR = 12  # months, the season of the series and the horizon of their forecasts
_SERIES_PER_PART = 5000  # some 300 MB at work
_SERIES_TO_WARM = 50  # of each process before the clock runs: imports and allocations
_MIB = 1024  # KiB, in which Linux counts the memory of a process
_TRIMMING = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
ENGINES = ("loky", "dask", "ray")
"""Backends of joblib, each with processes of this machine."""


class ScaleCost(NamedTuple):
    """Cost of one panel.

    Attributes
    ----------
    series, rows, workers : int
        Size of the panel, rows of each series, processes.
    engine : str
        Of `ENGINES`.
    local_experts : bool
    survey, moments, solve, forecast : float
        CPU seconds of each stage, of all processes.
    wall : float
        Seconds of all of them by the clock, making the rows included.
    travelled : int
        Bytes of the moments of all parts.
    memory : float
        Most memory of any process, in MiB.
    """

    series: int
    rows: int
    workers: int
    engine: str
    local_experts: bool
    survey: float
    moments: float
    solve: float
    forecast: float
    wall: float
    travelled: int
    memory: float


class _Passed(NamedTuple):
    """What a pass made of a part: CPU seconds and most memory of the process that did."""

    answer: Any
    seconds: float
    memory: float


class _Passes:
    """Passes over the parts of a panel, and what they cost."""

    def __init__(self, series: int, rows: int, workers: int):
        whole, rest = divmod(series, _SERIES_PER_PART)
        sizes = [_SERIES_PER_PART] * whole + [rest] * (rest > 0)
        self.parts = list(enumerate(sizes))
        self.rows, self.workers = rows, workers
        self.seconds: dict[str, float] = {}
        self.memory = 0.0

    def __call__(self, stage: str, work: Callable[[dict], Any]) -> Iterator[Any]:
        """The answers of all parts, each as soon as it is there."""
        ask = functools.partial(_pass_part, work=work, rows=self.rows)
        for passed in run(ask, self.parts, self.workers):
            self.seconds[stage] = self.seconds.get(stage, 0.0) + passed.seconds
            self.memory = max(self.memory, passed.memory)
            yield passed.answer


def made_part(number: int, series: int, rows: int) -> dict[Key, TimeSeries]:
    """Series of one part, with labels that no other part has.

    Examples
    --------
    >>> list(made_part(3, series=2, rows=24))
    [('p00003-s000000',), ('p00003-s000001',)]
    """
    months = pd.period_range("2015-01", periods=rows, freq="M")
    values = mixed_values(series, rows, random_state=number)[..., None]
    return {
        (f"p{number:05d}-s{place:06d}",): TimeSeries(own, months)
        for place, own in enumerate(values)
    }


def scale_cost(
    series: int, rows: int, workers: int, local_experts: bool, engine: str = "loky"
) -> ScaleCost:
    """Measure the three passes over a panel."""
    forecaster = KLMemoryForecaster(_YEAR, local_experts=local_experts)
    passes, travelled = _Passes(series, rows, workers), []

    def moments_of(agreed: Agreement) -> Iterator[PartMoments]:
        for part in passes("moments", functools.partial(part_moments, agreed=agreed)):
            travelled.append(part.n_bytes())
            yield part

    with processes(engine, workers):
        small = [(number, _SERIES_TO_WARM) for number in range(2 * workers)]
        list(run(functools.partial(_pass_part, work=survey_part, rows=rows), small, workers))
        begun = time.perf_counter()
        survey = merge_all(passes("survey", survey_part))
        agreed, agree_cpu = timed(lambda: agree(survey, forecaster))
        moments = merge_all(moments_of(agreed))
        model, solve_cpu = timed(lambda: solve_panel(agreed, survey, moments))
        sum(passes("forecast", functools.partial(_forecast, model=model)))
        wall = time.perf_counter() - begun
    cpu = passes.seconds
    return ScaleCost(
        *(series, rows, workers, engine, local_experts),
        *(cpu["survey"], cpu["moments"], agree_cpu + solve_cpu, cpu["forecast"]),
        *(wall, sum(travelled), max(_peak(), passes.memory)),
    )


@contextmanager
def processes(engine: str, workers: int) -> Iterator[None]:
    """Let joblib work on processes of an engine, which are started here and end here.

    Parameters
    ----------
    engine : {"loky", "dask", "ray"}
    workers : int

    Raises
    ------
    ImportError
        If the engine is not installed.
    """
    if engine == "dask":
        import dask
        from distributed import Client, LocalCluster

        # As Dask comes, a worker gives freed memory back at once, and arrays that come and go cost twice the time.
        with dask.config.set({_TRIMMING: None}):
            cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            with cluster, Client(cluster), parallel_config(backend="dask"):
                yield
    elif engine == "ray":
        import ray
        from ray.util.joblib import register_ray

        register_ray()
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
        try:
            with parallel_config(backend="ray"):
                yield
        finally:
            ray.shutdown()
    else:
        yield


def _pass_part(part: tuple[int, int], work: Callable[[dict], Any], rows: int) -> _Passed:
    made = made_part(*part, rows)
    answer, seconds = timed(lambda: work(made))
    return _Passed(answer, seconds, _peak())


def _peak() -> float:
    """Most memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MIB


def _forecast(part: dict[Key, TimeSeries], model: PanelModel) -> int:
    return len(model.forecast(part, _YEAR)[0])


def table(costs: Sequence[ScaleCost]) -> Table:
    """One line for each panel."""
    columns = (
        *("series", "rows", "engine", "workers", "local", "survey s", "moments s", "solve s"),
        *("forecast s", "wall s", "efficiency", "MB travelled", "memory MiB", "ms a series"),
    )
    # Of the panels that one process worked on too: its seconds by the clock over those of all processes.
    alone = {
        (cost.series, cost.rows, cost.engine, cost.local_experts): cost.wall
        for cost in costs
        if cost.workers == 1
    }
    lines = []
    for cost in costs:
        one = alone.get((cost.series, cost.rows, cost.engine, cost.local_experts))
        cpu = cost.survey, cost.moments, cost.solve, cost.forecast
        lines.append(
            (
                *(f"{cost.series:,}", f"{cost.rows:,}", cost.engine, str(cost.workers)),
                "yes" if cost.local_experts else "no",
                *(f"{value:.1f}" for value in (*cpu, cost.wall)),
                "" if one is None else f"{one / (cost.workers * cost.wall):.2f}",
                f"{cost.travelled / 1e6:.1f}",
                f"{cost.memory:,.0f}",
                f"{1000 * sum(cpu) / cost.series:.2f}",
            )
        )
    return make_table("panels in parts, 12 months ahead, CPU seconds", columns, lines, left=0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--series", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--engine", choices=ENGINES, default="loky")
    parser.add_argument("--without-local-experts", action="store_true")
    options = parser.parse_args(arguments)
    costs = [
        scale_cost(series, options.rows, workers, not options.without_local_experts, options.engine)
        for series in options.series
        for workers in options.workers
    ]
    append_rows(options.out, (cost._asdict() for cost in costs))
    show(table(costs))


if __name__ == "__main__":
    main()
