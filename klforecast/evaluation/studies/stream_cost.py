"""What it costs to keep up with a stream, to fit a large panel, and to keep a forecaster on disk.

    python -m klforecast.evaluation.studies.stream_cost

The first table shows that a forecaster takes in new rows at the same cost however many it has seen.
Times are CPU time (`time.process_time`) of one thread.
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.command import make_parser, make_table, show
from klforecast.evaluation.studies.timing import cpu_seconds

_PERIOD = 24  # steps of the cycle of the made-up series


class StreamCost(NamedTuple):
    """Cost after `seen` rows, in milliseconds of one call; medians where a call was repeated."""

    seen: int
    fit: float  # of the rows seen
    first: float  # first update after fit, which moves the rows into a buffer with room for more
    moved: float  # update with update_params=False
    learned: float  # update with update_params=True
    predicted: float


class PanelCost(NamedTuple):
    """Milliseconds to fit and to forecast a panel."""

    series: int
    rows: int
    fit: float
    predict: float


class FileCost(NamedTuple):
    """MB of a default forecaster on disk, and milliseconds to write and to read it."""

    rows: int
    channels: int
    size: float
    save: float
    load: float


def stream_cost(
    seen: int, *, memory_depth: int = 336, horizon: int = 24, rows: int = 24, repeats: int = 5
) -> StreamCost:
    """Measure `fit`, `update` and `predict` on a stream of one channel.

    Parameters
    ----------
    seen : int
        Rows that the forecaster is fitted to.
    memory_depth, horizon : int, default=336, 24
        Of the forecaster.
    rows : int, default=24
        Rows in one update.
    repeats : int, default=5
        Calls of each kind, of which the median counts.

    Returns
    -------
    StreamCost
    """
    y = _stream(seen + (2 * repeats + 1) * rows)
    parts = iter([y[start : start + rows] for start in range(seen, len(y), rows)])
    forecaster = KLMemoryForecaster(horizon, memory_depth=memory_depth, period=_PERIOD)

    def update(update_params: bool) -> float:
        new = next(parts)
        return _milliseconds(lambda: forecaster.update(new, update_params=update_params))

    def predict() -> float:
        return _milliseconds(lambda: forecaster.predict(range(1, horizon + 1)))

    return StreamCost(
        seen,
        fit=_milliseconds(lambda: forecaster.fit(y[:seen])),
        first=update(False),
        moved=statistics.median(update(False) for _ in range(repeats)),
        learned=statistics.median(update(True) for _ in range(repeats)),
        predicted=statistics.median(predict() for _ in range(repeats)),
    )


def panel_cost(series: int = 10_000, rows: int = 200, *, horizon: int = 24) -> PanelCost:
    """Measure a panel of hourly series of one channel."""
    one = _stream(rows)
    shifted = one.to_numpy()[(np.arange(rows) + np.arange(series)[:, None]) % rows]
    values = shifted + np.random.default_rng(1).normal(size=shifted.shape[:2])[..., None]
    index = pd.MultiIndex.from_product([range(series), one.index], names=["series", "time"])
    y = pd.DataFrame(values.reshape(-1, 1), index, one.columns)
    forecaster = KLMemoryForecaster(horizon)
    return PanelCost(
        series,
        rows,
        fit=_milliseconds(lambda: forecaster.fit(y)),
        predict=_milliseconds(lambda: forecaster.predict(range(1, horizon + 1))),
    )


def file_cost(rows: int = 17_420, channels: int = 7) -> FileCost:
    """Measure the file of a default forecaster, by default of the size of ETTh1."""
    one = _stream(rows)
    noise = np.random.default_rng(1).normal(size=(rows, channels))
    forecaster = KLMemoryForecaster().fit(pd.DataFrame(one.to_numpy() + noise, one.index))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "forecaster.safetensors"
        save = _milliseconds(lambda: forecaster.save(path))
        load = _milliseconds(lambda: KLMemoryForecaster.load(path))
        return FileCost(rows, channels, os.path.getsize(path) / 1e6, save, load)


def _stream(rows: int) -> pd.DataFrame:
    """A daily cycle on a slow random walk, by the minute so that long ones fit a calendar."""
    rng = np.random.default_rng(0)
    cycle = np.sin(np.arange(rows) * 2 * np.pi / _PERIOD)
    values = cycle + 0.3 * rng.normal(size=rows) + 0.01 * rng.normal(size=rows).cumsum()
    index = pd.date_range("2000-01-01", periods=rows, freq="min")
    return pd.DataFrame({"load": values}, index)


def _milliseconds(run: Callable[[], object]) -> float:
    return 1e3 * cpu_seconds(run)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the three tables."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--seen", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 10_000_000]
    )
    parser.add_argument("--memory-depth", type=int, default=336)
    parser.add_argument("--repeats", type=int, default=5, help="updates of each kind")
    parser.add_argument("--series", type=int, default=10_000, help="of the panel")
    parser.add_argument("--file-rows", type=int, default=17_420, help="of the saved forecaster")
    options = parser.parse_args(arguments)
    with one_thread():
        # The first fit of a process loads libraries.
        KLMemoryForecaster(3).fit(_stream(50))
        streams = [
            stream_cost(seen, memory_depth=options.memory_depth, repeats=options.repeats)
            for seen in options.seen
        ]
        panel = panel_cost(options.series)
        file = file_cost(options.file_rows)
    show(
        _stream_table(streams, options.memory_depth),
        f"panel of {panel.series:,} series x {panel.rows} rows: fit {panel.fit / 1e3:.1f} s, "
        f"predict {panel.predict / 1e3:.1f} s",
        f"file of a default forecaster on {file.rows:,} rows x {file.channels} channels: "
        f"{file.size:.1f} MB, save {file.save:.0f} ms, load {file.load:.0f} ms",
    )


def _stream_table(costs: Sequence[StreamCost], memory_depth: int) -> Table:
    return make_table(
        f"24 rows of one channel at memory_depth={memory_depth}, milliseconds",
        ("rows seen", "fit", "first update", "update, context", "update, weights", "predict"),
        [(f"{cost.seen:,}", *(f"{number:,.1f}" for number in cost[1:])) for cost in costs],
        left=0,
    )


if __name__ == "__main__":
    main()
