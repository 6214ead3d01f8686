"""What a fitted module makes of each past step, in exact derivatives.

    influence       mean of |d forecast / d past| over channels and a few steps ahead
    token weights   of a linear core, whose tokens are its components psi' past: |psi|
                    of an encoder with memory: |d token / d past|, the norm over the features of a
                    token, its mean over channels; through norm, token mixer and modes, at one past

Components are linear in the past, so that their weights hold for every past. Tokens are not: the
token mixer bends, and history and window are normalised by level and scale of the window, through which
the steps of the window weigh too. Their weights hold near the past that is given.
"""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from klforecast.core.linear_core import LinearCore
from klforecast.modules.forecast import ForecastModule
from klforecast.modules.memory.kl_memory import KLMemory

_STEPS_AHEAD = 8  # of the horizon, spread evenly: each costs a backward pass


def influence(module: nn.Module, past: Tensor) -> Tensor:
    """How much each past step moves the forecast, from the oldest to the newest.

    Parameters
    ----------
    module : Module
        Maps (1, depth, channels) to (1, horizon, channels). It is not changed.
    past : Tensor of shape (depth, channels)

    Returns
    -------
    Tensor of shape (depth,)
        Mean absolute derivative, over channels and some steps ahead.

    Examples
    --------
    >>> mean_of_two = LinearCore(torch.zeros(0, 0), torch.full((1, 3, 2), 0.5), torch.zeros(1, 3))
    >>> influence(mean_of_two, torch.zeros(2, 1))
    tensor([0.5000, 0.5000])
    """
    given = past[None].clone().requires_grad_()
    forecast = _still(module)(given)[0]
    ahead = torch.linspace(0, len(forecast) - 1, _STEPS_AHEAD).long().unique()
    gradients = _gradients(forecast[ahead].sum(dim=1), given)
    return gradients.abs().mean(dim=(0, 1, 3))


def token_weights(module: nn.Module, past: Tensor) -> Tensor:
    """How much each past step weighs in each memory token, from the oldest to the newest.

    Parameters
    ----------
    module : Module
        A `LinearCore` or a `ForecastModule`. It is not changed.
    past : Tensor of shape (depth, channels)
        As long as the module's depth.

    Returns
    -------
    Tensor of shape (n_tokens, depth)
        Each row sums to one, or is zero where a token depends on no step. There is no row for a
        memory that reads no past: none, or that of a training run.

    Examples
    --------
    >>> modes = torch.tensor([[0.6], [-0.8]])
    >>> core = LinearCore(modes, torch.zeros(1, 3, 2), torch.zeros(1, 3))
    >>> token_weights(core, torch.zeros(3, 1))
    tensor([[0.4286, 0.5714, 0.0000]])
    """
    if isinstance(module, LinearCore):
        weights = nn.functional.pad(module.modes.mT.abs(), (0, module.recent))
    elif isinstance(module, ForecastModule) and module.history_length:
        weights = _token_slopes(module, past)
    else:
        weights = past.new_zeros(0, len(past))
    return weights / weights.sum(dim=1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)


def _token_slopes(module: ForecastModule, past: Tensor) -> Tensor:  # -> (m, depth)
    still = _still(module)
    given = past[None].clone().requires_grad_()
    tokens = still.memory(still.histories(given))
    if not tokens.requires_grad:  # nothing is remembered
        return past.new_zeros(tokens.shape[1], len(past))
    slopes = [
        # Channels are sequences of their own, so one sum over them gives the gradients of all.
        _gradients(token.sum(dim=0), given).square().sum(dim=0).sqrt().mean(dim=(0, 2))
        for token in tokens.unbind(dim=1)
    ]
    return torch.stack(slopes)


def _still(module: nn.Module) -> Any:
    """Return a copy without dropout, through whose memory gradients flow, and to no weight."""
    still = copy.deepcopy(module).eval().requires_grad_(False)
    for part in still.modules():
        if isinstance(part, KLMemory):
            part.detach = False
    return still


def _gradients(outputs: Tensor, given: Tensor) -> Tensor:  # (k,), (...) -> (k, ...)
    return torch.stack(
        [torch.autograd.grad(output, given, retain_graph=True)[0] for output in outputs]
    )
