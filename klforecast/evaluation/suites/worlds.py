"""Generated worlds: kinds of series that a default must survive, each drawn anew for a seed.

    shift         the level changes before the cutoff, once or often, by a drop or a change of unit
    spikes        single values many times too large
    outage        stretches of zeros, or of missing values, at any place or right before the cutoff
    growth        a trend with a season that grows with it; exponential growth and decay
    walk          random walks, with a drift, and of the logarithm
    share         values between 0 and 1
    counts        Poisson counts, small and large, with a week
    intermittent  mostly zeros, and demand that fades out
    regime        the level jumps to and fro; the phase, the noise or the trend changes before the cutoff
    noise         white noise of 60 to 1,000 rows: the mean is the best forecast there is
    simple        what any method should continue: a line, a constant, a sine, two seasons at once
    panel         members that are zero, constant or new; scales of many orders; short trends

A world is the mean over its seeds; its values have the same size for every seed.
"""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

_One = Callable[[np.random.Generator], np.ndarray]
Draw = _One | Callable[[np.random.Generator], Mapping[str, np.ndarray]]

_WEEK, _MONTH, _YEAR = 7, 28, 365  # days; a month of four whole weeks
_TWO_YEARS = 730  # days; the shortest past that shows a yearly season twice
# The error of a plain reference varies by a few percent between tens. Errors of walks differ by their own size from
# draw to draw, and the ratio of two good forecasts by a tenth between tens.
_DRAWS, _DRAWS_OF_A_WALK = 10, 40
_COUNT = (0.0, np.inf)  # bounds of what a count can be
_SHARE = (0.0, 1.0)  # and a share


@dataclass(frozen=True)
class World:
    """A kind of series.

    Parameters
    ----------
    draw : callable
        `draw(rng)` returns the values of one series, or of many by name, the future at the end.
    horizon, season : int
        Steps of that future; steps of the season that seasonal naive repeats, 1 for none.
    freq : str or None, default="D"
        Step of the dates; None counts rows.
    bounds : pair of float, default=(-inf, inf)
        Values that the quantity can have.
    squared : bool, default=False
        Whether errors are squared: the absolute error of counts and of rare demand rewards zeros.
    is_shift : bool, default=False
        Whether forecasts must lie within the range of the truth and intervals hold most of it.
    is_exact : bool, default=False
        Whether the past tells the future exactly.
    draws : int, default=10
        Seeds that it is drawn for.
    """

    draw: Draw
    horizon: int
    season: int
    freq: str | None = "D"
    bounds: tuple[float, float] = (-np.inf, np.inf)
    squared: bool = False
    is_shift: bool = False
    is_exact: bool = False
    draws: int = _DRAWS


def draw_world(name: str, seed: int) -> dict[str, pd.DataFrame]:
    """Return the series of a world for a seed, the rows to forecast at their ends.

    Examples
    --------
    >>> draw_world("simple/line", seed=0)["value"].tail(2)["value"].tolist()
    [145.0, 147.0]
    """
    world = WORLDS[name]
    drawn = world.draw(np.random.default_rng([zlib.crc32(name.encode()), seed]))
    series = {"value": drawn} if isinstance(drawn, np.ndarray) else drawn
    return {key: _frame(values, world.freq) for key, values in series.items()}


def _frame(values: np.ndarray, freq: str | None) -> pd.DataFrame:
    index = (
        pd.RangeIndex(len(values))
        if freq is None
        else pd.date_range("2021-01-01", periods=len(values), freq=freq)
    )
    return pd.DataFrame({"value": values.astype(float)}, index=index)


def _wave(t: np.ndarray, period: int = _WEEK) -> np.ndarray:
    return np.sin(2 * np.pi * t / period)


def _daily(
    rng: np.random.Generator,
    n_past: int = _TWO_YEARS,
    level: float = 100.0,
    noise: float = 0.05,
) -> np.ndarray:
    """A positive daily series with a week, and four weeks of its future."""
    t = np.arange(n_past + _MONTH)
    week = 1 + 0.15 * _wave(t) + 0.075 * (t % _WEEK >= 5)
    return level * week * (1 + noise * rng.standard_normal(len(t)))


def _rescaled(factor: float, days: int, daily: _One = _daily) -> _One:
    """The level has been `factor` times what it was for the last `days` days."""

    def draw(rng: np.random.Generator) -> np.ndarray:
        y = daily(rng)
        y[: len(y) - _MONTH - days] /= factor
        return y

    return draw


def _flat_and_tenfold(rng: np.random.Generator) -> np.ndarray:
    level = np.r_[np.full(700, 100.0), np.full(2 * _MONTH, 1000.0)]
    return level * (1 + 0.01 * rng.standard_normal(len(level)))


def _added(rng: np.random.Generator) -> np.ndarray:
    y = _daily(rng)
    y[: len(y) - _MONTH - rng.integers(10, 60)] -= rng.choice([-50.0, 50.0])
    return y


