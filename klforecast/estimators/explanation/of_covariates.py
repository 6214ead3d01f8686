"""What each covariate, calendar feature and long season adds to a forecast, in the units of the data."""

from typing import NamedTuple

import numpy as np

from klforecast.estimators.covariates.ahead import EffectAhead, effect_ahead, rows_read
from klforecast.estimators.covariates.effects import Effects
from klforecast.estimators.covariates.table import Covariates
from klforecast.estimators.explanation.known import Block
from klforecast.estimators.frames.panel import Key, TimeSeries


class CovariateParts(NamedTuple):
    """The effect of covariates as a sum.

    Attributes
    ----------
    blocks : list of Block
        Of columns of X and features of the calendar, zero for those without effect; of a long season.
    rest : ndarray of shape (steps, channels)
        What the core of the past-only columns forecasts of their mean effect.
    """

    blocks: list[Block]
    rest: np.ndarray


def covariate_parts(
    effects: Effects | None,
    covariates: Covariates | None,
    key: Key,
    past: TimeSeries,
    steps: np.ndarray,  # (n,) int
) -> CovariateParts:
    """Take the effect of X on some steps ahead apart, column by column.

    Raises
    ------
    ValueError
        If rows of X are missing at the steps.
    """
    shape = (len(steps), past.values.shape[1])
    if covariates is None:
        return CovariateParts([], np.zeros(shape))
    ahead = effect_ahead(effects, covariates, key, past.index, steps)
    groups = [*covariates.groups, np.flatnonzero(covariates.is_season).tolist()]
    values = np.zeros((*shape, len(groups)))
    rest = np.zeros(shape)
    if effects is not None and ahead is not None:
        for place, group in enumerate(groups):
            columns = np.isin(np.arange(len(covariates.is_season)), group)
            values[..., place] = _of_columns(effects, covariates, ahead, columns, key, past, steps)
        rest = ahead.values() - values.sum(axis=-1)
    names = [str(name) for name in (*covariates.columns, *covariates.calendar)]
    blocks = [Block("covariate", names, None, values[..., :-1])]
    if covariates.season > 1:
        season = f"season of {covariates.season} steps"
        blocks.append(Block("season", [season], None, values[..., -1:]))
    return CovariateParts(blocks, rest)


def _of_columns(
    effects: Effects,
    covariates: Covariates,
    ahead: EffectAhead,
    columns: np.ndarray,  # (k,) bool
    key: Key,
    past: TimeSeries,
    steps: np.ndarray,
) -> np.ndarray:  # (n, channels)
    """Effect of some columns: their rows ahead, or the forecast of what they did up to the cutoff."""
    chosen = effects.past.new_tensor(columns)
    values = ahead._replace(effect=ahead.effect.part(chosen), of_past=None).values()
    if effects.core is None or not bool((chosen & effects.past).any()):
        return values
    rows = rows_read(effects, effects.core, past.index)
    alone = effects._replace(past=chosen & effects.past, past_mean=np.zeros_like(effects.past_mean))
    own = alone.forecast_part(effects.core, covariates, key, rows, [len(rows)], steps.max())
    return values + ahead.scale * own[0, steps - 1]
