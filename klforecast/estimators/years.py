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
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.core.plan import CorePlan
from klforecast.core.season import LONGEST_CYCLE
from klforecast.data.scaling import Standardizer, add_within_floats
from klforecast.estimators.frames.indices import Stamp, stamps_ahead
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.returning import PlanOf, ReturningEffects, easter_of, squared_error
from klforecast.estimators.shared_events import (
    SharedYears,
    dated_panel,
    learn_shared,
    shared_effects,
)
from klforecast.local.intermittent import count_size
from klforecast.local.model import LONGEST
from klforecast.local.shifts import on_present_level
from klforecast.local.years import Places, effects_of_years, places_of

_DAYS = 365.2425  # of a year
# Steps of a year of weeks, of business days and of days; other seasons of rows without dates are none: M4's weekly
# series seem to have one of 313, and lost 2 % of their MASE with events of it.
_COUNTED = (52, 53, 260, 261, 364, 365, 366)
_NEAR = 0.75  # of a step that a row may be from a date: a Saturday from a Friday, and no day from the next one
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
JUDGED_YEARS = (
    6  # newest ones that cores are compared on: longer series would take the time of a second fit
)
# Of the squared error that more bands have to save: of noise, walks and smooth waves they save up to 1.5 % by chance
# (docs/method/local_experts.md).
_LEAST_GAIN = 0.02
# Days from Easter Sunday of rows that are compared by their distance from it, carnival and Corpus Christi among them.
_FEAST_DAYS = range(-60, 76)


class Years(NamedTuple):
    """How events of the year are looked for in the series of a panel, and how wide they may be.

    Attributes
    ----------
    year : float
        Steps.
    season : int
        Rows of a short season, 1 for none.
    widths : tuple of int
        Bands of each choice.
    width : ndarray of int, shape (C,)
        Place of the choice of each channel, -1 for no events.
    horizon : int
        Of the core, by which shifts are told from what a series does all the time.
    shared : SharedYears or None
    """

    year: float
    season: int
    widths: tuple[int, ...]
    width: np.ndarray
    horizon: int
    shared: SharedYears | None

    def effects(
        self,
        series: Mapping[Key, TimeSeries],
        residual: Mapping[Key, np.ndarray],
        frequency: BaseOffset | None,
    ) -> ReturningEffects:
        """Events of some series of the panel, or of others in their place; arguments as for `learn_years`."""
        return self.of_chosen_width(
            series, self.of_each_width(series, residual, frequency), frequency
        )

    def of_chosen_width(
        self,
        series: Mapping[Key, TimeSeries],
        found: Mapping[Key, np.ndarray],  # (widths, T + A, C) each
        frequency: BaseOffset | None,
    ) -> ReturningEffects:
        """Those of the width of each channel."""
        channels = np.arange(len(self.width))
        chosen = {
            key: np.where(self.width < 0, 0.0, effects[self.width, :, channels].T)
            for key, effects in found.items()
        }
        return ReturningEffects.on(series, chosen, frequency, self.year, "year")

    def of_each_width(
        self,
        series: Mapping[Key, TimeSeries],
        residual: Mapping[Key, np.ndarray],
        frequency: BaseOffset | None,
    ) -> dict[Key, np.ndarray]:  # (widths, T + A, C) each
        """Effects of each series that has any for some width.

        None of counts, which are few and whole, nor where a level has just shifted: events are those of the former
        one.
        """
        effects: dict[Key, np.ndarray] = {}
        places: dict[tuple[Stamp, int], Places] = {}
        common = shared_effects(self.shared, series, residual, frequency, rows_ahead(self.year))
        for key, rows in residual.items():
            knows_itself = len(rows) >= 2 * self.year
            if not knows_itself and key not in common:
                continue
            index = series[key].index
            nothing = np.zeros((len(self.widths), len(rows) + rows_ahead(self.year), rows.shape[1]))
            found = common.get(key, nothing)
            if knows_itself:
                dates = (index[0], len(index))
                if dates not in places:
                    places[dates] = _places(index, frequency, self.year, self.season)
                left = add_within_floats(rows, -found[-1, : len(rows)])
                found = found + effects_of_years(
                    left, places[dates], self.season, round(self.year), self.widths
                )
            found = steady(found, rows, self.horizon, self.season)
            if found.any():
                effects[key] = found
        return effects


def steady(
    found: np.ndarray,  # (widths, T + A, C)
    rows: np.ndarray,  # (T, C)
    horizon: int,
    season: int,
) -> np.ndarray:
    """Effects without those of channels that are counts, or whose level has just shifted.

    The rise of a peak is a shift too, and none of the rows less the peak.
    """
    left = add_within_floats(rows, -found[-1, : len(rows)])[-LONGEST:].T
    shifted = on_present_level(left, horizon, [season] if season > 1 else []).shifted
    return np.where(shifted | (count_size(rows.T) > 0), 0.0, found)


