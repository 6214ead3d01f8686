"""How often the detector calls what is nothing, and how often it finds what is there.

    python -m klforecast.evaluation.studies.false_alarms

Series of 600 rows of several kinds are generated; the detector is fitted to the first 400. A row of
either part that is called an outlier is a false alarm, and so is a change of level; these are counted by
cycle. Found is how many outliers of six deviations of the innovations, one in each series, and how many
changes of level of the same size are called within half a cycle of where they are, in a fit to all rows.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from klforecast.estimators.detector import KLMemoryDetector
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show

ROWS, FITTED = 600, 400  # enough for 300 errors held out, and as many rows a year of days has twice
PERIOD = 12  # of the season, in rows
SIZE = 6.0  # of what is to be found, in deviations of the innovations
_PLACE = 450  # of what is to be found: late enough to have a past, with rows after it


def noise(rng: np.random.Generator, n: int) -> np.ndarray:
    """Independent normal values, (n,)."""
    return rng.normal(size=n)


def seasonal(rng: np.random.Generator, n: int) -> np.ndarray:
    """A wave of five deviations in noise, (n,)."""
    return 5 * np.sin(2 * np.pi * np.arange(n) / PERIOD) + rng.normal(size=n)


def autoregression(rng: np.random.Generator, n: int) -> np.ndarray:
    """y_t = 0.7 y_{t-1} + e_t, (n,)."""
    values = rng.normal(size=n)
    for row in range(1, n):
        values[row] += 0.7 * values[row - 1]
    return values


def walk(rng: np.random.Generator, n: int) -> np.ndarray:
    """Sums of normal values, (n,)."""
    return rng.normal(size=n).cumsum()


def heavy(rng: np.random.Generator, n: int) -> np.ndarray:
    """Independent values of Student's t with three degrees of freedom and variance one, (n,)."""
    return rng.standard_t(3, size=n) / np.sqrt(3)


def heavy_walk(rng: np.random.Generator, n: int) -> np.ndarray:
    """Sums of those, (n,)."""
    return heavy(rng, n).cumsum()


def heteroscedastic(rng: np.random.Generator, n: int) -> np.ndarray:
    """GARCH(1, 1): normal values whose variance follows their squares, (n,)."""
    values, variance = rng.normal(size=n), 1.0
    for row in range(n):
        values[row] *= np.sqrt(variance)
        variance = 0.05 + 0.1 * values[row] ** 2 + 0.85 * variance
    return values


WORLDS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "noise": noise,
    "season and noise": seasonal,
    "autoregression 0.7": autoregression,
    "random walk": walk,
    "Student's t, 3 degrees": heavy,
    "random walk of these": heavy_walk,
    "GARCH(1, 1)": heteroscedastic,
}


def count(world: str, rate: float, n_series: int, seed: int = 0) -> dict[str, Any]:
    """Shares of false alarms, and of what is found, over some series of one kind.

    Parameters
    ----------
    world : str
        A name of `WORLDS`.
    rate : float
        The stated rate.
    n_series : int
    seed : int, default=0

    Returns
    -------
    dict
        rows_known, rows_new: share of rows called outliers, in the fit and after it; cycles_known,
        cycles_new: changes of level per cycle; outliers_found, shifts_found: shares.
    """
    rng = np.random.default_rng(seed)
    alarms = np.zeros((n_series, 6))
    for number in range(n_series):
        clean = WORLDS[world](rng, ROWS)
        detector = KLMemoryDetector(rate).fit(pd.Series(clean[:FITTED]))
        cycle = detector.cycles_[()]
        for part, rows in enumerate((clean[:FITTED], clean)):
            said = detector.verdicts(pd.Series(rows)).iloc[FITTED * part :]
            judged = said["p_value"].notna().sum()
            outliers, shifts = _counts(said["kind"])
            alarms[number, part] = outliers / judged
            alarms[number, 2 + part] = shifts * cycle / judged
        for column, kind in ((4, "outlier"), (5, "shift up")):
            rows = clean.copy()
            rows[_PLACE : _PLACE + 1 if kind == "outlier" else None] += SIZE
            kinds = KLMemoryDetector(rate).fit(pd.Series(rows)).verdicts(pd.Series(rows))["kind"]
            around = 0 if kind == "outlier" else cycle // 2
            near = kinds.iloc[_PLACE - around : _PLACE + around + 1]
            alarms[number, column] = (near == kind).any()
    names = (
        "rows_known",
        "rows_new",
        "cycles_known",
        "cycles_new",
        "outliers_found",
        "shifts_found",
    )
    means = alarms.mean(axis=0)
    return {"world": world, "rate": rate, "n_series": n_series} | dict(
        zip(names, means.tolist(), strict=True)
    )


def _counts(kinds: pd.Series) -> tuple[int, int]:
    return int((kinds == "outlier").sum()), int(kinds.str.startswith("shift").sum())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for each rate and, where asked for, append the rows to a file."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.01, 0.05])
    parser.add_argument("--series", type=int, default=40, help="of each kind")
    options = parser.parse_args(arguments)
    for rate in options.rates:
        rows = [count(world, rate, options.series) for world in WORLDS]
        append_rows(options.out, rows)
        columns = ("series", "rows known", "new", "cycles known", "new", "outliers", "shifts")
        lines = [
            (row["world"], *(f"{100 * share:.2f}" for share in list(row.values())[3:]))
            for row in rows
        ]
        show(make_table(f"percent, at a stated rate of {100 * rate:g} %", columns, lines))


if __name__ == "__main__":
    main()
