"""A week beside a day, where windows of the core hold no more than one or two: taken off before the core, added after.

    effect     of each row, from the other weeks of its series          `klforecast.local.seasons.indices_of_others`
    residual   rows less it, which the core forecasts
    core       its forecast and the effect of the phase of the week that is forecast

Local experts see the rows as they are, unless these are too few for the week to be one of their own seasons:
logarithms, factors and counts are lost to rows less a week.

Eleven weeks of half-hours are 3,700 rows, and a window of three weeks would leave few of them to learn a thousand
weights from. What a phase of the week is, its hour of the day included, is a mean over weeks; the core learns from its
windows how what is left goes on.

It stays in the channels that cores forecast better without it, on windows that they were not solved on. Of a few weeks
that is asked wherever the season is a day, or the rows are days without one, since two are too few to show a season of
seven days by their autocorrelation.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pandas.tseries.offsets import BaseOffset

from klforecast.core.experts.base import CYCLES_OF_A_WEEK
from klforecast.core.plan import CorePlan
from klforecast.data.periods import candidate_seasons
from klforecast.data.scaling import Standardizer, add_within_floats
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.returning import PlanOf, ReturningEffects, squared_error
from klforecast.local.fitting import judged_periods
from klforecast.local.seasons import indices_of_others

_FEWEST = 2  # weeks of a series, so that each has another one beside it
# Weeks of rows from which on their autocorrelation shows whether there is one. Of hours with weekends a third lower,
# five weeks show it in all of twelve draws, three weeks in ten of them, two in none.
_SHOWN = 6
# Weeks in the depth of a core from which on it knows them from its windows.
_KNOWN = 3
# How fast weeks forget, as fast as the slowest indices of local experts.
_FORGETTING = 0.1
# Of the squared error that a week has to save; with 0.15 eleven weeks of demand lose 5 % (docs/method/linear_core.md).
_LEAST_GAIN = 0.1


def week_of(periods: Sequence[int], plan: CorePlan) -> int | None:
    """Seven of the leading season, where that may be a season too and is longer than windows of the core can show.

    Examples
    --------
    >>> from klforecast.core.plan import plan_core
    >>> week_of([48, 336], plan_core([1344], channels=1, horizon=48, periods=[48, 336]))
    336
    >>> week_of([7, 365], plan_core([21], channels=1, horizon=7))
    7
    """
    week = CYCLES_OF_A_WEEK * plan.period
    return week if week in periods and plan.depth < _KNOWN * week else None


class Weeks(NamedTuple):
    """A week beside a day, in the channels of a panel that are forecast better without it.

    Attributes
    ----------
    day, week : int
        Steps.
    helps : ndarray of bool, shape (C,)
    for_core_alone : bool
        Whether local experts know the week as a season of their own.
    """

    day: int
    week: int
    helps: np.ndarray
    for_core_alone: bool

    def effects(
        self,
        series: Mapping[Key, TimeSeries],
        residual: Mapping[Key, np.ndarray],
        frequency: BaseOffset | None,
    ) -> ReturningEffects:
        """Weeks of some series of the panel, or of others in their place; arguments as for `learn_weeks`."""
        chosen = {
            key: np.where(self.helps, profile, 0.0)
            for key, profile in _profiles(residual, self.day, self.week).items()
        }
        return ReturningEffects.on(
            series, chosen, frequency, float(self.week), "week", for_core_alone=self.for_core_alone
        )


def learn_weeks(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    periods: Sequence[int],
    plan_of: PlanOf,
) -> tuple[Weeks, ReturningEffects] | None:
    """Look for a week, of at least two, that the core cannot know from its windows.

    Parameters
    ----------
    series, residual, frequency, plan_of
        As for `klforecast.estimators.years.learn_years`.
    periods : sequence of int
        Seasons in steps, the leading one first.

    Returns
    -------
    tuple of Weeks and ReturningEffects, or None
        None where cores forecast no channel better without it.

    Notes
    -----
    Two cores are solved where a series has more than its days.
    """
    plan, longest = plan_of(residual), max(map(len, residual.values()))
    if longest < _SHOWN * CYCLES_OF_A_WEEK * plan.period:
        periods = candidate_seasons(periods, frequency)
    week = week_of(periods, plan)
    if week is None:
        return None
    profiles = _profiles(residual, plan.period, week)
    if not any(profile.any() for profile in profiles.values()):
        return None
    judged = {key: residual[key] for key in profiles}
    less = {
        key: add_within_floats(rows, -profiles[key][: len(rows)]) for key, rows in judged.items()
    }
    scalers = {key: Standardizer.fit(rows) for key, rows in judged.items()}
    plain, weekly = (squared_error(rows, scalers, plan_of(rows)) for rows in (judged, less))
    known_locally = judged_periods(longest, plan.horizon, periods)
    weeks = Weeks(plan.period, week, weekly < (1 - _LEAST_GAIN) * plain, week in known_locally)
    effects = weeks.effects(series, residual, frequency)
    return (weeks, effects) if effects.effects else None


def _profiles(
    residual: Mapping[Key, np.ndarray], day: int, week: int
) -> dict[Key, np.ndarray]:  # (T + week, C) each
    """Of each series that is long enough."""
    return {
        key: _profile(rows.T, day, week).T
        for key, rows in residual.items()
        if len(rows) >= _FEWEST * week
    }


def _profile(past: np.ndarray, day: int, week: int) -> np.ndarray:  # (C, T + week)
    """What the other weeks say of each row; zero in channels where all of it is their day."""
    beside = past
    if day > 1:
        beside = past - indices_of_others(past, day, _FORGETTING)[:, : past.shape[1]]
    added = indices_of_others(beside, week, _FORGETTING)
    # Indices that are no larger than their noise are shrunk to nothing.
    has_week = np.abs(added).max(axis=1, keepdims=True) > 0
    return has_week * indices_of_others(past, week, _FORGETTING)
