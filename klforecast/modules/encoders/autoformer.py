"""Autoformer: attention by delays instead of steps, and a trend taken off in every layer.

    R(d)      = mean over features of the correlation of q with k delayed by d         by FFT
    C(q, k, v) = sum over the n best delays of softmax(R(d)) v delayed by d
    S, T(x)   = x - moving average of x, moving average of x

    encoder   x = S(x + C(x, x, x)); x = S(x + mlp(x))
    decoder   from S(last half of the window), zeros over the horizon; three trends go to the forecast:
              x = S(y + C(y, y, y)); x = S(x + C(x, e, e)); x = S(x + mlp(x))      e: encoder's output
    forecast  = W x + last half's trend, mean over the horizon + sum of convolved trends

Nothing but C reaches more than a few steps over the border of the window, so the season of the forecast
is what auto-correlation carries there.

Letters   d delay in steps   n = 3 log(length) delays
Paper     Wu et al. 2021, Autoformer, arXiv 2106.13008.
Left out  Calendar marks. Delays are chosen for each window by itself: the published code takes the mean
          over the batch while training, so that a forecast depends on its batch mates.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from klforecast.modules.blocks import feed_forward
from klforecast.modules.encoders.moving_average import moving_average
from klforecast.ops.precision import working

_FACTOR = 3  # delays per unit of log(length), as in the published script for ETTh1


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
    """Auto-correlation layers over the steps of a window, and a decoder over the horizon.

    Parameters
    ----------
    lookback, horizon, channels : int
        Sizes in and out.
    d_model, n_layers : int
        Width of a step, number of layers of the encoder; the decoder has one.
    d_ff : int, default=None
        Width between the maps of a feed-forward layer. None is ``2 * d_model``.
    dropout : float, default=0.1
        In the embeddings and in the layers.
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
        self.horizon = horizon
        self.known = (lookback + 1) // 2
        d_ff = d_ff or 2 * d_model
        self.embed, self.embed_ahead = (_convolution(channels, d_model) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(_Layer(d_model, d_ff, dropout) for _ in range(n_layers))
        self.decoder = _DecoderLayer(d_model, d_ff, dropout)
        self.norm, self.norm_ahead = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.trend_out = _convolution(d_model, channels)
        self.out = nn.Linear(d_model, channels)

    def forward(
        self,
        past: Tensor,  # (batch, lookback, channels)
        features: Tensor | None = None,  # (batch, channels, d_model)
    ) -> Tensor:
        """Forecast every channel; the mean of the features is added to every step of the decoder."""
        x = self.dropout(self.embed(past.mT).mT)
        for layer in self.layers:
            x = layer(x)
        x = _without_mean(self.norm(x))
        seasonal, trend = (part[:, -self.known :] for part in split_trend(past))
        level = past.mean(dim=1, keepdim=True).expand(-1, self.horizon, -1)
        ahead = self.dropout(self.embed_ahead(_lengthened(seasonal, self.horizon).mT).mT)
        if features is not None:
            ahead = ahead + features.mean(dim=1, keepdim=True)
        ahead, passed = self.decoder(ahead, x)
        forecast = self.out(_without_mean(self.norm_ahead(ahead))) + self.trend_out(passed.mT).mT
        return (forecast + torch.cat([trend, level], dim=1))[:, -self.horizon :]


class _Correlation(nn.Module):
    def __init__(self, d_model: int):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(d_model, d_model) for _ in range(4))

    def forward(self, x: Tensor, context: Tensor) -> Tensor:  # (batch, length, d_model), any length
        length = x.shape[1]
        missing = max(0, length - context.shape[1])
        k, v = (_lengthened(part(context), missing)[:, :length] for part in (self.key, self.value))
        return self.out(
            auto_correlation(self.query(x), k, v, max(1, int(_FACTOR * math.log(length))))
        )


class _Layer(nn.Module):
    def __init__(self, d_model: int, d_ff: int, dropout: float):
        super().__init__()
        self.own = _Correlation(d_model)
        self.mlp = feed_forward(d_model, d_ff)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:  # (batch, length, d_model)
        x, _ = split_trend(x + self.dropout(self.own(x, x)))
        return split_trend(x + self.dropout(self.mlp(x)))[0]


class _DecoderLayer(nn.Module):
    def __init__(self, d_model: int, d_ff: int, dropout: float):
        super().__init__()
        self.own, self.cross = _Correlation(d_model), _Correlation(d_model)
        self.mlp = feed_forward(d_model, d_ff)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor]:  # trends second
        x, first = split_trend(x + self.dropout(self.own(x, x)))
        x, second = split_trend(x + self.dropout(self.cross(x, encoded)))
        x, third = split_trend(x + self.dropout(self.mlp(x)))
        return x, first + second + third


def _convolution(n_in: int, n_out: int) -> nn.Conv1d:
    return nn.Conv1d(n_in, n_out, 3, padding=1, padding_mode="circular", bias=False)


def _lengthened(x: Tensor, n_steps: int) -> Tensor:  # (batch, length, n), zeros after the end
    return pad(x, (0, 0, 0, n_steps))


def _without_mean(x: Tensor) -> Tensor:  # (batch, length, n), over the length
    return x - x.mean(dim=1, keepdim=True)
