"""Patch encoder: a backbone over [memory tokens ; patches of one channel's window].

    x      = [tokens + t ; W patches + p]        t, p learned positions
    states = last rows of backbone(x), one for each patch

Every channel is a sequence of its own, under shared weights. The backbone is a transformer unless
another one is given.

Letters   n sequences   L steps of a window   m memory tokens   d model width
See       Nie et al. 2023, PatchTST, arXiv:2211.14730 (patches, channel independence); Kim et al.
          2022, RevIN, ICLR (instance normalisation, here without its learned affine part).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from klforecast.ops.checks import require_steps

# The floor of RevIN's published code; windows come in units of the standardised series.
_SMALLEST_VARIANCE = 1e-5


def instance_statistics(window: Tensor) -> tuple[Tensor, Tensor]:  # (n, L) -> (n, 1), (n, 1)
    """Level and scale of each window: its mean, and its standard deviation plus a floor.

    Parameters
    ----------
    window : Tensor of shape (n, L)
        In units of the standardised series. A constant window gets the floor, about 0.003, as its
        scale.

    Returns
    -------
    level, scale : Tensor of shape (n, 1)
    """
    level = window.mean(dim=1, keepdim=True)
    # The variance of torch takes no empty batch.
    variance = window.var(dim=1, keepdim=True, correction=0) if len(window) else level
    return level, (variance + _SMALLEST_VARIANCE).sqrt()


class PatchEmbedding(nn.Module):
    """Cut sequences into patches and embed each by one linear map.

    Parameters
    ----------
    patch_length : int
        Steps of a patch. The last one ends at the last step, and the first one is filled up to the
        left with its first value.
    d_model : int
        Width of an embedded patch.
    stride : int, default=None
        Steps from one patch to the next. None is `patch_length`: patches do not overlap.
    """

    def __init__(self, patch_length: int, d_model: int, stride: int | None = None):
        super().__init__()
        self.patch_length = patch_length
        self.stride = stride or patch_length
        self.linear = nn.Linear(patch_length, d_model)

    def n_patches(self, length: int) -> int:
        """Number of patches of a sequence of `length` steps."""
        return max(1, math.ceil((length - self.patch_length) / self.stride) + 1)

    def forward(self, sequences: Tensor) -> Tensor:
        """Embed (n, length) as (n, n_patches, d_model)."""
        return self.linear(cut_patches(sequences, self.patch_length, self.stride))


def cut_patches(sequences: Tensor, patch_length: int, stride: int) -> Tensor:
    """Cut sequences into patches that end at the last step.

    Parameters
    ----------
    sequences : Tensor of shape (n, length)
        Filled up to the left with the first value where the first patch begins before it.
    patch_length, stride : int
        Steps of a patch, and from one patch to the next.

    Returns
    -------
    Tensor of shape (n, n_patches, patch_length)

    Raises
    ------
    ValueError
        If the sequences have no step.
    """
    length = sequences.shape[1]
    require_steps(length)
    n_patches = max(1, math.ceil((length - patch_length) / stride) + 1)
    missing = (n_patches - 1) * stride + patch_length - length
    filled = pad(sequences[:, None], (missing, 0), mode="replicate")[:, 0]
    return filled.unfold(1, patch_length, stride)


class PatchEncoder(nn.Module):
    """Encode the patches of normalised windows beside their memory tokens.

    Parameters
    ----------
    input_length : int
        Steps of a window.
    memory_tokens : int, default=0
        Tokens in front of the patches; 0 is an encoder without memory.
    d_model : int, default=64
        Width of a token and of an embedded patch.
    n_layers, n_heads : int, default=2, 4
        Of the transformer; `n_heads` divides `d_model`.
    patch_length : int, default=16
        Steps of a patch, at most `input_length`.
    dropout : float, default=0.1
        In the embedding and in every layer.
    backbone : Module, default=None
        Maps (n, length, d_model) to the same shape, in place of the transformer.
    embedding : PatchEmbedding, default=None
        In place of the plain one.
    d_ff : int, default=None
        Width between the maps of a feed-forward layer of the transformer. None is ``2 * d_model``.

    Notes
    -----
    Cost: O(n_layers * (s * d_model**2 + s**2 * d_model)) per sequence, with s tokens and patches.
    """

    def __init__(
        self,
        input_length: int,
        memory_tokens: int = 0,
        d_model: int = 64,
        n_layers: int = 2,
        n_heads: int = 4,
        patch_length: int = 16,
        dropout: float = 0.1,
        backbone: nn.Module | None = None,
        embedding: PatchEmbedding | None = None,
        d_ff: int | None = None,
    ):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(
                f"got d_model={d_model} and n_heads={n_heads}; pass a d_model that n_heads divides"
            )
        self.embedding = embedding or PatchEmbedding(min(patch_length, input_length), d_model)
        self.n_patches = self.embedding.n_patches(input_length)
        self.position = nn.Parameter(0.02 * torch.randn(memory_tokens + self.n_patches, d_model))
        self.dropout = nn.Dropout(dropout)
        self.backbone = backbone or transformer(d_model, n_layers, n_heads, dropout, d_ff)

    def forward(self, patches: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Encode embedded patches beside memory tokens.

        Parameters
        ----------
        patches : Tensor of shape (n, n_patches, d_model)
            From `embedding`.
        tokens : Tensor of shape (n, memory_tokens, d_model), default=None
            None is for an encoder without memory.

        Returns
        -------
        Tensor of shape (n, n_patches, d_model)
        """
        sequence = patches if tokens is None else torch.cat([tokens, patches], dim=1)
        encoded = self.backbone(self.dropout(sequence + self.position))
        return encoded[:, -self.n_patches :]


def transformer(
    d_model: int, n_layers: int, n_heads: int, dropout: float, d_ff: int | None = None
) -> nn.Module:
    """Pre-norm transformer over (batch, length, d_model)."""
    layer = nn.TransformerEncoderLayer(
        d_model,
        n_heads,
        dim_feedforward=d_ff or 2 * d_model,
        dropout=dropout,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    return nn.TransformerEncoder(layer, n_layers, nn.LayerNorm(d_model), enable_nested_tensor=False)
