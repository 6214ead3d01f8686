"""From the rows of a panel to a fitted net, and from new rows to the next one: one road.

    fit       measure, scale and fill the rows, start a stream of their moments, solve it
    update    extend the stream by the new rows, solve it

An encoder is trained on top of the core of a fit, and trained again in an update. New rows are
absorbed as long as the plan of the last fit stands. It falls when known rows were replaced, or when
the longest series has become twice as long and so supports another plan: a deeper memory, a longer
horizon, more trust in what is fitted. From some 23,000 rows on every plan is the same, so a long
stream is never started anew.
"""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import asdict
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from torch import Tensor

from klforecast.core.experts import RidgeExpert
from klforecast.core.linear_core import LinearCore
from klforecast.core.plan import CorePlan, plan_core
from klforecast.core.rows import Rows, StreamRows
from klforecast.core.solve import Solved, settled_plan, solve_linear_core
from klforecast.core.stream import (
    EarlierCore,
    Stream,
    extend_stream,
    solve_earlier,
    solve_stream,
    start_stream,
)
from klforecast.data.scaling import RowStatistics, Standardizer
from klforecast.estimators.frames.context import fill_panel
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.options import Options
from klforecast.estimators.sampling import sample_keys
from klforecast.estimators.shrinking import longest_horizon
from klforecast.estimators.side_by_side import side_by_side
from klforecast.ops.conformal import Calibration, Residuals, calibrate
from klforecast.ops.missing import gap_covariance
from klforecast.ops.outliers import find_panel_outliers
from klforecast.training.fit import Solver, fit_encoder_net, wrap_core
from klforecast.training.nets import ForecastNet
from klforecast.training.options import EncoderOptions

_MOST_DECADES = 100  # of a change of scale, in whose squares moments are taken over to it


class OpenStream(NamedTuple):
    """A stream that can be extended, and which version of each series it has absorbed."""

    stream: Stream
    revisions: dict[Key, int]


class Fitted(NamedTuple):
    """What is learned from the rows of a panel.

    Attributes
    ----------
    plan : CorePlan
        The shape of the core.
    scale_lag : int or None
        Steps of the change that is the unit of each series; None for the standard deviation.
    net : ForecastNet
        Maps scaled pasts to scaled forecasts.
    scalers : dict of tuple to Standardizer
        Of each series.
    gap_covariance : Tensor of shape (channels, w)
        Covariance over w steps by which missing values are filled.
    calibration : Calibration or None
        Of the errors out of fold; None where nothing could be held out.
    input_length, n_components : int
        What the model reads as it is, and of each block of its history.
    stream : Stream or None
        Of the moments that the core was solved from, if it can be extended.
    earlier : EarlierCore or None
        The core without the newest rows, where it was asked for.
    """

    plan: CorePlan
    scale_lag: int | None
    net: ForecastNet
    scalers: dict[Key, Standardizer]
    gap_covariance: Tensor
    calibration: Calibration | None
    input_length: int
    n_components: int
    stream: Stream | None
    earlier: EarlierCore | None

    @property
    def maps_components(self) -> bool:
        """Whether a map from components has a share in the forecast; a trained net has its own."""
        module = self.net.module_
        if not isinstance(module, LinearCore) or module.mixture is None:
            return True
        recent = self.plan.edges[0]
        maps = [isinstance(e, RidgeExpert) and e.depth > recent for e in self.plan.experts]
        return bool(module.mixture.weights[..., maps].any())

    def training_log(self) -> pd.DataFrame:
        """One row for each epoch of training; none for the closed form."""
        return pd.DataFrame(
            [{key: row[key] for key in row if key != "batches"} for row in self.net.history]
        )


class Refitted(NamedTuple):
    """What an update replaces."""

    net: ForecastNet
    scalers: dict[Key, Standardizer]
    calibration: Calibration | None
    earlier: EarlierCore | None


class Measured(NamedTuple):
    """Rows of a panel in the scale in which they are learned, without gaps, and what gave that scale."""

    statistics: dict[Key, RowStatistics]
    rows: dict[Key, Tensor]
    gap_covariance: Tensor

    @property
    def scalers(self) -> dict[Key, Standardizer]:
        """Mean and scale of each series."""
        return {key: known.standardizer() for key, known in self.statistics.items()}


