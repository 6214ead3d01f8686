"""What events of the year are worth: daily sales with a peak before Christmas or Easter, and series without a year.

    python -m klforecast.evaluation.studies.year_events --draws 4 --out rows.jsonl

Each draw of a world is forecast by the default with and without events of the year, by the rows of a year ago by date
(365 days) and by day of the week (364 days), and by the mean of all years. `period=7` names the only season and so
leaves events out.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.tseries.offsets import Easter
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
from klforecast.evaluation.studies.timing import timed

_FIRST = "2015-01-01"  # a leap year follows
_YEAR, _WEEKS = 365, 364  # days of a year, and of its whole weeks
_CHOSEN_ON = 2  # draws 0 and 1, which constants were chosen on and which are not scored


class World(NamedTuple):
    """Daily rows of some years.

    Attributes
    ----------
    peak : float
        Height of the days before the feast, added to a level of 100, or in per cent of it.
    width : int
        Days of the peak.
    week, wave, walk, noise : float
        Amplitudes of a week and of a smooth year; deviations of daily changes and of noise.
    in_per_cent : bool
        Whether all of it multiplies a level that grows by a fifth a year.
    moves : bool
        Whether the feast is Easter, and else Christmas.
    years : int
        Feasts known to a forecast of the last one, and it.
    month, day : int
        Of the cutoff in the last year.
    horizon : int
    """

    peak: float = 150.0
    width: int = 25
    week: float = 20.0
    wave: float = 0.0
    walk: float = 0.0
    noise: float = 5.0
    in_per_cent: bool = False
    moves: bool = False
    years: int = 3
    month: int = 11
    day: int = 27
    horizon: int = 60


WORLDS = {
    "peak of 25 days": World(),
    "without a week": World(week=0),
    "low": World(peak=40),
    "of 5 days": World(width=5),
    "of 1 day": World(width=1, peak=60),
    "in per cent": World(in_per_cent=True),
    "in per cent, 4 years": World(in_per_cent=True, years=4),
    "4 years": World(years=4),
    "on a walk": World(walk=3),
    "cutoff within it, 28 ahead": World(month=12, day=12, horizon=28),
    "cutoff after it": World(month=12, day=28),
    "cutoff in June": World(month=6, day=15),
    "before Easter": World(width=8, moves=True, month=3, day=25),
    "before Easter, 4 years": World(width=8, moves=True, years=4, month=3, day=25),
    "Good Friday": World(width=3, peak=-60, moves=True, month=3, day=25),
    "smooth year, no peak": World(peak=0, wave=20),
    "walk, no peak": World(peak=0, walk=3),
    "week, no peak": World(peak=0),
}
"""By the names that the table has."""


def draw(world: World, random_state: int) -> tuple[pd.Series, np.ndarray]:
    """Make the rows that are known, and those that follow.

    Examples
    --------
    >>> past, future = draw(World(), random_state=0)
    >>> past.index[-1].date().isoformat(), len(future), bool(past["2016-12-24"] > 200)
    ('2017-11-27', 60, True)
    """
    rng = np.random.default_rng(random_state)
    index = pd.date_range(_FIRST, periods=(world.years + 1) * _YEAR)
    first = pd.to_datetime(index.year.astype(str) + ("-01-01" if world.moves else "-12-25"))
    feast = [day + Easter() for day in first] if world.moves else first
    before = (pd.DatetimeIndex(feast) - index).days.to_numpy()
    parts = world.peak * ((before >= 0) & (before < world.width))
    swing = world.week * np.sin(2 * np.pi * index.dayofweek / 7)
    wave = world.wave * np.sin(2 * np.pi * index.dayofyear / _YEAR)
    noise = world.noise * rng.standard_normal(len(index))
    level = 100 + np.cumsum(world.walk * rng.standard_normal(len(index)))
    if world.in_per_cent:
        level = level * (1 + 0.2 * np.arange(len(index)) / _YEAR)
        rows = level * (1 + swing / 100) * (1 + parts / 100) * (1 + wave / 100) * (1 + noise / 100)
    else:
        rows = level + swing + parts + wave + noise
    y = pd.Series(np.asarray(rows), index)
    cutoff = pd.Timestamp(index[0].year + world.years - 1, world.month, world.day)
    known = y[:cutoff]
    return known, y.to_numpy()[len(known) :][: world.horizon]


def compare(name: str, random_state: int) -> dict[str, Any]:
    """Errors of one draw of a world, absolute and mean over its steps."""
    world = WORLDS[name]
    y, truth = draw(world, random_state)
    rows, steps = y.to_numpy(), np.arange(world.horizon)
    row: dict[str, Any] = {"world": name, "draw": random_state}
    with one_thread():
        for kind, period in (("without", 7), ("with", None)):
            make = partial(KLMemoryForecaster(world.horizon, period=period).fit, y)
            forecaster, seconds = timed(make)
            quantiles = forecaster.predict_quantiles(alpha=list(NINE)).to_numpy()
            row |= scores_of(kind, forecaster.predict().to_numpy(), quantiles, truth)
            row[f"fit_{kind}"] = seconds
        row["found"] = forecaster.returning_ is not None
    for days in (_YEAR, _WEEKS):
        row[f"mae_{days}"] = mean_error(rows[len(rows) - days + steps], truth)
    years = [rows[len(rows) - _YEAR * ago + steps] for ago in range(1, len(rows) // _YEAR + 1)]
    row["mae_mean"] = mean_error(np.mean(years, axis=0), truth)
    return row


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """One line for each world, means over its draws."""
    return table_of_worlds(
        rows, "daily sales", {"365 days ago": "365", "364 days ago": "364", "mean of years": "mean"}
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    draws = range(_CHOSEN_ON, _CHOSEN_ON + 4)
    show_draws(__doc__, "--worlds", WORLDS, compare, table, draws, arguments)


if __name__ == "__main__":
    main()
