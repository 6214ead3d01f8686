"""The stages of a fit to all known rows, and of an update by new ones.

    fit       cycles and plan -> effect of X, of days of the month, events of the year or other days -> outliers
              -> core or encoder on what is left -> share of local experts
    update    the open stream absorbs the new rows -> core -> share of local experts

A pretrained net is kept as it is: of the stages its fit has the effect of X and the scales alone.
Everything here is returned; the estimator takes it over in one place.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pandas.tseries.offsets import BaseOffset

from klforecast.core.pilot import plan_pilot
from klforecast.core.stream import EarlierCore
from klforecast.data.scaling import Standardizer
from klforecast.estimators.covariates.effects import Effects, learn_effects, residual_rows
from klforecast.estimators.covariates.table import Covariates, with_long_season
from klforecast.estimators.cycles import local_seasons, long_season, outlier_seasons
from klforecast.estimators.fitting import (
    Fitted,
    OpenStream,
    Refitted,
    extend_fit,
    fit_panel,
    open_stream,
    read_on,
    refit,
)
from klforecast.estimators.forecasting import Predictor
from klforecast.estimators.frames.known_rows import KnownRows
from klforecast.estimators.frames.panel import Key
from klforecast.estimators.intervals import IntervalLevels
from klforecast.estimators.local_pool import LocalPool, Readers, fit_pool
from klforecast.estimators.newest_rows import levels_of_newest
from klforecast.estimators.options import Options
from klforecast.estimators.planning import Planned, make_plan
from klforecast.estimators.returning import ReturningEffects
from klforecast.estimators.returning_rules import take_off_returning
from klforecast.estimators.shrinking import longest_horizon, shrink_horizon
from klforecast.estimators.window_reader import WindowReader
from klforecast.local.comparison import rows_spared
from klforecast.local.model import LONGEST
from klforecast.ops.conformal import Calibration
from klforecast.ops.missing import GapFiller
from klforecast.ops.outliers import without_outliers
from klforecast.training.nets import ForecastNet


class Separated(NamedTuple):
    """The rows of a panel, and what covariates do to them.

    Attributes
    ----------
    covariates : Covariates or None
        With the harmonics of a long season, where there is one.
    effects : Effects or None
    residual : dict of tuple to ndarray of shape (time, channels)
        Rows less the effect and what returns, in the units of the data, without outliers.
    plan : Planned
        Of the core of the residual.
    returning : ReturningEffects or None
        Trading days, days of the month, events of the year, or days of the week.
    outlier_seasons : tuple of int or None
        Periods by which outliers are told; None where nobody looks for them.
    """

    covariates: Covariates | None
    effects: Effects | None
    residual: dict[Key, np.ndarray]
    plan: Planned
    returning: ReturningEffects | None = None
    outlier_seasons: tuple[int, ...] | None = None


class Learned(NamedTuple):
    """What a fit to rows leaves, beside the effect of their covariates.

    Attributes
    ----------
    fitted : Fitted
    open_stream : OpenStream or None
        None where the next update is a fit.
    pool : LocalPool or None
    """

    fitted: Fitted
    open_stream: OpenStream | None
    pool: LocalPool | None


class Updated(NamedTuple):
    """What an update replaces."""

    refitted: Refitted
    open_stream: OpenStream
    pool: LocalPool | None


def separate(
    rows: KnownRows, covariates: Covariates | None, options: Options, pretrained: bool
) -> Separated:
    """Learn what dates and X do to the rows, and take it off; years and weeks where local experts are asked."""
    separated = _separate_covariates(rows, covariates, options, pretrained)
    if pretrained:
        return separated
    taken = take_off_returning(
        rows.series, separated.residual, rows.frequency, separated.plan, options
    )
    if taken is not None:
        separated = separated._replace(
            residual=taken.residual, plan=taken.plan, returning=taken.returning
        )
    return _without_outliers(rows, separated, options) if options.clean_outliers else separated


def _without_outliers(rows: KnownRows, separated: Separated, options: Options) -> Separated:
    seasons = outlier_seasons(
        local_seasons(separated.plan.periods, rows.frequency, options.period),
        len(rows.longest.values),
    )
    residual = without_outliers(separated.residual, seasons)
    return separated._replace(residual=residual, outlier_seasons=seasons)


def _separate_covariates(
    rows: KnownRows, covariates: Covariates | None, options: Options, pretrained: bool
) -> Separated:
    """Learn the effect of X, and of a long season where no net was pretrained, and take it off."""
    series, longest = rows.series, rows.longest.values
    # A pretrained net has its horizon already, and no warning is due.
    horizon = (
        min(options.horizon, longest_horizon(len(longest)))
        if pretrained
        else shrink_horizon(options.horizon, len(longest))
    )
    panel = {key: part.values for key, part in series.items()}
    plan = make_plan(panel, rows.frequency, horizon, options)
    season = 1 if pretrained else long_season(longest, rows.frequency, options.period)
    covariates = with_long_season(covariates, series, rows.frequency, season)
    if covariates is None:
        return Separated(None, None, panel, plan)
    pilot = plan_pilot(
        [*map(len, panel.values())],
        plan.core,
        lambda ahead: make_plan(panel, rows.frequency, ahead, options).core,
    )
    effects = learn_effects(series, covariates, plan.core, pilot)
    if effects is None:
        return Separated(None if covariates.is_season_alone else covariates, None, panel, plan)
    residual = {key: residual_rows(effects, covariates, key, part) for key, part in series.items()}
    # A season may be seen only where the covariates are taken off.
    plan = make_plan(residual, rows.frequency, horizon, options)
    return Separated(covariates, effects, residual, plan)


def pretrain(
    panel: Sequence[np.ndarray],  # (time, channels) each
    frequency: BaseOffset | None,
    options: Options,
) -> tuple[Fitted, list[int]]:
    """Learn from a panel without covariates; return the cycles too."""
    rows = {(place,): values for place, values in enumerate(panel)}
    horizon = shrink_horizon(options.horizon, max(map(len, panel)))
    plan = make_plan(rows, frequency, horizon, options)
    return fit_panel(rows, plan.core, _scale_lag(rows, plan), options), plan.periods


def learn(rows: KnownRows, separated: Separated, options: Options) -> Learned:
    """Fit the core or the encoder to the residual, and weigh local experts against it."""
    seasons = local_seasons(separated.plan.periods, rows.frequency, options.period)
    spared = _spared(rows, options, seasons)
    plan, panel = separated.plan, separated.residual
    fitted = fit_panel(panel, plan.core, _scale_lag(panel, plan), options, spared)
    # Effects of covariates and years are not learned online, and what they leave over changes with them.
    untouched = separated.covariates is None and separated.returning is None
    opened = open_stream(fitted.stream, rows.series) if untouched else None
    reader = WindowReader(
        fitted.net.module_,
        separated.effects,
        separated.covariates,
        fitted.scalers,
        GapFiller(fitted.gap_covariance),
        fitted.net.module_.depth,
        fitted.plan.period,
        rows.longest.values.shape[1],
        separated.returning,
        separated.outlier_seasons,
    )
    pool = _weigh_local(
        rows, reader, fitted.earlier, fitted.calibration, fitted.plan.horizon, seasons, spared
    )
    return Learned(fitted, opened, pool)


def scale_residual(
    separated: Separated, forgetting: float, scale_lag: int | None
) -> dict[Key, Standardizer]:
    """Measure each series for a pretrained net."""
    return {
        key: Standardizer.fit(part, forgetting, scale_lag)
        for key, part in separated.residual.items()
    }


def absorb(
    rows: KnownRows,
    opened: OpenStream | None,
    net: ForecastNet,
    reader: WindowReader,
    periods: list[int],
    options: Options,
) -> Updated | None:
    """Absorb new rows online; None where it takes a new fit.

    Parameters
    ----------
    rows : KnownRows
        All of them.
    opened : OpenStream or None
        As the last fit or update left it.
    net : ForecastNet
        The present net, which stays as it is.
    reader : WindowReader
        Of the present net.
    periods : list of int
        Cycles that the plan was made for.
    options : Options
    """
    series = read_on(opened, rows.series, reader.outlier_seasons)
    opened = None if series is None else extend_fit(opened, series, options)
    if series is None or opened is None:
        return None
    seasons = local_seasons(periods, rows.frequency, options.period)
    spared = _spared(rows, options, seasons)
    refitted = refit(net, opened, series, spared)
    pool = _weigh_local(
        rows,
        reader._replace(module=refitted.net.module_, scalers=refitted.scalers),
        refitted.earlier,
        refitted.calibration,
        net.module_.horizon,
        seasons,
        spared,
    )
    return Updated(refitted, opened, pool)


def reach(depth: int, pool: LocalPool | None) -> int:
    """Rows before a cutoff that a forecast reads at most."""
    return depth if pool is None or not pool.share.any() else max(depth, LONGEST)


def _scale_lag(panel: Mapping[Key, np.ndarray], plan: Planned) -> int | None:
    """Series of a panel are scaled by their usual change over a horizon, a single one by its deviation."""
    return plan.core.horizon if len(panel) > 1 else None


def _spared(rows: KnownRows, options: Options, seasons: Sequence[int]) -> int:
    """Rows without which a linear core is solved once more, to be compared with local experts."""
    if not options.local_experts:
        return 0
    lengths = [len(part.values) for part in rows.series.values()]
    horizon = min(options.horizon, longest_horizon(max(lengths)))
    return rows_spared(lengths, horizon, seasons)


def _weigh_local(
    rows: KnownRows,
    reader: WindowReader,
    earlier: EarlierCore | None,
    calibration: Calibration | None,
    horizon: int,
    seasons: Sequence[int],
    spared: int,
) -> LocalPool | None:
    """Share of local experts, and levels of intervals, judged beside the core that has not seen the newest rows."""
    if not spared or earlier is None:
        return None
    before = reader._replace(module=earlier.core, scalers=earlier.scalers)
    pool = fit_pool(rows.series, Readers(before, reader), horizon, seasons, spared)
    # The laws of a panel are pooled, and widened for what is to come, where they are fitted.
    if pool is None or len(rows.series) > 1:
        return pool
    levels = IntervalLevels.start(rows.cutoffs, reader.channels)
    fitted = Predictor(before, pool, levels, calibration)
    return pool._replace(levels=levels_of_newest(fitted, rows.series, horizon, spared))
