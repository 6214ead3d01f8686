"""How much local experts say beside the core, for each channel of each series; `pooling` is what they then say.

The core is one map for the whole panel, fitted to all windows; local experts (`klforecast.local`) are filters of a
series' own past, weighted for it. Which of them is right shows in the newest rows: the core solved without them and
the local experts forecast them from rolling origins, and their errors weigh the two, per channel and shrunk to the
panel.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from klforecast.data.scaling import binary_unit
from klforecast.estimators.frames.context import FilledRows
from klforecast.estimators.frames.panel import Key, TimeSeries, first_rows
from klforecast.estimators.sampling import sample_keys
from klforecast.estimators.window_reader import WindowReader
from klforecast.local.comparison import compared_origins, followed, forecasts_from
from klforecast.local.fitting import Judged, fit_judged
from klforecast.local.knowledge import PanelExtent, PanelKnowledge
from klforecast.local.model import LONGEST, LocalModel, forecast, near_steps, quantiles
from klforecast.local.origins import Origins
from klforecast.local.panel import align
from klforecast.local.share import Compared, PanelShares, local_shares, panel_shares

_FEWEST_ROWS = 8  # of a typical series: four to look back from and four to judge
_LEVELS, _DEVIATIONS = (0.1, 0.9), 2.563  # between which a normal law has so many deviations


class LocalPool(NamedTuple):
    """Local experts of a panel, and their share in its forecasts.

    Attributes
    ----------
    model : LocalModel
        Of every channel of every series, channels within series.
    share : ndarray of shape (series, channels, 2)
        Of the local forecast in near and in far steps; the rest is the core's.
    units : ndarray of shape (series, channels)
        Powers of two by which the rows are divided: squares of huge and of tiny rows are floats no more.
    keys : list of tuple
        The series in that order.
    levels : Tensor of shape (G,), optional
        At which laws are read for the levels of `GRID`, as the newest rows ask for; None for these themselves.
    """

    model: LocalModel
    share: np.ndarray
    units: np.ndarray
    keys: list[Key]
    levels: Tensor | None = None

    def of(self, keys: Sequence[Key]) -> "LocalPool":
        """The pool of some of its series, in this order; one that is named twice has two pasts."""
        keys = list(keys)
        if keys == self.keys:
            return self
        place_of = {key: place for place, key in enumerate(self.keys)}
        places = np.array([place_of[key] for key in keys])
        channels = self.share.shape[1]
        rows = (places[:, None] * channels + np.arange(channels)).ravel()
        return LocalPool(
            self.model.of(rows), self.share[places], self.units[places], keys, self.levels
        )

    def shares_ahead(self, steps: int) -> np.ndarray:  # (series, steps, channels)
        """Share of the local forecast at each step."""
        near = np.arange(1, steps + 1) <= near_steps(self.model.horizon)
        return np.where(near[:, None], self.share[:, None, :, 0], self.share[:, None, :, 1])


class PooledPanel(NamedTuple):
    """What the pools of all parts of a panel have in common.

    Attributes
    ----------
    extent : PanelExtent
    typical : int
        Rows of a typical series.
    local : PanelKnowledge
    shares : PanelShares
    """

    extent: PanelExtent
    typical: int
    local: PanelKnowledge
    shares: PanelShares


class Readers(NamedTuple):
    """The cores that local experts are weighed against.

    Attributes
    ----------
    earlier : WindowReader
        Of the core that was solved without the newest rows.
    present : WindowReader
        Of the core that forecasts.
    """

    earlier: WindowReader
    present: WindowReader


class _Newest(NamedTuple):
    """What was said of the newest rows of some series, in units of local experts."""

    compared: Compared
    astray: np.ndarray  # (series times channels,) bool: a shift leads the present core away


def fit_pool(
    series: Mapping[Key, TimeSeries],
    readers: Readers,
    horizon: int,
    periods: Sequence[int],
    spared: int,
) -> LocalPool | None:
    """Weigh local experts among each other, and against the core.

    What all series of a panel have in common is learned from a sample of them; see `sampling`.

    Parameters
    ----------
    series : mapping of tuple to TimeSeries
        Known rows.
    readers : Readers
    horizon : int
    periods : sequence of int
        Seasons in steps.
    spared : int
        Newest rows that the earlier core has not seen.

    Returns
    -------
    LocalPool or None
        None where a typical series has too few values for an origin.
    """
    sample = {key: series[key] for key in sample_keys(series)}
    extent = PanelExtent(len(series), max(len(part.values) for part in series.values()))
    learned = learn_pool(sample, readers, horizon, periods, spared, extent)
    if learned is None:
        return None
    if len(sample) == len(series):
        return learned[0]
    return pool_part(series, readers, spared, learned[1])


def learn_pool(
    sample: Mapping[Key, TimeSeries],
    readers: Readers,
    horizon: int,
    periods: Sequence[int],
    spared: int,
    extent: PanelExtent,
) -> tuple[LocalPool, PooledPanel] | None:
    """The pool of a sample of a panel, and what it says of the others.

    Parameters
    ----------
    sample : mapping of tuple to TimeSeries
    readers, horizon, periods, spared
        As for `fit_pool`.
    extent : PanelExtent
        Of the whole panel.
    """
    plain = readers.earlier.rows_read(list(sample.items()))
    if np.median([np.isfinite(part).sum(axis=0).min() for part in plain]) < _FEWEST_ROWS:
        return None
    units = _units(plain)
    rows = [part / unit for part, unit in zip(plain, units, strict=True)]
    channels = PanelExtent(extent.series * readers.earlier.channels, extent.rows)
    model, judged = fit_judged(rows, horizon, periods, extent=channels)
    newest = _compare(sample, readers, plain, units, (model, judged), spared, extent)
    typical = int(np.median([len(part) for part in rows]))
    shares = panel_shares(newest.compared, horizon, typical)
    panel = PooledPanel(extent, typical, judged.panel, shares)
    return _pool(list(sample), units, (model, judged), newest, panel), panel


def pool_part(
    series: Mapping[Key, TimeSeries],
    readers: Readers,
    spared: int,
    panel: PooledPanel,
) -> LocalPool:
    """The pool of some series of a panel, when what they have in common is known.

    Parameters
    ----------
    series : mapping of tuple to TimeSeries
    readers, spared
        As for `fit_pool`.
    panel : PooledPanel
        Of `learn_pool`.
    """
    plain = readers.earlier.rows_read(list(series.items()))
    units = _units(plain)
    rows = [part / unit for part, unit in zip(plain, units, strict=True)]
    fitted = fit_judged(rows, panel.local.horizon, panel=panel.local)
    newest = _compare(series, readers, plain, units, fitted, spared, panel.extent)
    return _pool(list(series), units, fitted, newest, panel)


def _units(plain: Sequence[np.ndarray]) -> np.ndarray:  # (series, channels)
    return np.stack(
        [binary_unit(np.fmax.reduce(np.abs(part), axis=0, initial=0.0)) for part in plain]
    )


def _compare(
    series: Mapping[Key, TimeSeries],
    readers: Readers,
    plain: Sequence[np.ndarray],
    units: np.ndarray,
    fitted: tuple[LocalModel, Judged],
    spared: int,
    extent: PanelExtent,
) -> _Newest:
    """What the core and the local experts say of the newest rows."""
    model, judged = fitted
    origins = compared_origins(extent.series, spared, model.horizon, judged.origins.offsets)
    rows = [part / unit for part, unit in zip(plain, units, strict=True)]
    past = align(rows, LONGEST + int(origins.offsets.max()), extent.rows)
    local = forecasts_from(model, judged, past, origins)
    core = _core_forecasts(readers.earlier, series, plain, units, origins)
    both = np.stack([core, local], axis=2)
    errors = both - followed(past, origins)[:, :, None]
    # The core that is compared has not been fitted to windows across the shift, as the present one has.
    errors[:, judged.shifted] = np.nan
    compared = Compared(errors, origins.offsets, origins.steps, spared, judged.counted)
    return _Newest(compared, _led_astray(readers.present, series, rows, units, fitted))


def _led_astray(
    present: WindowReader,
    series: Mapping[Key, TimeSeries],
    rows: Sequence[np.ndarray],  # (time, channels) each, in units of local experts
    units: np.ndarray,
    fitted: tuple[LocalModel, Judged],
) -> np.ndarray:  # (series times channels,)
    """Shifted series whose core, fitted to windows with the shift in their targets, is far from the local forecast."""
    model, judged = fitted
    shifted = judged.shifted.reshape(len(rows), -1)
    places = np.flatnonzero(shifted.any(axis=1)).tolist()
    if not places:
        return judged.shifted
    keys = list(series)
    pasts = [(keys[place], series[keys[place]]) for place in places]
    windows_of, steps = present.windows_before(pasts), model.horizon
    scaled = present.forecast(windows_of, len(places), steps) + present.weeks_ahead(pasts, steps)
    own = _own_units(present, [key for key, _ in pasts], units[places], scaled)
    core = own.swapaxes(1, 2)[shifted[places]]  # (n, steps)

    of_shifted = model.of(np.flatnonzero(judged.shifted))
    past = [rows[place][:, shifted[place]] for place in places]
    local = forecast(of_shifted, past, steps)
    low, high = np.moveaxis(quantiles(of_shifted, past, steps, _LEVELS, point=local), 2, 0)
    distance, deviation = core - local, (high - low) / _DEVIATIONS
    astray = judged.shifted.copy()
    astray[judged.shifted] = (distance**2).mean(axis=1) > (deviation**2).mean(axis=1)
    return astray


def _pool(
    keys: list[Key],
    units: np.ndarray,
    fitted: tuple[LocalModel, Judged],
    newest: _Newest,
    panel: PooledPanel,
) -> LocalPool:
    model, _ = fitted
    shares = local_shares(newest.compared, model.horizon, panel.typical, panel.shares)
    shares[newest.astray] = 1.0
    return LocalPool(model, shares.reshape(len(keys), -1, 2), units, keys)


def _core_forecasts(
    reader: WindowReader,
    series: Mapping[Key, TimeSeries],
    plain: Sequence[np.ndarray],  # (time, channels) each, as they are read
    units: np.ndarray,
    origins: Origins,
) -> np.ndarray:  # (K, series times channels, J), in units of local experts
    """What the core says at the origins; zero at steps that were not yet over."""
    keys = list(series)
    lengths = np.array([len(part.values) for part in series.values()])
    # Nothing is scaled and filled that no origin looks at.
    first = np.array(
        [
            reader.filler.first_row(max(1, n - int(origins.offsets.max())), reader.depth)
            for n in lengths
        ]
    )
    filled = [
        FilledRows(reader.core_rows(key, rows[start:], part.index[start:]), reader.filler)
        for (key, part), rows, start in zip(series.items(), plain, first, strict=True)
    ]
    n, steps = len(keys) * reader.channels, origins.steps
    made = np.zeros((len(origins.offsets), n, len(steps)))
    for place, offset in enumerate(origins.offsets):
        judged = steps[steps <= offset]
        cutoffs = np.maximum(lengths - offset, 1)
        windows_of = reader.windows_of_filled(filled, cutoffs - first)
        last = int(judged[-1])
        scaled = reader.forecast(windows_of, len(keys), last)
        if reader.weeks is not None:
            pasts = [
                first_rows(part, cut) for part, cut in zip(series.values(), cutoffs, strict=True)
            ]
            scaled = scaled + reader.weeks_ahead(list(zip(keys, pasts, strict=True)), last)
        scaled = scaled[:, judged - 1]
        own = _own_units(reader, keys, units, scaled)
        made[place, :, : len(judged)] = own.transpose(0, 2, 1).reshape(n, len(judged))
    return made


def _own_units(
    reader: WindowReader, keys: Sequence[Key], units: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """From the scale of the net to the units of local experts, (series, ..., channels), within floats."""
    mean, scale = reader.means_and_scales(keys, values.ndim)
    unit = units.reshape(scale.shape)
    return values * (scale / unit) + mean / unit
