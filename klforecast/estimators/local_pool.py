"""How much local experts say beside the core, for each channel of each series; `pooling` is what they then say.

The core is one map for the whole panel, fitted to all windows; local experts (`klforecast.local`) are filters of a
series' own past, weighted for it. Which of them is right shows in the newest rows: the core solved without them and
the local experts forecast them from rolling origins, and their errors weigh the two, per channel and shrunk to the
panel.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from klforecast.data.scaling import binary_unit
from klforecast.estimators.frames.panel import Key, TimeSeries, first_rows
from klforecast.estimators.window_reader import WindowReader
from klforecast.local.excursions import newest_excursions
from klforecast.local.model import LocalModel, fit_local, forecast, near_steps
from klforecast.local.panel import align
from klforecast.local.share import YOUNG, Compared, local_shares

_HORIZONS = 10  # that the newest rows hold, on which core and local experts are compared
_SHARE_SPARED = (
    4  # one part in so many of a typical series at most: the core is solved from the rest
)
_ORIGINS = 12
_MOST_PLACES = 20_000  # origins of all series together; a panel of many needs few of each
_JUDGED_STEPS = 24  # of a long horizon, evenly spread
_FARTHEST = 64  # steps that a level and a slope are trusted with where there is no season
_ENDS = 1000  # newest rows in which an excursion is looked for
_FEWEST_ROWS = 8  # of a typical series: four to look back from and four to judge


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
    """

    model: LocalModel
    share: np.ndarray
    units: np.ndarray
    keys: list[Key]

    def shares_ahead(self, steps: int) -> np.ndarray:  # (series, steps, channels)
        """Share of the local forecast at each step."""
        near = np.arange(1, steps + 1) <= near_steps(self.model.horizon)
        return np.where(near[:, None], self.share[:, None, :, 0], self.share[:, None, :, 1])


def rows_spared(lengths: Sequence[int], horizon: int, periods: Sequence[int]) -> int:
    """Newest rows without which a core is solved, to be compared with local experts; 0 where these are not asked.

    Far ahead, and without a season that was seen twice, a filter has only its level and slope to go on with.
    """
    typical = int(np.median(lengths))
    if horizon > _FARTHEST and not any(2 * period <= typical for period in periods):
        return 0
    return max(1, min(_HORIZONS * horizon, typical // _SHARE_SPARED))


def fit_pool(
    series: Mapping[Key, TimeSeries],
    reader: WindowReader,
    horizon: int,
    periods: Sequence[int],
    spared: int,
) -> LocalPool | None:
    """Weigh local experts among each other, and against the core.

    Parameters
    ----------
    series : mapping of tuple to TimeSeries
        Known rows.
    reader : WindowReader
        Of the core that was solved without the newest rows.
    horizon : int
    periods : sequence of int
        Seasons in steps.
    spared : int
        How many rows that core has not seen.

    Returns
    -------
    LocalPool or None
        None where a typical series has too few values for an origin.
    """
    keys = list(series)
    plain = [reader.residual_rows(key, series[key]) for key in keys]
    if np.median([np.isfinite(part).sum(axis=0).min() for part in plain]) < _FEWEST_ROWS:
        return None
    units = np.stack(
        [binary_unit(np.fmax.reduce(np.abs(part), axis=0, initial=0.0)) for part in plain]
    )
    rows = [part / unit for part, unit in zip(plain, units, strict=True)]
    model = fit_local(rows, horizon, periods)
    offsets = _offsets(len(keys), spared)
    steps = np.unique(np.linspace(1, horizon, min(horizon, _JUDGED_STEPS)).round().astype(int))
    errors = np.full((len(offsets), len(model.weights), 2, len(steps)), np.nan)
    for place, offset in enumerate(offsets):
        judged = steps[steps <= offset]
        errors[place, :, :, : len(judged)] = _errors_after(
            reader, model, series, rows, units, offset, judged
        )
    compared = Compared(errors, offsets, steps, spared)
    shares = local_shares(compared, horizon)
    # The core reads a spike or an outage as it stands; local experts leave it out.
    shares[newest_excursions(align(rows, _ENDS)).any(axis=1)] = 1.0
    return LocalPool(model, shares.reshape(len(keys), -1, 2), units, keys)


def _offsets(n_series: int, spared: int) -> np.ndarray:  # (K,), ascending
    """Rows after each origin: evenly spread over the spared ones, and the newest where a surprise shows."""
    count = max(1, min(_ORIGINS, spared, _MOST_PLACES // n_series))
    spread = np.linspace(1, spared, count + 1)[1:].round().astype(int)
    return np.union1d(spread, [offset for offset in YOUNG if offset < spared])


def _errors_after(
    reader: WindowReader,
    model: LocalModel,
    series: Mapping[Key, TimeSeries],
    rows: Sequence[np.ndarray],  # in units of local experts
    units: np.ndarray,
    offset: int,
    steps: np.ndarray,  # (J,), at most the offset
) -> np.ndarray:  # (series times channels, 2, J)
    """Absolute errors of the core and of the local experts from one origin; NaN where nothing was observed."""
    keys, channels = list(series), rows[0].shape[1]
    known = [len(part) > offset for part in rows]
    pasts = [part[:-offset] if long else part[:1] for part, long in zip(rows, known, strict=True)]
    places = [
        (key, first_rows(series[key], len(past))) for key, past in zip(keys, pasts, strict=True)
    ]
    windows_of = reader.windows_before(places)
    core = _own_units(reader, keys, units, reader.forecast(windows_of, len(keys), int(steps.max())))
    local = forecast(model, pasts, int(steps.max())).reshape(len(keys), channels, -1)
    truth = np.stack(
        [
            part[len(past) + steps - 1] if long else np.full((len(steps), channels), np.nan)
            for part, past, long in zip(rows, pasts, known, strict=True)
        ]
    ).transpose(0, 2, 1)  # (series, channels, steps)
    both = np.stack([core.transpose(0, 2, 1)[..., steps - 1], local[..., steps - 1]], axis=2)
    return np.abs(both - truth[:, :, None]).reshape(len(keys) * channels, 2, len(steps))


def _own_units(
    reader: WindowReader, keys: Sequence[Key], units: np.ndarray, values: np.ndarray
) -> np.ndarray:
    """From the scale of the net to the units of local experts, (series, ..., channels), within floats."""
    return np.stack(
        [
            part * (reader.scalers[key].scale / unit) + reader.scalers[key].mean / unit
            for key, part, unit in zip(keys, values, units, strict=True)
        ]
    )
