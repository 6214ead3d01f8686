"""What it is worth to take a week off before the core: half-hours, hours and days of a few weeks.

    python -m klforecast.evaluation.studies.week_gains --draws 6 --out rows.jsonl

Each draw of a kind is forecast by the default with and without the week that windows are too short for
(`klforecast.estimators.weeks`), and by plain references: the last day, the last week, and the mean of past weeks.
Demand of Victoria and weather of Jena are real, and a draw of them is a stretch of their rows; the files of `VicElec`
and `Weather` have to be at hand.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.data.datasets import load
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import one_thread
from klforecast.evaluation.studies.choices import constants_set
from klforecast.evaluation.studies.command import make_table
from klforecast.evaluation.studies.draws import NINE, mean_error, scores_of, show_draws

_WITHOUT = {"estimators.weeks:_LEAST_GAIN": 1.0}  # nobody saves the whole error
_CHOSEN_ON = 21  # draws 0 to 20, which constants were looked at on and which are not scored
# First rows that are drawn from; the test parts lie behind.
_OF_VICTORIA, _OF_JENA = 40_000, 30_000


class Kind(NamedTuple):
    """Rows of some weeks.

    Attributes
    ----------
    make : callable
        From a generator and stamps to rows.
    day : int
        Rows of a day.
    weeks : int
        That are known.
    horizon : int
    """

    make: Callable[[np.random.Generator, pd.DatetimeIndex], np.ndarray]
    day: int
    weeks: int
    horizon: int


def _load(rng: np.random.Generator, index: pd.DatetimeIndex) -> np.ndarray:
    """Watts of a building: less at weekends, on a level that wanders."""
    hour, weekend = _hour(index), index.dayofweek >= 5
    day = np.exp(-0.5 * ((hour - 9) / 2.5) ** 2) + 1.2 * np.exp(-0.5 * ((hour - 19) / 2.5) ** 2)
    return 60 + 30 * day * np.where(weekend, 0.5, 1.0) + _wandering(rng, len(index), 0.95, 1.0)


def _calls(rng: np.random.Generator, index: pd.DatetimeIndex) -> np.ndarray:
    """Calls of an office that is closed at night and on Sundays."""
    hour, day = _hour(index), index.dayofweek.to_numpy()
    busy = np.exp(-0.5 * ((hour - 11) / 2.5) ** 2) + 0.6 * np.exp(-0.5 * ((hour - 16) / 2) ** 2)
    of_days = np.array([1.2, 1.0, 0.95, 0.95, 1.0, 0.35, 0.02])[day]
    return rng.poisson(80 * busy * of_days * np.exp(_wandering(rng, len(index), 0.9, 0.03)))


def _traffic(rng: np.random.Generator, index: pd.DatetimeIndex) -> np.ndarray:
    """Occupied shares of a road with two rush hours on working days."""
    hour, weekend = _hour(index), index.dayofweek >= 5
    rush = np.exp(-0.5 * ((hour - 8) / 1.5) ** 2) + np.exp(-0.5 * ((hour - 17.5) / 2) ** 2)
    noon = np.exp(-0.5 * ((hour - 14) / 4) ** 2)
    share = 0.02 + np.where(weekend, 0.06 * noon, 0.05 * noon + 0.1 * rush)
    return share * np.exp(_wandering(rng, len(index), 0.7, 0.1))


def _rides(rng: np.random.Generator, index: pd.DatetimeIndex) -> np.ndarray:
    """Rides of a town: mornings and evenings of working days, nights of weekends."""
    hour, day = _hour(index), index.dayofweek.to_numpy()
    work = np.exp(-0.5 * ((hour - 8.5) / 1.5) ** 2) + 1.2 * np.exp(
        -0.5 * ((hour - 18.5) / 2.5) ** 2
    )
    night = np.exp(-0.5 * (((hour + 12) % 24 - 12) / 2.5) ** 2)
    free = 0.8 * np.exp(-0.5 * ((hour - 15) / 4) ** 2)
    weekend = day >= 5
    rate = 0.15 + np.where(weekend, free, work) + night * np.where(weekend, 0.9, 0.25)
    drift = np.exp(_wandering(rng, len(index), 0.98, 0.03))
    return rng.poisson(12_000 * rate * drift * np.exp(0.03 * rng.standard_normal(len(index))))


def _hour(index: pd.DatetimeIndex) -> np.ndarray:
    return (index.hour + index.minute / 60).to_numpy()


def _wandering(rng: np.random.Generator, n: int, memory: float, noise: float) -> np.ndarray:
    values, last = np.empty(n), 0.0
    for place, shock in enumerate(noise * rng.standard_normal(n)):
        values[place] = last = memory * last + shock
    return values


def _victoria(rng: np.random.Generator, index: pd.DatetimeIndex) -> np.ndarray:
    rows = load("VicElec").frame.to_numpy()[:_OF_VICTORIA, 0]
    first = int(rng.integers(len(rows) - len(index)))
    return rows[first : first + len(index)]


def _sales(rng: np.random.Generator, index: pd.DatetimeIndex) -> np.ndarray:
    """Sales of a shop by day, in per cent of a level that wanders."""
    of_days = np.exp(0.25 * rng.standard_normal(7))[index.dayofweek]
    level = np.exp(np.cumsum(0.02 * rng.standard_normal(len(index))))
    return 100 * level * of_days * np.exp(0.15 * rng.standard_normal(len(index)))


def _weather(rng: np.random.Generator, index: pd.DatetimeIndex) -> np.ndarray:
    """Jena's pressure, temperature and humidity by hour, which know no week."""
    rows = load("Weather").frame[["p (mbar)", "T (degC)", "rh (%)"]].to_numpy()[:_OF_JENA:6]
    first = int(rng.integers(len(rows) - len(index)))
    return rows[first : first + len(index), rng.integers(rows.shape[1])]


