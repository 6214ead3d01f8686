"""SpaceTime: companion state spaces over patches, the last one run on by itself over the horizon.

    states   = stack of companion layers over [memory tokens ; patches]
    h[0]     = state of a last companion layer after the states
    h[i]     = A h[i-1] + B (K' h[i-1])              closed loop: its own output is its input
    patch_i  = W (C' h[i]) + b                       i = 1 ... ceil(H / patch_length)

Letters   A, B, C of the companion layer   K (d, n) learned   H horizon
Paper     Zhang et al. 2023, Effectively Modeling Time Series with Simple Discrete State Spaces,
          arXiv 2303.09489, section 3.2 (closed-loop forecasting).
Left out  See `klforecast.modules.sequence_mixers.spacetime`.
"""

import math

import torch
from torch import Tensor, nn

from klforecast.modules.encoders.base import Sizes
from klforecast.modules.encoders.patches import MixerStack, PatchForecaster
from klforecast.modules.sequence_mixers.spacetime import SpaceTime
from klforecast.ops.dense_ssm import companion, dense_ssm, krylov
from klforecast.ops.precision import in_working_precision


class SpaceTimeForecaster(PatchForecaster):
    """Companion layers with a closed loop in place of the linear head.

    Parameters
    ----------
    sizes : Sizes
    n_states : int, default=16
        States of a channel in the last layer.
    """

    def __init__(self, sizes: Sizes, n_states: int = 16):
        super().__init__(sizes, MixerStack(sizes, lambda: SpaceTime(sizes.d_model)))
        self.horizon = sizes.horizon
        self.n_ahead = math.ceil(sizes.horizon / sizes.patch)
        shape = (sizes.d_model, n_states)
        self.feedback, self.writing, self.reading, self.loop = (
            nn.Parameter(torch.randn(shape) / scale)
            for scale in (n_states, n_states**0.5, n_states**0.5, n_states)
        )
        self.head = nn.Linear(sizes.d_model, sizes.patch)

    def predict(self, states: Tensor) -> Tensor:
        """Forecast from states: (n c, n_patches, d) to (n c, horizon)."""
        layer = (self.feedback, self.writing, self.reading, self.loop)
        latent = _run_on(states, *layer, self.n_ahead).to(self.head.weight.dtype)
        return self.head(latent).flatten(1)[:, : self.horizon]


@in_working_precision
def _run_on(
    states: Tensor,  # (n c, n_patches, d)
    feedback: Tensor,  # (d, n)
    B: Tensor,  # (d, n)
    C: Tensor,  # (d, n)
    loop: Tensor,  # (d, n)
    n_ahead: int,
) -> Tensor:  # (n c, n_ahead, d)
    A = companion(feedback)
    _, state = dense_ssm(states, A, B, C)  # (n c, d, n)
    closed = A + B[..., None] * loop[:, None]
    ahead = krylov(closed.mT, C, n_ahead + 1)[..., 1:]  # C' (A + B K')^i
    return torch.einsum("dni,bdn->bid", ahead, state)
