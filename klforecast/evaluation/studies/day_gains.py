"""What trading days are worth: months and quarters that are sums or means of days, whose weekdays count differently.

    python -m klforecast.evaluation.studies.day_gains --draws 8 --out rows.jsonl

Each draw of a world is forecast by the default with and without them, and by the rows of a year ago. `period=12` or 4
names the only season and so leaves them out.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.draws import (
    NINE,
    mean_error,
    scores_of,
    show_draws,
    table_of_worlds,
)

# What Monday to Sunday count.
_OFFICE = (1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0)
_CINEMA = (0.7, 0.7, 0.7, 0.8, 1.2, 1.6, 1.3)
_ALIKE = (1.0,) * 7
_CHOSEN_ON = 2  # draws 0 and 1, which constants were looked at on and which are not scored


class World(NamedTuple):
    """Days of some years, added up to longer rows.

    Attributes
    ----------
    week : tuple of float
        What each weekday counts.
    easter : float
        What the week that ends with Easter counts more.
    noise, walk : float
        Deviations of a row and of its change to the next, relative to the level.
    years : int
        That are known.
    months : {1, 3}
        Of a row.
    is_mean : bool
        Whether rows are means of their days.
    """

    week: tuple[float, ...] = _OFFICE
    easter: float = 0.0
    noise: float = 0.01
    walk: float = 0.005
    years: int = 10
    months: int = 1
    is_mean: bool = False


WORLDS = {
    "office": World(),
    "office, 4 years": World(years=4),
    "office, noise of 3 %": World(noise=0.03),
    "office, mean of days": World(is_mean=True),
    "office, quarters": World(months=3, years=20),
    "cinema": World(_CINEMA),
    "cinema, 20 years": World(_CINEMA, years=20),
    "Easter": World(_ALIKE, easter=0.5),
    "sums of equal days": World(_ALIKE),
    "means of equal days": World(_ALIKE, is_mean=True),
    "the same, 4 years": World(_ALIKE, is_mean=True, years=4),
    "the same, walk": World(_ALIKE, is_mean=True, noise=0.0, walk=0.05),
    "the same, quarters": World(_ALIKE, is_mean=True, months=3),
}
"""By the names that the table has."""


def draw(world: World, random_state: int) -> tuple[pd.Series, np.ndarray]:
    """Make the rows that are known, and those of the year that follows.

    Examples
    --------
    >>> past, future = draw(World(), random_state=0)
    >>> past.index[[0, -1]].astype(str).tolist(), len(future)
    (['2009-01', '2018-12'], 12)
    """
    rng = np.random.default_rng(random_state)
    days = pd.date_range(f"{2019 - world.years}-01-01", "2019-12-31")
    easter = pd.to_datetime([pd.Timestamp(y, 1, 1) + pd.offsets.Easter() for y in set(days.year)])
    before = np.min((easter.to_numpy()[:, None] - days.to_numpy()) % np.timedelta64(10**6, "D"), 0)
    counts = np.array(world.week)[days.dayofweek]
    counts = counts * (1 + world.easter * (before < np.timedelta64(8, "D")))
    counts = counts * (1 + 0.2 * np.sin(2 * np.pi * days.dayofyear / 365))
    frequency = "M" if world.months == 1 else "Q"
    grouped = pd.Series(counts, days.to_period(frequency)).groupby(level=0)
    rows = grouped.mean() if world.is_mean else grouped.sum()
    level = np.exp(np.cumsum(world.walk * rng.standard_normal(len(rows))))
    y = 100 * rows * level * np.exp(world.noise * rng.standard_normal(len(rows)))
    year = 12 // world.months
    return y[:-year], y[-year:].to_numpy()


def compare(name: str, random_state: int) -> dict[str, Any]:
    """Errors of one draw of a world, absolute and mean over the year."""
    world = WORLDS[name]
    y, truth = draw(world, random_state)
    year = len(truth)
    row: dict[str, Any] = {"world": name, "draw": random_state}
    with one_thread():
        for kind, period in (("without", year), ("with", None)):
            forecaster = KLMemoryForecaster(year, period=period).fit(y)
            quantiles = forecaster.predict_quantiles(alpha=list(NINE)).to_numpy()
            row |= scores_of(kind, forecaster.predict().to_numpy(), quantiles, truth)
    row["found"] = forecaster.returning_ is not None
    row["mae_last_year"] = mean_error(y.to_numpy()[-year:], truth)
    return row


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """One line for each world, means over its draws."""
    return table_of_worlds(rows, "months and quarters", {"last year": "last_year"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    draws = range(_CHOSEN_ON, _CHOSEN_ON + 8)
    show_draws(__doc__, "--worlds", WORLDS, compare, table, draws, arguments)


if __name__ == "__main__":
    main()
