"""Short series that wander far from their mean, as those of shops, patients or prices do.

    python -m klforecast.evaluation.studies.wandering_series

The last 966 weeks of M4 weekly series, seven at a time as the channels of one panel, which is the
size of the influenza data of the long-horizon benchmarks. 70 % of the rows train, 10 % validate,
and every window of the last 20 % is scored in training deviations, as in
`klforecast.evaluation.benchmark.protocol`. Means over the panels are geometric, of the error of each model
relative to persistence, so that no panel rules them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.data.datasets import Dataset, load
from klforecast.data.splits import Borders
from klforecast.evaluation.benchmark.models import model
from klforecast.evaluation.benchmark.protocol import Cell, run_windows
from klforecast.evaluation.studies.command import make_parser, make_table, show

ROWS, CHANNELS = 966, 7  # the size of the influenza data
# Least squares at both lookbacks of the published results on influenza, see `peers.recipes`.
MODELS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("klmemory", {}),
    ("ols", {"lookback": 36}),
    ("ols", {"lookback": 104}),
    ("seasonal-naive", {}),
    ("persistence", {}),
)
_PERIOD = 52  # weeks of a year


def weekly_panels(data: Dataset, n_panels: int, seed: int = 0) -> list[Dataset]:
    """Draw panels of seven series that are long enough, each series at most once.

    Parameters
    ----------
    data : Dataset
        A panel of weekly series.
    n_panels : int
        As many are drawn, or fewer where the series do not suffice.
    seed : int, default=0
        Of the draw.
    """
    series = [rows.to_numpy()[-ROWS:, 0] for _, rows in data.frame.groupby(level=0)]
    series = [values for values in series if len(values) == ROWS]
    order = np.random.default_rng(seed).permutation(len(series))
    index = pd.date_range("2002-01-01", periods=ROWS, freq="W-TUE")
    borders = Borders(int(0.7 * ROWS), ROWS - int(0.2 * ROWS), ROWS)
    return [
        Dataset(
            name=f"{data.name}, panel {number}",
            frame=pd.DataFrame(np.stack([series[i] for i in chosen], axis=1), index).add_prefix(
                "c"
            ),
            sha256=data.sha256,
            periods=(_PERIOD,),
            borders=borders,
            target="c0",
            source=data.source,
            licence=data.licence,
        )
        for number, chosen in enumerate(
            order[start : start + CHANNELS]
            for start in range(0, min(n_panels, len(order) // CHANNELS) * CHANNELS, CHANNELS)
        )
    ]


def errors(panels: Sequence[Dataset], horizon: int) -> pd.DataFrame:
    """MSE of every model on every panel: a row for each panel, a column for each model."""
    rows = []
    for data in panels:
        row = {}
        for name, params in MODELS:
            label = " ".join([name, *map(str, params.values())])
            cell = Cell(data.name, name, horizon, params=params)
            row[label] = run_windows(cell, model(name).make, data)["mse"]
        rows.append(row)
    return pd.DataFrame(rows, index=[data.name for data in panels])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each horizon."""
    parser = make_parser(__doc__)
    parser.add_argument("--horizons", type=int, nargs="+", default=[24, 36, 48, 60])
    parser.add_argument("--panels", type=int, default=24)
    options = parser.parse_args(arguments)
    panels = weekly_panels(load("M4Weekly"), options.panels)
    for horizon in options.horizons:
        found = errors(panels, horizon)
        show(_table(found, horizon))


def _table(found: pd.DataFrame, horizon: int) -> Table:
    relative = found.div(found["persistence"], axis=0)
    means, best = np.exp(np.log(relative).mean()), found.idxmin(axis=1)
    return make_table(
        f"{len(found)} panels, {horizon} weeks ahead",
        ("model", "relative to persistence", "panels best"),
        [(name, f"{means[name]:.3f}", str(int((best == name).sum()))) for name in found.columns],
    )


if __name__ == "__main__":
    main()
