"""LSSL: linear state-space layer with a dense transition, started as HiPPO-LegS.

    h' = A h + B u, discretised by the bilinear rule with a step size D per channel:
    h[t] = (I - D/2 A)^-1 ((I + D/2 A) h[t-1] + D B u[t])        y[t] = C' h[t] + s u[t]

A and B are shared by the channels and learned from HiPPO-LegS on; D and C are each channel's own.

Letters   n states of a channel   state (batch, d_model, n)
Paper     Gu et al. 2021, Combining Recurrent, Convolutional, and Continuous-time Models with Linear
          State-Space Layers, arXiv 2110.13985.
Left out  The structure that keeps a learned A quasi-separable, and several outputs per channel.
"""

import torch
from torch import Tensor, nn

from klforecast.modules.sequence_mixers.dense import DenseMixer
from klforecast.modules.sequence_mixers.s4d import log_uniform_steps
from klforecast.ops.dense_ssm import hippo_legs
from klforecast.ops.precision import working


class LSSL(DenseMixer):
    """Dense state space from HiPPO-LegS; see `DenseMixer`."""

    def __init__(self, d_model: int, d_state: int = 16):
        super().__init__(d_model, d_state)
        A, B = hippo_legs(d_state)
        self.A, self.B = (nn.Parameter(part.to(torch.get_default_dtype())) for part in (A, B))
        self.log_step = nn.Parameter(log_uniform_steps(d_model))

    def transition(self) -> tuple[Tensor, Tensor]:
        """Discretise by the bilinear rule."""
        A, B, size = working(self.A), working(self.B), working(self.log_step).exp()[:, None, None]
        eye = torch.eye(len(A), dtype=A.dtype, device=A.device)
        right = torch.cat([eye + size / 2 * A, size * B[:, None]], dim=2)
        solved = torch.linalg.solve(eye - size / 2 * A, right)
        return solved[..., :-1], solved[..., -1]
