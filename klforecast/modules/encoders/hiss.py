"""HiSS: a state space over the steps of each patch, and one over the patches.

    token_i  = last output of a low-level S4D over the steps of patch i
    states   = high-level S4D over [memory tokens ; token_1 ; token_2 ; ...]
    forecast = W flatten(states) + b

Letters   see `klforecast.modules.encoders.patch_encoder`
Paper     Bhirangi et al. 2024, Hierarchical State Space Models for Continuous Sequence-to-Sequence
          Modeling, arXiv 2402.10211.
Left out  Mamba at either level, and stacks at the low one.
"""

from torch import Tensor, nn

from klforecast.modules.encoders.base import Sizes
from klforecast.modules.encoders.patch_encoder import PatchEmbedding, cut_patches
from klforecast.modules.encoders.patches import MixerStack, PatchForecaster
from klforecast.modules.sequence_mixers.s4d import S4D


class StateSpaceEmbedding(PatchEmbedding):
    """Embed each patch as the last output of a state space over its steps.

    Parameters
    ----------
    patch_length, d_model : int
        As for `PatchEmbedding`.
    """

    def __init__(self, patch_length: int, d_model: int):
        super().__init__(patch_length, d_model)
        self.linear = nn.Linear(1, d_model)
        self.low = S4D(d_model)

    def forward(self, sequences: Tensor) -> Tensor:
        """Embed (n, length) as (n, n_patches, d_model)."""
        patches = cut_patches(sequences, self.patch_length, self.stride)
        steps = self.linear(patches.flatten(0, 1)[..., None])
        return self.low(steps)[0][:, -1].unflatten(0, patches.shape[:2])


def hiss(sizes: Sizes) -> PatchForecaster:
    """Build the two levels."""
    stack = MixerStack(sizes, lambda: S4D(sizes.d_model))
    return PatchForecaster(sizes, stack, StateSpaceEmbedding(sizes.patch, sizes.d_model))
