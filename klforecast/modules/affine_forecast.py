"""A closed form with its scaling as one affine map of the rows, in the units of the data.

    scaled     z = (past - m) / s,   forecast = m + s (A z + a)
    the same   forecast = A past + [m (1 - A 1) + s a]                 each channel has its own unit, which cancels

Letters   D depth, H horizon, C channels
"""

import torch
from torch import Tensor, nn

from klforecast.ops.checks import require_depth


class AffineForecast(nn.Module):
    """Forecast of every channel from its own past, never below a floor.

    Parameters
    ----------
    weight : Tensor of shape (C, D, H)
        Oldest row first.
    constant : Tensor of shape (C, 1, H)
    floor : Tensor of shape (C, 1, 1)
        Minus infinity for none.

    Examples
    --------
    >>> import torch
    >>> last = torch.tensor([[[0.0], [1.0]]])
    >>> module = AffineForecast(last, torch.zeros(1, 1, 1), torch.zeros(1, 1, 1))
    >>> module(torch.tensor([[[5.0], [7.0]], [[5.0], [-7.0]]])).flatten().tolist()
    [7.0, 0.0]
    """

    weight: Tensor
    constant: Tensor
    floor: Tensor

    def __init__(self, weight: Tensor, constant: Tensor, floor: Tensor):
        super().__init__()
        self.register_buffer("weight", weight)
        self.register_buffer("constant", constant)
        self.register_buffer("floor", floor)

    def forward(self, past: Tensor) -> Tensor:  # (batch, D, C) -> (batch, H, C)
        """Forecast of every window; ValueError where it has another depth."""
        require_depth(past, self.weight.shape[1])
        forecast = past.permute(2, 0, 1) @ self.weight + self.constant  # (C, batch, H)
        return torch.maximum(forecast, self.floor).permute(1, 2, 0)