def learn_years(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    periods: Sequence[int],
    plan_of: PlanOf,
) -> tuple[Years, ReturningEffects] | None:
    """Look for events of the year.

    Parameters
    ----------
    series : mapping of tuple to TimeSeries
        Of a panel, or a sample of it.
    residual : mapping of tuple to ndarray of shape (time, channels)
        Their rows less the effect of covariates.
    frequency : offset or None
    periods : sequence of int
        Seasons in steps, among which is the year of rows without dates.
    plan_of : callable
        Plans the core that effects are judged by.

    Returns
    -------
    tuple of Years and ReturningEffects, or None
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
    widths = tuple(range(widest, 0, -_NARROWER))[:_CHOICES][::-1]
    channels = next(iter(residual.values())).shape[1]
    dated = dated_panel(series, residual, frequency, 2 * year)
    shared = None
    if dated is not None:
        places = _places(dated.dates, frequency, year, season)
        shared = learn_shared(dated, places, season, round(year), widths)
    asked = Years(year, season, widths, np.full(channels, -1), plan.horizon, shared)
    found = asked.of_each_width(series, residual, frequency)
    years = asked._replace(width=best_width(residual, found, int(JUDGED_YEARS * year), plan_of))
    effects = years.of_chosen_width(series, found, frequency)
    return (years, effects) if effects.effects else None


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
    return plan.edges[0] >= round(year) and rows > JUDGED_YEARS * year


def same_places(
    index: pd.Index, frequency: BaseOffset | None, year: float
) -> np.ndarray:  # (T + A, J) int
    """Known rows at the date of each row, and of those of the year ahead, in other years; -1 for none."""
    rows, ahead = len(index), rows_ahead(year)
    years = _other_years(rows + ahead, year)
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        places = np.arange(rows + ahead)[:, None] + np.round(np.multiply(years, year)).astype(int)
        return np.where((places >= 0) & (places < rows), places, -1)
    index, stamps = known_and_ahead(index, frequency, ahead)
    return np.stack(
        [nearest(index, _years_later(stamps, number), year) for number in years], axis=1
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
    ahead = rows_ahead(year)
    years = _other_years(len(index) + ahead, year)
    index, stamps = known_and_ahead(index, frequency, ahead)
    dates = stamps.tz_localize(None).normalize()
    easter = easter_of(dates.year)
    near = np.isin((dates - easter).days, _FEAST_DAYS)
    return np.stack(
        [
            np.where(
                near, nearest(index, stamps + (easter_of(dates.year + number) - easter), year), -1
            )
            for number in years
        ],
        axis=1,
    )


def _other_years(rows: int, year: float) -> list[int]:
    """Numbers of the years before and after that known rows and those ahead may hold."""
    most = min(_YEARS, int(rows / year))
    return [number for number in range(-most, most + 1) if number]


def known_and_ahead(
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


def nearest(index: pd.DatetimeIndex, stamps: pd.DatetimeIndex, year: float) -> np.ndarray:
    """Places of the nearest rows: a business day for a Saturday, and the week around a date; -1 for none."""
    tolerance = pd.Timedelta(days=_NEAR * _DAYS / year)
    return np.where(stamps.isna(), -1, index.get_indexer(stamps, "nearest", tolerance=tolerance))


def _places(index: pd.Index, frequency: BaseOffset | None, year: float, season: int) -> Places:
    by_feast = feast_places(index, frequency, year)
    return places_of(same_places(index, frequency, year), len(index), season, by_feast)


def rows_ahead(year: float) -> int:
    """Steps beyond the rows that effects are found for."""
    return math.ceil(year) + 1


def best_width(
    residual: Mapping[Key, np.ndarray],
    found: Mapping[Key, np.ndarray],  # (widths, T + A, C) each
    most_rows: int,
    plan_of: PlanOf,
) -> np.ndarray:  # (C,) int
    """Place of the width whose effects each channel is forecast best without; -1 for none."""
    channels = next(iter(residual.values())).shape[1]
    if not found:
        return np.full(channels, -1)
    judged = {key: residual[key][-most_rows:] for key in found}
    scalers = {key: Standardizer.fit(rows) for key, rows in judged.items()}
    least = squared_error(judged, scalers, plan_of(judged))
    width = np.full(channels, -1)
    for place in range(len(next(iter(found.values())))):
        less = {
            key: add_within_floats(rows, -found[key][place, : len(residual[key])][-most_rows:])
            for key, rows in judged.items()
        }
        error = squared_error(less, scalers, plan_of(less))
        helps = error < (1 - _LEAST_GAIN) * least
        least, width = np.where(helps, error, least), np.where(helps, place, width)
    return width
