"""The law of a forecast's error: one shape and one growth for the panel, one scale for each series.

    error_ih = s_i h^g z        s_i = ratio_i unit_i        h: steps ahead

unit is the mean absolute difference of neighbouring rows, so that ratios of different series can be pooled:

    log ratio_i = (n_i log(a_i / unit_i) + 8 mean_j log(a_j / unit_j)) / (n_i + 8)
    a_i: mean of |error_ih| / h^g          n_i = sum over judged errors of 1 / h          j: series like i (`likeness`)

and widened by 1 + 2 / n_i, since weights were chosen on the same errors. g is the slope of log mean |error| over log h,
at most 1, so that the width at a step does not depend on the horizon asked for. z has the quantiles of all scaled
errors of the panel, each weighted by 1 / h, less their median: the forecast stays the median of its law. Quantiles of
each series' own shrunk to the pool were no better at any strength. Medians of its own errors were worse by 2 to 10 % of
the CRPS on M3 and monthly hospital counts, and better on M1's yearly series alone.

A law is for errors to come, and those that it is fitted to overlap and are few. In a panel

    z_ikh = error_ikh / (s_i h^g)                 s_i: from the origins a horizon or more away from k
    g    += log(1 + H / T) / (2 log H)            T: rows that the origins reach back

so that the shape holds what a scale misses, and the last step has the factor sqrt(1 + 1 / n) of a forecast that rests
on n = T / H errors itself. For a single series, and hardly for a panel, it is the rank of a level p,

    u = 1/2 + (p - 1/2)(1 + 1 / n)                n: horizons in the rows of all series

as for the core (`ops.conformal`): a walk of 100 rows holds 75 % twelve steps ahead, and 71 % without.

Letters   N series, K origins, J judged steps, H steps, Q levels
"""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

SHAPE_LEVELS = np.arange(1, 100) / 100
"""Levels at which the shape is kept; beyond them it goes on in proportion to the normal distribution."""

_RECENT = 0.98  # weight of an origin relative to the one after it, as for the weights
_OF_OTHERS = 8.0  # judged errors that the ratio of other series counts as
# Errors that the choice of weights is worth. One is 3 % of the CRPS worse on yearly series, whose intervals of 80 %
# then hold 73 %, two 77 %; three and four are within 0.1 % over 19 sets.
_CHOSEN = 2.0
_ROUNDS = 4  # growth and scales in turn; they settle within three
_WORST = 20.0  # scaled error that counts for the growth at most
_RANDOM_WALK = 0.5  # growth, where nothing was judged
_NORMAL = np.array([NormalDist().inv_cdf(level) for level in SHAPE_LEVELS])


class ResidualLaw(NamedTuple):
    """The law of the errors of a panel.

    Attributes
    ----------
    growth : float
        g, not negative.
    ratio : ndarray of shape (N,)
        Scale of each series in its own unit.
    shape : ndarray of shape (99,)
        Quantiles of the scaled errors at `SHAPE_LEVELS`, with median zero.
    """

    growth: float
    ratio: np.ndarray
    shape: np.ndarray

    def of(self, rows: np.ndarray) -> "ResidualLaw":
        """The law of some of the series, in this order."""
        return self._replace(ratio=self.ratio[rows])


class ErrorShape(NamedTuple):
    """What the series of a panel have in common.

    Attributes
    ----------
    measured, growth : float
        Growth of the errors at the origins, and of those to come.
    log_ratio : float
        Mean logarithm of the scale of a series in its own unit.
    shape : ndarray of shape (99,)
        As in `ResidualLaw`.
    """

    measured: float
    growth: float
    log_ratio: float
    shape: np.ndarray


