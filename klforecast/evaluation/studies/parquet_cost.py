"""What a panel costs that is larger than memory: CPU seconds and peak memory of `forecast_parquet`.

    python -m klforecast.evaluation.studies.parquet_cost --series 5000 50000 --out rows.jsonl
    python -m klforecast.evaluation.studies.parquet_cost --series 500000 --folder /scratch

Made-up monthly series as of `panel_cost`, without local experts unless they are asked for, 12 months ahead. Files of
5,000 series are written first, one in memory at a time, which is not counted; reading and writing of the parts is. Each
panel is fitted and forecast in a process of its own, on one thread.
"""

import multiprocessing
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.distributed.parquet import forecast_parquet
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation import machine
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.panel_cost import mixed_values
from klforecast.evaluation.studies.timing import cpu_seconds

_YEAR = 12  # months, the season of the series and the horizon of their forecasts
_SERIES_PER_FILE = 5000  # files of some megabytes, as writers in parts make them


class ParquetCost(NamedTuple):
    """Cost of one panel.

    Attributes
    ----------
    series, rows : int
        Size of the panel; rows of each series.
    local_experts : bool
    bytes : int
        Of the files.
    seconds : float
        CPU seconds of fit and forecasts.
    peak_mb, before_mb : float or None
        Most resident memory of the process, and that before it began.
    """

    series: int
    rows: int
    local_experts: bool
    bytes: int
    seconds: float
    peak_mb: float | None
    before_mb: float | None


def write_panel(folder: Path, series: int, rows: int) -> int:
    """Write made-up series as Parquet, ordered by series, and return the bytes that they take.

    Parameters
    ----------
    folder : Path
        Exists.
    series, rows : int
    """
    months = pd.date_range("2015-01-01", periods=rows, freq="MS")
    for number, first in enumerate(range(0, series, _SERIES_PER_FILE)):
        count = min(_SERIES_PER_FILE, series - first)
        labels = np.array([f"s{first + place:09d}" for place in range(count)])
        frame = pd.DataFrame(
            {
                "unique_id": labels.repeat(rows),
                "ds": np.tile(months, count),
                "y": mixed_values(count, rows, random_state=number).ravel(),
            }
        )
        frame.to_parquet(folder / f"part-{number:05d}.parquet", index=False)
    return sum(path.stat().st_size for path in folder.glob("*.parquet"))


def parquet_cost(
    series: int, rows: int, local_experts: bool = False, scratch: str | None = None
) -> ParquetCost:
    """Write a panel, fit and forecast it in a process of its own, and delete it.

    Parameters
    ----------
    series, rows : int
    local_experts : bool, default=False
    scratch : str, optional
        Folder with room for the files; None takes that of the system.
    """
    with tempfile.TemporaryDirectory(dir=scratch) as place:
        source, folder = Path(place, "rows"), Path(place, "forecasts")
        source.mkdir()
        size = write_panel(source, series, rows)
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as pool:
            measured = pool.submit(_measure, source, folder, rows, local_experts).result()
    return ParquetCost(series, rows, local_experts, size, *measured)


def _measure(
    source: Path, folder: Path, rows: int, local_experts: bool
) -> tuple[float, float | None, float | None]:
    forecaster = KLMemoryForecaster(_YEAR, local_experts=local_experts)
    machine.reset_peak_memory()
    before = machine.peak_memory_mb()
    with one_thread():
        seconds = cpu_seconds(
            lambda: forecast_parquet(
                source,
                folder,
                _YEAR,
                forecaster=forecaster,
                rows_per_part=_SERIES_PER_FILE * rows,
                freq="MS",
            )
        )
    return seconds, machine.peak_memory_mb(), before


def table(costs: Sequence[ParquetCost]) -> Table:
    """One line for each panel."""
    columns = ("series", "rows in all", "local", "MB on disk", "CPU seconds", "peak MB", "before")
    lines = [
        (
            *(f"{cost.series:,}", f"{cost.series * cost.rows:,}"),
            "yes" if cost.local_experts else "no",
            *(f"{cost.bytes / 1e6:,.0f}", f"{cost.seconds:.1f}"),
            *("" if mb is None else f"{mb:,.0f}" for mb in (cost.peak_mb, cost.before_mb)),
        )
        for cost in costs
    ]
    return make_table("panels in Parquet, 12 months ahead", columns, lines, left=0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--series", type=int, nargs="*", default=[5000, 50_000])
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--local-experts", action="store_true")
    parser.add_argument("--folder", help="with room for the files; default: that of the system")
    options = parser.parse_args(arguments)
    costs = [
        parquet_cost(series, options.rows, options.local_experts, options.folder)
        for series in options.series
    ]
    append_rows(options.out, (cost._asdict() for cost in costs))
    show(table(costs))


if __name__ == "__main__":
    main()
