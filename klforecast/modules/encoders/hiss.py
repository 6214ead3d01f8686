"""HiSS: a state space over the steps of each patch, and one over the patches.

    x        = norm(x + dropout(s4d(x)))                four times, over the embedded steps of a patch
    token_i  = linear map of the last x of patch i
    states   = high-level S4D over [memory tokens ; token_1 ; token_2 ; ...]
    forecast = W flatten(states) + b

Letters   see `klforecast.modules.encoders.patch_encoder`
Paper     Bhirangi et al. 2024, Hierarchical State Space Models for Continuous Sequence-to-Sequence
          Modeling, arXiv 2402.10211.
Left out  Mamba at either level. The high level has feed-forward parts, which the paper's has not.
"""

from torch import Tensor, nn

from klforecast.modules.encoders.base import Sizes
from klforecast.modules.encoders.patch_encoder import PatchEmbedding, cut_patches
from klforecast.modules.encoders.patches import MixerStack, PatchForecaster
from klforecast.modules.sequence_mixers.s4d import S4D

_LOW_LAYERS = 4  # as in the published code


class StateSpaceEmbedding(PatchEmbedding):
    """Embed each patch as the last output of a stack of state spaces over its steps.

    Parameters
    ----------
    patch_length, d_model : int
        As for `PatchEmbedding`.
    dropout : float, default=0.0
        Share of what a state space adds that is dropped in training.
    """

    def __init__(self, patch_length: int, d_model: int, dropout: float = 0.0):
        super().__init__(patch_length, d_model)
        self.linear = nn.Linear(1, d_model)
        self.low = nn.Sequential(*(_Layer(d_model, dropout) for _ in range(_LOW_LAYERS)))
        self.out = nn.Linear(d_model, d_model)

    def forward(self, sequences: Tensor) -> Tensor:
        """Embed (n, length) as (n, n_patches, d_model)."""
        patches = cut_patches(sequences, self.patch_length, self.stride)
        steps = self.linear(patches.flatten(0, 1)[..., None])
        return self.out(self.low(steps)[:, -1]).unflatten(0, patches.shape[:2])


class _Layer(nn.Module):
    def __init__(self, d_model: int, dropout: float):
        super().__init__()
        self.mixer = S4D(d_model)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(d_model)

    def forward(self, x: Tensor) -> Tensor:  # (n, steps, d_model)
        return self.norm(x + self.dropout(self.mixer(x)[0]))


def hiss(sizes: Sizes) -> PatchForecaster:
    """Build the two levels."""
    stack = MixerStack(sizes, lambda: S4D(sizes.d_model))
    embedding = StateSpaceEmbedding(sizes.patch, sizes.d_model, sizes.dropout)
    return PatchForecaster(sizes, stack, embedding)
