"""What mixers with a dense transition per channel share: a convolution, a skip, a gated unit.

    h[t] = A h[t-1] + B u[t]        y[t] = C' h[t] + s u[t]        A, B of the subclass

Letters   n states of a channel   state (batch, d_model, n)
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, glu

from klforecast.ops.dense_ssm import dense_ssm, dense_ssm_step


class DenseMixer(nn.Module):
    """Base of `LSSL` and `SpaceTime`: (batch, length, d_model) to the same shape.

    Parameters
    ----------
    d_model : int
        Channels in and out.
    d_state : int
        States of a channel, n.
    """

    def __init__(self, d_model: int, d_state: int):
        super().__init__()
        self.reading = nn.Parameter(torch.randn(d_model, d_state) / math.sqrt(d_state))
        self.skip = nn.Parameter(torch.ones(d_model))
        self.out = nn.Linear(d_model, 2 * d_model)

    def transition(self) -> tuple[Tensor, Tensor]:
        """Return A (d_model, n, n) and B (d_model, n) of one step."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mix whole sequences; see `HeadMixer.forward`."""
        o, state = dense_ssm(x, *self.transition(), self.reading, state)
        return self._finish(o, x), state

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Advance by one step: x and y are (batch, d_model)."""
        state = x.new_zeros(len(x), *self.reading.shape) if state is None else state
        o, state = dense_ssm_step(x, *self.transition(), self.reading, state)
        return self._finish(o, x), state

    def _finish(self, o: Tensor, x: Tensor) -> Tensor:
        return glu(self.out(gelu(o + self.skip * x).to(self.skip.dtype)), dim=-1)
