"""Predictor for pairs of sequences: one encoder reads both, a small head compares them."""

from typing import Any

import torch
from torch import Tensor, nn

from klforecast.modules.ssm.heads import SequencePredictor
from klforecast.modules.ssm.spectral_ssm import SpectralSSM


class PairPredictor(nn.Module):
    """One answer per pair of sequences, which meet only after each was encoded by itself.

    The encodings a and b enter the head as (a, b, a * b, a - b), as in the retrieval task of Long
    Range Arena (arXiv 2011.04006, section 2.2.3, allows no attention across the documents).

    Parameters
    ----------
    n_outputs : int
        Classes, or values.
    n_features : int, default=64
        Numbers that one sequence is encoded in.
    **backbone
        Arguments of `SpectralSSM`.

    Examples
    --------
    >>> import torch
    >>> pairs = torch.zeros(3, 2, 40, dtype=torch.long)
    >>> PairPredictor(5, vocab_size=10, d_model=16)(pairs).shape
    torch.Size([3, 5])
    """

    def __init__(self, n_outputs: int, n_features: int = 64, **backbone: Any):
        super().__init__()
        self.encoder = SequencePredictor(n_features, **backbone)
        self.head = nn.Sequential(
            nn.Linear(4 * n_features, n_features), nn.GELU(), nn.Linear(n_features, n_outputs)
        )

    @property
    def backbone(self) -> SpectralSSM:
        """The network that both sequences pass."""
        return self.encoder.backbone

    def forward(
        self,
        x: Tensor,  # (batch, 2, length, n_channels), or token ids (batch, 2, length)
        mask: Tensor | None = None,  # (batch, 2, length), True where observed
    ) -> Tensor:  # (batch, n_outputs)
        """Answer of every pair."""
        encoded = self.encoder(x.flatten(0, 1), None if mask is None else mask.flatten(0, 1))
        a, b = encoded.unflatten(0, (-1, 2)).unbind(dim=1)
        return self.head(torch.cat([a, b, a * b, a - b], dim=-1))
