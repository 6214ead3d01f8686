"""How trading days, days of the month, events of the year or days of the week are found in any series of a panel.

    rule      learned from a sample of the panel: whether it has them, what its series share, what helps a core
    effects   of a series, from its own rows and the rule

So the series of a panel may come in any parts, and each has the effects that it has among all others.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from pandas.tseries.offsets import BaseOffset

from klforecast.core.plan import CorePlan, plan_core
from klforecast.data.scaling import add_within_floats
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.months import Months, learn_months
from klforecast.estimators.options import Options
from klforecast.estimators.planning import Planned, make_plan
from klforecast.estimators.returning import ReturningEffects
from klforecast.estimators.sampling import sample_keys
from klforecast.estimators.shrinking import longest_horizon
from klforecast.estimators.trading_days import TradingDays, learn_trading_days
from klforecast.estimators.weeks import Weeks, learn_weeks
from klforecast.estimators.years import Years, learn_years

ReturningRule = TradingDays | Months | Years | Weeks
"""What a panel has of them."""


class TakenOff(NamedTuple):
    """A panel without what returns in its series.

    Attributes
    ----------
    rule : TradingDays, Months, Years or Weeks
    returning : ReturningEffects
        Of all the series.
    residual : dict of tuple to ndarray of shape (time, channels)
        Their rows less it.
    plan : Planned
        Of the core of the residual.
    """

    rule: ReturningRule
    returning: ReturningEffects
    residual: dict[Key, np.ndarray]
    plan: Planned


def take_off_returning(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    planned: Planned,
    options: Options,
    lengths: Sequence[int] | None = None,
) -> TakenOff | None:
    """Learn what returns in a panel, and take it off.

    Parameters
    ----------
    series : mapping of tuple to TimeSeries
        Of a panel, whose sample is learned from, or that sample.
    residual : mapping of tuple to ndarray of shape (time, channels)
        Their rows less the effect of covariates.
    frequency : offset or None
    planned : Planned
        Of the core of these rows.
    options : Options
    lengths : sequence of int, optional
        Rows of all series of the panel; None takes those of `series`.

    Returns
    -------
    TakenOff or None
        None where nothing returns, and where nobody looks for it: with a period that was asked for, and without
        local experts.
    """
    if not options.local_experts or options.period is not None:
        return None
    learned = _learn(series, residual, frequency, planned, options)
    if learned is None:
        return None
    rule, returning = learned
    left = rows_without(series, residual, returning)
    # A week takes its day with it, but errors go by the day as before. Under events a season may not have been seen.
    if not isinstance(rule, Weeks):
        planned = make_plan(left, frequency, planned.core.horizon, options, lengths)
    return TakenOff(rule, returning, left, planned)


def rows_without(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    returning: ReturningEffects | None,
) -> dict[Key, np.ndarray]:  # (time, channels) each
    """Rows of some series of a panel less what returns in them."""
    if returning is None:
        return dict(residual)
    return {
        key: add_within_floats(part, -returning.of_rows(key, series[key].index))
        for key, part in residual.items()
    }


def _learn(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    planned: Planned,
    options: Options,
) -> tuple[ReturningRule, ReturningEffects] | None:
    """Look for trading days, else for days of the month and events of the year, else for days of the week."""

    def plan_with(panel: Mapping[Key, np.ndarray], periods: Sequence[int]) -> CorePlan:
        lengths = [*map(len, panel.values())]
        channels = next(iter(panel.values())).shape[1]
        horizon = min(planned.core.horizon, longest_horizon(max(lengths)))
        return plan_core(lengths, channels, horizon, periods, options.core)

    def plan_of(panel: Mapping[Key, np.ndarray]) -> CorePlan:
        # Without events of the year a season of 365 days may be gone, and windows hold other cycles.
        horizon = min(planned.core.horizon, longest_horizon(max(map(len, panel.values()))))
        return make_plan(panel, frequency, horizon, options).core

    keys = sample_keys(series)
    sample, rows = {key: series[key] for key in keys}, {key: residual[key] for key in keys}
    found: tuple[ReturningRule, ReturningEffects] | None
    found = learn_trading_days(sample, rows, frequency)
    if found is None:
        found = learn_months(sample, rows, frequency, planned.periods, plan_with, plan_of)
    if found is None:
        found = learn_years(sample, rows, frequency, planned.periods, plan_of)
    if found is None:
        found = learn_weeks(
            sample, rows, frequency, planned.periods, partial(plan_with, periods=planned.periods)
        )
    if found is None or len(keys) == len(series):
        return found
    rule, effects = found
    others = {key: own for key, own in series.items() if key not in sample}
    left = {key: residual[key] for key in others}
    return rule, effects.joined(rule.effects(others, left, frequency))
