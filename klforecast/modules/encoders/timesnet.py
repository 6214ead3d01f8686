"""TimesNet: features folded by their leading periods into pictures, and convolved in two dimensions.

    x           = W_t (embedding + sines of the position)           extended over the horizon
    P_1 ... P_k = periods of the largest amplitudes in the spectrum of x, found anew in each block
    picture_i   = x as a matrix of cycles x phases of P_i, convolved twice by an inception block
    x           = norm(x + sum_i softmax(amplitude_i) picture_i unfolded)
    forecast    = W_o x                                             of the steps after the window

An inception block is the mean of convolutions over 1, 3, ..., 11 cycles and phases. It is computed as
one, whose kernel is the mean of theirs: 121 products a pair of channels instead of 286.

Letters   P period in steps   k periods   d model width
Paper     Wu et al. 2023, TimesNet, arXiv 2210.02186.
Left out  Calendar marks. The published code takes the periods of the mean spectrum of a batch, so that
          a forecast depends on its batch mates; here they are each window's own.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from klforecast.ops.precision import exact, like, working

_KERNELS = (1, 3, 5, 7, 9, 11)  # as in the published code


class TimesNet(nn.Module):
    """Blocks of two-dimensional convolutions over folded windows.

    Parameters
    ----------
    lookback, horizon, channels : int
        Sizes in and out.
    d_model, n_layers : int
        Width of a step, number of blocks.
    d_ff : int, default=None
        Channels between the two convolutions of a block. None is `d_model`.
    n_periods : int, default=5
        Periods that a window is folded by.
    dropout : float, default=0.1
        In the embedding.

    Notes
    -----
    Cost: 242 (lookback + horizon) n_periods d_model d_ff products per window and block, a thousand times
    those of a linear map.
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
        n_periods: int = 5,
        dropout: float = 0.1,
    ):
        super().__init__()
        self.lookback = lookback
        self.n_periods = n_periods
        self.embed = nn.Conv1d(channels, d_model, 3, padding=1, padding_mode="circular", bias=False)
        self.dropout = nn.Dropout(dropout)
        self.extend = nn.Linear(lookback, lookback + horizon)
        d_ff = d_ff or d_model
        self.blocks = nn.ModuleList(
            nn.Sequential(_Inception(d_model, d_ff), nn.GELU(), _Inception(d_ff, d_model))
            for _ in range(n_layers)
        )
        self.norm = nn.LayerNorm(d_model)
        self.out = nn.Linear(d_model, channels)

    def forward(
        self,
        past: Tensor,  # (batch, lookback, channels)
        features: Tensor | None = None,  # (batch, channels, d_model)
    ) -> Tensor:
        """Forecast every channel; the mean of the features is added to every step."""
        x = self.embed(past.mT).mT
        x = self.dropout(x + positions(x))
        if features is not None:
            x = x + features.mean(dim=1, keepdim=True)
        x = self.extend(x.mT).mT
        for block in self.blocks:
            x = self.norm(x + folded(x, block, self.n_periods))
        return self.out(x[:, self.lookback :])


def positions(like_these: Tensor) -> Tensor:  # (batch, length, d_model) -> (length, d_model)
    """Sines and cosines of the position, from one radian a step to 1 / 10,000, in turn."""
    length, d_model = like_these.shape[1:]
    steps, features = (exact(torch.arange(n, device=like_these.device)) for n in (length, d_model))
    angle = steps[:, None] * 10_000 ** (-2 * (features // 2) / d_model)
    return like(torch.where(features % 2 == 0, angle.sin(), angle.cos()), like_these)


def leading_periods(x: Tensor, n_periods: int) -> tuple[Tensor, Tensor]:
    """Periods of the largest amplitudes of each window, (batch, n), and these amplitudes.

    The amplitude of a frequency is the mean over the features of (batch, length, d_model).
    """
    length = x.shape[1]
    amplitude = torch.fft.rfft(working(x), dim=1).abs().mean(dim=2)[:, 1:]
    largest = amplitude.topk(min(n_periods, amplitude.shape[1]), dim=1)
    return length // (largest.indices + 1), largest.values


def folded(x: Tensor, block: nn.Module, n_periods: int) -> Tensor:
    """Sum of what a block makes of (batch, length, d_model) folded by its leading periods."""
    length = x.shape[1]
    periods, amplitudes = leading_periods(x, n_periods)
    shares = amplitudes.softmax(dim=1).to(x.dtype)
    total = torch.zeros_like(x)
    for period in periods.unique().tolist():
        window, place = (periods == period).nonzero(as_tuple=True)
        cycles = math.ceil(length / period)
        picture = pad(x[window].mT, (0, cycles * period - length)).unflatten(2, (cycles, period))
        seen = block(picture).flatten(2)[..., :length].mT
        total = total.index_add(0, window, shares[window, place][:, None, None] * seen)
    return total


class _Inception(nn.Module):
    """The mean of convolutions with square kernels of several sizes, as one convolution."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.parts = nn.ModuleList(_convolution(n_in, n_out, size) for size in _KERNELS)

    def forward(self, picture: Tensor) -> Tensor:  # (batch, n_in, cycles, phases)
        side = _KERNELS[-1]
        parts = [dict(part.named_parameters()) for part in self.parts]
        kernels = [
            pad(part["weight"], 4 * [(side - size) // 2])
            for part, size in zip(parts, _KERNELS, strict=True)
        ]
        weight = torch.stack(kernels).mean(dim=0)
        bias = torch.stack([part["bias"] for part in parts]).mean(dim=0)
        return conv2d(picture, weight, bias, padding=side // 2)


def _convolution(n_in: int, n_out: int, size: int) -> nn.Conv2d:
    convolution = nn.Conv2d(n_in, n_out, size, padding=size // 2)
    nn.init.kaiming_normal_(convolution.weight, mode="fan_out", nonlinearity="relu")
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution
