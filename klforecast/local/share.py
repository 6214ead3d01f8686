"""Share of the local experts in a forecast beside a core, from the errors of both at the same origins.

    w c_l + (1 - w) c_c                                    error of the mixture; c_c: of the core, c_l: of the experts
    A    = sum_k c_c d / s_k  /  sum_k d^2 / s_k           the share that least squares gives;  d = c_c - c_l
    w_p  = (sqrt(N) n A_p + a w_0) / (sqrt(N) n + a)       of the panel: N series that are alike tell more than one
    w_i  = (n_i A_i + b w_p) / (n_i + b)                   of a series

n are the independent horizons that errors were seen over, a and b those that what was believed before is worth. Two
forecasts of which one is a little worse have errors that cancel in part: least squares knows how far, sizes of errors
do not. s_k, the size of the errors at an origin, keeps one bad week from deciding. A horizon counts

    max(1, 2 sum_k d^2 / s_k  /  sum_k e^2 / s_k)          e: error of the mixture that least squares gives

times, since the variance of A is that of e over the sum of d^2: more where one forecast is beyond doubt the better
one. A share that is small is none, and a series that has just surprised the core is left to local experts alone.

Source    Bates & Granger (1969), "The combination of forecasts", Operational Research Quarterly 20(4), 451-468;
          by errors out of sample: Wolpert (1992), "Stacked generalization", Neural Networks 5(2), 241-259.
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
_LEAST_SHARE = 0.2  # below which local experts are not asked: they cost more than they give
_OPTIMISM = 1.03  # of local errors, whose experts were weighed on rows among these
_USUAL = 0.5  # of the squared errors of all origins, added to those of one: a calm origin does not decide either
# Of a series by itself; beyond them least squares of a few horizons says no more.
_LEAST, _MOST = -1.0, 2.0
# Of the squared distance of two forecasts over the squared error of their mixture. 1 and 1/4 are alike on 31 sets, and
# leave single series of M4 by hour, where local experts err half as much as the core, 4 % worse.
_TELLING = 2.0
_MOST_TELLING = 1e3  # times that a horizon counts where one of them is exact
_TINY = np.finfo(np.float64).tiny
# Share of the local forecast before any evidence; of series that are long enough for the first depth of the core's
# memory, eight times 336 rows, the core has seen what local experts know. Chosen, as the doubts are, on forecasts from
# 3 to 144 cutoffs before the test parts of 31 sets (docs/method/local_experts.md).
_PRIOR, _PRIOR_LONG, _LONG = 0.45, 0.1, 2688
# Independent horizons that this is worth to the series together, and that what they say together is worth to each of
# them. Few say little of how far one may depart from the others.
_DOUBT_OF_ALL, _DOUBT_OF_EACH, _DOUBT_OF_FEW, _MANY = 1.0, 4.0, 40.0, 30


class Compared(NamedTuple):
    """What the core and the local experts said at the same origins.

    Attributes
    ----------
    errors : ndarray of shape (K, N, 2, J)
        Errors of the core and of the local experts; NaN where nothing was observed.
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


class PanelShares(NamedTuple):
    """Share of the local forecast in a panel, from which each of its series departs.

    Attributes
    ----------
    near, whole : float
        In near and in all steps.
    doubt : float
        Independent horizons that these are worth to a series.
    """

    near: float
    whole: float
    doubt: float


def local_shares(
    compared: Compared, horizon: int, rows: int, panel: PanelShares | None = None
) -> np.ndarray:  # (N, 2)
    """Share of the local forecast of every series in near and in far steps.

    Parameters
    ----------
    compared : Compared
    horizon : int
        Steps that are forecast.
    rows : int
        Of a typical series.
    panel : PanelShares, optional
        Of a panel that these series are a part of; None learns it from them.

    Examples
    --------
    Errors that have nothing in common, those of local experts half as large: by least squares four fifths of the
    forecast are theirs, of which four horizons of one series leave a little less.

    >>> core, local = np.array([2.0, 2.0, -2.0, -2.0]), np.array([1.0, -1.0, 1.0, -1.0])
    >>> errors = np.stack([core, local], axis=1)[:, None, :, None].repeat(4, axis=3)
    >>> origins, steps = np.array([20, 40, 60, 80]), np.arange(1, 5)
    >>> compared = Compared(errors, origins, steps, 80, np.array([False]))
    >>> local_shares(compared, horizon=4, rows=320).round(2)
    array([[0.72, 0.72]])
    """
    panel = panel_shares(compared, horizon, rows) if panel is None else panel
    near, whole = _near_and_whole(compared, horizon)
    shares = share_of(near, panel.near, panel.doubt), share_of(whole, panel.whole, panel.doubt)
    share = np.stack(shares, axis=-1)
    share = np.where(share < _LEAST_SHARE, 0.0, share)
    return np.where((is_surprised(compared) | is_calmer(compared))[:, None], 1.0, share)


