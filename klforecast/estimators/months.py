"""Days of the month in the rows of a panel: paydays, rents, the invoices of its last day.

    effect     of each row, from the other months of its series                     `klforecast.local.years`
    residual   rows less it, which the core and the local experts forecast
    forecast   theirs and the effect of the day that is forecast

Months have 28 to 31 days, so no season of so many steps knows the 25th. Days near the end are also counted from there,
and those of rows that are no days of the calendar, such as business days, from both ends by their number.

A channel has the days of the month that cores forecast it best without, on windows that they were not solved on. Events
of the year are looked for in what is left.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.data.scaling import add_within_floats
from klforecast.estimators.frames.indices import Stamp
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.month_places import MONTHS, MonthDays, month_days, month_places
from klforecast.estimators.returning import PlanOf, PlanWith, ReturningEffects
from klforecast.estimators.shared_events import (
    SharedYears,
    dated_panel,
    learn_shared,
    shared_effects,
)
from klforecast.estimators.years import (
    JUDGED_YEARS,
    Years,
    best_width,
    learn_years,
    rows_ahead,
    steady,
    steps_of_a_year,
)
from klforecast.local.common_years import mean_of_panel
from klforecast.local.month_days import seem_to_know_days
from klforecast.local.years import Places, effects_of_years

_FEWEST_MONTHS = 6  # of a series: five others say what is usual at a day
_ROWS_OF_A_MONTH = (20, 31)  # from business days to days
_LONGEST_SEASON = 10  # rows of a short season, which is no matter of the month
_BANDS = 3  # days of their own, and stretches of up to a week


class Months(NamedTuple):
    """Days of the month in the channels of a panel that are forecast better without them.

    Attributes
    ----------
    year : float
        Steps.
    season : int
        Rows of a short season, 1 for none.
    helps : ndarray of bool, shape (C,)
    horizon : int
        Of the core, by which shifts are told from what a series does all the time.
    shared : SharedYears or None
        Days of the month that dated series have in common.
    years : Years or None
        Of what they leave.
    """

    year: float
    season: int
    helps: np.ndarray
    horizon: int
    shared: SharedYears | None = None
    years: Years | None = None

    def effects(
        self,
        series: Mapping[Key, TimeSeries],
        residual: Mapping[Key, np.ndarray],
        frequency: BaseOffset | None,
    ) -> ReturningEffects:
        """Of some series of the panel, or of others in their place; arguments as for `learn_months`."""
        monthly, yearly = self._monthly(series, residual, frequency), None
        if self.years is not None:
            yearly = self.years.effects(series, _less(residual, monthly), frequency)
        return self._joined(monthly, yearly, series, frequency)

    def learned_from(
        self,
        series: Mapping[Key, TimeSeries],
        residual: Mapping[Key, np.ndarray],
        frequency: BaseOffset | None,
        periods: Sequence[int],
        plan_with: PlanWith,
        plan_of: PlanOf,
    ) -> tuple[Self, ReturningEffects] | None:
        """The same with what cores say of a sample; arguments as for `learn_months`."""
        short = [period for period in periods if period <= _LONGEST_SEASON]
        asked = self._replace(shared=self._learn_shared(series, residual, frequency))
        found = asked._monthly(series, residual, frequency)
        width = best_width(
            residual,
            {key: effects[None] for key, effects in found.items()},
            int(JUDGED_YEARS * self.year),
            lambda panel: plan_with(panel, short),
        )
        if (width < 0).all():
            return None
        helps = width >= 0
        kept = {key: np.where(helps, effects, 0.0) for key, effects in found.items()}
        left = _less(residual, kept)
        years, yearly = learn_years(series, left, frequency, periods, plan_of) or (None, None)
        months = asked._replace(helps=helps, years=years)
        return months, months._joined(kept, yearly, series, frequency)

    def _learn_shared(
        self,
        series: Mapping[Key, TimeSeries],
        residual: Mapping[Key, np.ndarray],
        frequency: BaseOffset | None,
    ) -> SharedYears | None:
        """Days of the month that dated series have in common, if their mean seems to know any."""
        month = round(self.year / MONTHS)
        dated = dated_panel(series, residual, frequency, _FEWEST_MONTHS * month)
        if dated is None:
            return None
        mean = mean_of_panel(dated.panel, dated.starts, len(dated.dates))
        days = month_days(dated.dates, frequency)
        if not any(seem_to_know_days(mean, own, self.season).any() for own in days):
            return None
        places = month_places(dated.dates, frequency, self.year, self.season)
        shared = learn_shared(dated, places, self.season, month, [_BANDS])
        return shared if shared.common.effects.any() else None

    def _joined(
        self,
        monthly: dict[Key, np.ndarray],  # (T + A, C) each
        yearly: ReturningEffects | None,
        series: Mapping[Key, TimeSeries],
        frequency: BaseOffset | None,
    ) -> ReturningEffects:
        """Days of the month, and events of the year in what they leave."""
        if yearly is None:
            return ReturningEffects.on(series, monthly, frequency, self.year, "month")
        none = np.zeros(1)
        both = {
            key: monthly.get(key, none) + yearly.effects.get(key, none)
            for key in series
            if key in monthly or key in yearly.effects
        }
        return ReturningEffects.on(series, both, frequency, self.year, "month and year")

    def _monthly(
        self,
        series: Mapping[Key, TimeSeries],
        residual: Mapping[Key, np.ndarray],
        frequency: BaseOffset | None,
    ) -> dict[Key, np.ndarray]:  # (T + A, C) each
        """Days of the month of each series that seems to know them."""
        effects: dict[Key, np.ndarray] = {}
        days: dict[tuple[Stamp, int], MonthDays] = {}
        places: dict[tuple[Stamp, int], Places] = {}
        month, ahead = round(self.year / MONTHS), rows_ahead(self.year)
        common = shared_effects(self.shared, series, residual, frequency, ahead)
        for key, rows in residual.items():
            found = common.get(key, np.zeros((1, len(rows) + ahead, rows.shape[1])))
            found = np.where(self.helps, found, 0.0)
            if len(rows) >= _FEWEST_MONTHS * month:
                index = series[key].index
                dates = (index[0], len(index))
                if dates not in days:
                    days[dates] = month_days(index, frequency)
                left = add_within_floats(rows, -found[0, : len(rows)])
                know = [seem_to_know_days(left, own, self.season) for own in days[dates]]
                channels = np.flatnonzero(np.any(know, axis=0) & self.helps)
                if len(channels):
                    if dates not in places:
                        places[dates] = month_places(index, frequency, self.year, self.season)
                    found[..., channels] += effects_of_years(
                        left[:, channels], places[dates], self.season, month, [_BANDS]
                    )
            if found.any():
                effects[key] = steady(found, rows, self.horizon, self.season)[0]
        return effects


def learn_months(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    periods: Sequence[int],
    plan_with: PlanWith,
    plan_of: PlanOf,
) -> tuple[Months, ReturningEffects] | None:
    """Look for days of the month, and for events of the year in what they leave.

    Parameters
    ----------
    series, residual, frequency, periods, plan_of
        As for `klforecast.estimators.years.learn_years`.
    plan_with : callable
        Plans the core that days of the month are judged by, whose cycles are shorter than a month.

    Returns
    -------
    tuple of Months and ReturningEffects, or None
        None of rows that are no dated days, and where cores forecast no channel better without days of the month.

    Notes
    -----
    Two cores are solved on six years, where some series seems to know the day.
    """
    index = next(iter(series.values())).index
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        return None
    year = steps_of_a_year(index, periods)
    fewest, most = _ROWS_OF_A_MONTH
    if year is None or not fewest <= year / MONTHS <= most:
        return None
    season = min((period for period in periods if 1 < period <= _LONGEST_SEASON), default=1)
    helps = np.ones(next(iter(residual.values())).shape[1], dtype=bool)
    asked = Months(year, season, helps, plan_with(residual, []).horizon)
    return asked.learned_from(series, residual, frequency, periods, plan_with, plan_of)


def _less(
    residual: Mapping[Key, np.ndarray], effects: Mapping[Key, np.ndarray]
) -> dict[Key, np.ndarray]:
    return {
        key: add_within_floats(rows, -effects[key][: len(rows)]) if key in effects else rows
        for key, rows in residual.items()
    }