def fit_panel(
    panel: Mapping[Key, np.ndarray],  # (time, channels) each, in the units of the data
    plan: CorePlan,
    scale_lag: int | None,
    options: Options,
    spared: int = 0,
) -> Fitted:
    """Solve the core, and train where an encoder is asked for.

    Parameters
    ----------
    panel : mapping of tuple to ndarray, (time, channels) each
        Rows to learn from, NaN where a value is missing.
    plan : CorePlan
        The shape of the core.
    scale_lag : int or None
        Steps of the change that is the unit of each series; None for the standard deviation.
    options : Options
    spared : int, default=0
        Newest rows of each series without which a linear core is solved once more; 0 does not.

    Returns
    -------
    Fitted
        Its stream is None where it cannot be extended: rows have holes, or an encoder was trained.
    """
    measured = measure(panel, plan, scale_lag)
    solve = _solver(plan, options)
    if options.encoder is not None:
        return _train_encoder(measured, plan, scale_lag, options.encoder, options, solve)
    stream, solved = _solve(measured, plan, scale_lag)
    return Fitted(
        stream.plan,
        scale_lag,
        wrap_core(solved.core, solve, options.training),
        measured.scalers,
        measured.gap_covariance,
        _calibrated(solved.residuals),
        solved.core.recent,
        _components_per_block(solved.core),
        stream if all(np.isfinite(rows).all() for rows in panel.values()) else None,
        _earlier(stream, measured.rows, solved, spared),
    )


def open_stream(stream: Stream | None, series: Mapping[Key, TimeSeries]) -> OpenStream | None:
    """Note which version of each series a stream has absorbed."""
    return None if stream is None else OpenStream(stream, _revisions(series))


def read_on(
    opened: OpenStream | None,
    series: Mapping[Key, TimeSeries],
    outlier_seasons: Sequence[int] | None,
) -> Mapping[Key, TimeSeries] | None:
    """All rows known without outliers; None where new rows have told of outliers among those that were absorbed.

    Parameters
    ----------
    opened : OpenStream or None
        As the last fit or update left it.
    series : mapping of tuple to TimeSeries
        All rows known.
    outlier_seasons : sequence of int or None
        Of the fit.
    """
    if opened is None or outlier_seasons is None:
        return series
    panel = [part.values for part in series.values()]
    found = dict(zip(series, find_panel_outliers(panel, outlier_seasons), strict=True))
    for key, own in found.items():
        absorbed = opened.stream.series.get(key)
        if absorbed is None or own.differ(np.array([absorbed.n_rows])).any():
            return None
    return {key: part._replace(values=found[key].without()) for key, part in series.items()}


def extend_fit(
    opened: OpenStream | None,
    series: Mapping[Key, TimeSeries],
    options: Options,
) -> OpenStream | None:
    """Absorb the rows that are new; None where it takes a new fit.

    Parameters
    ----------
    opened : OpenStream or None
        As the last fit or update left it.
    series : mapping of tuple to TimeSeries
        All rows known, without outliers.
    options : Options
        A longer series may support more of the steps that were asked for.

    Returns
    -------
    OpenStream or None
    """
    if opened is None or opened.revisions != _revisions(series):
        return None
    stream = opened.stream
    lengths = [len(part.values) for part in series.values()]
    if max(lengths) >= 2 * stream.longest:
        channels = next(iter(series.values())).values.shape[1]
        possible = min(options.horizon, longest_horizon(max(lengths)))
        periods = [stream.plan.period] if stream.plan.period > 1 else []
        plan = plan_core(lengths, channels, possible, periods, options.core)
        if stream.plan not in (plan, plan.without_history):
            return None
    new = (part.values[stream.series[key].n_rows :] for key, part in series.items())
    if not all(np.isfinite(values).all() for values in new):
        return None
    rows = {key: part.values for key, part in series.items()}
    extended = extend_stream(stream, rows)
    before, after = stream.scalers(), extended.scalers()
    for key, scaler in after.items():
        change = np.abs(np.log10(scaler.scale) - np.log10(before[key].scale))
        if (change > _MOST_DECADES).any():
            return None
    return opened._replace(stream=extended)