def fit_residual_law(
    errors: np.ndarray,  # (K, N, J)
    steps: np.ndarray,  # (J,)
    unit: np.ndarray,  # (N,)
    offsets: np.ndarray | None = None,  # (K,)
    rows: int | None = None,
) -> ResidualLaw:
    """Law of errors made at rolling origins.

    Parameters
    ----------
    errors : ndarray of shape (K, N, J)
        Truth minus forecast, the newest origin first, NaN where nothing was observed.
    steps : ndarray of int, shape (J,)
    unit : ndarray of shape (N,)
        Of `panel.movement`.
    offsets : ndarray of int, shape (K,), optional
        Rows that follow each origin, ascending; None for origins whose errors do not overlap.
    rows : int, optional
        Of a series; None for as many as the oldest origin reaches back.

    Notes
    -----
    O(K N (J + K)).

    Examples
    --------
    >>> errors = np.random.default_rng(0).laplace(size=(20, 50, 4)) * np.arange(1, 5) ** 0.5
    >>> law = fit_residual_law(errors, np.arange(1, 5), np.ones(50))
    >>> round(law.growth, 1), round(float(law.shape[94]), 1)
    (0.5, 2.3)
    """
    if offsets is None:
        offsets = steps[-1] * np.arange(1, len(errors) + 1)
    common = error_shape(errors, steps, unit, offsets, rows)
    usual = np.full(len(unit), 0.0 if common is None else common.log_ratio)
    return law_of_series(common, errors, steps, unit, usual)


def error_shape(
    errors: np.ndarray,  # (K, N, J)
    steps: np.ndarray,  # (J,)
    unit: np.ndarray,  # (N,)
    offsets: np.ndarray,  # (K,)
    rows: int | None = None,
) -> ErrorShape | None:
    """What the series have in common; None where nothing was judged. Arguments as for `fit_residual_law`."""
    known, size, weight = _weighed(errors)
    growth = _RANDOM_WALK
    for _ in range(_ROUNDS):
        growth = _growth(size, weight, steps, _scale(size, weight, steps, growth), growth)
    each = _sums(known, size, weight, steps, growth)
    everything = np.ones((1, len(errors)))
    log_ratio, usable = _own_ratios(each, unit, everything)
    if not usable.any():
        return None
    panel = float(log_ratio[usable].mean())
    # A single series has no panel to follow where its other origins are too few.
    panels = len(unit) > 1
    apart = np.abs(offsets[:, None] - offsets) >= steps[-1] if panels else everything
    spread = (_shrunk(each, unit, apart, panel) * unit)[:, :, None] * steps**growth
    counted = known & (spread > 0)
    scaled = (errors / np.where(spread > 0, spread, 1.0))[counted]
    weights = np.broadcast_to(1 / steps, errors.shape)[counted]
    order = scaled.argsort()
    place = np.cumsum(weights[order]) - weights[order] / 2
    independent = len(unit) * (offsets.max() if rows is None else rows) / steps[-1]
    ranks = 0.5 + (SHAPE_LEVELS - 0.5) * (1 + 1 / independent)
    shape = np.interp(ranks, place / weights.sum(), scaled[order])
    wider = _of_few_horizons(steps, offsets) if panels else 0.0
    return ErrorShape(growth, growth + wider, panel, shape - shape[49])


def law_of_series(
    common: ErrorShape | None,
    errors: np.ndarray,  # (K, N, J)
    steps: np.ndarray,  # (J,)
    unit: np.ndarray,  # (N,)
    usual: np.ndarray,  # (N,)
) -> ResidualLaw:
    """The law of each series, from its own errors, what all have in common, and the usual ratio of those like it."""
    if common is None:
        normal = _NORMAL / np.sqrt(2 / np.pi)  # of mean absolute value one
        return ResidualLaw(_RANDOM_WALK, np.ones(errors.shape[1]), normal)
    each = _sums(*_weighed(errors), steps, common.measured)
    ratio = _shrunk(each, unit, np.ones((1, len(errors))), usual)[0]
    seen = each.seen.sum(axis=0)
    return ResidualLaw(common.growth, ratio * (1 + _CHOSEN / np.maximum(seen, 1)), common.shape)


def log_ratios(
    common: ErrorShape | None,
    errors: np.ndarray,  # (K, N, J)
    steps: np.ndarray,  # (J,)
    unit: np.ndarray,  # (N,)
) -> np.ndarray:  # (N,)
    """Logarithm of the scale of each series in its unit; that of the panel where its own errors say nothing."""
    if common is None:
        return np.zeros(len(unit))
    each = _sums(*_weighed(errors), steps, common.measured)
    own, usable = _own_ratios(each, unit, np.ones((1, len(errors))))
    return np.where(usable[0], own[0], common.log_ratio)