KINDS = {
    "load, 2 weeks, a day ahead": Kind(_load, 48, 2, 48),
    "rides, 2 weeks, two days ahead": Kind(_rides, 48, 2, 96),
    "traffic by hour, 2 weeks, two days ahead": Kind(_traffic, 24, 2, 48),
    "Victoria, 2 weeks, a day ahead": Kind(_victoria, 48, 2, 48),
    "Victoria, 3 weeks, a day ahead": Kind(_victoria, 48, 3, 48),
    "sales by day, 3 weeks, a week ahead": Kind(_sales, 1, 3, 7),
    "sales by day, 5 weeks, a week ahead": Kind(_sales, 1, 5, 7),
    "weather by hour, 2 weeks, a day ahead": Kind(_weather, 24, 2, 24),
    "weather by hour, 4 weeks, two days ahead": Kind(_weather, 24, 4, 48),
    "load, 4 weeks, a day ahead": Kind(_load, 48, 4, 48),
    "load, 4 weeks, a week ahead": Kind(_load, 48, 4, 336),
    "load, 11 weeks, a week ahead": Kind(_load, 48, 11, 336),
    "calls, 5 weeks, a week ahead": Kind(_calls, 48, 5, 336),
    "traffic by hour, 3 weeks, two days ahead": Kind(_traffic, 24, 3, 48),
    "calls by hour, 3 weeks, a week ahead": Kind(_calls, 24, 3, 168),
    "traffic by hour, 4 weeks, two days ahead": Kind(_traffic, 24, 4, 48),
    "rides, 4 weeks, a day ahead": Kind(_rides, 48, 4, 48),
    "rides, 8 weeks, two days ahead": Kind(_rides, 48, 8, 96),
    "rides by hour, 8 weeks, a week ahead": Kind(_rides, 24, 8, 168),
    "Victoria, 4 weeks, a day ahead": Kind(_victoria, 48, 4, 48),
    "Victoria, 11 weeks, a week ahead": Kind(_victoria, 48, 11, 336),
}
"""By the names that the table has; half-hours where nothing else is said."""


def draw(kind: Kind, random_state: int) -> tuple[pd.Series, np.ndarray]:
    """Make the rows that are known, and those that follow; the cutoff is at the end of some day of the week.

    Examples
    --------
    >>> past, future = draw(KINDS["calls, 5 weeks, a week ahead"], random_state=0)
    >>> len(past) / 336, len(future)
    (5.0, 336)
    """
    rng = np.random.default_rng(random_state)
    first = pd.Timestamp("2024-01-01") + pd.Timedelta(days=int(rng.integers(7)))
    known = kind.day * 7 * kind.weeks
    step = pd.Timedelta(hours=24 / kind.day)
    index = pd.date_range(first, periods=known + kind.horizon, freq=step)
    rows = pd.Series(np.asarray(kind.make(rng, index), dtype=float), index)
    return rows.iloc[:known], rows.to_numpy()[known:]


def compare(name: str, random_state: int) -> dict[str, Any]:
    """Errors of one draw of a kind, absolute and mean over its steps."""
    kind = KINDS[name]
    y, truth = draw(kind, random_state)
    row: dict[str, Any] = {"kind": name, "draw": random_state}
    for label, constants in (("without", _WITHOUT), ("with", {})):
        with one_thread(), constants_set(constants):
            forecaster = KLMemoryForecaster(kind.horizon).fit(y)
        quantiles = forecaster.predict_quantiles(alpha=list(NINE)).to_numpy()
        row |= scores_of(label, forecaster.predict().to_numpy(), quantiles, truth)
    row["found"] = forecaster.returning_ is not None
    rows, week, steps = y.to_numpy(), 7 * kind.day, np.arange(kind.horizon)
    row["mae_day"] = mean_error(rows[len(rows) - kind.day + steps % kind.day], truth)
    row["mae_week"] = mean_error(rows[len(rows) - week + steps % week], truth)
    row["mae_mean"] = mean_error(rows.reshape(-1, week).mean(axis=0)[steps % week], truth)
    return row


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """One line for each kind: changes of geometric means over its draws, and what is held."""
    columns = ["rows", "MAE", "CRPS", "to the best reference without", "with"]
    columns += ["80 % hold without", "with", "found"]
    lines = []
    for name in dict.fromkeys(row["kind"] for row in rows):
        frame = pd.DataFrame([row for row in rows if row["kind"] == name])
        scores = frame.filter(regex="^(mae|crps)_")
        size, mean = np.exp(np.log(scores).mean()), frame.filter(regex="^(held|found)").mean()
        best = size[["mae_day", "mae_week", "mae_mean"]].min()
        lines.append(
            [
                name,
                *(
                    f"{size[f'{score}_with'] / size[f'{score}_without'] - 1:+.0%}"
                    for score in ("mae", "crps")
                ),
                *(f"{size[f'mae_{label}'] / best:.2f}" for label in ("without", "with")),
                *(f"{mean[key]:.0%}" for key in ("held_without", "held_with", "found")),
            ]
        )
    return make_table("a week that windows are too short for", columns, lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table and, where asked for, append the rows to a file."""
    draws = range(_CHOSEN_ON, _CHOSEN_ON + 6)
    show_draws(__doc__, "--kinds", KINDS, compare, table, draws, arguments)


if __name__ == "__main__":
    main()
