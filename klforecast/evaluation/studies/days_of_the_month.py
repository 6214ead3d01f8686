"""What days of the month are worth: daily rows with rents, paydays and invoices of the last day, and rows without any.

    python -m klforecast.evaluation.studies.days_of_the_month --draws 4 --out rows.jsonl

Each draw of a world is forecast by the default with and without days of the month, by the rows of the same dates a
month ago, and by the mean of the same dates of six months. Naming the week as `period` leaves days of the month out.
"""

from collections.abc import Mapping, Sequence
from functools import partial
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
from klforecast.evaluation.studies.timing import timed

_FIRST = "2021-03-01"
_CHOSEN_ON = 2  # draws 0 and 1, which constants were chosen on and which are not scored
_MONTHS = 6  # whose mean is compared
_WEEK = np.array([1.0, 0.5, 0.2, 0.0, 0.6, -1.2, -1.1])  # from Monday on


class World(NamedTuple):
    """Daily rows around a level of 100.

    Attributes
    ----------
    dates : mapping of int to float
        What is added on days of the month, in per cent of the level where everything is; negative days count from the
        last row of the month, -1.
    fading : float
        What is added on the first day, a third less on each day after it.
    rows, horizon : int
        Known rows, and steps ahead.
    freq : {"D", "B"}
    week, walk, noise : float
        Amplitude of a week; deviations of daily changes and of noise.
    december : float
        What is added from the 6th to the 24th of December.
    in_per_cent : bool
        Whether all of it multiplies a level that grows by a third a year.
    """

    dates: Mapping[int, float] = {}
    fading: float = 0.0
    rows: int = 730
    horizon: int = 42
    freq: str = "D"
    week: float = 20.0
    walk: float = 0.0
    noise: float = 8.0
    december: float = 0.0
    in_per_cent: bool = False


WORLDS = {
    "rent on the 1st": World({1: 120.0}, rows=500),
    "payday on the 25th": World({25: 80.0, 26: 40.0}, rows=400),
    "payday, 7 months": World({25: 80.0, 26: 40.0}, rows=215, horizon=31),
    "last day": World({-1: 90.0}),
    "last business day": World({-1: 110.0}, freq="B", rows=520, horizon=22, week=10.0),
    "first days, fading": World(fading=30.0),
    "in and out, no week": World({1: 350.0, 25: -400.0}, week=0.0, noise=30.0, horizon=62),
    "in per cent": World({28: 80.0, 1: 40.0}, rows=900, in_per_cent=True),
    "payday and December": World({25: 70.0}, rows=1005, horizon=45, december=120.0),
    "week alone": World(),
    "walk": World(walk=4.0, noise=3.0),
}
"""By the names that the table has."""


def draw(world: World, random_state: int) -> tuple[pd.Series, np.ndarray]:
    """Make the rows that are known, and those that follow.

    Examples
    --------
    >>> past, future = draw(WORLDS["rent on the 1st"], random_state=0)
    >>> len(past), len(future), bool(past["2021-05-01"] > 150)
    (500, 42, True)
    """
    rng = np.random.default_rng(random_state)
    index = pd.date_range(_FIRST, periods=world.rows + world.horizon, freq=world.freq)
    day, from_end = index.day.to_numpy(), _rows_from_end(index)
    parts = world.fading * (2 / 3) ** (day - 1.0)
    for date, height in world.dates.items():
        parts = parts + height * (day == date if date > 0 else from_end == -date)
    parts = parts + world.december * ((index.month == 12) & (day > 5) & (day < 25))
    swing = world.week * _WEEK[index.dayofweek]
    noise = world.noise * rng.standard_normal(len(index))
    level = 100 + np.cumsum(world.walk * rng.standard_normal(len(index)))
    if world.in_per_cent:
        level = level * np.exp(np.arange(len(index)) / 1250)
        rows = level * (1 + swing / 100) * (1 + parts / 100) * (1 + noise / 100)
    else:
        rows = level + swing + parts + noise
    y = pd.Series(np.asarray(rows), index)
    return y[: world.rows], y.to_numpy()[world.rows :]


def _rows_from_end(index: pd.DatetimeIndex) -> np.ndarray:  # (n,) int
    """1 for the last row of a month."""
    whole = pd.date_range(index[0], index[-1] + pd.offsets.MonthEnd(0), freq=index.freq)
    months = pd.Series(whole.year * 12 + whole.month)
    counted = months[::-1].groupby(months[::-1]).cumcount()[::-1] + 1
    return counted.to_numpy()[: len(index)]


def compare(name: str, random_state: int) -> dict[str, Any]:
    """Errors of one draw of a world, absolute and mean over its steps."""
    world = WORLDS[name]
    y, truth = draw(world, random_state)
    row: dict[str, Any] = {"world": name, "draw": random_state}
    with one_thread():
        for kind, period in (("without", 7 if world.freq == "D" else 5), ("with", None)):
            make = partial(KLMemoryForecaster(world.horizon, period=period).fit, y)
            forecaster, seconds = timed(make)
            quantiles = forecaster.predict_quantiles(alpha=list(NINE)).to_numpy()
            row |= scores_of(kind, forecaster.predict().to_numpy(), quantiles, truth)
            row[f"fit_{kind}"] = seconds
        row["found"] = forecaster.returning_ is not None
    ahead = forecaster.predict().index
    ago = [_at_dates(y, ahead, months) for months in range(1, _MONTHS + 4)]
    # The dates of the second month ahead are known from two months ago.
    ago = [rows for rows in ago if not np.isnan(rows).any()][:_MONTHS]
    row["mae_month"] = mean_error(ago[0], truth)
    row["mae_mean"] = mean_error(np.mean(ago, axis=0), truth)
    return row


def _at_dates(y: pd.Series, ahead: pd.DatetimeIndex, months: int) -> np.ndarray:
    """Rows of the same dates some months ago, or of the nearest rows to them; NaN where they are not known yet."""
    dates = ahead - pd.DateOffset(months=months)
    rows = y.reindex(dates, method="nearest").to_numpy()
    return np.where(dates <= y.index[-1], rows, np.nan)


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """One line for each world, means over its draws."""
    return table_of_worlds(rows, "daily rows", {"a month ago": "month", "mean of months": "mean"})


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    draws = range(_CHOSEN_ON, _CHOSEN_ON + 4)
    show_draws(__doc__, "--worlds", WORLDS, compare, table, draws, arguments)


if __name__ == "__main__":
    main()
