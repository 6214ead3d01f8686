"""Share of the local experts in a forecast beside a core, from the errors of both at the same origins.

    logit w_i = logit w_0 + a sqrt(N) mean_i(n_i d_i) + b n_i (d_i - mean_i d_i)

with d_i the relative advantage of the local forecast of series i in root mean squared error, and n_i the independent
horizons that it was seen over: N series that are alike tell more than one, though not N times as much. A share that
is small is none, and a series that has just surprised the core is left to local experts alone.

Letters   N series, K origins, J judged steps
"""

from typing import NamedTuple

import numpy as np

from klforecast.local.model import near_steps

YOUNG = (1, 2, 3, 5, 8, 13)
"""Rows after the origins where a surprise shows."""

# Rows after the oldest of them, and times the local error by which the core then errs: more than
# chance does to the mean of thirty errors, and of eleven.
_SURPRISES = ((13, 2.0), (5, 3.0))
_FORMER = 2.0  # times the error that the core formerly made at these steps
# Part of the spared rows whose errors are those of the present noise, a horizon at least, so that no phase of a season
# is taken for calm; times by which errors have fallen; times the local error by which the core then errs.
_NEWEST_PART, _CALMER, _STILL = 1 / 3, 3.0, 1.5
_EXACT = 1e-6  # of the error of the core
_LEAST_SHARE = 0.3  # below which local experts are not asked: they cost more than they give
# Share of the local forecast before any evidence. On 19 sets before their test parts 0.45 is 0.6 % better in MASE and
# 0.8 % in CRPS than 0.35, without web and IT 0.1 and 0.2 %, and structureless series come nearer to their mean.
_PRIOR = 0.45
# Of series that are long enough for the first depth of the core's memory, eight times 336 rows: there the core has seen
# what local experts know, and these are asked where the newest rows speak for them at all. With 0.45 ETTh1 loses 5 % at
# 720 steps; 0.25 costs 2 % of the CRPS on ten long series before their test parts, 0.3 and 0.35 cost 1 %.
_PRIOR_LONG, _LONG = 0.3, 2688
# Evidence of one independent horizon; 0.25 and 1 of a panel, 1 and 2 of a series were tried (docs/evidence/choices.md).
_OF_PANEL, _OF_SERIES = 0.25, 0.5
# Relative; a larger one says no more. Of four weeks of half-hours the core sees no week and errs four times as much,
# which counted as twice with 1: rides and calls were 17 % worse, and no set before its test part was 1 % better.
_MOST_GAIN = 3.0
_OPTIMISM = 1.05  # of local errors, whose experts were weighed on rows among these


class Compared(NamedTuple):
    """What the core and the local experts said at the same origins.

    Attributes
    ----------
    errors : ndarray of shape (K, N, 2, J)
        Absolute errors of the core and of the local experts; NaN where nothing was observed.
    offsets : ndarray of int, shape (K,)
        Rows after each origin, ascending.
    steps : ndarray of int, shape (J,)
        Steps ahead that were judged.
    spared : int
        Newest rows that the core has not seen.
    rare : ndarray of bool, shape (N,)
        Counts with many zeros, of which any demand is a surprise and none is soon exact.
    """

    errors: np.ndarray
    offsets: np.ndarray
    steps: np.ndarray
    spared: int
    rare: np.ndarray


class PanelGain(NamedTuple):
    """What a panel says of local experts, from which each of its series departs.

    Attributes
    ----------
    mean : float
        Relative advantage of local forecasts over the core.
    evidence : float
        What it adds to the logit of every share.
    """

    mean: float
    evidence: float


PanelGains = tuple[PanelGain | None, PanelGain | None]
"""In near and in all steps; None where nothing was judged."""


def local_shares(
    compared: Compared, horizon: int, rows: int, panel: PanelGains | None = None
) -> np.ndarray:  # (N, 2)
    """Share of the local forecast of every series in near and in far steps.

    Parameters
    ----------
    compared : Compared
    horizon : int
        Steps that are forecast.
    rows : int
        Of a typical series.
    panel : tuple of two, optional
        Of a panel that these series are a part of; None learns it from them.

    Examples
    --------
    The better forecast has more of the mean of both:

    >>> errors = np.ones((4, 1, 2, 3))
    >>> errors[:, :, 1] = 0.5
    >>> origins, steps = np.array([20, 40, 60, 80]), np.arange(1, 4)
    >>> compared = Compared(errors, origins, steps, 80, np.array([False]))
    >>> local_shares(compared, horizon=3, rows=320).round(2)
    array([[0.67, 0.67]])
    """
    prior = _PRIOR_LONG if rows >= _LONG else _PRIOR
    panel = panel_gains(compared, horizon) if panel is None else panel
    records = _near_and_whole(compared, horizon)
    share = np.stack(
        [share_of(*record, prior, gain) for record, gain in zip(records, panel, strict=True)],
        axis=-1,
    )
    share = np.where(share < _LEAST_SHARE, 0.0, share)
    return np.where((is_surprised(compared) | is_calmer(compared))[:, None], 1.0, share)