def _often(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(_TWO_YEARS + _MONTH)
    jumps = (rng.random(len(t)) < 0.01) * rng.normal(0, 30, len(t))
    return 200 + np.cumsum(jumps) + 10 * _wave(t) + 3 * rng.standard_normal(len(t))


def _shifted_panel(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        f"{i}": _rescaled(0.6, int(rng.integers(7, 57)), partial(_daily, n_past=400))(rng)
        for i in range(8)
    }


def _spikes(rng: np.random.Generator) -> np.ndarray:
    y = _daily(rng)
    hit = rng.random(len(y)) < 0.01
    y[hit] *= rng.uniform(5, 20, hit.sum())
    return y


def _late_spike(rng: np.random.Generator) -> np.ndarray:
    y = _daily(rng)
    y[-_MONTH - 2] *= 15
    return y


def _outages(value: float, at_cutoff: bool) -> Draw:
    def draw(rng: np.random.Generator) -> np.ndarray:
        y = _daily(rng)
        for start in rng.choice(680, 6, replace=False):
            y[start : start + rng.integers(2, 10)] = value
        if at_cutoff:
            y[_TWO_YEARS - 5 : _TWO_YEARS] = value
        return y

    return draw


def _holes(rng: np.random.Generator) -> np.ndarray:
    y = _daily(rng)
    y[:_TWO_YEARS][rng.random(_TWO_YEARS) < 0.2] = np.nan
    return y


def _growing_season(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(120 + 12)
    season = 1 + 0.2 * _wave(t, 12) + 0.1 * np.cos(4 * np.pi * t / 12)
    return 100 * np.exp(0.01 * t) * season * (1 + 0.03 * rng.standard_normal(len(t)))


def _exponential(rate: float) -> Draw:
    t = np.arange(150 + 24)
    return lambda rng: 10 * np.exp(rate * t) * (1 + 0.02 * rng.standard_normal(len(t)))


def _walk(drift: float) -> Draw:
    return lambda rng: 100 + np.cumsum(drift + rng.standard_normal(500 + 24))


def _walk_of_the_logarithm(rng: np.random.Generator) -> np.ndarray:
    return 50 * np.exp(np.cumsum(0.02 * rng.standard_normal(500 + 24)))


def _share(mean: float) -> Draw:
    t = np.arange(400 + _MONTH)

    def draw(rng: np.random.Generator) -> np.ndarray:
        logit = mean + 0.8 * _wave(t) + 0.4 * rng.standard_normal(len(t))
        return 1 / (1 + np.exp(-logit))

    return draw


def _poisson(rate: float, week: float = 0.0) -> Draw:
    t = np.arange(300 + _MONTH)
    return lambda rng: rng.poisson(rate * (1 + week * _wave(t))).astype(float)


def _rare_demand(share: float, fading: float = 0.0) -> Draw:
    t = np.arange(300 + _MONTH)

    def draw(rng: np.random.Generator) -> np.ndarray:
        sold = rng.random(len(t)) < share * np.exp(-fading * t)
        return sold * np.ceil(rng.lognormal(1.0, 0.7, len(t)))

    return draw


def _levels(rng: np.random.Generator) -> np.ndarray:
    stays = rng.integers(40, 90, size=20)
    level = np.repeat(rng.choice([60.0, 100.0, 160.0], size=len(stays)), stays)[: 500 + _MONTH]
    return level + 5 * rng.standard_normal(len(level))


def _other_phase(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(_TWO_YEARS + _MONTH)
    moved = np.where(t < _TWO_YEARS - 60, t, t + 3)
    return 100 + 20 * _wave(moved) + 3 * rng.standard_normal(len(t))


def _calmer(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(_TWO_YEARS + _MONTH)
    size = np.where(t < _TWO_YEARS - 80, 20, 2)
    return 100 + 10 * _wave(t) + size * rng.standard_normal(len(t))


def _other_trend(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(_TWO_YEARS + _MONTH)
    turn = _TWO_YEARS - 60
    trend = np.where(t < turn, 0.5 * t, 0.5 * turn - (t - turn))
    return 100 + trend + 10 * _wave(t) + 4 * rng.standard_normal(len(t))


def _white(n: int) -> Draw:
    return lambda rng: 50 + 10 * rng.standard_normal(n + 24)


def _line(rng: np.random.Generator) -> np.ndarray:
    return 5 + 2.0 * np.arange(60 + 12)


def _day_and_week(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(21 * 168)
    return 50 + 10 * _wave(t, 24) + 8 * (t // 24 % 7 >= 5) + rng.standard_normal(len(t))


def _week_and_year(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(4 * _YEAR + 90)
    return 50 + 10 * _wave(t, _YEAR) + 5 * (t % _WEEK >= 5) + 1.5 * rng.standard_normal(len(t))


def _constant(value: float) -> Draw:
    return lambda rng: np.full(200 + _MONTH, value)


def _sine(rng: np.random.Generator) -> np.ndarray:
    return 10 + _wave(np.arange(200 + _MONTH), 12)


def _flat_members(rng: np.random.Generator) -> dict[str, np.ndarray]:
    usual = {f"usual {i}": _daily(rng, 200, rng.uniform(50, 200)) for i in range(6)}
    zeros = {f"zero {i}": np.zeros(200 + _MONTH) for i in range(2)}
    new = np.r_[np.zeros(170), _daily(rng, 30)]
    return usual | zeros | {"constant": np.full(200 + _MONTH, 50.0), "new": new}


def _far_levels(rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {f"{i}": _daily(rng, 200) + 10.0**i for i in range(7)}


def _short_trends(rng: np.random.Generator) -> dict[str, np.ndarray]:
    series = {}
    for i in range(30):
        t = np.arange(rng.integers(8, 40) + 6)
        series[f"{i}"] = 100 + rng.normal(0, 4) * t + 5 * rng.standard_normal(len(t))
    return series


WORLDS: dict[str, World] = {
    "shift/unit-28": World(
        _rescaled(1000, 28, partial(_daily, level=5e6)), _MONTH, _WEEK, is_shift=True
    ),
    "shift/tenfold-28": World(_flat_and_tenfold, _MONTH, _WEEK, is_shift=True),
    **{
        f"shift/drop-{days}": World(
            _rescaled(0.6, days, partial(_daily, noise=0.08)), _MONTH, _WEEK, is_shift=True
        )
        for days in (7, 14, 28, 56)
    },
    "shift/added": World(_added, _MONTH, _WEEK),
    "shift/often": World(_often, _MONTH, _WEEK),
    "shift/panel": World(_shifted_panel, _MONTH, _WEEK),
    "spikes/rare": World(_spikes, _MONTH, _WEEK),
    "spikes/late": World(_late_spike, _MONTH, _WEEK),
    "outage/zeros": World(_outages(0.0, at_cutoff=False), _MONTH, _WEEK),
    "outage/zeros-at-cutoff": World(_outages(0.0, at_cutoff=True), _MONTH, _WEEK),
    "outage/missing-at-cutoff": World(_outages(np.nan, at_cutoff=True), _MONTH, _WEEK),
    "outage/fifth-missing": World(_holes, _MONTH, _WEEK),
    "growth/season": World(_growing_season, 12, 12, "MS"),
    "growth/exponential": World(_exponential(0.02), 24, 1),
    "growth/decay": World(_exponential(-0.02), 24, 1),
    "walk/plain": World(_walk(0.0), 24, 1, draws=_DRAWS_OF_A_WALK),
    "walk/drift": World(_walk(0.2), 24, 1, draws=_DRAWS_OF_A_WALK),
    "walk/logarithm": World(_walk_of_the_logarithm, 24, 1, draws=_DRAWS_OF_A_WALK),
    "share/middle": World(_share(0.0), _MONTH, _WEEK, bounds=_SHARE),
    "share/near-one": World(_share(3.0), _MONTH, _WEEK, bounds=_SHARE),
    "counts/poisson-0.3": World(_poisson(0.3), _MONTH, _WEEK, bounds=_COUNT, squared=True),
    "counts/poisson-3": World(_poisson(3.0), _MONTH, _WEEK, bounds=_COUNT, squared=True),
    "counts/week": World(_poisson(4.0, 0.5), _MONTH, _WEEK, bounds=_COUNT, squared=True),
    "intermittent/tenth": World(_rare_demand(0.1), _MONTH, _WEEK, bounds=_COUNT, squared=True),
    "intermittent/third": World(_rare_demand(0.3), _MONTH, _WEEK, bounds=_COUNT, squared=True),
    "intermittent/fading": World(
        _rare_demand(0.5, 0.008), _MONTH, _WEEK, bounds=_COUNT, squared=True
    ),
    "regime/levels": World(_levels, _MONTH, _WEEK),
    "regime/phase": World(_other_phase, _MONTH, _WEEK),
    "regime/calmer": World(_calmer, _MONTH, _WEEK),
    "regime/trend": World(_other_trend, _MONTH, _WEEK),
    **{f"noise/{n}": World(_white(n), 24, 12, squared=True) for n in (60, 100, 200, 1000)},
    "simple/line": World(_line, 12, 1, "MS", is_exact=True),
    "simple/constant": World(_constant(42.0), _MONTH, _WEEK, is_exact=True),
    "simple/zero": World(_constant(0.0), _MONTH, _WEEK, is_exact=True),
    "simple/sine": World(_sine, _MONTH, 12, None, is_exact=True),
    "simple/day-and-week": World(_day_and_week, 168, 168, "h"),
    "simple/week-and-year": World(_week_and_year, 90, _YEAR),
    "panel/flat-members": World(_flat_members, _MONTH, _WEEK),
    "panel/far-levels": World(_far_levels, _MONTH, _WEEK),
    "panel/short-trends": World(_short_trends, 6, 1, None),
}
"""The worlds by kind and name."""
