"""Quantiles of the past itself, recent rows counting more: the law of counts and of whatever has no structure.

    F(x) = sum_k b^k [z_k <= x] / sum_k b^k         b = 1 - forgetting, k: age of a row

The share of zeros is the probability of no demand, smoothed as in the method of Teunter, Syntetos & Babai (2011),
European J. Operational Research 214(3), and sizes keep their own law: zeros are inflated as far as they were seen.

Letters   N series, T rows, Q levels
"""

import numpy as np

FORGETTINGS = (0.01, 0.05, 0.15)
"""From all of a long past to about the last six rows; a law each."""

_ROUNDING = 1e-12  # of a level, lost in sums of weights


def empirical_quantiles(
    past: np.ndarray,  # (N, T)
    forgetting: float,
    levels: np.ndarray,  # (Q,)
) -> np.ndarray:  # (N, Q)
    """Discounted quantiles of every series; zero for one without rows.

    Examples
    --------
    >>> empirical_quantiles(np.array([[0.0, 0.0, 3.0, 0.0]]), 0.05, np.array([0.5, 0.9]))
    array([[0., 3.]])
    """
    n, rows = past.shape
    order = past.argsort(axis=1)  # NaN last
    values = np.take_along_axis(past, order, axis=1)
    weight = ((1 - forgetting) ** np.arange(rows - 1, -1, -1.0))[order] * np.isfinite(values)
    share = np.cumsum(weight, axis=1)
    share = share / np.maximum(share[:, -1:], np.finfo(float).tiny)
    quantiles = np.zeros((n, len(levels)))
    for place, level in enumerate(levels):
        rank = (share >= level - _ROUNDING).argmax(axis=1)
        quantiles[:, place] = values[np.arange(n), rank]
    return np.nan_to_num(quantiles)
