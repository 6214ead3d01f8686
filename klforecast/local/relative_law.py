"""The law of a forecast's error in the logarithm, of series whose noise grows with their level.

    log y_ih = log f_ih + s_i h^g z         s_i, g and z as in `residual_law`, from such errors

unit is the mean absolute change of the logarithm from row to row. Quantiles are f_h exp(s_i h^g z): none below zero,
more room above the forecast than below it, and as wide as the level that is forecast asks for, where the law of
plain errors has the width of the levels that were. Only series that are positive throughout have one. Another
series, and a forecast that is not positive, has the quantiles of its plain law here too.

Letters   N series, T rows, K origins, J judged steps, H steps, Q levels
"""

import numpy as np

from klforecast.local.panel import are_positive, movement
from klforecast.local.residual_law import ResidualLaw, residual_quantiles

_MOST = 3.0  # of the logarithm, a factor of twenty: a larger error says no more, and no quantile is farther away


def log_movement(past: np.ndarray) -> np.ndarray:  # (N, T) -> (N,)
    """Mean absolute change of the logarithm from row to row; 0 for a series that has none.

    Examples
    --------
    >>> log_movement(np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 2.0]])).round(3)
    array([0.693, 0.   ])
    """
    usable = np.where(are_positive(past)[:, None], past, np.nan)
    return movement(np.log(usable))


def log_errors(
    truth: np.ndarray,  # (K, N, J)
    forecasts: np.ndarray,  # (K, N, J)
    positive: np.ndarray,  # (N,)
) -> np.ndarray:  # (K, N, J)
    """Errors of the logarithm; NaN where nothing was observed or there is no logarithm.

    Examples
    --------
    >>> log_errors(np.array([[[2.0, np.nan]]]), np.array([[[1.0, 1.0]]]), np.array([True])).round(3)
    array([[[0.693,   nan]]])
    """
    usable = positive[:, None] & np.isfinite(truth) & (forecasts > 0)
    ratio = np.where(usable, truth, np.nan) / np.where(usable, forecasts, 1.0)
    return np.clip(np.log(ratio), -_MOST, _MOST)


def quantiles_around(
    point: np.ndarray,  # (N, H)
    past: np.ndarray,  # (N, T)
    plain: ResidualLaw,
    relative: ResidualLaw | None,
    positive: np.ndarray,  # (N,)
    steps: np.ndarray,  # (H,)
    levels: np.ndarray,  # (Q,)
) -> list[np.ndarray]:  # (N, H, Q) each
    """Quantiles around a forecast by the plain law, and by the relative one where there is one.

    Examples
    --------
    >>> shape = np.linspace(-2, 2, 99)
    >>> law = ResidualLaw(0.0, np.ones(1), shape)
    >>> point, past, steps = np.array([[8.0]]), np.array([[2.0, 4.0]]), np.array([1])
    >>> levels, positive = np.array([0.01, 0.5, 0.99]), np.array([True])
    >>> [each.ravel().round(6).tolist() for each in quantiles_around(point, past, law, law, positive, steps, levels)]
    [[4.0, 8.0, 12.0], [2.0, 8.0, 32.0]]
    """
    of_plain = point[:, :, None] + residual_quantiles(plain, movement(past), steps, levels)
    if relative is None:
        return [of_plain]
    spread = residual_quantiles(relative, log_movement(past), steps, levels)
    usable = (positive[:, None] & (point > 0))[:, :, None]
    grown = point[:, :, None] * np.exp(np.clip(spread, -_MOST, _MOST))
    return [of_plain, np.where(usable, grown, of_plain)]
