"""RLinear: one linear map over time between reversible instance normalisation.

    z = a (past - m) / s + c            m, s: mean and deviation of the window, per channel
    forecast = s ((W dropout(z) + b) - c) / a + m          W shared by all channels

Paper     Li, Qi, Li & Xu (2023), "Revisiting Long-term Time Series Forecasting: An Investigation on
          Linear Mapping", arXiv:2305.10721. Normalisation: Kim et al. (2022), "Reversible Instance
          Normalization", ICLR.
Left out  the variant with one map per channel.
"""

import torch
from torch import Tensor, nn


class ReversibleNormalization(nn.Module):
    """Instance normalisation of each window with a learned affine map, and its inverse."""

    def __init__(self, channels: int, eps: float = 1e-5):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def statistics(self, past: Tensor) -> tuple[Tensor, Tensor]:  # each (batch, 1, channels)
        """Mean and deviation of each window."""
        # Constants to the gradient, as in the published layer.
        mean = past.mean(dim=1, keepdim=True).detach()
        variance = past.var(dim=1, keepdim=True, correction=0).detach()
        return mean, (variance + self.eps).sqrt()

    def normalize(self, past: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Bring a window to its own scale."""
        return (past - mean) / scale * self.gain + self.shift

    def restore(self, forecast: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
        """Bring a forecast back to the scale of its window."""
        return (forecast - self.shift) / (self.gain + self.eps**2) * scale + mean


class RLinear(nn.Module):
    """Linear map of the past, normalised per window."""

    def __init__(self, lookback: int, horizon: int, channels: int, dropout: float = 0.1):
        super().__init__()
        self.normalization = ReversibleNormalization(channels)
        self.dropout = nn.Dropout(dropout)
        self.map = nn.Linear(lookback, horizon)

    def forward(self, past: Tensor) -> Tensor:  # (batch, lookback, channels)
        """Forecast every channel."""
        mean, scale = self.normalization.statistics(past)
        normal = self.dropout(self.normalization.normalize(past, mean, scale))
        # (batch, horizon, channels)
        return self.normalization.restore(self.map(normal.mT).mT, mean, scale)
