"""SpaceTime: a state space in companion form, which holds every autoregression exactly.

    A = [ 0 ... 0 a_1 ]        h[t] = A h[t-1] + B u[t]        y[t] = C' h[t] + s u[t]
        [ 1 ... 0 a_2 ]
        [ 0 ... 1 a_n ]        the column a is divided by max(1, its absolute sum)

A shifts the states down and feeds the last one back with weights a: with B = a it is the
autoregression x[t] = sum_i a_i x[t-i]. The division keeps every eigenvalue within the unit circle.
The forecast of an encoder made of it runs the last layer in a closed loop; see
`klforecast.modules.encoders.spacetime`.

Letters   n states of a channel   state (batch, d_model, n)
Paper     Zhang et al. 2023, Effectively Modeling Time Series with Simple Discrete State Spaces,
          arXiv 2303.09489, section 3.
Left out  The kernel by a low-rank correction (powers by doubling here); fixed differencing and
          moving-average heads in the first layer.
"""

import torch
from torch import Tensor, nn

from klforecast.modules.sequence_mixers.dense import DenseMixer
from klforecast.ops.dense_ssm import companion
from klforecast.ops.precision import working


class SpaceTime(DenseMixer):
    """Companion state space; see `DenseMixer`."""

    def __init__(self, d_model: int, d_state: int = 16):
        super().__init__(d_model, d_state)
        self.feedback = nn.Parameter(torch.randn(d_model, d_state) / d_state)
        self.writing = nn.Parameter(torch.randn(d_model, d_state) / d_state**0.5)

    def transition(self) -> tuple[Tensor, Tensor]:
        """Shift matrices with the normed feedback in their last column."""
        return companion(working(self.feedback)), working(self.writing)
