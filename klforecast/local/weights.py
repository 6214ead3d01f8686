"""Weights over an axis of experts from errors at rolling origins, per series and shrunk to those that are like it.

    r_ie = min(5, sum_k c_ik |error_iek| / min_e' of the same)        c_ik = 0.98^k min(1, 2 m_i / m_ik), k origins ago
    n_i  = sum_k c_k (share of the steps observed)
    w_ie ~ pi_e exp(-0.2 n_i^1.5 r_ie)
    pi_ie ~ exp(-(m / n) mean_j r_je), half by the series j that are like i and half by all of the panel,
    then three times  pi_ie <- mean_j w_je                                                 j: like i

pi is the prior, found from the series of the panel that are like this one (`likeness`; empirical Bayes, whose last line
is the EM algorithm for the shares of a mixture). A series of few origins follows them, one of many its own record.
Where all of them err alike the first line of pi decides; where they differ, each kind keeps its experts in pi.

m_ik is the least error of any expert at an origin and m_i its median over origins. Where even the best expert errs much
more than it typically does, as across a shift of level, the errors say what happened and not which expert is right.

An expert whose newest errors exceed three times its former ones has been left behind by the series: after a shift of
level or a spike its errors count as many times more as they exceed them. That is the guard at the cutoff.

The axis may hold anything that can be asked at the origins: filters, a linear map, or laws of the error.

Letters   N series, E experts, K origins, J judged steps
"""

from typing import NamedTuple

import numpy as np

# Times its typical error that the best expert may err at an origin before it counts less; 1 and 3 are within 0.2 % on
# 25 sets, no limit at all is 0.1 % worse there and 1.6 times the error after a tenfold level.
_TYPICAL = 2.0
# Weight of an origin relative to the one after it; 0.96 is within 0.5 %, and 1 within 0.2 % on 31 sets at many cutoffs.
_RECENT = 0.98
_SHARPNESS, _POWER = (
    0.2,
    1.5,
)  # of the evidence of a series; half and double are within 1 % over all domains
_PANEL = 100.0  # evidence of the panel's mean, in origins
_ROUNDS = 2  # of three: who follows others takes the mean of their weights once more
_WORST = 5.0  # relative error; larger ones say no more
_LEAST_SHARE = 1e-12  # of the prior; keeps its logarithm finite
_NEWEST = 3  # origins, and steps from them, on which an expert may be taken by surprise
_SURPRISE = 3.0  # times its former error; a mean of six errors hardly reaches that by chance
_TINY = np.finfo(np.float64).tiny
_ROUNDING = 1e-9  # of the median error, below which all errors are alike


class Record(NamedTuple):
    """How experts did at the origins.

    Attributes
    ----------
    errors : ndarray of shape (N, E)
        Sums of absolute errors, recent origins counting more.
    origins : ndarray of shape (N,)
        Origins that they are worth, each counted by the share of its steps that was observed.
    """

    errors: np.ndarray
    origins: np.ndarray

    def of(self, rows: np.ndarray) -> "Record":
        """The record of some of the series."""
        return Record(self.errors[rows], self.origins[rows])


def judge(
    forecasts: np.ndarray,  # (K, N, E, J)
    truth: np.ndarray,  # (K, N, J)
    offsets: np.ndarray,  # (K,)
    near: np.ndarray,  # (J,)
    squared: np.ndarray,  # (N,)
) -> tuple[Record, Record]:
    """Records for the near steps and for all: far steps alone are too few to tell experts apart.

    Parameters
    ----------
    forecasts : ndarray of shape (K, N, E, J)
        Made at the origins, the newest first.
    truth : ndarray of shape (K, N, J)
        NaN is not judged.
    offsets : ndarray of int, shape (K,)
        Rows after each origin.
    near : ndarray of bool, shape (J,)
        The near steps, which come first.
    squared : ndarray of bool, shape (N,)
        Series that are judged by the root of squared errors, whose best forecast is the mean; the others by absolute
        errors, whose best forecast is the median.
    """
    k, n, experts, steps = forecasts.shape
    nearby, whole = np.zeros((2, k, n, experts))
    sums, counts = np.zeros((2, n, experts)), np.zeros((2, n))
    newest = np.arange(steps) < _NEWEST
    parts = np.stack([near, np.ones(steps), newest], axis=1).astype(np.float64)
    for place in range(k):
        known = np.isfinite(truth[place])
        gaps = forecasts[place] - np.where(known, truth[place], 0.0)[:, None]
        np.abs(gaps, out=gaps)
        gaps[squared] **= 2
        if not known.all():
            gaps *= known[:, None]
        nearby[place], whole[place], young = np.moveaxis(gaps @ parts, 2, 0)
        age = 0 if offsets[place] <= _NEWEST else 1
        sums[age] += young
        counts[age] += known[:, :_NEWEST].sum(axis=1)
    seen = np.isfinite(truth).sum(axis=2)
    recent = _RECENT ** np.arange(k)
    origins = recent @ (seen / steps)
    counted = recent[:, None] * np.where(squared, 1.0, _telling(whole.min(axis=2), seen))
    nearby, whole = (np.einsum("kn,kne->ne", counted, errors) for errors in (nearby, whole))
    means: np.ndarray = sums / np.maximum(counts, 1)[:, :, None]
    for errors in (nearby, whole, *means):
        errors[squared] **= 0.5
    # Where an expert made no error before, any is a surprise.
    surprise = means[0] > _SURPRISE * means[1]
    ratio = means[0] / (_SURPRISE * np.where(means[1] > 0, means[1], means[0] + _TINY))
    factor = np.where(means[1] > 0, np.minimum(ratio, _WORST), _WORST)
    compared = counts.min(axis=0)[:, None] > 0
    # Where most rows are zero any demand is one, and says nothing about the next.
    surprise &= ~squared[:, None]
    surprised = np.where(surprise & compared, factor, 1.0)
    return Record(nearby * surprised, origins), Record(whole * surprised, origins)


