"""What a fit says of the rows after its cutoffs, in the units of the data.

    core      = net(window) and week, scaled, with quantiles of its errors        `window_reader`, `intervals`
    pooled    = core and local experts as one                                     `pooling`
              and, in quantiles, what the last cycles held at a phase             `phases`
    forecast  = mean + scale * pooled + effect of X, and of the year              `covariates.ahead`, `returning`
    quantiles = forecast + scale * (pooled quantiles - pooled) + doubt of X      whole where rows are counts

Each of these is computed once in a call. Nothing is written.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from klforecast.data.scaling import add_within_floats, multiply_within_floats
from klforecast.estimators.covariates.ahead import (
    doubt_quantiles,
    effect_ahead,
    effect_of_windows,
)
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.intervals import IntervalLevels, offsets
from klforecast.estimators.local_pool import LocalPool
from klforecast.estimators.phases import mix_in_phases
from klforecast.estimators.pooling import (
    Pooled,
    pool_series,
    pool_windows,
    settle_point,
    settle_quantiles,
)
from klforecast.estimators.window_reader import WindowReader, WindowsOf
from klforecast.local.model import LONGEST
from klforecast.ops.adaptive_levels import adapted_levels
from klforecast.ops.arrays import to_tensor
from klforecast.ops.conformal import Calibration


class Predictor(NamedTuple):
    """The parts of a fit that a forecast reads.

    Attributes
    ----------
    reader : WindowReader
        Its covariates hold the rows of X ahead.
    pool : LocalPool or None
    levels : IntervalLevels
    calibration : Calibration or None
        None where no errors were held out, so that there are no quantiles.
    """

    reader: WindowReader
    pool: LocalPool | None
    levels: IntervalLevels
    calibration: Calibration | None

    def read_for(self, keys: Sequence[Key], levels: np.ndarray) -> list[Tensor]:  # (C, Q) each
        """Levels that are read for each of some windows, in place of those asked for."""
        wanted = to_tensor(levels)
        read = {key: adapted_levels(self.levels.levels[key], wanted) for key in dict.fromkeys(keys)}
        if self.pool is not None and self.pool.levels is not None:
            start = self.pool.levels
            read = {key: adapted_levels(start, own) for key, own in read.items()}
        return [read[key] for key in keys]


def forecast_series(
    fitted: Predictor,
    known: Mapping[Key, TimeSeries],
    steps: Mapping[Key, np.ndarray],  # (n,) int each
    levels: np.ndarray | None = None,  # (Q,)
) -> tuple[dict[Key, np.ndarray], np.ndarray | None]:
    """Forecast all series of a fit at some steps after their last known rows.

    Parameters
    ----------
    fitted : Predictor
    known : mapping of tuple to TimeSeries
        Rows of each series up to its cutoff.
    steps : mapping of tuple to ndarray of int
        Steps ahead, from 1, of each series.
    levels : ndarray of shape (Q,), optional
        Of quantiles.

    Returns
    -------
    forecasts : dict of tuple to ndarray of shape (n, channels)
    around : ndarray of shape (rows of all forecasts, channels, Q) or None
        Quantiles as distances from them, if levels were given.
    """
    reader, places = fitted.reader, list(known.items())
    pooled = pooled_from(fitted, places, max(own.max() for own in steps.values()), levels)
    forecasts, around = {}, []
    for place, (key, past) in enumerate(places):
        own, scaler = steps[key] - 1, reader.scalers[key]
        point = scaler.inverse_transform(pooled.point[place][own])
        forecasts[key] = settle_point(fitted.pool, reader, place, point)
        effect = None
        if reader.covariates is not None:
            effect = effect_ahead(reader.effects, reader.covariates, key, past.index, steps[key])
        if effect is not None:
            forecasts[key] = forecasts[key] + effect.values()
        if reader.events is not None:
            events = reader.events.ahead(key, past.index[-1], steps[key])
            forecasts[key] = reader.with_events(key, forecasts[key], events)
        if pooled.around is not None and levels is not None:
            spread = multiply_within_floats(pooled.around[place][own], scaler.scale[:, None])
            middle = forecasts[key][..., None]
            limits = add_within_floats(middle, spread)
            settled = settle_quantiles(fitted.pool, reader, place, limits)
            np.subtract(settled, middle, out=spread, where=settled != limits)
            if effect is not None:
                spread = add_within_floats(spread, doubt_quantiles(effect.doubt(), levels))
            around.append(spread)
    return forecasts, np.concatenate(around) if around else None


def pooled_from(
    fitted: Predictor,
    places: Sequence[tuple[Key, TimeSeries]],
    steps: int,
    levels: np.ndarray | None = None,  # (Q,)
) -> Pooled:
    """Forecast from the ends of some pasts, scaled and without the effect of covariates.

    Parameters
    ----------
    fitted : Predictor
    places : sequence of tuple and TimeSeries
        Rows of a series up to a cutoff; a series may have several.
    steps : int
    levels : ndarray of shape (Q,), optional
        Of quantiles.
    """
    reader, keys = fitted.reader, [key for key, _ in places]
    rows = reader.rows_read(places, max(LONGEST, reader.newest))
    windows_of = reader.windows_before(places, rows)
    lengths = [len(past.values) for _, past in places]
    read = None if levels is None else fitted.read_for(keys, levels)
    weeks = reader.weeks_ahead(places, steps)
    core = _core(fitted, windows_of, keys, lengths, steps, read).plus(weeks)
    pooled = pool_series(fitted.pool, reader, keys, rows, core, read)
    return _with_phases(fitted, pooled, windows_of, lengths, weeks, read)


def forecast_from_cutoffs(
    fitted: Predictor,
    past: TimeSeries,
    cutoffs: np.ndarray,  # (n,) int
    horizon: int,
    levels: np.ndarray | None = None,  # (Q,)
) -> tuple[np.ndarray, np.ndarray | None]:
    """Forecast the one series of a fit from many cutoffs.

    Parameters
    ----------
    fitted : Predictor
    past : TimeSeries
        Rows up to the last cutoff.
    cutoffs : ndarray of int, shape (n,)
        Each forecast reads the rows before its own.
    horizon : int
    levels : ndarray of shape (Q,), optional
        Of quantiles.

    Returns
    -------
    forecasts : ndarray of shape (n, horizon, channels)
    quantiles : ndarray of shape (n, horizon, channels, Q) or None
        If levels were given.
    """
    reader, scaler = fitted.reader, fitted.reader.scalers[()]
    if len(cutoffs) == 0:
        nothing = np.empty((0, horizon, reader.channels))
        return nothing, None if levels is None else np.empty((*nothing.shape, len(levels)))
    windows_of = reader.windows_within((), past, cutoffs)
    keys: list[Key] = [()] * len(cutoffs)
    read = None if levels is None else fitted.read_for(keys, levels)
    weeks = reader.weeks_within((), past, cutoffs, horizon)
    core = _core(fitted, windows_of, keys, cutoffs, horizon, read).plus(weeks)
    pooled = pool_windows(fitted.pool, reader, past, cutoffs, core, read)
    pooled = _with_phases(fitted, pooled, windows_of, cutoffs, weeks, read)
    forecasts = settle_point(fitted.pool, reader, 0, scaler.inverse_transform(pooled.point))
    effect = None
    if reader.covariates is not None:
        effect = effect_of_windows(reader.effects, reader.covariates, past.index, cutoffs, horizon)
    if effect is not None:
        forecasts = forecasts + effect.values()
    if reader.events is not None:
        events = reader.events.after_each((), past.index, cutoffs, horizon)
        forecasts = reader.with_events((), forecasts, events)
    if pooled.around is None or levels is None:
        return forecasts, None
    around = multiply_within_floats(pooled.around, scaler.scale[:, None])
    quantiles = add_within_floats(forecasts[..., None], around)
    quantiles = settle_quantiles(fitted.pool, reader, 0, quantiles)
    if effect is not None:
        quantiles = add_within_floats(quantiles, doubt_quantiles(effect.doubt(), levels))
    return forecasts, quantiles


def _core(
    fitted: Predictor,
    windows_of: WindowsOf,
    keys: Sequence[Key],  # the series of each window
    lengths: Sequence[int] | np.ndarray,  # rows known before each window's cutoff
    steps: int,
    read: Sequence[Tensor] | None,  # (C, Q) each
) -> Pooled:
    """What the net alone says, scaled."""
    reader = fitted.reader
    point = reader.forecast(windows_of, len(keys), steps)
    if read is None:
        return Pooled(point, None)
    around = offsets(fitted.calibration, reader, windows_of, keys, lengths, steps, read)
    return Pooled(point, around)


def _with_phases(
    fitted: Predictor,
    pooled: Pooled,
    windows_of: WindowsOf,
    lengths: Sequence[int] | np.ndarray,
    weeks: np.ndarray,  # (windows, steps, channels), or a zero
    read: Sequence[Tensor] | None,  # (C, Q) each
) -> Pooled:
    """The same with quantiles averaged with those of the phase of each step, where these help."""
    calibration = fitted.calibration
    if read is None or calibration is None or calibration.phase_shares is None:
        return pooled
    horizon = calibration.scores.shape[1]
    shares = calibration.phase_shares
    # Windows of the core are without the week.
    of_core = pooled.plus(-weeks)
    mixed = mix_in_phases(of_core, shares, horizon, fitted.reader, windows_of, lengths, read)
    return mixed._replace(point=pooled.point)
