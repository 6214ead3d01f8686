"""TimeXer: patches of one channel, and one token of it that also looks at all channels.

    [patches ; g]  = self-attention over [memory tokens ; patches ; g]      g: global token
    g              = g + attention of g over the tokens of all channels     token_c = W_v window_c
    [patches ; g]  = mlp(...)
    forecast       = W flatten([patches ; g]) + b

Letters   g (1, d) global token of a channel   c channels   d model width
Paper     Wang et al. 2024, TimeXer, arXiv 2402.19072.
Left out  Calendar marks as exogenous variates: the exogenous variates are all channels.
"""

import torch
from torch import Tensor, nn

from klforecast.modules.blocks import feed_forward
from klforecast.modules.encoders.base import Encoded, Encoder, Sizes
from klforecast.modules.encoders.patch_encoder import PatchEmbedding


class TimeXer(Encoder):
    """Attention over patches, with a bridge to the other channels.

    Parameters
    ----------
    sizes : Sizes
    """

    def __init__(self, sizes: Sizes):
        super().__init__()
        d_model = sizes.d_model
        self.embedding = PatchEmbedding(sizes.patch, d_model)
        self.n_patches = self.embedding.n_patches(sizes.input_length)
        length = sizes.memory_tokens + self.n_patches
        self.position = nn.Parameter(0.02 * torch.randn(length, d_model))
        self.bridge = nn.Parameter(0.02 * torch.randn(1, d_model))
        self.channel = nn.Linear(sizes.input_length, d_model)
        self.layers = nn.ModuleList(_Layer(sizes) for _ in range(sizes.n_layers))
        self.norm = nn.LayerNorm(d_model)
        self.head = nn.Linear((self.n_patches + 1) * d_model, sizes.horizon)

    def forward(self, window: Tensor, tokens: Tensor | None = None) -> Encoded:
        """Encode each channel beside all of them; see `Encoder.forward`."""
        n, c = window.shape[:2]
        patches = self.embed(window.flatten(0, 1))
        known = patches if tokens is None else torch.cat([tokens, patches], dim=1)
        x = torch.cat([known + self.position, self.bridge.expand(n * c, -1, -1)], dim=1)
        channels = self.channel(window)  # (n, c, d)
        for layer in self.layers:
            x = layer(x, channels)
        states = self.norm(x)[:, -self.n_patches - 1 :]
        return Encoded(self.head(states.flatten(1)).unflatten(0, (n, c)), states[:, :-1])

    def embed(self, sequences: Tensor) -> Tensor:
        """Embed patches, (n c, length) to (n c, n_patches, d)."""
        return self.embedding(sequences)


class _Layer(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        d_model = sizes.d_model
        self.within, self.across = (
            nn.MultiheadAttention(d_model, sizes.n_heads, sizes.dropout, batch_first=True)
            for _ in range(2)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(3))
        self.mlp = feed_forward(d_model, sizes.feed_forward)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, x: Tensor, channels: Tensor) -> Tensor:  # (n c, rows, d), (n, c, d)
        first, second, third = self.norms
        normed = first(x)
        x = x + self.dropout(self.within(normed, normed, normed, need_weights=False)[0])
        bridges = second(x[:, -1]).unflatten(0, channels.shape[:2])  # (n, c, d)
        seen = self.across(bridges, channels, channels, need_weights=False)[0].flatten(0, 1)
        x = torch.cat([x[:, :-1], x[:, -1:] + self.dropout(seen)[:, None]], dim=1)
        return x + self.dropout(self.mlp(third(x)))