def _telling(
    least: np.ndarray,  # (K, N), errors of the best expert, summed over steps
    seen: np.ndarray,  # (K, N), steps that were observed
) -> np.ndarray:  # (K, N)
    """Weights of origins: less where even the best expert errs much more than it typically does."""
    mean = np.where(seen > 0, least / np.maximum(seen, 1), np.nan)
    judged = seen.any(axis=0)
    typical = np.zeros(seen.shape[1])
    typical[judged] = np.nanmedian(mean[:, judged], axis=0)
    surprising = (mean > _TYPICAL * typical) & (typical > 0)
    return np.where(surprising, _TYPICAL * typical / np.where(surprising, mean, 1.0), 1.0)


def relative_errors(record: Record) -> np.ndarray:  # (N, E)
    """Errors in units of the best expert's, ones where nothing was judged."""
    best = record.errors.min(axis=1, keepdims=True)
    rounding = _ROUNDING * np.median(record.errors, axis=1, keepdims=True)
    denominator = best + rounding
    judged = (record.origins > 0)[:, None] & (denominator > 0)
    relative = np.where(judged, (record.errors + rounding) / np.where(judged, denominator, 1), 1.0)
    return np.minimum(relative, _WORST)


def found_weights(record: Record, alike: np.ndarray) -> np.ndarray:
    """Weights that the experts have for each series of a panel, of which the prior of a series like them is the mean.

    Parameters
    ----------
    record : Record
    alike : ndarray of int, shape (N, k)
        Places of the series that are most like each.

    Returns
    -------
    ndarray of shape (N, E)

    Examples
    --------
    >>> record = Record(np.array([[1.0, 2.0], [1.0, 3.0], [2.0, 1.0]]), np.array([9.0, 9.0, 9.0]))
    >>> found_weights(record, np.array([[0, 1, 2]] * 3)).round(1)
    array([[1., 0.],
           [1., 0.],
           [0., 1.]])
    """
    relative, judged = relative_errors(record), record.origins > 0
    if not judged.any():
        return np.full(relative.shape, 1 / relative.shape[1])
    strength = _PANEL / record.origins[judged].mean()
    far = relative[judged].mean(axis=0)
    near = np.where(judged[:, None], relative, far)[alike].mean(axis=1)
    prior = (_softmax(-strength * near) + _softmax(-strength * far)) / 2
    if len(relative) == 1:
        # Its own evidence would be counted twice.
        return prior
    for _ in range(_ROUNDS):
        prior = series_weights(record, prior)[alike].mean(axis=1)
    return series_weights(record, prior)


def series_weights(record: Record, prior: np.ndarray) -> np.ndarray:
    """Weights of every series, non-negative with sum one.

    Parameters
    ----------
    record : Record
    prior : ndarray of shape (N, E) or (E,)
        Of each series or of all.

    Returns
    -------
    ndarray of shape (N, E)
        The prior itself for a series without origins.
    """
    evidence = _SHARPNESS * record.origins**_POWER
    return _softmax(np.log(prior + _LEAST_SHARE) - evidence[:, None] * relative_errors(record))


def _softmax(scores: np.ndarray) -> np.ndarray:
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)
