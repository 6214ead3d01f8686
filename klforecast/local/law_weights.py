"""Weights of the laws of a series: of errors around its forecast, and of its past itself at several speeds.

Pinball losses at rolling origins, whose mean over levels is half of the CRPS, give them as errors give those of experts
(`weights`).

Letters   N series, T rows, K origins, J judged steps, L laws, Q levels
"""

import numpy as np

from klforecast.local.empirical_law import FORGETTINGS, empirical_quantiles
from klforecast.local.origins import Origins
from klforecast.local.panel import movement
from klforecast.local.residual_law import ResidualLaw, residual_quantiles
from klforecast.local.weights import Record, panel_prior, series_weights

_JUDGED_LEVELS = np.arange(1, 10) / 10  # the nine of the CRPS
_LAW_ORIGINS = 8  # of the origins, evenly spread: laws are compared with less effort than experts
_OPTIMISM = 1.15  # of the losses of the law that was fitted to the errors that it is judged by


def law_weights(
    past: np.ndarray,
    origins: Origins,
    truth: np.ndarray,
    residuals: np.ndarray,
    law: ResidualLaw,
    prior: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # (N, L), (L,)
    """Weights of the laws by their pinball losses at some of the origins.

    Parameters
    ----------
    past : ndarray of shape (N, T)
    origins : Origins
    truth, residuals : ndarray of shape (K, N, J)
        What followed the origins, and the same less what was forecast; NaN where nothing was observed.
    law : ResidualLaw
        Fitted to these residuals.
    prior : ndarray of shape (L,), optional
        Of the panel, where these are a part of it; None finds it from these series.

    Returns
    -------
    weights : ndarray of shape (N, L)
    prior : ndarray of shape (L,)
    """
    unit = movement(past)
    every = max(1, len(origins.offsets) // _LAW_ORIGINS)
    places = range(0, len(origins.offsets), every)
    losses = np.zeros((len(past), 1 + len(FORGETTINGS)))
    known = np.isfinite(truth)
    spread = residual_quantiles(law, unit, origins.steps, _JUDGED_LEVELS)
    for place in places:
        seen = known[place, :, :, None]
        gaps = np.where(seen, residuals[place, :, :, None] - spread, 0.0)
        losses[:, 0] += _OPTIMISM * _pinball(gaps)
        before = past[:, : past.shape[1] - origins.offsets[place]]
        for number, forgetting in enumerate(FORGETTINGS, start=1):
            quantile = empirical_quantiles(before, forgetting, _JUDGED_LEVELS)[:, None]
            gaps = np.where(seen, truth[place, :, :, None] - quantile, 0.0)
            losses[:, number] += _pinball(gaps)
    record = Record(losses, known[list(places)].mean(axis=2).sum(axis=0))
    if prior is None:
        prior = panel_prior(record)
    return series_weights(record, prior), prior


def _pinball(gaps: np.ndarray) -> np.ndarray:  # (N, J, Q) -> (N,)
    levels = _JUDGED_LEVELS
    return np.maximum(levels * gaps, (levels - 1) * gaps).sum(axis=(1, 2))