def _weighed(errors: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where there is an error, its size, and its weight, (K, N, J) each."""
    known = np.isfinite(errors)
    recent = _RECENT ** np.arange(len(errors))[:, None, None]
    return known, np.where(known, np.abs(errors), 0.0), known * recent


class _Sums(NamedTuple):
    """Over the judged steps of each origin and series, (K, N) each."""

    size: np.ndarray  # of errors at the first step, weighted
    weight: np.ndarray
    seen: np.ndarray


def _sums(
    known: np.ndarray, size: np.ndarray, weight: np.ndarray, steps: np.ndarray, growth: float
) -> _Sums:
    return _Sums(
        (weight * size / steps**growth).sum(axis=2), weight.sum(axis=2), (known / steps).sum(axis=2)
    )


def _own_ratios(
    each: _Sums,
    unit: np.ndarray,
    among: np.ndarray,  # (A, K), the origins that count
) -> tuple[np.ndarray, np.ndarray]:  # (A, N) twice
    """Logarithms of the scale of each series in its unit, and where there is one; zero elsewhere."""
    size, weight = among @ each.size, among @ each.weight
    usable = (weight > 0) & (size > 0) & (unit > 0)
    scale = np.where(usable, size, 1.0) / np.where(usable, weight, 1.0)
    return np.log(scale / np.where(usable, unit, 1.0)) * usable, usable


def _shrunk(
    each: _Sums, unit: np.ndarray, among: np.ndarray, usual: float | np.ndarray
) -> np.ndarray:
    """Ratios of the series from some of the origins, shrunk to what is usual, (A, N)."""
    own, usable = _own_ratios(each, unit, among)
    seen = (among @ each.seen) * usable
    return np.exp((seen * own + _OF_OTHERS * usual) / (seen + _OF_OTHERS))


def _of_few_horizons(steps: np.ndarray, offsets: np.ndarray) -> float:
    """Growth that widens the last step as if its error came on top of that of a mean of so many horizons."""
    last = steps[-1]
    return float(np.log1p(last / offsets.max()) / (2 * np.log(last))) if last > 1 else 0.0


def _scale(
    size: np.ndarray, weight: np.ndarray, steps: np.ndarray, growth: float
) -> np.ndarray:  # (N,)
    total = weight.sum(axis=(0, 2))
    return (weight * size / steps**growth).sum(axis=(0, 2)) / np.where(total > 0, total, 1.0)


def _growth(
    size: np.ndarray, weight: np.ndarray, steps: np.ndarray, scale: np.ndarray, before: float
) -> float:
    """Slope of the logarithm of the mean scaled error over that of the step."""
    moving = scale > 0
    scaled = size[:, moving] / scale[moving, None]
    scaled = np.minimum(scaled, _WORST * steps**before)
    total = weight[:, moving].sum(axis=(0, 1))
    mean = (weight[:, moving] * scaled).sum(axis=(0, 1)) / np.where(total > 0, total, 1.0)
    judged = (mean > 0) & (total > 0)
    if judged.sum() < 2:
        return before
    x, y, w = np.log(steps[judged]), np.log(mean[judged]), (total / steps)[judged]
    x = x - np.average(x, weights=w)
    return float(np.clip((w * x * y).sum() / (w * x * x).sum(), 0.0, 1.0))


def residual_quantiles(
    law: ResidualLaw,
    unit: np.ndarray,  # (N,)
    steps: np.ndarray,  # (H,)
    levels: np.ndarray,  # (Q,)
) -> np.ndarray:  # (N, H, Q)
    """Quantiles of the error at any steps, for series in their present units."""
    ends = np.clip(levels, SHAPE_LEVELS[0], SHAPE_LEVELS[-1])
    shape = np.interp(ends, SHAPE_LEVELS, law.shape)
    beyond = levels != ends
    normal = NormalDist().inv_cdf
    shape[beyond] *= [
        normal(float(level)) / normal(float(end))
        for level, end in zip(levels[beyond], ends[beyond], strict=True)
    ]
    return (law.ratio * unit)[:, None, None] * (steps**law.growth)[:, None] * shape
