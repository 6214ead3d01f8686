"""Heads on `SpectralSSM`: one answer per sequence, or the next token at every step."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from klforecast.modules.ssm.spectral_ssm import SpectralSSM


class SequencePredictor(nn.Module):
    """One answer per sequence: logits of classes, or values of a regression.

    The steps of a sequence are pooled by their mean and their maximum, over observed steps only. Of a
    sequence without any, both are zero.

    Parameters
    ----------
    n_outputs : int
        Classes, or values.
    **backbone
        Arguments of `SpectralSSM`.

    Examples
    --------
    >>> import torch
    >>> SequencePredictor(5, n_channels=2, d_model=16)(torch.zeros(3, 40, 2)).shape
    torch.Size([3, 5])
    """

    def __init__(self, n_outputs: int, **backbone: Any):
        super().__init__()
        self.backbone = SpectralSSM(**backbone)
        self.head = nn.Linear(2 * self.backbone.norm.normalized_shape[0], n_outputs)

    def forward(
        self,
        x: Tensor,  # (batch, length, n_channels), or token ids (batch, length)
        mask: Tensor | None = None,  # (batch, length), True where observed
        gaps: Tensor | None = None,  # (batch, length), time since the step before, in steps
    ) -> Tensor:  # (batch, n_outputs)
        """Answer of every sequence."""
        encoded = self.backbone(x, mask, gaps)
        if mask is None:
            mask = torch.ones(encoded.shape[:2], dtype=torch.bool, device=encoded.device)
        seen = mask[..., None].bool()
        count = seen.sum(dim=1)
        mean = encoded.where(seen, 0.0).sum(dim=1) / count.clamp(min=1)
        largest = encoded.masked_fill(~seen, -torch.inf).amax(dim=1).where(count > 0, 0.0)
        return self.head(torch.cat([mean, largest], dim=-1))


class LanguageModel(nn.Module):
    """Logits of the next token at every step, read with the transposed embedding.

    Parameters
    ----------
    vocab_size : int
        Number of different tokens.
    **backbone
        Further arguments of `SpectralSSM`; `bidirectional` must stay False.

    Examples
    --------
    >>> import torch
    >>> LanguageModel(100, d_model=16)(torch.zeros(3, 40, dtype=torch.long)).shape
    torch.Size([3, 40, 100])
    """

    def __init__(self, vocab_size: int, **backbone: Any):
        super().__init__()
        if backbone.get("bidirectional", False):
            raise ValueError("bidirectional is True; a language model must not see the next token")
        self.backbone = SpectralSSM(vocab_size=vocab_size, **backbone)
        # The shared matrix serves as a readout only at this scale: normalised steps times unit rows
        # would start with logits of magnitude sqrt(d_model).
        d_model = self.backbone.norm.normalized_shape[0]
        self.scale = 1 / math.sqrt(d_model)

    def forward(
        self,
        tokens: Tensor,  # (batch, length)
        mask: Tensor | None = None,  # (batch, length), True where observed
    ) -> Tensor:  # (batch, length, vocab_size)
        """Logits of the token after every step."""
        return self._logits(self.backbone(tokens, mask))

    def step(
        self,
        tokens: Tensor,  # (batch,)
        states: list[Tensor],  # one per block
    ) -> tuple[Tensor, list[Tensor]]:
        """Logits of the next token, (batch, vocab_size), and the states."""
        encoded, states = self.backbone.step(tokens, states)
        return self._logits(encoded), states

    def _logits(self, encoded: Tensor) -> Tensor:
        return self.scale * (encoded @ self.backbone.embedding.weight.T)
