"""Encoders that read a window as patches of one channel at a time, beside its memory tokens.

    states   = backbone([tokens ; patches])         without the rows of the tokens
    forecast = W flatten(states) + b

The backbone is what differs between them: a transformer, or a stack of blocks around a sequence
mixer,

    x = x + mixer(norm(x))        x = x + mlp(norm(x))

for which tokens in front are the state that the recurrence starts from.
"""

from collections.abc import Callable

from torch import Tensor, nn

from klforecast.modules.blocks import PreNormBlock
from klforecast.modules.encoders.base import Encoded, Encoder, Sizes
from klforecast.modules.encoders.patch_encoder import PatchEmbedding, PatchEncoder


class PatchForecaster(Encoder):
    """A `PatchEncoder` and a linear head over all its states.

    Parameters
    ----------
    sizes : Sizes
    backbone : Module, default=None
        In place of the transformer.
    embedding : PatchEmbedding, default=None
        In place of the plain one.
    """

    def __init__(
        self,
        sizes: Sizes,
        backbone: nn.Module | None = None,
        embedding: PatchEmbedding | None = None,
    ):
        super().__init__()
        self.patches = PatchEncoder(
            sizes.input_length,
            sizes.memory_tokens,
            sizes.d_model,
            sizes.n_layers,
            sizes.n_heads,
            sizes.patch_length,
            sizes.dropout,
            backbone,
            embedding,
            sizes.d_ff,
        )
        self.head = nn.Linear(self.patches.n_patches * sizes.d_model, sizes.horizon)

    def forward(self, window: Tensor, tokens: Tensor | None = None) -> Encoded:
        """Encode each channel by itself; see `Encoder.forward`."""
        states = self.patches(self.embed(window.flatten(0, 1)), tokens)
        return Encoded(self.predict(states).unflatten(0, window.shape[:2]), states)

    def embed(self, sequences: Tensor) -> Tensor:
        """Embed patches, (n c, length) to (n c, n_patches, d)."""
        return self.patches.embedding(sequences)

    def predict(self, states: Tensor) -> Tensor:
        """Forecast from states: (n c, n_patches, d) to (n c, horizon)."""
        return self.head(states.flatten(1))


class MixerStack(nn.Module):
    """Blocks around sequence mixers, (batch, length, d_model) to the same shape.

    Parameters
    ----------
    sizes : Sizes
    mixer : callable
        From nothing to a mixer with the interface of `klforecast.modules.sequence_mixers`.
    """

    def __init__(self, sizes: Sizes, mixer: Callable[[], nn.Module]):
        super().__init__()
        self.blocks = nn.ModuleList(
            _Block(mixer(), sizes.d_model, sizes.feed_forward, sizes.dropout)
            for _ in range(sizes.n_layers)
        )
        self.norm = nn.LayerNorm(sizes.d_model)

    def forward(self, x: Tensor) -> Tensor:
        """Run all blocks."""
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class _Block(PreNormBlock):
    def forward(self, x: Tensor) -> Tensor:
        return self.add(x, self.mixer(self.mixer_norm(x))[0])
