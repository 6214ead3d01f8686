"""MixLinear: two linear maps over cycles in time, and a low-rank one in frequency.

    X           = past as a matrix of phases x cycles             (period P, N = L / P cycles)
    time        = A X                                             A: N -> H / P cycles, via r numbers
    frequency   = inverse FFT of W (first K frequencies of X over the cycles)      W of low rank
    forecast    = time + frequency, phases shared

Letters   P period   N cycles in   M cycles out   r rank
Paper     Ma et al. 2024, MixLinear: Extreme Low Resource Multivariate Time Series Forecasting with
          0.1K Parameters, arXiv 2410.02081.
Left out  The moving average before the downsampling, and the published split of the map over time
          into segments: a product of two maps of rank r has as few weights.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad


class MixLinear(nn.Module):
    """Forecast cycles from cycles, phase by phase, in time and in frequency.

    Parameters
    ----------
    lookback, horizon : int
        Steps in and out.
    period : int
        Steps of a cycle.
    rank : int, default=4
        Rank of both maps.
    """

    def __init__(self, lookback: int, horizon: int, period: int, rank: int = 4):
        super().__init__()
        self.horizon = horizon
        self.period = min(period, lookback)
        n_in, n_out = math.ceil(lookback / self.period), math.ceil(horizon / self.period)
        self.missing = n_in * self.period - lookback
        self.n_out = n_out
        self.time = nn.Sequential(nn.Linear(n_in, rank, bias=False), nn.Linear(rank, n_out))
        kept = n_in // 2 + 1
        real = {"into": (rank, kept, 2), "out": (n_out // 2 + 1, rank, 2)}
        self.low_rank = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(shape) / shape[1]) for name, shape in real.items()}
        )

    def forward(self, past: Tensor) -> Tensor:  # (batch, lookback, channels)
        """Forecast every channel."""
        filled = pad(past.mT, (self.missing, 0), mode="replicate")
        level = filled.mean(dim=2, keepdim=True)
        cycles = (filled - level).unflatten(2, (-1, self.period)).mT  # (batch, c, P, N)
        into, out = (torch.view_as_complex(self.low_rank[name]) for name in ("into", "out"))
        spectrum = torch.fft.rfft(cycles) @ into.mT @ out.mT
        ahead = self.time(cycles) + torch.fft.irfft(spectrum, n=self.n_out)
        return (ahead.mT.flatten(2) + level)[..., : self.horizon].mT
