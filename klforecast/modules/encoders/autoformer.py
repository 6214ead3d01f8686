"""Autoformer: attention by delays instead of steps, and a trend taken off in every layer.

    R(d)      = mean over features of the correlation of q with k delayed by d         by FFT
    x         = x + sum over the k best delays of softmax(R(d)) v delayed by d
    x, trend  = x - moving average of x, trend + moving average of x                  twice a layer
    forecast  = W_s x + W_t trend                                          maps over time

Letters   L lookback   d delay in steps   k = 2 log L delays
Paper     Wu et al. 2021, Autoformer, arXiv 2106.13008.
Left out  The decoder, in whose place two linear maps over time stand; calendar marks. Delays are
          chosen for each window by itself: the published code takes the mean over the batch while
          training, so that a forecast depends on its batch mates.
"""

import math

import torch
from torch import Tensor, nn

from klforecast.modules.blocks import feed_forward
from klforecast.modules.encoders.moving_average import moving_average
from klforecast.ops.precision import working


def split_trend(x: Tensor) -> tuple[Tensor, Tensor]:
    """Split (batch, length, n) into what is left and a moving average over 25 steps."""
    trend = moving_average(x.mT).mT
    return x - trend, trend


def auto_correlation(q: Tensor, k: Tensor, v: Tensor, n_delays: int) -> Tensor:
    """Sum v over the best delays of q against k, all (batch, length, n)."""
    length = q.shape[1]
    spectrum = torch.fft.rfft(working(q), dim=1) * torch.fft.rfft(working(k), dim=1).conj()
    match = torch.fft.irfft(spectrum, n=length, dim=1).mean(dim=2)  # (batch, delays)
    best, delays = match.topk(min(n_delays, length), dim=1)
    steps = torch.arange(length, device=q.device)
    index = (steps + delays[..., None]) % length  # (batch, delays, length)
    rows = torch.arange(len(q), device=q.device)[:, None, None]
    shares = best.softmax(dim=1).to(v.dtype)
    return (shares[..., None, None] * v[rows, index]).sum(dim=1)


class Autoformer(nn.Module):
    """Auto-correlation layers over the steps of a window of all channels.

    Parameters
    ----------
    lookback, horizon, channels : int
        Sizes in and out.
    d_model, n_layers : int
        Width of a step, number of layers.
    d_ff : int, default=None
        Width between the maps of a feed-forward layer. None is ``2 * d_model``.
    dropout : float, default=0.1
        In the layers.
    """

    def __init__(
        self,
        lookback: int,
        horizon: int,
        channels: int,
        *,
        d_model: int,
        n_layers: int,
        d_ff: int | None = None,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.embed = nn.Conv1d(channels, d_model, 3, padding=1, padding_mode="circular")
        n_delays = max(1, int(2 * math.log(lookback)))
        d_ff = d_ff or 2 * d_model
        self.layers = nn.ModuleList(
            _Layer(d_model, n_delays, d_ff, dropout) for _ in range(n_layers)
        )
        self.seasonal = nn.Linear(lookback, horizon)
        self.trend = nn.Linear(lookback, horizon)
        self.seasonal_out = nn.Linear(d_model, channels)
        self.trend_out = nn.Linear(d_model, channels)

    def forward(
        self,
        past: Tensor,  # (batch, lookback, channels)
        features: Tensor | None = None,  # (batch, channels, d_model)
    ) -> Tensor:
        """Forecast every channel; the mean of the features is added to every step."""
        seasonal, trend = split_trend(past)
        x = self.embed(seasonal.mT).mT
        if features is not None:
            x = x + features.mean(dim=1, keepdim=True)
        passed = torch.zeros_like(x)
        for layer in self.layers:
            x, more = layer(x)
            passed = passed + more
        ahead = self.seasonal((self.seasonal_out(x) + seasonal).mT)
        return (ahead + self.trend((self.trend_out(passed) + trend).mT)).mT


class _Layer(nn.Module):
    def __init__(self, d_model: int, n_delays: int, d_ff: int, dropout: float):
        super().__init__()
        self.n_delays = n_delays
        self.into = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)
        self.mlp = feed_forward(d_model, d_ff)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # (batch, length, d_model)
        q, k, v = self.into(x).chunk(3, dim=-1)
        mixed = self.out(auto_correlation(q, k, v, self.n_delays))
        x, first = split_trend(x + self.dropout(mixed))
        x, second = split_trend(x + self.dropout(self.mlp(x)))
        return x, first + second