def panel_gains(compared: Compared, horizon: int) -> PanelGains:
    """What the series of a panel say together."""
    near, whole = (_panel_gain(*record) for record in _near_and_whole(compared, horizon))
    return near, whole


def _near_and_whole(
    compared: Compared, horizon: int
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Errors, (N, 2), and the independent horizons that they are worth, (N,), of near and of all steps."""
    near = near_steps(horizon)

    def record(part: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
        errors, seen = _root_mean_squares(compared.errors[..., part])
        errors[:, 1] *= _OPTIMISM
        return errors, np.minimum(seen, compared.spared / length)

    return record(compared.steps <= near, near), record(compared.steps > 0, horizon)


def _panel_gain(errors: np.ndarray, horizons: np.ndarray) -> PanelGain | None:
    gain, judged = _gains(errors, horizons)
    if not judged.any():
        return None
    mean = float(gain[judged].mean())
    return PanelGain(mean, float(_OF_PANEL * judged.sum() ** 0.5 * horizons[judged].mean() * mean))


def share_of(
    errors: np.ndarray,  # (N, 2)
    horizons: np.ndarray,  # (N,)
    prior: float,
    panel: PanelGain | None,
) -> np.ndarray:  # (N,)
    """Share of the local forecast, from the errors of the core and of it over some independent horizons."""
    if panel is None:
        return np.full(len(errors), prior)
    own = _OF_SERIES * horizons * (_gains(errors, horizons)[0] - panel.mean)
    return 1 / (1 + np.exp(-(np.log(prior / (1 - prior)) + panel.evidence + own)))


def _gains(errors: np.ndarray, horizons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # (N,)
    """Relative advantage of the local forecast, and where there is one."""
    least = errors.min(axis=1)
    judged = (horizons > 0) & (least > 0)
    gain = np.where(judged, (errors[:, 0] - errors[:, 1]) / np.where(judged, least, 1.0), 0.0)
    return np.clip(gain, -_MOST_GAIN, _MOST_GAIN), judged


def is_surprised(compared: Compared) -> np.ndarray:  # (N,)
    """Where something happened that the core has no windows for, and that local experts got over.

    The core then errs as it did not before, and much more than they do; or they are exact and it is not.
    """
    steps, offsets = compared.steps, compared.offsets
    former = compared.errors[offsets > YOUNG[-1], :, :1][..., steps <= YOUNG[-1]]
    before = np.zeros(compared.errors.shape[1])
    if len(former):
        each = [_root_mean_squares(origin[None])[0][:, 0] for origin in former]
        before = np.median(each, axis=0)
    surprised = np.zeros(len(before), dtype=bool)
    for rows, times in _SURPRISES:
        newest = compared.errors[np.isin(offsets, YOUNG) & (offsets <= rows)]
        core, local = _root_mean_squares(newest)[0].T
        surprised |= (core > _FORMER * before) & (core > times * local)
        surprised |= (core > 0) & (local <= _EXACT * core)
    return surprised & ~compared.rare


def is_calmer(compared: Compared) -> np.ndarray:  # (N,)
    """Where the noise has fallen, local experts with it, and the core still forecasts as among the former noise."""
    part = compared.spared * _NEWEST_PART
    newest = compared.offsets <= part
    if part < compared.steps[-1] or newest.all():
        return np.zeros(compared.errors.shape[1], dtype=bool)
    core, local = _root_mean_squares(compared.errors[newest])[0].T
    former, seen = _root_mean_squares(compared.errors[~newest])
    calmer = (seen > 0) & (former[:, 1] > _CALMER * local)
    return calmer & (core > _STILL * local) & ~compared.rare


def _root_mean_squares(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Over the origins and steps that were observed, (N, 2), and how many origins they are worth, (N,)."""
    seen = np.isfinite(errors).all(axis=2)  # (K, N, J)
    squares = np.where(seen[:, :, None], errors, 0.0) ** 2
    count = seen.sum(axis=(0, 2))
    mean = squares.sum(axis=(0, 3)) / np.maximum(count, 1)[:, None]
    return np.sqrt(mean), count / max(errors.shape[3], 1)
