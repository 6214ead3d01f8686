"""Between a series and its rest: the effect of covariates taken off before the memory, added after.

    rest = y - scale * (effect of the known-future columns + effect of the past-only columns)

The effect is learned in deviations of y, once for all series of a panel. The known-future part of a
forecast is the effect of the future rows; the past-only part is forecast by a core of its own.
"""

import warnings
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
)
from klforecast.core.linear_core import LinearCore
from klforecast.core.plan import CorePlan
from klforecast.core.solve import solve_from_plan
from klforecast.data.scaling import Standardizer
from klforecast.estimators.covariates.table import Covariates
from klforecast.estimators.frames.context import fill_panel, forecast_windows, past_windows
from klforecast.estimators.frames.indices import Stamp, stamps_ahead
from klforecast.estimators.frames.panel import Key, TimeSeries


class Effects(NamedTuple):
    """What was learned about covariates.

    Attributes
    ----------
    effect : CovariateEffect
        Of the columns that help; in deviations of y.
    past : Tensor of shape (k,), bool
        Columns whose future is not known.
    core : LinearCore or None
        Forecasts the effect of the past-only columns, less its `level`; None if there is none.
    level : ndarray, (channels,)
    scales : dict of tuple to ndarray of shape (channels,)
        Deviation of each series.
    """

    effect: CovariateEffect
    past: torch.Tensor
    core: LinearCore | None
    level: np.ndarray
    scales: dict[Key, np.ndarray]

    def of_rows(self, covariates: Covariates, key: Key, rows: pd.Index) -> np.ndarray:
        """Effect on neighbouring rows up to the cutoff, in the units of y, (n, channels)."""
        return self.scales[key] * _evaluate(self.effect, covariates, key, rows, rows[-1])

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
        past = _evaluate(self.effect.part(self.past), covariates, key, rows, rows[-1]) - self.level
        depth, period = core.depth, self.effect.basis.period
        forecasts = forecast_windows(
            core,
            lambda batch: past_windows(past, np.asarray(cutoffs)[batch], depth, period),
            len(cutoffs),
            steps,
            (depth, past.shape[1]),
        )
        return forecasts + self.level


def learn_effects(
    series: Mapping[Key, TimeSeries],
    covariates: Covariates,
    plan: CorePlan,
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
    effect = solve_effect(panel, plan, plan.period, covariates.groups, plain)
    core, level = None, np.zeros(filled[0].shape[1])
    if len(effect.part(past).basis.terms):
        parts = [effect.part(past).of(*rows) for rows in zip(tables, steps, strict=True)]
        known = [effect.part(~past).of(*rows) for rows in zip(tables, steps, strict=True)]
        rest = [rows - part for rows, part in zip(filled, known, strict=True)]
        if apart_is_better(panel._replace(series=rest), plan, parts):
            mean = torch.cat(parts).mean(dim=0)
            core = solve_from_plan([part - mean for part in parts], plan, most_errors=0).core
            level = mean.numpy()
        else:
            groups = [group for group in covariates.groups if not past[group].any()]
            effect = solve_effect(panel, plan, plan.period, groups, plain)
    if len(effect.basis.terms) == 0:
        return None
    scales = {key: scaler.scale for key, scaler in scalers.items()}
    return Effects(effect, past, core, level, scales)


def rest_rows(
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
    return series.values[start:] - effect[start - first :]


def effect_ahead(
    effects: Effects | None,
    covariates: Covariates,
    key: Key,
    past: pd.Index,
    steps: np.ndarray,  # (n,) int, 1 for the first step after the past
) -> np.ndarray:  # (n, channels)
    """Effect on some of the rows after the last one of `past`, in the units of y.

    Rows of X between these may be left out: what is averaged over the last cycle is then the row
    before, and a UserWarning says so.

    Raises
    ------
    ValueError
        If rows of X are missing at the steps, whether they have an effect or not.
    """
    future = stamps_ahead(past[-1], np.arange(1, steps.max() + 1), covariates.frequency)
    covariates.table(key, future[steps - 1], past[-1])
    if effects is None:
        return np.zeros((len(steps), 1))
    stamps = past[-effects.effect.basis.period :].append(future)
    part = effects.effect.part(~effects.past)
    carried = covariates.carried(key, stamps)
    if len(part.basis.terms) and not carried.equals(stamps):
        warnings.warn(
            f"X has no row at {(carried != stamps).sum()} steps between those of fh; the row before "
            "stands for each of them in means over the last cycle",
            UserWarning,
            stacklevel=2,
        )
    table = torch.from_numpy(covariates.table(key, carried, past[-1]))
    known = part.of(table, torch.from_numpy(covariates.steps(stamps))).numpy()
    effect = known[-steps.max() :][steps - 1]
    if effects.core is not None:
        rows = past[-effects.core.depth - effects.effect.basis.period :]
        ahead = effects.forecast_part(effects.core, covariates, key, rows, [len(rows)], steps.max())
        effect = effect + ahead[0, steps - 1]
    return effects.scales[key] * effect


def effect_of_windows(
    effects: Effects | None,
    covariates: Covariates,
    rows: pd.Index,
    cutoffs: np.ndarray,  # (n,) int, 1 .. len(rows)
    horizon: int,
) -> np.ndarray:  # (n, horizon, channels)
    """Effect on the rows after each cutoff of a single series, as by :func:`effect_ahead`."""
    last = rows[cutoffs.max() - 1]
    future = stamps_ahead(last, np.arange(1, horizon + 1), covariates.frequency)
    stamps = rows[: cutoffs.max()].append(future)
    if effects is None:
        covariates.table((), stamps, last)
        return np.zeros((len(cutoffs), horizon, 1))
    known = _evaluate(effects.effect.part(~effects.past), covariates, (), stamps, last)
    effect = known[cutoffs[:, None] + np.arange(horizon)]
    if effects.core is not None:
        past = rows[: cutoffs.max()]
        effect = effect + effects.forecast_part(
            effects.core, covariates, (), past, cutoffs, horizon
        )
    return effects.scales[()] * effect


def _evaluate(
    effect: CovariateEffect, covariates: Covariates, key: Key, stamps: pd.Index, cutoff: Stamp
) -> np.ndarray:
    table = torch.from_numpy(covariates.table(key, stamps, cutoff))
    return effect.of(table, torch.from_numpy(covariates.steps(stamps))).numpy()
