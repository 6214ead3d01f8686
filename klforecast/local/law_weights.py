"""The laws of a series, and their weights: of errors around its forecast, and of its past itself at several speeds.

Errors have two laws: of the rows as they are and of their logarithm (`residual_law`, `relative_law`), so that quantiles
of a series that grows are chosen between a constant and a growing width by what its origins say. Pinball losses there,
whose mean over levels is half of the CRPS, give the laws weights as errors give them to experts (`weights`).

Letters   N series, T rows, S series that others follow, K origins, J judged steps, L laws, Q levels
"""

from typing import NamedTuple

import numpy as np

from klforecast.local.empirical_law import FORGETTINGS, empirical_quantiles
from klforecast.local.origins import Origins
from klforecast.local.panel import movement
from klforecast.local.relative_law import log_errors, log_movement, quantiles_around
from klforecast.local.residual_law import (
    ErrorShape,
    ResidualLaw,
    error_shape,
    law_of_series,
    log_ratios,
)
from klforecast.local.weights import Record, found_weights, series_weights

_JUDGED_LEVELS = np.arange(1, 10) / 10  # the nine of the CRPS
_LAW_ORIGINS = 8  # of the origins, evenly spread: laws are compared with less effort than experts
_OPTIMISM = 1.15  # of the losses of the laws that were fitted to the errors that they are judged by


class PanelErrors(NamedTuple):
    """What errors of the series of a panel have in common.

    Attributes
    ----------
    shape : ErrorShape or None
        None where nothing was judged.
    ratios : ndarray of shape (S,)
        Of each of the kin, see `residual_law.log_ratios`.
    """

    shape: ErrorShape | None
    ratios: np.ndarray


class PanelLaws(NamedTuple):
    """What the laws of the series of a panel have in common.

    Attributes
    ----------
    plain : PanelErrors
        Of errors.
    relative : PanelErrors or None
        Of errors of the logarithm; None in a panel without a positive series.
    found : ndarray of shape (S, L)
        Weights of the laws for each of the kin.
    """

    plain: PanelErrors
    relative: PanelErrors | None
    found: np.ndarray


class Laws(NamedTuple):
    """The laws of each series.

    Attributes
    ----------
    plain : ResidualLaw
        Of its errors.
    relative : ResidualLaw or None
        Of its errors of the logarithm; None in a panel without a positive series.
    weights : ndarray of shape (N, L)
        L is 5, or 4 without the relative law, which is the second.
    """

    plain: ResidualLaw
    relative: ResidualLaw | None
    weights: np.ndarray


def fit_laws(
    past: np.ndarray,
    origins: Origins,
    truth: np.ndarray,
    forecasts: np.ndarray,
    positive: np.ndarray,
    with_log: bool,
    alike: np.ndarray,
    known: np.ndarray,
    panel: PanelLaws | None = None,
) -> tuple[Laws, PanelLaws]:
    """Fit the laws of errors at the origins, and weigh all laws by their pinball losses at some of them.

    Parameters
    ----------
    past : ndarray of shape (N, T)
    origins : Origins
    truth, forecasts : ndarray of shape (K, N, J)
        What followed the origins, and what was forecast; NaN where nothing was observed.
    positive : ndarray of bool, shape (N,)
        Series whose logarithm is taken.
    with_log : bool
        Whether there is a law of the logarithm at all.
    alike : ndarray of int, shape (N, k)
        Places among the kin of those that are most like each series (`likeness.nearest`).
    known : ndarray of int, shape (S,)
        Which of these series are the kin; not read where `panel` is given.
    panel : PanelLaws, optional
        Of a panel that these series are a part of; None learns it from them.

    Returns
    -------
    Laws
    PanelLaws
    """

    def law(
        errors: np.ndarray, unit: np.ndarray, judged: np.ndarray, common: PanelErrors | None
    ) -> tuple[ResidualLaw, PanelErrors]:
        steps = origins.steps
        if common is None:
            shape = error_shape(
                errors[:, judged], steps, unit[judged], origins.offsets, past.shape[1]
            )
            common = PanelErrors(shape, log_ratios(shape, errors, steps, unit)[known])
        usual = common.ratios[alike].mean(axis=1)
        return law_of_series(common.shape, errors, steps, unit, usual), common

    plain, of_errors = law(
        truth - forecasts, movement(past), np.ones(len(past), dtype=bool), panel and panel.plain
    )
    relative, of_logs = None, None
    if with_log:
        errors = log_errors(truth, forecasts, positive)
        relative, of_logs = law(errors, log_movement(past), positive, panel and panel.relative)
    record = _losses(past, origins, truth, forecasts, positive, plain, relative)
    if panel is None:
        panel = PanelLaws(of_errors, of_logs, found_weights(record.of(known), alike[known]))
    weights = series_weights(record, panel.found[alike].mean(axis=1))
    return Laws(plain, relative, weights), panel


def mixture_quantiles(
    laws: Laws,
    past: np.ndarray,  # (N, T)
    point: np.ndarray,  # (N, H)
    positive: np.ndarray,  # (N,)
    steps: np.ndarray,  # (H,)
    levels: np.ndarray,  # (Q,)
) -> np.ndarray:  # (N, H, Q)
    """Quantiles of all laws, averaged level by level.

    Parameters
    ----------
    laws : Laws
    past : ndarray of shape (N, T)
        Up to the row from which steps are counted.
    point : ndarray of shape (N, H)
        Forecast that errors are added to.
    positive : ndarray of bool, shape (N,)
        Series whose logarithm is taken.
    steps : ndarray of int, shape (H,)
    levels : ndarray of shape (Q,)
    """
    around = quantiles_around(point, past, laws.plain, laws.relative, positive, steps, levels)
    own = [empirical_quantiles(past, forgetting, levels)[:, None] for forgetting in FORGETTINGS]
    mixed = np.zeros((*point.shape, len(levels)))
    for share, each in zip(laws.weights.T, [*around, *own], strict=True):
        mixed += share[:, None, None] * each
    return mixed


def _losses(
    past: np.ndarray,
    origins: Origins,
    truth: np.ndarray,
    forecasts: np.ndarray,
    positive: np.ndarray,
    plain: ResidualLaw,
    relative: ResidualLaw | None,
) -> Record:
    """Pinball losses of every law."""
    places = range(0, len(origins.offsets), max(1, len(origins.offsets) // _LAW_ORIGINS))
    known = np.isfinite(truth)
    fitted = 1 if relative is None else 2
    losses = np.zeros((len(past), fitted + len(FORGETTINGS)))
    for place in places:
        point = np.where(known[place], forecasts[place], 0.0)
        around = quantiles_around(
            point, past, plain, relative, positive, origins.steps, _JUDGED_LEVELS
        )
        before = past[:, : past.shape[1] - origins.offsets[place]]
        own = [
            empirical_quantiles(before, forgetting, _JUDGED_LEVELS)[:, None]
            for forgetting in FORGETTINGS
        ]
        for number, quantiles in enumerate([*around, *own]):
            gaps = np.where(known[place, :, :, None], truth[place, :, :, None] - quantiles, 0.0)
            losses[:, number] += _pinball(gaps)
    losses[:, :fitted] *= _OPTIMISM
    return Record(losses, known[list(places)].mean(axis=2).sum(axis=0))


def _pinball(gaps: np.ndarray) -> np.ndarray:  # (N, J, Q) -> (N,)
    levels = _JUDGED_LEVELS
    return np.maximum(levels * gaps, (levels - 1) * gaps).sum(axis=(1, 2))
