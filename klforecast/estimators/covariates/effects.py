"""Between a series and its residual: the effect of covariates taken off before the memory, added after.

    residual = y - scale * (effect of the known-future columns + effect of the past-only columns)

The effect is learned in deviations of y, once for all series of a panel. The known-future part of a
forecast is the effect of the future rows; the past-only part is forecast by a core of its own.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from klforecast.core.covariate_effect import (
    CovariateEffect,
    CovariatePanel,
    apart_is_better,
    solve_effect,
    without_harm,
)
from klforecast.core.linear_core import LinearCore
from klforecast.core.plan import CorePlan
from klforecast.core.season import with_season
from klforecast.core.solve import solve_from_plan
from klforecast.data.scaling import Standardizer, add_within_floats, multiply_within_floats
from klforecast.estimators.covariates.table import Covariates
from klforecast.estimators.frames.context import fill_panel, forecast_windows, past_windows
from klforecast.estimators.frames.indices import Stamp
from klforecast.estimators.frames.panel import Key, TimeSeries

_MOST_DOUBT = 1e30  # deviations; the core computes in float32, whose largest number is 3e38


class Effects(NamedTuple):
    """What was learned about covariates.

    Attributes
    ----------
    effect : CovariateEffect
        Of the columns that help; in deviations of y.
    past : Tensor of shape (k,), bool
        Columns whose future is not known.
    core : LinearCore or None
        Forecasts the effect of the past-only columns, less its `past_mean`; None if there is none.
    past_mean : ndarray, (channels,)
    scales : dict of tuple to ndarray of shape (channels,)
        Deviation of each series.
    """

    effect: CovariateEffect
    past: torch.Tensor
    core: LinearCore | None
    past_mean: np.ndarray
    scales: dict[Key, np.ndarray]

    def of_rows(self, covariates: Covariates, key: Key, rows: pd.Index) -> np.ndarray:
        """Effect on neighbouring rows up to the cutoff, in the units of y, (n, channels)."""
        effect = evaluate_effect(self.effect, covariates, key, rows, rows[-1])
        return multiply_within_floats(effect, self.scales[key])

    def forecast_part(
        self,
        core: LinearCore,
        covariates: Covariates,
        key: Key,
        rows: pd.Index,
        cutoffs: Sequence[int] | np.ndarray,
        steps: int,
    ) -> np.ndarray:  # (cutoffs, steps, channels)
        """Forecast the effect of the past-only columns from its own past, in deviations."""
        past = evaluate_effect(self.effect.part(self.past), covariates, key, rows, rows[-1])
        return self._forecast(core, past - self.past_mean, cutoffs, steps) + self.past_mean

    def doubt_of_part(
        self,
        core: LinearCore,
        covariates: Covariates,
        key: Key,
        rows: pd.Index,
        cutoffs: Sequence[int] | np.ndarray,
        steps: int,
    ) -> np.ndarray:  # (cutoffs, steps, channels), at least 0
        """How far `forecast_part` is from the forecast of an effect that goes on beyond the edges.

        The core is linear, so this is its forecast of what the edges take off.
        """
        held = self.effect.part(self.past)
        free = held._replace(basis=held.basis.without_edges())
        beyond, within = (
            evaluate_effect(effect, covariates, key, rows, rows[-1]) for effect in (free, held)
        )
        if np.array_equal(beyond, within):
            return np.zeros((len(cutoffs), steps, within.shape[1]))
        gap = np.clip(beyond - within, -_MOST_DOUBT, _MOST_DOUBT)
        return np.abs(self._forecast(core, gap, cutoffs, steps))

    def _forecast(
        self, core: LinearCore, past: np.ndarray, cutoffs: Sequence[int] | np.ndarray, steps: int
    ) -> np.ndarray:  # (cutoffs, steps, channels)
        depth, period = core.depth, self.effect.basis.period
        return forecast_windows(
            core,
            lambda batch: past_windows(past, np.asarray(cutoffs)[batch], depth, period),
            len(cutoffs),
            steps,
            (depth, past.shape[1]),
        )


def learn_effects(
    series: Mapping[Key, TimeSeries],
    covariates: Covariates,
    plan: CorePlan,
    pilot_plan: CorePlan,
) -> Effects | None:
    """Learn what covariates do to the series of a panel.

    Parameters
    ----------
    series : mapping of tuple to TimeSeries
        Rows of y, NaN where a value is missing.
    covariates : Covariates
        With a row of X for every row of y.
    plan : CorePlan
        Of the core that will forecast the residual.
    pilot_plan : CorePlan
        Of the pilot on which effects are judged, see `plan_pilot`.

    Returns
    -------
    Effects or None
        None if nothing helps out of fold.

    Raises
    ------
    ValueError
        If rows of X are missing.
    """
    scalers = {key: Standardizer.fit(rows.values) for key, rows in series.items()}
    scaled = [torch.from_numpy(scalers[key].transform(rows.values)) for key, rows in series.items()]
    stamps = {key: rows.index for key, rows in series.items()}
    tables = [torch.from_numpy(covariates.table(key, index)) for key, index in stamps.items()]
    steps = [torch.from_numpy(covariates.steps(index)) for index in stamps.values()]
    observed = [~torch.isnan(rows) for rows in scaled]
    filled, _ = fill_panel(scaled, plan.period)
    panel = CovariatePanel(filled, observed, tables, steps)
    past = torch.from_numpy(covariates.is_past)
    plain = torch.from_numpy(covariates.is_calendar)
    effect = solve_effect(panel, pilot_plan, plan.period, covariates.groups, plain)
    core, past_mean = None, np.zeros(filled[0].shape[1])
    if len(effect.part(past).basis.terms):
        parts = [effect.part(past).of(*rows) for rows in zip(tables, steps, strict=True)]
        known = [effect.part(~past).of(*rows) for rows in zip(tables, steps, strict=True)]
        residual = [rows - part for rows, part in zip(filled, known, strict=True)]
        if apart_is_better(panel._replace(series=residual), pilot_plan, parts):
            mean = torch.cat(parts).mean(dim=0)
            core = solve_from_plan([part - mean for part in parts], plan, most_errors=0).core
            past_mean = mean.numpy()
        else:
            groups = [group for group in covariates.groups if not past[group].any()]
            effect = solve_effect(panel, pilot_plan, plan.period, groups, plain)
    if len(effect.basis.terms):
        effect = without_harm(panel, plan, effect)
    if covariates.season > 1:
        effect = with_season(panel, plan, effect, torch.from_numpy(covariates.is_season))
    if len(effect.basis.terms) == 0:
        return None
    scales = {key: scaler.scale for key, scaler in scalers.items()}
    return Effects(effect, past, core, past_mean, scales)


def residual_rows(
    effects: Effects | None,
    covariates: Covariates | None,
    key: Key,
    series: TimeSeries,
    start: int = 0,
) -> np.ndarray:  # (time - start, channels)
    """Rows of a series from `start` on, less the effect of covariates, in the units of y."""
    if effects is None or covariates is None:
        return series.values[start:]
    first = max(0, start - effects.effect.basis.period)
    effect = effects.of_rows(covariates, key, series.index[first:])
    return add_within_floats(series.values[start:], -effect[start - first :])


def evaluate_effect(
    effect: CovariateEffect, covariates: Covariates, key: Key, stamps: pd.Index, cutoff: Stamp
) -> np.ndarray:  # (n, channels)
    """Effect on neighbouring rows, in deviations; past-only columns are read up to the cutoff."""
    table = torch.from_numpy(covariates.table(key, stamps, cutoff))
    return effect.of(table, torch.from_numpy(covariates.steps(stamps))).numpy()
