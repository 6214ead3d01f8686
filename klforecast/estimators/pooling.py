"""The core and the local experts of a fit as one forecast.

    point_h       = (1 - w_h) core_h + w_h local_h           w of the near or of the far steps, for each channel
    quantile_h(p) = the same of their quantiles (Vincent 1912)

w comes from `local_pool`. Channels that were never below zero are not forecast below it, and shares have no quantile
above one, unless an effect of covariates is added later. Everything is in the scale of the net; local experts have
units of their own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.data.scaling import binary_unit, divide_within_floats, multiply_within_floats
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.local_pool import LocalPool
from klforecast.estimators.window_reader import WindowReader
from klforecast.local.bounds import share_ceiling
from klforecast.local.model import LONGEST, LocalModel, forecast, near_steps, quantiles
from klforecast.ops.adaptive_levels import LEVEL_TABLE, quantiles_at
from klforecast.ops.arrays import to_tensor

_VALUES_PER_BATCH = 2**22  # 32 MB in float64, of the pasts that are forecast from at once
# Of the scale of a series, below which a forecast is at the end of its range: the sums on the way there round.
_ROUNDING = 1e-12
_MOST_BITS = 400  # by which rows may exceed the unit: sums of their squares are floats up to 2^1024


class Pooled(NamedTuple):
    """A scaled forecast from some pasts.

    Attributes
    ----------
    point : ndarray of shape (pasts, steps, channels)
    around : ndarray of shape (pasts, steps, channels, Q) or None
        Quantiles as distances from the point; None where none were asked for.
    """

    point: np.ndarray
    around: np.ndarray | None

    def plus(self, addend: np.ndarray) -> "Pooled":
        """The same forecast with something known added to it."""
        return self._replace(point=self.point + addend)


def pool_series(
    pool: LocalPool | None,
    reader: WindowReader,
    keys: Sequence[Key],
    pasts: Sequence[np.ndarray],  # (time, channels) each
    core: Pooled,
    read: Sequence[Tensor] | None,  # (C, Q) each
) -> Pooled:
    """Forecast some series of a pool from the ends of some pasts.

    Parameters
    ----------
    pool : LocalPool or None
        None leaves everything to the core.
    reader : WindowReader
    keys : sequence of tuple
        The series of each past; a series may have several.
    pasts : sequence of ndarray of shape (time, channels)
        Their newest rows, of `WindowReader.rows_read`.
    core : Pooled
        What the core alone says.
    read : sequence of Tensor of shape (C, Q), or None
        Levels of the quantiles of each past.
    """
    if pool is None:
        return core
    return _pooled(pool.of(keys), reader, pasts, core, read)


def pool_windows(
    pool: LocalPool | None,
    reader: WindowReader,
    series: TimeSeries,
    cutoffs: np.ndarray,  # (n,) int
    core: Pooled,
    read: Sequence[Tensor] | None,  # (C, Q) each
) -> Pooled:
    """Forecast the one series of a pool from many cutoffs, as `pool_series` would from each.

    The pasts are a panel whose members all have the weights of the one series; a batch of them at a time bounds the
    memory. Sums over longer arrays round differently, in the last digits.
    """
    if pool is None:
        return core
    found = reader.outliers((), series)
    point = np.empty_like(core.point)
    around = None if core.around is None else np.empty_like(core.around)
    size = max(1, _VALUES_PER_BATCH // (LONGEST * reader.channels))
    for start in range(0, len(cutoffs), size):
        batch = slice(start, start + size)
        alike = pool.of([()] * len(cutoffs[batch]))
        alone = Pooled(core.point[batch], None if core.around is None else core.around[batch])
        pasts = [found.before(int(cutoff), LONGEST) for cutoff in cutoffs[batch]]
        own = None if read is None else read[batch]
        pooled = _pooled(alike, reader, pasts, alone, own)
        point[batch] = pooled.point
        if around is not None:
            around[batch] = pooled.around
    return Pooled(point, around)


def settle_point(
    pool: LocalPool | None,
    reader: WindowReader,
    place: int,
    point: np.ndarray,  # (..., channels)
) -> np.ndarray:
    """A forecast in the units of the data, at zero where it ends there: rain of -1e-17 is none.

    Parameters
    ----------
    pool, reader, place
        As for `settle_quantiles`.
    point : ndarray of shape (..., channels)
    """
    if pool is None or reader.is_residual(pool.keys[place]):
        return point
    return _on_the_floor(pool, reader, place, point[..., None])[..., 0]


def settle_quantiles(
    pool: LocalPool | None,
    reader: WindowReader,
    place: int,
    quantiles: np.ndarray,  # (..., channels, Q)
) -> np.ndarray:
    """Quantiles in the units of the data, at zero where they end there, and whole where rows are counts.

    Half of the quantiles of a spare part are zero, and so are half of its rows: 1e-17 would leave these outside of
    its intervals. Series to whose forecast an effect is added are left as they are, above their floor.

    Parameters
    ----------
    pool : LocalPool or None
    reader : WindowReader
    place : int
        Of the series in the pool.
    quantiles : ndarray of shape (..., channels, Q)
    """
    if pool is None:
        return quantiles
    if reader.is_residual(pool.keys[place]):
        return np.maximum(quantiles, reader.floor(pool.keys[place])[..., None])
    if pool.model.count_size is not None:
        sizes = pool.model.count_size.reshape(len(pool.keys), -1, 1)
        one = sizes[place] * pool.units[place][:, None]
        counted = one > 0
        whole = multiply_within_floats(np.round(quantiles / np.where(counted, one, 1.0)), one)
        quantiles = np.where(counted, whole, quantiles)
    return _on_the_floor(pool, reader, place, quantiles)


def _on_the_floor(
    pool: LocalPool, reader: WindowReader, place: int, values: np.ndarray
) -> np.ndarray:  # (..., channels, Q)
    floor = pool.model.floor.reshape(len(pool.keys), -1, 1)[place]
    rounding = _ROUNDING * reader.scalers[pool.keys[place]].scale[:, None]
    return np.where(values - floor <= rounding, floor, values)


def _pooled(
    pool: LocalPool,
    reader: WindowReader,
    pasts: Sequence[np.ndarray],  # (time, channels) each, in the units of the data
    core: Pooled,
    read: Sequence[Tensor] | None,
) -> Pooled:
    pool = in_present_units(pool, pasts)
    floor = floor_of(pool, reader)
    point, steps = core.point, core.point.shape[1]
    local = _asked_local(pool, pasts, steps, read) if pool.share.any() else None
    if local is not None:
        share = shares_of(pool, pasts, steps)
        point = (1 - share) * point + share * _scaled(pool, reader, local.point)
    point = np.maximum(point, floor)
    if core.around is None or read is None:
        return Pooled(point, None)
    around = core.point[..., None] + core.around
    if local is not None and local.quantiles is not None:
        by_level = np.moveaxis(local.quantiles, 2, 3)
        scaled = np.moveaxis(_scaled(pool, reader, by_level), 2, 3)
        around = (1 - share[..., None]) * around + share[..., None] * scaled
    # A share that is forecast above one is none.
    ceiling = np.maximum(_ceiling(pool, reader, pasts), point)
    around = np.clip(around, floor[..., None], ceiling[..., None])
    return Pooled(point, around - point[..., None])


class _Local(NamedTuple):
    """What local experts say, in their units; zero where nobody asks them."""

    point: np.ndarray  # (series, steps, channels)
    quantiles: np.ndarray | None  # (series, steps, channels, Q)


def _asked_local(
    pool: LocalPool,
    pasts: Sequence[np.ndarray],  # (time, channels) each, in the units of the data
    steps: int,
    read: Sequence[Tensor] | None,
) -> _Local:
    """Ask for all steps where far ones have a share, and for near ones alone where these have."""
    near, far = np.moveaxis(pool.share > 0, 2, 0)  # (series, channels) both
    shape = len(pasts), steps, pool.share.shape[1]
    point = np.zeros(shape)
    around = None if read is None else np.zeros((*shape, read[0].shape[1]))
    levels = None if read is None else torch.cat(list(read))
    few = min(steps, near_steps(pool.model.horizon))
    for asked, ahead in ((far, steps), (near & ~far, few)):
        if not asked.any():
            continue
        model = pool.model.of(asked.ravel().nonzero()[0])
        own_units = [
            past[:, channels] / unit[channels]
            for past, unit, channels in zip(pasts, pool.units, asked, strict=True)
            if channels.any()
        ]
        local = forecast(model, own_units, ahead)
        point[:, :ahead].swapaxes(1, 2)[asked] = local
        if around is not None and levels is not None:
            spread = _local_quantiles(model, own_units, local, levels[asked.ravel()])
            around[:, :ahead].swapaxes(1, 2)[asked] = spread
    return _Local(point, around)


def _local_quantiles(
    model: LocalModel,
    pasts: Sequence[np.ndarray],  # in the units of local experts
    point: np.ndarray,  # (N, steps)
    read: Tensor,  # (N, Q)
) -> np.ndarray:  # (N, steps, Q)
    """Quantiles of the local law at levels of each series."""
    steps = point.shape[1]
    if (read == read[0]).all():
        return quantiles(model, pasts, steps, read[0].tolist(), point=point)
    table = quantiles(model, pasts, steps, LEVEL_TABLE.tolist(), point=point)
    return quantiles_at(to_tensor(table), read[:, None]).numpy()


def shares_of(
    pool: LocalPool, pasts: Sequence[np.ndarray], steps: int
) -> np.ndarray:  # (series, steps, channels)
    """Share of the local forecast at each step; none where a channel gives a filter nothing to go on from."""
    seen = np.stack([np.isfinite(past).any(axis=0) for past in pasts])
    return np.where(seen[:, None], pool.shares_ahead(steps), 0.0)


def in_present_units(pool: LocalPool, pasts: Sequence[np.ndarray]) -> LocalPool:
    """The same with larger units where newer rows have outgrown those of the fit."""
    largest = np.stack([np.fmax.reduce(np.abs(past), axis=0, initial=0.0) for past in pasts])
    outgrown = np.frexp(largest)[1] - np.frexp(pool.units)[1] > _MOST_BITS
    return pool._replace(units=np.where(outgrown, binary_unit(largest), pool.units))


def floor_of(pool: LocalPool, reader: WindowReader) -> np.ndarray:  # (series, 1, channels)
    """Scaled values below which nothing is forecast; the lowest float for none."""
    floors = pool.model.floor.reshape(len(pool.keys), -1)
    return _scaled(pool, reader, np.where(_residuals(pool, reader), -np.inf, floors)[:, None])


def _ceiling(
    pool: LocalPool, reader: WindowReader, pasts: Sequence[np.ndarray]
) -> np.ndarray:  # (series, 1, channels)
    """Scaled values above which no quantile lies; the largest float for none."""
    ceiling = np.stack([share_ceiling(past[-LONGEST:].T) for past in pasts])
    ceiling = np.where(_residuals(pool, reader), np.inf, ceiling)
    return _scaled(pool, reader, (ceiling / pool.units)[:, None])


def _residuals(pool: LocalPool, reader: WindowReader) -> np.ndarray:  # (series, 1)
    """Series that are bounded once an effect is added."""
    return np.array([reader.is_residual(key) for key in pool.keys])[:, None]


def _scaled(
    pool: LocalPool, reader: WindowReader, values: np.ndarray
) -> np.ndarray:  # (series, ..., channels)
    """From the units of local experts to the scale of the net, within floats."""
    mean, scale = reader.means_and_scales(pool.keys, values.ndim)
    unit = pool.units.reshape(scale.shape)
    # One after the other: the ratio of unit and scale is infinite for the smallest scales.
    in_data = multiply_within_floats(values - mean / unit, unit)
    return divide_within_floats(in_data, scale)
