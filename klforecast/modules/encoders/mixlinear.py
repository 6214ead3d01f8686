"""MixLinear: cycles to cycles by a product of two small maps in time, and a low-rank one in frequency.

    X           = past + convolution over a cycle of it, as phases x cycles      (period P, N cycles)
    time        = A X_p B'               X_p: the cycles of a phase as segments x cycles in a segment
    frequency   = inverse FFT of W (FFT of X over the cycles)                    W of rank r
    forecast    = time + frequency, phases shared

A maps segments and B what is within one, each about sqrt N numbers to sqrt M: together they are a
map from N to M cycles of full rank with some 2 sqrt(N M) weights.

Letters   P period   N cycles in   M cycles out   r rank
Paper     Ma et al. 2024, MixLinear: Extreme Low Resource Multivariate Time Series Forecasting with
          0.1K Parameters, arXiv 2410.02081.
Left out  The fixed weight between both forecasts and the cut-off in frequency, which the published
          scripts set for each data set and horizon.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from klforecast.ops.precision import working


class MixLinear(nn.Module):
    """Forecast cycles from cycles, phase by phase, in time and in frequency.

    Parameters
    ----------
    lookback, horizon : int
        Steps in and out.
    period : int
        Steps of a cycle.
    rank : int, default=2
        Rank of the map in frequency.
    """

    def __init__(self, lookback: int, horizon: int, period: int, rank: int = 2):
        super().__init__()
        self.horizon = horizon
        self.period = min(period, lookback)
        n_in, n_out = math.ceil(lookback / self.period), math.ceil(horizon / self.period)
        self.missing = n_in * self.period - lookback
        self.n_out = n_out
        half = self.period // 2
        self.convolution = nn.Conv1d(1, 1, 2 * half + 1, padding=half, bias=False)
        self.segment, ahead = math.ceil(math.sqrt(n_in)), math.ceil(math.sqrt(n_out))
        self.across, self.within = (nn.Linear(self.segment, ahead, bias=False) for _ in range(2))
        kept = n_in // 2 + 1
        real = {"into": (rank, kept, 2), "out": (n_out // 2 + 1, rank, 2)}
        self.low_rank = nn.ParameterDict(
            {name: nn.Parameter(torch.randn(shape) / shape[1]) for name, shape in real.items()}
        )

    def forward(self, past: Tensor) -> Tensor:  # (batch, lookback, channels)
        """Forecast every channel."""
        filled = pad(past.mT, (self.missing, 0), mode="replicate")
        level = filled.mean(dim=2, keepdim=True)
        series = (filled - level).flatten(0, 1)[:, None]
        smooth = (series + self.convolution(series)).unflatten(0, level.shape[:2])[:, :, 0]
        cycles = smooth.unflatten(2, (-1, self.period)).mT  # (batch, c, P, N)
        ahead = self._in_time(cycles) + self._in_frequency(cycles)
        return (ahead.mT.flatten(2) + level)[..., : self.horizon].mT

    def _in_frequency(self, cycles: Tensor) -> Tensor:  # (batch, c, P, N) -> (batch, c, P, M)
        into, out = (
            torch.view_as_complex(working(self.low_rank[name])) for name in ("into", "out")
        )
        spectrum = torch.fft.rfft(working(cycles)) @ into.mT @ out.mT
        return torch.fft.irfft(spectrum, n=self.n_out).to(cycles.dtype)

    def _in_time(self, cycles: Tensor) -> Tensor:  # (batch, c, P, N) -> (batch, c, P, M)
        missing = self.segment**2 - cycles.shape[-1]
        segments = pad(cycles, (missing, 0)).unflatten(-1, (self.segment, self.segment))
        ahead = self.across(self.within(segments).mT).mT
        return ahead.flatten(-2)[..., : self.n_out]
