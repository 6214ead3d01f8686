"""Quantiles of a forecast from the errors that it made on windows held out.

    score      z = e / s                    e: error out of fold, s: scale (`ops.volatility`)
    quantile   q_p = forecast + s Z_p       Z_p: quantile of the scores of one step and channel

Split conformal prediction with signed errors (Lei et al. 2018, arXiv:1604.04173, section 5.2 for the
scale): with n exchangeable scores the rank (n + 1) p has coverage p. Errors of overlapping windows
are not independent: those of a forecast h steps ahead are dependent over h - 1 rows (Diebold &
Mariano 1995), so T rows count as n_h = T / h scores, and the rank is corrected for n_h of them.
Beyond the ranks that n_h scores have, quantiles go on in proportion to those of a normal
distribution. Scores that have grown from run to run of time are widened to the next run
(`ops.widening`). Fewer than 20 scores do not tell the two sides apart: each then counts with both
signs, and far steps are as wide at least as the growth over near ones says.

Letters   n windows, H horizon, C channels, K kept scores, Q levels asked for
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.ops.copula import JointErrors, fit_joint_errors
from klforecast.ops.cycle_law import (
    JUDGED_LEVELS,
    fit_phase_shares,
    judged_steps,
    near_steps,
)
from klforecast.ops.pinball import pinball
from klforecast.ops.volatility import (
    ScaleModel,
    expected_scale,
    fit_phase_exponent,
    fit_scale,
    phase_scale,
)
from klforecast.ops.widening import widen_far, widen_growing

_KEPT_SCORES = 256  # order statistics of each step and channel
_TWO_SIDED = (
    20  # independent scores below which both signs of an error are taken for equally likely
)
_LEAST_RANKED = (
    2.0  # independent scores; one has no rank beside the median, from which tails could go on
)
# Independent scores that may decide on a scale: with 20 asked for, the CRPS of weather at 480 and 720 hours was 21 and
# 13 % higher, of a monthly river flow 6 %, and nowhere lower.
_LEAST_SCALED = 8
_FOLDS = 5  # runs of windows; the quantiles of each come from four fifths of the scores
_JUDGED_LEVELS = (0.025, 0.1, 0.9, 0.975)  # limits of the intervals most asked for, 80 % and 95 %
_JUDGED_STEPS = 8  # of the horizon, spread evenly: errors of neighbouring steps are nearly equal
_MOST_GROWTH = 0.5  # of a random walk, whose errors grow with the square root of the steps


class Residuals(NamedTuple):
    """Errors on windows that were held out, and the past of those windows.

    Attributes
    ----------
    errors : Tensor of shape (n, H, C)
        Truth minus forecast, in order of time or in a few blocks of time one after another.
    features : Tensor of shape (n, C, F)
        Of `recent_volatility`.
    rows : int
        Rows that the errors come from, all series together.
    phases : Tensor of shape (n, C, P), optional
        Of `phase_volatility`; None for errors that are of one size at all phases.
    of_phase : Tensor of shape (n, S, C, L), optional
        Truth less the quantiles of `cycle_law.phase_quantiles` at its judged steps and levels; no step where the
        past holds too few cycles.
    """

    errors: Tensor
    features: Tensor
    rows: int
    phases: Tensor | None = None
    of_phase: Tensor | None = None


class Calibration(NamedTuple):
    """All that intervals need: plain tensors.

    Attributes
    ----------
    scores : Tensor of shape (K, H, C)
        Scaled errors in ascending order, at the levels (k - 1/2) / K.
    effective : Tensor of shape (H,)
        Independent scores that they are worth, at least 2.
    growth : Tensor of shape (C,)
        Exponent by which errors grow with the steps beyond the horizon.
    scale : ScaleModel
        Its exponents are zero where the scale did not help out of fold.
    phase : Tensor of shape (C,), optional
        Exponents of the volatility at each phase; None where it did not help.
    joint : JointErrors, optional
        How the scores of one window vary together; None in files of earlier versions.
    phase_shares : Tensor of shape (C, 2), optional
        Of the law of the phase (`cycle_law`), in near and in far steps; None where it has none.
    """

    scores: Tensor
    effective: Tensor
    growth: Tensor
    scale: ScaleModel
    phase: Tensor | None = None
    joint: JointErrors | None = None
    phase_shares: Tensor | None = None


def calibrate(residuals: Residuals) -> Calibration:
    """Sort scaled errors, after deciding out of fold whether the scale helps.

    The windows are cut into five runs. Each is forecast with scale and quantiles of the others, and
    with quantiles alone; the scale stays if the pinball loss at the levels 0.025, 0.1, 0.9 and 0.975
    is lower with it, in the geometric mean over channels: one channel alone has too few independent
    horizons to decide for itself. Fewer than 8 of them are not asked: they get no scale. The volatility
    at each phase of the cycle is asked in the same way, before that, where 20 cycles were seen.

    Parameters
    ----------
    residuals : Residuals
        At least one window.

    Returns
    -------
    Calibration

    Notes
    -----
    O(n log n) for each step and channel.
    """
    errors, features = residuals.errors.double(), residuals.features.double()
    n, horizon, _ = errors.shape
    steps = torch.arange(1, horizon + 1, dtype=torch.float64)
    effective = (residuals.rows / steps).clamp(max=n, min=1)
    phase = None
    # A phase is met once a cycle, however long the horizon is.
    if residuals.phases is not None and residuals.rows >= _TWO_SIDED * residuals.phases.shape[2]:
        phases = residuals.phases.double()
        exponent = fit_phase_exponent(phases, errors)
        of_phase = phase_scale(exponent, phases, horizon)
        if _phase_helps(errors, of_phase):
            phase, errors = exponent, errors / of_phase
    scale = fit_scale(features, errors)
    if effective[-1] < _LEAST_SCALED or not _scale_helps(
        errors[:, :: -(-horizon // _JUDGED_STEPS)], features
    ):
        scale = scale._replace(exponents=torch.zeros_like(scale.exponents))
    scores = errors / expected_scale(scale, features)[:, None]
    scores = widen_growing(scores)
    if effective[-1] < _TWO_SIDED:
        # Both signs of an error are one error still: they count once where ranks are corrected.
        scores = widen_far(torch.cat([scores, -scores]), effective)
    growth = _growth(scores)
    joint = fit_joint_errors(scores, effective[-1])
    scores = scores.sort(dim=0).values
    if len(scores) > _KEPT_SCORES:
        levels = (torch.arange(_KEPT_SCORES, dtype=torch.float64) + 0.5) / _KEPT_SCORES
        scores = _read(scores, levels[:, None, None].expand(-1, *scores.shape[1:]).movedim(0, -1))
        scores = scores.movedim(-1, 0).contiguous()
    found = Calibration(
        scores.float(), effective.clamp(min=_LEAST_RANKED), growth, scale, phase, joint
    )
    return found._replace(phase_shares=_phase_shares(found, residuals))


def _phase_shares(calibration: Calibration, residuals: Residuals) -> Tensor | None:
    if residuals.of_phase is None or not residuals.of_phase.numel():
        return None
    errors, horizon = residuals.errors.double(), residuals.errors.shape[1]
    steps = judged_steps(horizon)
    levels = torch.tensor(JUDGED_LEVELS, dtype=torch.float64)
    around = score_quantiles(calibration, levels.expand(errors.shape[2], -1))[steps]
    scale = expected_scale(calibration.scale, residuals.features.double())[:, None]
    if calibration.phase is not None and residuals.phases is not None:
        of_phase = phase_scale(calibration.phase, residuals.phases.double(), horizon)
        scale = scale * of_phase[:, steps]
    own = errors[:, steps, :, None] - scale[..., None] * around
    near = steps < near_steps(horizon)
    shares = fit_phase_shares(own, residuals.of_phase.double(), levels, near)
    return shares if shares.any() else None


def _scale_helps(errors: Tensor, features: Tensor) -> bool:
    def scaled(known: Tensor) -> Tensor:
        model = fit_scale(features[known], errors[known])
        return expected_scale(model, features)[:, None]

    return _sharper(errors, scaled)


def _phase_helps(errors: Tensor, of_phase: Tensor) -> bool:
    # Steps of one cycle have all its phases, so a few of them, none next to another, will do.
    few = torch.linspace(0, errors.shape[1] - 1, min(errors.shape[1], 3 * _JUDGED_STEPS)).long()
    return _sharper(errors[:, few], lambda _: of_phase[:, few])


def _sharper(errors: Tensor, scale_from: Callable[[Tensor], Tensor]) -> bool:
    """Whether quantiles of errors over their scale, known from the other folds, lose less than plain ones."""
    n = len(errors)
    run = torch.arange(n) * _FOLDS // n
    levels = torch.tensor(_JUDGED_LEVELS, dtype=errors.dtype)
    losses = torch.zeros(2, errors.shape[2], dtype=errors.dtype)
    for fold in range(_FOLDS):
        known, judged = run != fold, run == fold
        for row, scale in enumerate((scale_from(known), errors.new_ones(n, 1, errors.shape[2]))):
            scores = (errors[known] / scale[known]).sort(dim=0).values
            wanted = levels.expand(*scores.shape[1:], -1)
            quantiles = _read(scores, wanted) * scale[judged][..., None]
            losses[row] += pinball(errors[judged], quantiles, levels).sum(dim=(0, 1, 3))
    with_scale, without = losses[:, (losses > 0).all(dim=0)].log().mean(dim=1)
    return bool(with_scale < without)


def _growth(scores: Tensor) -> Tensor:
    """Slope of the logarithm of the error over the logarithm of the step, late in the horizon."""
    horizon = scores.shape[1]
    if horizon < 4:
        return torch.full(scores.shape[2:], _MOST_GROWTH, dtype=scores.dtype)
    late = slice(horizon // 2, None)
    size = (scores[:, late].abs().mean(dim=0) + torch.finfo(torch.float32).tiny).log()
    step = torch.arange(1, horizon + 1, dtype=scores.dtype)[late].log()
    step = step - step.mean()
    return (step @ size / (step @ step)).clamp(0, _MOST_GROWTH)


def _read(scores: Tensor, levels: Tensor) -> Tensor:
    """Quantiles at levels (..., H, C, Q) of sorted scores (K, H, C), linear between (k - 1/2) / K."""
    n, horizon, channels = scores.shape
    place = (levels * n - 0.5).clamp(0, n - 1)
    below = place.floor().long()
    above = (below + 1).clamp(max=n - 1)
    step = torch.arange(horizon)[:, None, None]
    channel = torch.arange(channels)[:, None]
    low, high = scores[below, step, channel], scores[above, step, channel]
    return low + (place - below) * (high - low)


def score_quantiles(calibration: Calibration, levels: Tensor) -> Tensor:
    """Quantiles of the scores for every step of the horizon, corrected for the size of the sample.

    Parameters
    ----------
    calibration : Calibration
    levels : Tensor of shape (..., C, Q), float64
        In the open interval from 0 to 1.

    Returns
    -------
    Tensor of shape (..., H, C, Q)
        Not decreasing in the level.

    Examples
    --------
    With 39 scores, the largest bounds the 40th from above with probability 39 / 40:

    >>> import torch
    >>> errors = torch.arange(-19.0, 20.0)[:, None, None]
    >>> calibration = calibrate(Residuals(errors, torch.zeros(39, 1, 3), rows=39))
    >>> score_quantiles(calibration, torch.tensor([[0.025, 0.5, 0.975]])).flatten().round()
    tensor([-19.,   0.,  19.], dtype=torch.float64)
    """
    scores = calibration.scores.double()
    levels = levels.double()[..., None, :, :]
    n = calibration.effective[:, None, None]
    ranked = levels.clamp(1 / (n + 1), n / (n + 1))
    quantiles = _read(scores, 0.5 + (ranked - 0.5) * (1 + 1 / n))
    stretch = torch.special.ndtri(levels) / torch.special.ndtri(ranked)
    median = _read(scores, torch.full_like(quantiles[..., :1], 0.5))
    beyond = median + (quantiles - median) * stretch
    return torch.where(ranked == levels, quantiles, beyond)


def extend_steps(quantiles: Tensor, growth: Tensor, steps: int) -> Tensor:
    """Quantiles for the first `steps` steps: beyond the horizon those of its last step, widened.

    Parameters
    ----------
    quantiles : Tensor of shape (..., H, C, Q)
    growth : Tensor of shape (C,)
        Step h > H has the quantiles of step H times (h / H)^growth.
    steps : int

    Returns
    -------
    Tensor of shape (..., steps, C, Q)
    """
    horizon = quantiles.shape[-3]
    if steps <= horizon:
        return quantiles[..., :steps, :, :]
    ratio = torch.arange(horizon + 1, steps + 1, dtype=quantiles.dtype) / horizon
    wider = ratio[:, None] ** growth
    return torch.cat([quantiles, quantiles[..., -1:, :, :] * wider[..., None]], dim=-3)
