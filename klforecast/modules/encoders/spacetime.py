"""SpaceTime: companion state spaces over the steps of a window, the last one run on by itself.

    states   = stack of companion layers over [memory tokens ; steps]
    h[0]     = state of a last companion layer (A, B, C) after the states
    h[i]     = (A + B K') h[i-1]                     closed loop: its own output K' h is its input
    x[i]     = w' (C' h[i-1]) + b                    i = 1 ... H

K reads the last state alone, which every observable (A, K) is up to a change of the coordinates (the
observer form). The closed loop is then a companion matrix too, with the column of A plus B: both
columns come from reflection coefficients, so that neither loop explodes over a long horizon.

Letters   H horizon   n states of a channel
Paper     Zhang et al. 2023, Effectively Modeling Time Series with Simple Discrete State Spaces,
          arXiv 2303.09489, section 3.2 (closed-loop forecasting).
Left out  The loss on the inputs that the closed loop foretells within the window. See also
          `klforecast.modules.sequence_mixers.spacetime`.
"""

import torch
from torch import Tensor, nn

from klforecast.modules.encoders.base import Encoded, Sizes
from klforecast.modules.encoders.patch_encoder import PatchEmbedding, cut_patches
from klforecast.modules.encoders.patches import MixerStack, PatchForecaster
from klforecast.modules.sequence_mixers.spacetime import SpaceTime
from klforecast.ops.dense_ssm import companion, dense_ssm, krylov, stable_column
from klforecast.ops.precision import in_working_precision


class SpaceTimeForecaster(PatchForecaster):
    """Companion layers over raw steps, with a closed loop in place of the linear head.

    Parameters
    ----------
    sizes : Sizes
    n_states : int, default=16
        States of a channel in the last layer.
    """

    def __init__(self, sizes: Sizes, n_states: int = 16):
        stack = MixerStack(sizes, lambda: SpaceTime(sizes.d_model))
        super().__init__(sizes, stack, PatchEmbedding(1, sizes.d_model))
        self.horizon = sizes.horizon
        self.patch_length = sizes.patch
        shape = (sizes.d_model, n_states)
        self.open, self.closed, self.reading = (
            nn.Parameter(torch.randn(shape) / scale)
            for scale in (n_states, n_states, n_states**0.5)
        )
        self.head = nn.Linear(sizes.d_model, 1)

    def forward(self, window: Tensor, tokens: Tensor | None = None) -> Encoded:
        """Forecast each channel by itself; see `Encoder.forward`."""
        steps = window.flatten(0, 1)
        states = self.patches(self.patches.embedding(steps), tokens)
        return Encoded(self.predict(states).unflatten(0, window.shape[:2]), self.embed(steps))

    def embed(self, sequences: Tensor) -> Tensor:
        """Cut into raw patches, (n c, length) to (n c, rows, patch_length), for a memory."""
        return cut_patches(sequences, self.patch_length, self.patch_length)

    def predict(self, states: Tensor) -> Tensor:
        """Forecast from states: (n c, input_length, d) to (n c, horizon)."""
        latent = _run_on(states, self.open, self.closed, self.reading, self.horizon)
        return self.head(latent.to(self.head.weight.dtype))[..., 0]


@in_working_precision
def _run_on(
    states: Tensor,  # (n c, input_length, d)
    open_loop: Tensor,  # (d, n), before tanh
    closed_loop: Tensor,  # (d, n), before tanh
    C: Tensor,  # (d, n)
    horizon: int,
) -> Tensor:  # (n c, horizon, d)
    column, closed = stable_column(open_loop.tanh()), stable_column(closed_loop.tanh())
    _, state = dense_ssm(states, companion(column), closed - column, C)  # (n c, d, n)
    ahead = krylov(companion(closed).mT, C, horizon)  # C' (A + B K')^i
    return torch.einsum("dni,bdn->bid", ahead, state)
