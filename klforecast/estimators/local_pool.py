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
from klforecast.local.model import LocalModel, fit_local, forecast, near_steps

_HORIZONS = 10  # that the newest rows hold, on which core and local experts are compared
_SHARE_SPARED = (
    4  # one part in so many of a typical series at most: the core is solved from the rest
)
_ORIGINS = 12
_MOST_PLACES = 20_000  # origins of all series together; a panel of many needs few of each
_JUDGED_STEPS = 24  # of a long horizon, evenly spread
_LEAST_SHARE = 0.3  # below which local experts are not asked: they cost more than they give
_FARTHEST = 64  # steps that a level and a slope are trusted with where there is no season
_PRIOR = 0.35  # share of the local forecast before any evidence
_OF_PANEL, _OF_SERIES = 0.5, 0.5  # evidence of one independent horizon
_FEWEST_ROWS = 8  # of a typical series: four to look back from and four to judge
_YOUNG = (1, 2, 3, 5, 8, 13)  # rows after the origins where a surprise shows
# Rows after the oldest of them, and times the local error by which the core then errs: more than
# chance does to the mean of thirty errors, and of eleven.
_SURPRISES = ((13, 2.0), (5, 4.0))
_FORMER = 2.0  # times the error that the core formerly made at these steps
_EXACT = 1e-6  # of the error of the core
_MOST_GAIN = 1.0  # relative; a larger one says no more
_OPTIMISM = 1.05  # of local errors, whose experts were weighed on rows among these


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
    channels = rows[0].shape[1]
    count = max(1, min(_ORIGINS, spared, _MOST_PLACES // len(keys)))
    spread = np.linspace(1, spared, count + 1)[1:].round().astype(int)
    young = [offset for offset in _YOUNG if offset < spared]
    offsets = np.union1d(spread, young)
    steps = np.unique(np.linspace(1, horizon, min(horizon, _JUDGED_STEPS)).round().astype(int))
    near = steps <= near_steps(horizon)
    errors = np.zeros((len(keys) * channels, 2, len(steps)))
    origins = np.zeros(len(keys) * channels)
    newest, counts = np.zeros((len(_SURPRISES), len(errors), 2)), np.zeros(len(_SURPRISES))
    formerly: list[np.ndarray] = []
    for offset in offsets:
        judged = steps[steps <= offset]
        gaps = _errors_after(reader, model, series, rows, units, offset, judged)
        seen = np.isfinite(gaps).all(axis=1)
        squares = np.where(seen[:, None], gaps, 0.0) ** 2
        if offset in young:
            for place, (rows_after, _) in enumerate(_SURPRISES):
                if offset <= rows_after:
                    newest[place] += squares.sum(axis=2)
                    counts[place] += len(judged)
        if offset > _YOUNG[-1]:
            formerly.append(np.sqrt(squares[:, 0, judged <= _YOUNG[-1]].mean(axis=1)))
        if offset in spread:
            errors[:, :, : len(judged)] += squares
            origins += seen.sum(axis=1) / len(steps)
    errors[:, 1] *= _OPTIMISM**2
    shares = []
    for part, length in ((near, near_steps(horizon)), (np.ones_like(near), horizon)):
        horizons = np.minimum(origins, spared / length)
        shares.append(_local_share(np.sqrt(errors[:, :, part].sum(axis=2)), horizons))
    share = np.stack(shares, axis=-1)
    share = np.where(share < _LEAST_SHARE, 0.0, share)
    sizes = np.sqrt(newest / np.maximum(counts, 1)[:, None, None])
    before = np.median(formerly, axis=0) if formerly else np.zeros(len(errors))
    surprised = _is_surprised(sizes, before)
    share = np.where(surprised[:, None], 1.0, share).reshape(len(keys), channels, 2)
    return LocalPool(model, share, units, keys)


def _is_surprised(
    newest: np.ndarray,  # (rules, N, 2), root mean squares of the errors of the core and of local experts
    before: np.ndarray,  # (N,), of the core at as many steps, typically
) -> np.ndarray:  # (N,)
    """Where something happened that the core has no windows for, and that local experts got over.

    The core then errs as it did not before, and much more than they do; or they are exact and it is not.
    """
    core, local = newest[..., 0], newest[..., 1]
    times = np.array([times for _, times in _SURPRISES])[:, None]
    surprised = (core > _FORMER * before) & (core > times * local)
    exact = (core > 0) & (local <= _EXACT * core)
    return (surprised | exact).any(axis=0)


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


def _local_share(errors: np.ndarray, horizons: np.ndarray) -> np.ndarray:  # (N, 2), (N,) -> (N,)
    """Share of the local forecast, from the errors of the core and of it over some independent horizons.

    logit w_i = logit w_0 + a sqrt(N) mean_i(n_i d_i) + b n_i (d_i - mean_i d_i)

    with d_i the relative advantage of the local forecast of series i and n_i its horizons: N series that
    are alike tell more than one, though not N times as much.
    """
    least = errors.min(axis=1)
    judged = (horizons > 0) & (least > 0)
    gain = np.where(judged, (errors[:, 0] - errors[:, 1]) / np.where(judged, least, 1.0), 0.0)
    gain = np.clip(gain, -_MOST_GAIN, _MOST_GAIN)
    if not judged.any():
        return np.full(len(errors), _PRIOR)
    mean = gain[judged].mean()
    of_panel = _OF_PANEL * judged.sum() ** 0.5 * horizons[judged].mean() * mean
    own = _OF_SERIES * horizons * (gain - mean)
    return 1 / (1 + np.exp(-(np.log(_PRIOR / (1 - _PRIOR)) + of_panel + own)))


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