def panel_shares(compared: Compared, horizon: int, rows: int) -> PanelShares:
    """What the series of a panel say together; arguments as for `local_shares`."""
    prior = _PRIOR_LONG if rows >= _LONG else _PRIOR
    few = compared.errors.shape[1] < _MANY
    doubt = _DOUBT_OF_FEW if few else _DOUBT_OF_ALL
    near, whole = (_of_panel(record, prior, doubt) for record in _near_and_whole(compared, horizon))
    return PanelShares(near, whole, _DOUBT_OF_FEW if few else _DOUBT_OF_EACH)


class SquaredGaps(NamedTuple):
    """Sums of least squares of the error of the core on its distance from that of local experts, (N,) each.

    Attributes
    ----------
    explained, apart, squares : ndarray of shape (N,)
        Products of the two, squares of the distance, and of the error of the core.
    horizons : ndarray of shape (N,)
        Independent ones that were seen.
    """

    explained: np.ndarray
    apart: np.ndarray
    squares: np.ndarray
    horizons: np.ndarray


def _near_and_whole(compared: Compared, horizon: int) -> tuple[SquaredGaps, SquaredGaps]:
    """Of near and of all steps."""
    near = near_steps(horizon)

    def record(part: np.ndarray, length: int) -> SquaredGaps:
        sums = _sums(compared.errors[..., part])
        return sums._replace(horizons=np.minimum(sums.horizons, compared.spared / length))

    return record(compared.steps <= near, near), record(compared.steps > 0, horizon)


def _sums(errors: np.ndarray) -> SquaredGaps:  # (K, N, 2, J)
    """Over the origins that were seen, which are taken for independent."""
    seen = np.isfinite(errors).all(axis=2)  # (K, N, J)
    core, local = np.moveaxis(np.where(seen[:, :, None], errors, 0.0), 2, 0)
    local = _OPTIMISM * local
    apart, count = core - local, seen.sum(axis=2)
    squares = (core**2 + local**2).sum(axis=2) / 2
    usual = squares.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    size = squares / np.maximum(count, 1) + _USUAL * usual
    weight = np.where(size > 0, 1 / np.where(size > 0, size, 1.0), 0.0)

    def over_origins(products: np.ndarray) -> np.ndarray:
        total: np.ndarray = (products.sum(axis=2) * weight).sum(axis=0)
        return total

    return SquaredGaps(
        over_origins(core * apart),
        over_origins(apart**2),
        over_origins(core**2),
        count.sum(axis=0) / max(errors.shape[3], 1),
    )


def _of_panel(record: SquaredGaps, prior: float, doubt: float) -> float:
    judged = (record.horizons > 0) & (record.apart > 0)
    if not judged.any():
        return prior
    whole = SquaredGaps(*(part[judged].sum(keepdims=True) for part in record))
    seen = float((whole.horizons * _telling(whole))[0] / judged.sum() ** 0.5)
    found = float(np.clip(whole.explained / whole.apart, _LEAST, _MOST)[0])
    return (seen * found + doubt * prior) / (seen + doubt)


def share_of(record: SquaredGaps, panel: float, doubt: float) -> np.ndarray:  # (N,)
    """Share of the local forecast of each series, by least squares over some horizons and by that of its panel."""
    judged = record.apart > 0
    own = np.where(judged, record.explained / np.where(judged, record.apart, 1.0), panel)
    seen = record.horizons * _telling(record)
    return ((seen * own.clip(_LEAST, _MOST) + doubt * panel) / (seen + doubt)).clip(0.0, 1.0)


def _telling(record: SquaredGaps) -> np.ndarray:  # (N,)
    """How many times a horizon counts: the more, the further two forecasts are apart beside what their mixture errs."""
    explained, apart, squares, _ = record
    share = (explained / np.where(apart > 0, apart, 1.0)).clip(0.0, 1.0)
    left = squares - 2 * share * explained + share**2 * apart
    ratio = _TELLING * apart / np.maximum(left, _TELLING * apart / _MOST_TELLING + _TINY)
    return np.maximum(ratio, 1.0)


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
