"""SpaceTime: a state space in companion form, which holds every stable autoregression exactly.

    A = [ 0 ... 0 a_n ]        h[t] = A h[t-1] + B u[t]        y[t] = C' h[t] + s u[t]
        [ 1 ... 0 ... ]
        [ 0 ... 1 a_1 ]        a from reflection coefficients tanh(r)

A shifts the states down and feeds the last one back: with B = (0, ..., 0, 1) the last state is the
autoregression x[t] = sum_i a_i x[t-i] + u[t]. Reflection coefficients between -1 and 1 reach every a
with poles within the unit circle and no other. The published code divides a by its absolute sum
instead, which is 2.95 for two poles at 0.99 exp(+-0.1 i): an oscillation that lasts is then out of reach.
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
from klforecast.ops.dense_ssm import companion, stable_column
from klforecast.ops.precision import working


class SpaceTime(DenseMixer):
    """Companion state space; see `DenseMixer`."""

    def __init__(self, d_model: int, d_state: int = 16):
        super().__init__(d_model, d_state)
        self.reflection = nn.Parameter(torch.randn(d_model, d_state) / d_state)
        self.writing = nn.Parameter(torch.randn(d_model, d_state) / d_state**0.5)

    def transition(self) -> tuple[Tensor, Tensor]:
        """Companion matrices of stable autoregressions, and how the input enters."""
        return companion(stable_column(working(self.reflection).tanh())), working(self.writing)
