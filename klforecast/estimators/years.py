"""Events of the year in the rows of a panel: what returns at the same date, or a year of steps later.

    effect     of each row, from the other years of its series                      `klforecast.local.years`
    residual   rows less it, which the core and the local experts forecast
    forecast   theirs and the effect of the date that is forecast

How wide events may be is chosen as anything else about a core: out of fold. Cores are solved on the rows as they are,
and less effects of more and more bands, and a channel has those that it is forecast best without. Smooth seasons, which
cores know from their windows, are so left to them.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.core.plan import CorePlan
from klforecast.core.season import LONGEST_CYCLE
from klforecast.data.scaling import Standardizer, add_within_floats
from klforecast.estimators.frames.indices import Stamp, stamps_ahead, stamps_between
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.returning import PlanOf, ReturningEffects, easter_of, squared_error
from klforecast.estimators.sampling import sample_keys
from klforecast.local.common_years import common_effects
from klforecast.local.intermittent import count_size
from klforecast.local.model import LONGEST
from klforecast.local.shifts import on_present_level
from klforecast.local.years import Places, effects_of_years, places_of

_DAYS = 365.2425  # of a year
# Steps of a year of weeks, of business days and of days; other seasons of rows without dates are none: M4's weekly
# series seem to have one of 313, and lost 2 % of their MASE with events of it.
_COUNTED = (52, 53, 260, 261, 364, 365, 366)
_SHORTEST_YEAR = 26  # steps; a year of months is a season like any other, and windows hold it
_YEARS = (
    10  # before a row and after it: what was usual longer ago says less, and the cost is bounded
)
_SHORT = 8  # times that a season has to fit into a year to be taken for a matter of its own
_WIDEST = 0.4  # of a year that a band looks to both sides, so that two whole years hold a row that both know
_NARROWER = (
    2  # bands less in the next choice, a quarter of the width: three choices from days to seasons
)
_CHOICES = 3  # of widths; each costs a core
_JUDGED_YEARS = (
    6  # newest ones that cores are compared on: longer series would take the time of a second fit
)
# Of the squared error that more bands have to save: of noise, walks and smooth waves they save up to 1.5 % by chance
# (docs/method/local_experts.md).
_LEAST_GAIN = 0.02
# Days from Easter Sunday of rows that are compared by their distance from it, carnival and Corpus Christi among them.
_FEAST_DAYS = range(-60, 76)
_LEAST_SERIES = 4  # that events are shared by: fewer would have what one of them did


def learn_years(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    periods: Sequence[int],
    plan_of: PlanOf,
) -> ReturningEffects | None:
    """Look for events of the year.

    Parameters
    ----------
    series : mapping of tuple to TimeSeries
    residual : mapping of tuple to ndarray of shape (time, channels)
        Their rows less the effect of covariates.
    frequency : offset or None
    periods : sequence of int
        Seasons in steps, among which is the year of rows without dates.
    plan_of : callable
        Plans the core that effects are judged by.

    Returns
    -------
    ReturningEffects or None
        None where cores forecast no channel better without events of the year.

    Notes
    -----
    Up to four cores are solved on six years. A core that reads whole years as they are and has seen more than six of
    them knows what they share: there river flow and births by week were 5 % worse and 3 % better with effects.
    """
    year = steps_of_a_year(next(iter(series.values())).index, periods)
    if year is None:
        return None
    plan = plan_of(residual)
    if _is_known_to(plan, year, max(map(len, residual.values()))):
        return None
    season = min((period for period in periods if 1 < period <= year / _SHORT), default=1)
    widest = int(math.log2(_WIDEST * year))
    widths = list(range(widest, 0, -_NARROWER))[:_CHOICES][::-1]
    found = _effects(series, residual, frequency, year, season, widths, plan)
    chosen = _chosen(residual, found, int(_JUDGED_YEARS * year), plan_of)
    if not chosen:
        return None
    return ReturningEffects.on(series, chosen, frequency, year, "year")


def steps_of_a_year(index: pd.Index, periods: Sequence[int]) -> float | None:
    """Steps of a year of dates, or of a season of rows without any that is a year; None for one that windows know.

    Examples
    --------
    >>> steps_of_a_year(pd.date_range("2020-01-01", periods=400), [7])
    365.2425
    >>> steps_of_a_year(pd.RangeIndex(900), [7, 365]), steps_of_a_year(pd.RangeIndex(900), [12])
    (365.0, None)
    """
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if isinstance(index, pd.DatetimeIndex):
        span = (index[-1] - index[0]) / pd.Timedelta(days=1)
        year = _DAYS * (len(index) - 1) / span if span > 0 else 0.0
    else:
        year = float(max((period for period in periods if period in _COUNTED), default=0))
    return year if _SHORTEST_YEAR <= year <= LONGEST_CYCLE else None


def _is_known_to(plan: CorePlan, year: float, rows: int) -> bool:
    """Whether windows of a core hold whole years, and the rows more of them than others could tell it."""
    return plan.edges[0] >= round(year) and rows > _JUDGED_YEARS * year


def same_places(
    index: pd.Index, frequency: BaseOffset | None, year: float
) -> np.ndarray:  # (T + A, J) int
    """Known rows at the date of each row, and of those of the year ahead, in other years; -1 for none."""
    rows, ahead = len(index), _ahead(year)
    years = _other_years(rows + ahead, year)
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        places = np.arange(rows + ahead)[:, None] + np.round(np.multiply(years, year)).astype(int)
        return np.where((places >= 0) & (places < rows), places, -1)
    index, stamps = _known_and_ahead(index, frequency, ahead)
    return np.stack(
        [_nearest(index, _years_later(stamps, number), year) for number in years], axis=1
    )


def feast_places(
    index: pd.Index, frequency: BaseOffset | None, year: float
) -> np.ndarray | None:  # (T + A, J) int
    """Known rows as far from Easter in other years, of rows near a feast that moves with it; -1 for others.

    None of rows without dates. Easter is that of the western churches.

    Examples
    --------
    Good Friday 2022 was the 15th of April, in 2021 the 2nd:

    >>> days = pd.date_range("2020-06-01", "2022-12-31")
    >>> places = feast_places(days, days.freq, 365.2425)[days.get_loc("2022-04-15")]
    >>> days[places[places >= 0]].strftime("%Y-%m-%d").tolist()
    ['2021-04-02']
    """
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        return None
    ahead = _ahead(year)
    years = _other_years(len(index) + ahead, year)
    index, stamps = _known_and_ahead(index, frequency, ahead)
    dates = stamps.tz_localize(None).normalize()
    easter = easter_of(dates.year)
    near = np.isin((dates - easter).days, _FEAST_DAYS)
    return np.stack(
        [
            np.where(
                near, _nearest(index, stamps + (easter_of(dates.year + number) - easter), year), -1
            )
            for number in years
        ],
        axis=1,
    )


def _other_years(rows: int, year: float) -> list[int]:
    """Numbers of the years before and after that known rows and those ahead may hold."""
    most = min(_YEARS, int(rows / year))
    return [number for number in range(-most, most + 1) if number]


def _known_and_ahead(
    index: pd.DatetimeIndex | pd.PeriodIndex, frequency: BaseOffset | None, ahead: int
) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """Dates of known rows, and these with the dates ahead."""
    stamps = index.append(stamps_ahead(index[-1], np.arange(1, ahead + 1), frequency))
    if isinstance(index, pd.PeriodIndex):
        return index.to_timestamp(), stamps.to_timestamp()
    return index, stamps


def _years_later(stamps: pd.DatetimeIndex, number: int) -> pd.DatetimeIndex:
    """The same local times of another year; no time where a clock changes."""
    later = stamps.tz_localize(None) + pd.DateOffset(years=number)
    if stamps.tz is None:
        return later
    return later.tz_localize(stamps.tz, ambiguous="NaT", nonexistent="NaT")


def _nearest(index: pd.DatetimeIndex, stamps: pd.DatetimeIndex, year: float) -> np.ndarray:
    """Places of the nearest rows: a business day for a Saturday, and the week around a date; -1 for none."""
    return index.get_indexer(stamps, "nearest", tolerance=pd.Timedelta(days=_DAYS / year))


def _effects(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    year: float,
    season: int,
    widths: Sequence[int],
    plan: CorePlan,
) -> dict[Key, np.ndarray]:  # (widths, T + A, channels) each
    """Effects of each series that has any for some width.

    None of counts, which are few and whole, nor where a level has just shifted: events are those of the former one.
    """
    effects: dict[Key, np.ndarray] = {}
    places: dict[tuple[Stamp, int], Places] = {}
    common = _common(series, residual, frequency, year, season, widths)
    for key, rows in residual.items():
        knows_itself = len(rows) >= 2 * year
        if not knows_itself and key not in common:
            continue
        index = series[key].index
        found = common.get(key, np.zeros((len(widths), len(rows) + _ahead(year), rows.shape[1])))
        if knows_itself:
            dates = (index[0], len(index))
            if dates not in places:
                places[dates] = places_of(
                    same_places(index, frequency, year),
                    len(rows),
                    season,
                    feast_places(index, frequency, year),
                )
            left = add_within_floats(rows, -found[-1, : len(rows)])
            found = found + effects_of_years(left, places[dates], season, round(year), widths)
        # The rise of a peak is a shift too, and none of the rows less the peak.
        left = add_within_floats(rows, -found[-1, : len(rows)])[-LONGEST:].T
        shifted = on_present_level(left, plan.horizon, [season] if season > 1 else []).shifted
        found[..., shifted | (count_size(rows.T) > 0)] = 0.0
        if found.any():
            effects[key] = found
    return effects


def _common(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    year: float,
    season: int,
    widths: Sequence[int],
) -> dict[Key, np.ndarray]:  # (widths, T + A, channels) each
    """Events that dated series share; none of rows without dates, whose numbers need not be of one time."""
    index = {
        key: series[key].index
        for key, rows in residual.items()
        if not (count_size(rows.T) > 0).all()
    }
    if len(index) < _LEAST_SERIES or not isinstance(
        next(iter(index.values())), pd.DatetimeIndex | pd.PeriodIndex
    ):
        return {}
    ends = [own[0] for own in index.values()], [own[-1] for own in index.values()]
    dates = stamps_between(min(ends[0]), max(ends[1]), frequency)
    # Seven days from a Monday and from a Sunday are two grids.
    starts = dict(zip(index, dates.get_indexer(pd.Index(ends[0]).astype(dates.dtype)), strict=True))
    keys = [key for key, start in starts.items() if start >= 0]
    if len(keys) < _LEAST_SERIES or len(dates) < 2 * year:
        return {}
    places = places_of(
        same_places(dates, frequency, year),
        len(dates),
        season,
        feast_places(dates, frequency, year),
    )
    found = common_effects(
        [residual[key] for key in keys],
        [int(starts[key]) for key in keys],
        places,
        season,
        round(year),
        widths,
    )
    ahead = _ahead(year)
    return {
        key: effects[:, : len(residual[key]) + ahead]
        for key, effects in zip(keys, found, strict=True)
    }


def _ahead(year: float) -> int:
    """Steps beyond the rows that effects are found for."""
    return math.ceil(year) + 1


def _chosen(
    residual: Mapping[Key, np.ndarray],
    found: Mapping[Key, np.ndarray],  # (widths, T + A, channels) each
    most_rows: int,
    plan_of: PlanOf,
) -> dict[Key, np.ndarray]:
    """Effects of the width that each channel is forecast best without."""
    if not found:
        return {}
    judged = {key: residual[key][-most_rows:] for key in sample_keys(found)}
    scalers = {key: Standardizer.fit(rows) for key, rows in judged.items()}
    plan = plan_of(judged)
    least = squared_error(judged, scalers, plan)
    width = np.full(len(least), -1)
    for place in range(len(next(iter(found.values())))):
        less = {
            key: add_within_floats(rows, -found[key][place, : len(residual[key])][-most_rows:])
            for key, rows in judged.items()
        }
        error = squared_error(less, scalers, plan)
        helps = error < (1 - _LEAST_GAIN) * least
        least, width = np.where(helps, error, least), np.where(helps, place, width)
    channels = np.arange(len(width))
    chosen = {
        key: np.where(width < 0, 0.0, effects[width, :, channels].T)
        for key, effects in found.items()
    }
    return {key: effect for key, effect in chosen.items() if effect.any()}
