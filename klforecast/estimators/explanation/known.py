"""A series at its cutoff, as the core and the local experts see it, and the shape of what they add.

forecast = level + (1 - w) scale core + w local + effect of X          core, local: around the mean
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from klforecast.data.scaling import Standardizer
from klforecast.estimators.forecasting import Predictor
from klforecast.estimators.frames.context import extend_past
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.pooling import floor_of, in_present_units, shares_of
from klforecast.local.model import LONGEST, LocalModel


class Block(NamedTuple):
    """Contributions of one kind.

    Attributes
    ----------
    part : str
        Who contributes, as in the column of the frame.
    names : list of str
        Of each contribution.
    lags : ndarray of int, shape (items,), or None
        Steps before the first one ahead, 1 for the newest row; None where that has no meaning.
    values : ndarray of shape (steps, channels, items)
    """

    part: str
    names: list[str]
    lags: np.ndarray | None
    values: np.ndarray

    def times(self, factor: np.ndarray) -> "Block":  # (steps, channels)
        """The same, multiplied step by step."""
        return self._replace(values=self.values * factor[..., None])

    def at(self, places: np.ndarray) -> "Block":  # (n,) int
        """Some of its steps."""
        return self._replace(values=self.values[places])


class Split(NamedTuple):
    """A forecast around the mean of the training rows as a sum.

    Attributes
    ----------
    block : Block
    rest : ndarray of shape (steps, channels)
        What is there when every row is at its mean.
    """

    block: Block
    rest: np.ndarray


class LocalPast(NamedTuple):
    """What local experts know of a series.

    Attributes
    ----------
    models : list of LocalModel
        Of each channel.
    rows : ndarray of shape (time, channels)
        In their units.
    units : ndarray of shape (channels,)
    """

    models: list[LocalModel]
    rows: np.ndarray
    units: np.ndarray


class KnownPast(NamedTuple):
    """One series at its cutoff.

    Attributes
    ----------
    window : ndarray of shape (depth, channels)
        What the core reads, scaled.
    lags : ndarray of int, shape (depth,)
        Lag of the row that stands at each place of the window; a short past fills it several times.
    stamps : list of str
        Of the rows by their lag, the newest one first.
    scaler : Standardizer
    steps : int
        Steps ahead.
    share : ndarray of shape (steps, channels)
        Of the local forecast.
    local : LocalPast or None
        None where it has no share.
    floor : ndarray of shape (channels,)
        In units of the data, below which the residual is not forecast; minus infinity for none.
    """

    window: np.ndarray
    lags: np.ndarray
    stamps: list[str]
    scaler: Standardizer
    steps: int
    share: np.ndarray
    local: LocalPast | None
    floor: np.ndarray

    def names_of(self, lags: np.ndarray, size: int) -> list[str]:
        """Stamps of the rows of some lags, or numbers of the cycles of `size` rows that start there."""
        if size == 1:
            return [self.stamps[lag - 1] for lag in lags]
        return [f"cycle {(lag - 1) // size + 1}" for lag in lags]


def known_pasts(
    fitted: Predictor, known: Mapping[Key, TimeSeries], steps: int
) -> dict[Key, KnownPast]:
    """Look at every series from its cutoff.

    Parameters
    ----------
    fitted : Predictor
    known : mapping of tuple to TimeSeries
        Rows up to the cutoffs.
    steps : int
        Steps ahead.

    Returns
    -------
    dict of tuple to KnownPast
    """
    reader, places = fitted.reader, list(known.items())
    shape = (len(known), steps, reader.channels)
    share, floors = np.zeros(shape), np.full((len(known), reader.channels), -np.inf)
    rows = reader.rows_read(places)
    windows_of = reader.windows_before(places, rows)
    pool = None if fitted.pool is None else in_present_units(fitted.pool, rows)
    if pool is not None:
        share, floors = shares_of(pool, rows, steps), floor_of(pool, reader)[:, 0]
    pasts = {}
    for place, (key, past) in enumerate(places):
        local = None
        if pool is not None and share[place].any():
            first = place * reader.channels
            models = [pool.model.alone(first + channel) for channel in range(reader.channels)]
            units = pool.units[place]
            local = LocalPast(models, rows[place][-LONGEST:] / units, units)
        scaler, n = reader.scalers[key], len(past.index)
        pasts[key] = KnownPast(
            windows_of(slice(place, place + 1))[0],
            n - extend_past(np.arange(n)[:, None], reader.depth, reader.period)[:, 0],
            [str(stamp) for stamp in past.index[::-1][: max(reader.depth, LONGEST)]],
            scaler,
            steps,
            share[place],
            local,
            scaler.inverse_transform(floors[place]),
        )
    return pasts
