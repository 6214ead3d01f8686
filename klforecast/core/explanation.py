"""What each step, each component and each expert adds to the forecast of a linear core.

    forecast_h = sum_k  A_hk past[-k]  +  a_h                       lags k, from 1 for the newest step
               = sum_k<=R  W_hk past[-k]  +  sum_j  W_hj (Psi' past)_j  +  b_h        recent steps, components
               = sum_e  w_eh (M_e x)_h  +  b_h                       experts, x the coordinates of the window

Each of the three sums is the forecast itself, because the map is linear. Beyond its horizon a core goes round by
round: it reads its own forecasts. The lags are those of the past that is known, whatever the round; components and
experts are those of the window that a round reads, forecasts among its rows.

Letters   D depth, H horizon, R recent steps, n components, C channels, E experts
"""

from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.core.linear_core import LinearCore


class LagWeights(NamedTuple):
    """The map from a known past to a forecast of any length.

    Attributes
    ----------
    weights : Tensor of shape (steps, D), float64
        In the order of the rows of a window: the newest lag is the last column.
    constant : Tensor of shape (steps,), float64
        What is forecast from a past of zeros.
    """

    weights: Tensor
    constant: Tensor


class ComponentParts(NamedTuple):
    """What the recent steps and each component of a window add.

    Attributes
    ----------
    recent : Tensor of shape (steps, C), float64
        All recent steps together.
    components : Tensor of shape (steps, C, n), float64
    """

    recent: Tensor
    components: Tensor


def lag_weights(core: LinearCore, place: int, steps: int) -> LagWeights:
    """Weights of the known past in each step of a forecast.

    Parameters
    ----------
    core : LinearCore
    place : int
        Of the map among those of the core: 0, or the channel where each has its own.
    steps : int
        Steps ahead, at least 1; beyond the horizon the core reads its own forecasts.

    Returns
    -------
    LagWeights

    Notes
    -----
    Time O(H D n), and O(H^2 D) for each further round.

    Examples
    --------
    A map that repeats the last value does so in every round:

    >>> import torch
    >>> core = LinearCore(torch.zeros(0, 0), torch.tensor([[[0.0, 1.0]]]), torch.zeros(1, 1))
    >>> lag_weights(core, place=0, steps=3).weights.tolist()
    [[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]]
    """
    readout = core.weight[place].detach().double()
    bias = core.bias[place].detach().double()
    modes = core.modes.double()
    history = torch.zeros(core.horizon, len(modes), dtype=torch.float64, device=modes.device)
    of_components = readout[:, core.recent :]
    for rows, columns in core.blocks:
        history[:, rows] += of_components[:, columns] @ modes[rows, columns].T
    once = torch.cat([history, readout[:, : core.recent]], dim=1)
    weights, constant = once, bias
    while len(weights) < steps:
        known = min(len(weights), core.depth)
        of_forecasts = once[:, core.depth - known :]
        further = of_forecasts @ weights[-known:]
        further[:, known:] += once[:, : core.depth - known]
        constant = torch.cat([constant, bias + of_forecasts @ constant[-known:]])
        weights = torch.cat([weights, further])
    return LagWeights(weights[:steps].cpu(), constant[:steps].cpu())


def windows_of_rounds(
    core: LinearCore,  # in float64
    past: Tensor,  # (D, C)
    steps: int,
) -> Tensor:  # (rounds, D, C)
    """Windows that the rounds of a forecast read, the first of them all known."""
    windows = [past]
    with torch.no_grad():
        while len(windows) * core.horizon < steps:
            longer = torch.cat([windows[-1], core(windows[-1][None])[0]])
            windows.append(longer[-len(past) :])
    return torch.stack(windows)


def component_parts(
    core: LinearCore,  # in float64
    past: Tensor,  # (D, C)
    steps: int,
) -> ComponentParts:
    """What the recent steps and the components of the history add to each step.

    Parameters
    ----------
    core : LinearCore
        In float64.
    past : Tensor of shape (D, C)
        The window, scaled.
    steps : int

    Returns
    -------
    ComponentParts

    Examples
    --------
    >>> import torch
    >>> core = LinearCore(torch.ones(2, 1), torch.tensor([[[1.0, 0.5]]]), torch.zeros(1, 1)).double()
    >>> parts = component_parts(core, torch.tensor([[2.0], [4.0], [7.0]]).double(), steps=1)
    >>> parts.recent.item(), parts.components.item()
    (7.0, 3.0)
    """
    windows = windows_of_rounds(core, past, steps)
    with torch.no_grad():
        recent = windows[:, len(core.modes) :].transpose(1, 2)[:, :, None]  # (rounds, C, 1, R)
        components = core.components(windows)[:, :, None]  # (rounds, C, 1, n)
        weight = core.weight.expand(past.shape[1], -1, -1)
        of_recent = (recent * weight[..., : core.recent]).sum(dim=-1)  # (rounds, C, H)
        of_each = components * weight[..., core.recent :]  # (rounds, C, H, n)
    return ComponentParts(
        of_recent.transpose(1, 2).flatten(0, 1)[:steps],
        of_each.transpose(1, 2).flatten(0, 1)[:steps],
    )


def expert_part(
    core: LinearCore,  # in float64
    weighted_map: Tensor,  # (H, d)
    windows: Tensor,  # (rounds, D, C)
    channel: int,
) -> Tensor:  # (rounds * H,)
    """What one expert adds to the forecast of a channel, from its map times its share."""
    inputs = torch.cat(
        [windows[:, len(core.modes) :, channel], core.components(windows)[:, channel]], dim=-1
    )
    return (inputs @ weighted_map.T).flatten()
