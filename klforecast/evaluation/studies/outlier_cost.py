"""What outliers in the past cost a forecast, read as they are and read as what would have been usual.

    python -m klforecast.evaluation.studies.outlier_cost --out rows.jsonl

Series of a season, or a walk, and noise are generated, and some of their known rows spoiled. Errors are mean absolute
distances from the rows to come without their noise, relative to those of the default where nothing was spoiled.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation import machine
from klforecast.evaluation.benchmark.theta import theta_forecast
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show

Spoil = Callable[[np.random.Generator, np.ndarray], None]


class Kind(NamedTuple):
    """Series of one kind, and what is done to their known rows.

    Attributes
    ----------
    known, season, horizon : int
        Rows; 1 is no season.
    spoil : callable
        Changes the known rows in place.
    walks : bool, default=False
        Whether the level is a random walk.
    """

    known: int
    season: int
    horizon: int
    spoil: Spoil
    walks: bool = False


def _share(share: float, factor: float) -> Spoil:
    def spoil(rng: np.random.Generator, rows: np.ndarray) -> None:
        rows[rng.random(len(rows)) < share] *= factor

    return spoil


def _stretch(stop: int, length: int, value: float) -> Spoil:
    """Rows of one value that end so many rows before the cutoff, or up to a cycle earlier."""

    def spoil(rng: np.random.Generator, rows: np.ndarray) -> None:
        last = len(rows) - stop - (int(rng.integers(0, 7)) if stop else 0)
        rows[last - length : last] = value

    return spoil


def _repeat(length: int) -> Spoil:
    def spoil(_: np.random.Generator, rows: np.ndarray) -> None:
        rows[-length:] = rows[-length - 1]

    return spoil


# Lengths and horizons that people forecast, with the season of the step.
KINDS: dict[str, Kind] = {
    "days, 1 % of them fourfold": Kind(365, 7, 28, _share(0.01, 4.0)),
    "days, 3 % of them fourfold": Kind(365, 7, 28, _share(0.03, 4.0)),
    "days, 5 % of them zero": Kind(365, 7, 28, _share(0.05, 0.0)),
    "days, closed for eight weeks": Kind(400, 7, 28, _stretch(20, 56, 0.0)),
    "days, the newest one tenfold": Kind(365, 7, 28, _stretch(0, 1, 1000.0)),
    "days, the newest seven stuck": Kind(365, 7, 28, _repeat(7)),
    "hours, the newest twelve stuck": Kind(720, 24, 24, _repeat(12)),
    "48 months, one of them tenfold": Kind(48, 12, 12, _stretch(14, 1, 1000.0)),
    "84 months, three of them zero": Kind(84, 12, 12, _stretch(20, 3, 0.0)),
    "days of a walk, 1 % of them fourfold": Kind(365, 1, 14, _share(0.01, 4.0), walks=True),
}


def cost(name: str, n_series: int, seed: int = 0) -> dict[str, Any]:
    """Mean errors over some series of one kind.

    Parameters
    ----------
    name : str
        Of `KINDS`.
    n_series : int
    seed : int, default=0

    Returns
    -------
    dict
        unspoiled: the default where nothing was spoiled; read, as_they_are: where it was, with and without
        ``clean_outliers``; theta: the Theta forecast of the spoiled rows.
    """
    kind = KINDS[name]
    rng = np.random.default_rng(seed)
    errors = np.zeros((n_series, 4))
    for number in range(n_series):
        rows, truth = _draw(kind, rng)
        spoiled = rows.copy()
        kind.spoil(rng, spoiled)
        made = (
            _forecast(rows, kind),
            _forecast(spoiled, kind),
            _forecast(spoiled, kind, clean_outliers=False),
            theta_forecast(spoiled[None], kind.horizon, kind.season)[0],
        )
        errors[number] = [np.abs(forecast - truth).mean() for forecast in made]
    means = dict(
        zip(
            ("unspoiled", "read", "as_they_are", "theta"), errors.mean(axis=0).tolist(), strict=True
        )
    )
    return {
        "kind": name,
        "n_series": n_series,
        "seed": seed,
        **means,
        "versions": machine.versions(),
    }


def _draw(kind: Kind, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Known rows, not yet spoiled, and the rows to forecast without their noise."""
    n = kind.known + kind.horizon
    season = rng.normal(0, 15, kind.season) if kind.season > 1 else np.zeros(1)
    mean = 100 + season[np.arange(n) % kind.season]
    if kind.walks:
        mean = mean + rng.normal(0, 1, n).cumsum()
    rows = mean + rng.normal(0, 1 if kind.walks else 5, n)
    return rows[: kind.known], mean[kind.known :]


def _forecast(rows: np.ndarray, kind: Kind, **arguments: Any) -> np.ndarray:
    forecaster = KLMemoryForecaster(kind.horizon, random_state=0, **arguments)
    return np.asarray(forecaster.fit(pd.Series(rows)).predict().to_numpy())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--series", type=int, default=40, help="of each kind")
    options = parser.parse_args(arguments)
    rows = [cost(name, options.series) for name in KINDS]
    append_rows(options.out, rows)
    columns = ("known rows", "read as usual", "as they are", "Theta")
    lines = [
        (
            row["kind"],
            *(f"{row[name] / row['unspoiled']:.2f}" for name in ("read", "as_they_are", "theta")),
        )
        for row in rows
    ]
    show(make_table("errors relative to those of series that were not spoiled", columns, lines))


if __name__ == "__main__":
    main()