def refit(
    fitted: ForecastNet, opened: OpenStream, series: Mapping[Key, TimeSeries], spared: int = 0
) -> Refitted:
    """Solve an extended stream again, and hand the core to a copy of the net.

    Parameters
    ----------
    fitted : ForecastNet
        The present net, which stays as it is.
    opened : OpenStream
    series : mapping of tuple to TimeSeries
        The rows that the stream has absorbed, without outliers.

    Returns
    -------
    Refitted
    """
    scalers = opened.stream.scalers()
    rows = {key: StreamRows(part.values, scalers[key]) for key, part in series.items()}
    solved = solve_stream(opened.stream, rows, judged_keys(rows, opened.stream.plan))
    earlier = _earlier(opened.stream, rows, solved, spared)
    net = clone(fitted).adopt(solved.core)
    return Refitted(net, scalers, _calibrated(solved.residuals), earlier)


def measure(
    panel: Mapping[Key, np.ndarray],  # (time, channels) each, in the units of the data
    plan: CorePlan,
    scale_lag: int | None,
) -> Measured:
    """Scale the rows of each series and fill their gaps by the covariance of a sample of them.

    Parameters
    ----------
    panel, plan, scale_lag
        As for `fit_panel`.
    """
    statistics: dict[Key, RowStatistics] = {}
    by_block: dict[Key, Tensor] = {}
    for block in side_by_side(panel, plan.forgetting, scale_lag):
        statistics |= block.statistics_apart()
        by_block |= block.rows_apart()
    scaled = {key: by_block[key] for key in panel}
    covariance = gap_covariance([scaled[key] for key in sample_keys(panel)], plan.period)
    filled, _ = fill_panel(list(scaled.values()), plan.period, covariance)
    return Measured(statistics, dict(zip(panel, filled, strict=True)), covariance)


def judged_keys(rows: Mapping[Key, Sized], plan: CorePlan) -> list[Key]:
    """Series whose windows give the weights of the experts: a sample of those that have any."""
    return sample_keys(key for key, part in rows.items() if len(part) >= plan.length)


def _solver(plan: CorePlan, options: Options) -> Solver:
    """How a later `fit` of the net itself finds its core."""
    periods = [plan.period] if plan.period > 1 else []
    return partial(solve_linear_core, horizon=plan.horizon, periods=periods, **asdict(options.core))


def _solve(measured: Measured, plan: CorePlan, scale_lag: int | None) -> tuple[Stream, Solved]:
    stream = start_stream(measured.rows, measured.statistics, plan, scale_lag)
    solved = solve_stream(stream, measured.rows, judged_keys(measured.rows, plan))
    settled = settled_plan(plan, solved)
    return (stream, solved) if settled == plan else _solve(measured, settled, scale_lag)


def _earlier(
    stream: Stream, rows: Mapping[Key, Rows], solved: Solved, spared: int
) -> EarlierCore | None:
    if not spared or solved.core.mixture is None:
        return None
    return solve_earlier(stream, rows, solved.core.mixture.weights, spared)


def _train_encoder(
    measured: Measured,
    plan: CorePlan,
    scale_lag: int | None,
    encoder: EncoderOptions,
    options: Options,
    solve: Solver,
) -> Fitted:
    panel = list(measured.rows.values())
    sized = encoder.sized(max(map(len, panel)), plan.period)
    net, residuals = fit_encoder_net(
        panel,
        plan.horizon,
        solved=_solve(measured, plan, scale_lag)[1] if options.linear_core else None,
        solve=solve if options.linear_core else None,
        encoder=sized,
        training=options.training,
    )
    return Fitted(
        plan,
        scale_lag,
        net,
        measured.scalers,
        measured.gap_covariance,
        _calibrated(residuals),
        sized.input_length or 0,
        sized.n_components or 0,
        None,
        None,
    )


def _calibrated(residuals: Residuals | None) -> Calibration | None:
    return None if residuals is None else calibrate(residuals)


def _components_per_block(core: LinearCore) -> int:
    if core.modes.shape[1] == 0:
        return 0
    # The first mode of a block is its level, which the solver keeps beside the components.
    return max(columns.stop - columns.start for _, columns in core.blocks) - 1


def _revisions(series: Mapping[Key, TimeSeries]) -> dict[Key, int]:
    return {key: part.revision for key, part in series.items()}
