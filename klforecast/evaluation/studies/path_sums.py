"""How often the sum over a horizon lies in its interval, if errors of different steps are drawn together.

    python -m klforecast.evaluation.studies.path_sums --datasets ETTm1 VicElec M4Weekly

    together    sums of the paths of `KLMemoryForecaster.simulate`
    apart       the same values, shuffled at each step: errors of different steps have nothing in common
    in step     the quantile of the sum is the sum of the quantiles: all errors of a path have one sign

Data sets with borders are brought to hours, fitted on training and validation rows and scored on horizons of the
test part that do not overlap; after each the forecaster takes in its rows by ``update(update_params=False)``. The
others are scored on the last steps of every series. What single steps miss, sums miss too: their share within the
limits of 80 % stands beside that of the sums. Widths and the pinball loss of the limits are in units of the
deviation of the sums of the paths.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from klforecast.data.datasets import Dataset, load
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.benchmark.holdout import hold_out
from klforecast.evaluation.benchmark.protocol import require_borders
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show

LIMITS = np.array([0.1, 0.9])
"""Of the 80 % interval."""

_PATHS = 1000  # the limits of 80 % are then met within 1.3 points, and it is what `simulate` draws


class Drawn(NamedTuple):
    """Paths of one series from one cutoff, and what came.

    Attributes
    ----------
    paths : ndarray of shape (n_paths, horizon, channels)
    truth : ndarray of shape (horizon, channels)
    """

    paths: np.ndarray
    truth: np.ndarray


def limits_of_sums(paths: np.ndarray, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Limits of the sum over the steps for each way in which errors may go together.

    Parameters
    ----------
    paths : ndarray of shape (n_paths, horizon, channels)
    generator : numpy Generator
        Shuffles.

    Returns
    -------
    dict of str to ndarray of shape (channels, 2)

    Examples
    --------
    Two steps with the same error:

    >>> paths = np.repeat(np.linspace(-1, 1, 1001), 2).reshape(-1, 2, 1)
    >>> limits = limits_of_sums(paths, np.random.default_rng(0))
    >>> {name: of[0].round(1).tolist() for name, of in limits.items()}
    {'together': [-1.6, 1.6], 'apart': [-1.1, 1.1], 'in step': [-1.6, 1.6]}
    """
    shuffled = generator.permuted(paths, axis=0)
    return {
        "together": np.quantile(paths.sum(axis=1), LIMITS, axis=0).T,
        "apart": np.quantile(shuffled.sum(axis=1), LIMITS, axis=0).T,
        "in step": np.quantile(paths, LIMITS, axis=0).sum(axis=1).T,
    }


def score(data: str, horizon: int, drawn: Iterator[Drawn]) -> list[dict[str, Any]]:
    """Coverage, width and loss of the limits of sums, for each way in which errors may go together."""
    generator = np.random.default_rng(0)
    limits: dict[str, list[np.ndarray]] = {}
    truths, units, hits = [], [], []
    for paths, truth in drawn:
        low, high = np.quantile(paths, LIMITS, axis=0)
        hits.append((low <= truth) & (truth <= high))
        truths.append(truth.sum(axis=0))
        units.append(paths.sum(axis=1).std(axis=0))
        for name, found in limits_of_sums(paths, generator).items():
            limits.setdefault(name, []).append(found)
    truth, unit = np.concatenate(truths), np.concatenate(units)
    rows = []
    for name, limit in limits.items():
        low, high = np.concatenate(limit).T
        gap = truth[:, None] - np.stack([low, high], axis=1)
        pinball = np.maximum(LIMITS * gap, (LIMITS - 1) * gap).mean(axis=1)
        rows.append(
            {
                "dataset": data,
                "horizon": horizon,
                "errors": name,
                "sums": len(truth),
                "steps": float(np.concatenate(hits).mean()),
                "coverage": float(((low <= truth) & (truth <= high)).mean()),
                "width": float(((high - low) / unit).mean()),
                "pinball": float((pinball / unit).mean()),
            }
        )
    return rows


def draw_windows(data: Dataset, horizon: int) -> Iterator[Drawn]:
    """Paths over the test part of a data set with borders, in hours, one horizon after the other."""
    borders = require_borders(data)
    values = data.frame.drop(columns=list(data.covariates))
    start = values.index[borders.validation_end]
    y = values.iloc[: borders.test_end].resample("h").mean()
    first = y.index.searchsorted(start)
    forecaster = KLMemoryForecaster(horizon=horizon, random_state=0).fit(y.iloc[:first])
    steps = range(1, horizon + 1)
    for cutoff in range(first, len(y) - horizon + 1, horizon):
        frame = forecaster.simulate(steps, n_paths=_PATHS)
        rows = y.iloc[cutoff : cutoff + horizon]
        yield Drawn(frame.to_numpy().reshape(_PATHS, horizon, -1), rows.to_numpy())
        forecaster.update(rows, update_params=False)


def draw_last_steps(data: Dataset) -> Iterator[Drawn]:
    """Paths over the held-out steps of every series of a panel."""
    horizon = data.horizon
    if horizon is None:
        raise ValueError(f"{data.name} has neither borders nor an official horizon to hold out")
    split = hold_out(data, horizon)
    forecaster = KLMemoryForecaster(horizon=horizon, random_state=0)
    forecaster.fit(pd.concat(split.known, names=["series"]))
    frame = forecaster.simulate(range(1, horizon + 1), n_paths=_PATHS)
    for name, part in frame.groupby(level=1, sort=False):
        yield Drawn(part.to_numpy().reshape(_PATHS, horizon, -1), split.truth[str(name)])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--datasets", nargs="+", default=["ETTm1", "VicElec", "M4Weekly"])
    parser.add_argument("--horizons", type=int, nargs="+", default=[24, 96])
    options = parser.parse_args(arguments)
    rows = []
    for name in options.datasets:
        data = load(name)
        if data.borders is None:
            rows += score(data.name, data.horizon or 0, draw_last_steps(data))
            continue
        for horizon in options.horizons:
            rows += score(data.name, horizon, draw_windows(data, horizon))
    append_rows(options.out, rows)
    columns = (
        "data",
        "errors",
        "horizon",
        "sums",
        "steps in 80 %",
        "sums in 80 %",
        "width",
        "pinball",
    )
    lines = [
        (
            row["dataset"],
            row["errors"],
            str(row["horizon"]),
            str(row["sums"]),
            f"{100 * row['steps']:.1f}",
            f"{100 * row['coverage']:.1f}",
            f"{row['width']:.2f}",
            f"{row['pinball']:.3f}",
        )
        for row in rows
    ]
    show(make_table("sums over the horizon", columns, lines, left=2))


if __name__ == "__main__":
    main()
