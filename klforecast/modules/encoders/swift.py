"""SWIFT: one level of a Haar wavelet, a convolution, one linear map for both sub-series.

    a, d     = (x[2i] + x[2i+1]) / sqrt 2, (x[2i] - x[2i+1]) / sqrt 2       L / 2 steps each
    a, d     = dropout(a, d + convolution over 2 sub-series and 13 steps)
    a', d'   = W a + b, W d + b                                             to H / 2 steps
    forecast = inverse wavelet of a', d'

Letters   a approximation   d detail   L lookback   H horizon
Paper     Xie & Cao 2025, SWIFT: Mapping Sub-series with Wavelet Decomposition Improves Time Series
          Forecasting, arXiv 2501.16178.
Left out  Other wavelets than Haar; reversible normalisation, which the caller has done.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

_KERNEL = 13  # steps of the convolution in every script of the published code


class SWIFT(nn.Module):
    """Linear map of wavelet sub-series.

    Parameters
    ----------
    lookback, horizon : int
        Steps in and out.
    dropout : float, default=0.0
        Share of the numbers of both sub-series that is dropped before the map.
    """

    def __init__(self, lookback: int, horizon: int, dropout: float = 0.0):
        super().__init__()
        self.horizon = horizon
        self.missing = lookback % 2
        self.convolution = nn.Conv1d(2, 2, _KERNEL, padding=_KERNEL // 2, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.map = nn.Linear((lookback + 1) // 2, (horizon + 1) // 2)

    def forward(self, past: Tensor) -> Tensor:  # (batch, lookback, channels)
        """Forecast every channel."""
        pairs = pad(past.mT, (self.missing, 0), mode="replicate").unflatten(2, (-1, 2))
        series = _turn(pairs).mT.flatten(0, 1)  # (batch c, 2, lookback / 2)
        mapped = self.map(self.dropout(series + self.convolution(series)))
        ahead = _turn(mapped.mT).flatten(1)[:, : self.horizon]
        return ahead.unflatten(0, (len(past), -1)).mT


def _turn(pairs: Tensor) -> Tensor:  # (..., 2): the Haar wavelet is its own inverse
    first, second = pairs.unbind(dim=-1)
    return torch.stack([first + second, first - second], dim=-1) / math.sqrt(2)
