"""What came at a phase of the cycle, as a law of what will come there.

    q_p(h)  = quantile at level p of the rows of the last cycles at the phase of step h, and at those beside it
    mixed   = (1 - w) (forecast + s Z_p) + w q_p(h)            w: share, of each channel in near and in far steps

Some rows are told by their phase better than by any forecast of them: radiation days ahead lies between what nights,
clouds and a clear sky gave lately, and never below nothing. w minimises the pinball loss out of fold. Quantiles of
both laws are averaged level by level (Vincent 1912), so they do not cross.

Letters   n windows, C channels, D depth, P phases of a cycle, K cycles, V values, S judged steps, L levels
"""

import torch
from torch import Tensor

from klforecast.ops.pinball import pinball_of_gaps

JUDGED_LEVELS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Levels at which the laws are compared: the CRPS in few numbers."""

_CYCLES = 8  # as for the volatility at a phase; 7 to 14 are within 1 % on hours of weather before their test parts
_LEAST_CYCLES = 3  # fewer have no quantiles
_JUDGED_STEPS = 24  # of the horizon, spread evenly, so that no phase of a day is left out
_FINE = 24  # phases of a cycle, from which on those beside one are like it and add values
_NEAR = 1 / 3  # share of the horizon that has a share of its own, as for local experts
_SHARES = (
    0.0,
    0.25,
    0.5,
    0.75,
    1.0,
)  # the loss is flat around its least; finer ones change it by 0.1 %
_RUNS = 5  # of time, each judged with the share that the others chose
# Of the loss, out of fold: less is what chance does to a channel. At 0.02 the CRPS of transformers at 48 to 480 hours
# was up to 0.9 % higher than without.
_LEAST_GAIN = 0.05


def rows_read(depth: int, period: int) -> int:
    """Rows of a past that the law of a phase reads; 0 where it holds too few cycles for one."""
    cycles = min(depth // period, _CYCLES) if period > 1 else 0
    return cycles * period if cycles >= _LEAST_CYCLES else 0


def phase_values(past: Tensor, period: int) -> Tensor | None:
    """Rows of the last cycles at each phase and those beside it, ascending.

    Parameters
    ----------
    past : Tensor of shape (..., D)
        Rows of one channel, the latest last.
    period : int
        Steps of one cycle.

    Returns
    -------
    Tensor of shape (..., P, V) or None
        The first phase is that of the first step ahead. None where D holds fewer than three cycles.

    Examples
    --------
    >>> import torch
    >>> phase_values(torch.tensor([0.0, 5, 0, 3, 0, 4]), period=2)
    tensor([[0., 0., 0.],
            [3., 4., 5.]])
    """
    rows = rows_read(past.shape[-1], period)
    if rows == 0:
        return None
    values = past[..., -rows:].unflatten(-1, (-1, period)).mT
    if period >= _FINE:
        values = torch.cat([values.roll(1, dims=-2), values, values.roll(-1, dims=-2)], dim=-1)
    return values.sort(dim=-1).values


def phase_quantiles(values: Tensor, levels: Tensor, steps: Tensor) -> Tensor:
    """Quantiles of what came at the phases of some steps.

    Parameters
    ----------
    values : Tensor of shape (..., P, V)
        Of `phase_values`.
    levels : Tensor of shape (..., L)
        In the open interval from 0 to 1.
    steps : Tensor of int, shape (S,)
        Steps ahead, from 0.

    Returns
    -------
    Tensor of shape (..., S, L)
        Not decreasing in the level; those beyond the ranks of the values are the extremes.
    """
    phases, count = values.shape[-2:]
    rank = 0.5 + (levels - 0.5) * (1 + 1 / count)
    place = (rank * count - 0.5).clamp(0, count - 1)[..., None, :]
    below = place.floor().long()
    above = (below + 1).clamp(max=count - 1)
    at_steps = values[..., steps % phases, :]
    shape = (*at_steps.shape[:-1], place.shape[-1])
    low = at_steps.gather(-1, below.expand(shape))
    high = at_steps.gather(-1, above.expand(shape))
    return low + (place - below) * (high - low)


def judged_steps(horizon: int) -> Tensor:
    """Steps, from 0, at which the laws are compared."""
    return torch.linspace(0, horizon - 1, min(horizon, _JUDGED_STEPS)).long()


def phase_gaps(past: Tensor, future: Tensor, period: int) -> Tensor:
    """Truth less the quantiles of the law of its phase.

    Parameters
    ----------
    past : Tensor of shape (n, D)
    future : Tensor of shape (n, H)
    period : int

    Returns
    -------
    Tensor of shape (n, S, L)
        At the judged steps and levels; (n, 0, L) where the past holds too few cycles.
    """
    values = phase_values(past, period)
    if values is None:
        return past.new_empty(len(past), 0, len(JUDGED_LEVELS))
    steps = judged_steps(future.shape[1])
    quantiles = phase_quantiles(values, past.new_tensor(JUDGED_LEVELS), steps)
    return future[:, steps, None] - quantiles


def near_steps(horizon: int) -> int:
    """How many of the first steps have a share of their own."""
    return max(1, round(_NEAR * horizon))


def fit_phase_shares(own: Tensor, of_phase: Tensor, levels: Tensor, near: Tensor) -> Tensor:
    """Share of the law of the phase beside that of the errors.

    Parameters
    ----------
    own, of_phase : Tensor of shape (n, S, C, L)
        Truth less the quantiles of each law, in order of time.
    levels : Tensor of shape (L,)
    near : Tensor of bool, shape (S,)
        Steps that are near.

    Returns
    -------
    Tensor of shape (C, 2)
        For near and for far steps, from 0 to 1.
    """
    shares = torch.zeros(own.shape[2], 2, dtype=own.dtype)
    run = torch.arange(len(own)) * _RUNS // len(own)
    for part, steps in enumerate((near, ~near)):
        if not steps.any():
            shares[:, part] = shares[:, 0]
            continue
        losses = torch.stack(
            [
                _loss((1 - share) * own[:, steps] + share * of_phase[:, steps], levels)
                for share in _SHARES
            ]
        )
        of_run = torch.stack([losses[:, run == k].sum(dim=1) for k in range(_RUNS)], dim=1)
        everything = of_run.sum(dim=1)
        chosen = (everything[:, None] - of_run).argmin(dim=0)
        judged = of_run.gather(0, chosen[None])[0].sum(dim=0)
        helps = judged < (1 - _LEAST_GAIN) * everything[0]
        shares[:, part] = torch.where(helps, torch.tensor(_SHARES)[everything.argmin(dim=0)], 0.0)
    return shares


def _loss(gaps: Tensor, levels: Tensor) -> Tensor:  # (n, S, C, L) -> (n, C)
    return pinball_of_gaps(gaps, levels).sum(dim=(1, 3))
