"""TimesNet: a window folded by its leading periods into pictures, and convolved in two dimensions.

    P_1 ... P_k = periods of the largest amplitudes in the spectra of the training windows
    picture_i   = x as a matrix of cycles x phases of P_i, convolved by an inception block
    x           = x + sum_i softmax(amplitude_i) picture_i unfolded
    forecast    = W_o W_t x                                          first over time, then out

Letters   P period in steps   k periods   d model width
Paper     Wu et al. 2023, TimesNet, arXiv 2210.02186.
Left out  Extending the window to the horizon before the blocks (the map over time comes after
          them); kernels larger than 3 x 3. The published code takes the periods of each batch, so
          that a forecast depends on its batch mates; here they are those of the training windows,
          and their amplitudes each window's own.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, pad

from klforecast.modules.states import StatefulModule
from klforecast.ops.linalg import require_finite
from klforecast.ops.precision import exact, working

_KERNELS = (
    1,
    3,
)  # the first two of the six of the published code, 1 to 11: a thirtieth of the weights


class TimesNet(StatefulModule):
    """Blocks of two-dimensional convolutions over folded windows.

    Parameters
    ----------
    lookback, horizon, channels : int
        Sizes in and out.
    d_model, n_layers : int
        Width of a step, number of blocks.
    d_ff : int, default=None
        Channels between the two convolutions of a block. None is `d_model`.
    n_periods : int, default=2
        Periods that a window is folded by.
    dropout : float, default=0.1
        In the embedding.
    """

    amplitudes: Tensor
    frequencies: Tensor

    def __init__(
        self,
        lookback: int,
        horizon: int,
        channels: int,
        *,
        d_model: int,
        n_layers: int,
        d_ff: int | None = None,
        n_periods: int = 2,
        dropout: float = 0.1,
    ):
        super().__init__()
        n_bins = lookback // 2
        first = torch.arange(1, min(n_periods, max(1, n_bins)) + 1)
        self.register_state("amplitudes", torch.zeros(n_bins + 1))
        self.register_state("frequencies", first.clamp(max=max(1, n_bins)))
        self.embed = nn.Conv1d(channels, d_model, 3, padding=1, padding_mode="circular")
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Inception(d_model, d_ff or d_model) for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model)
        self.over_time = nn.Linear(lookback, horizon)
        self.out = nn.Linear(d_model, channels)

    @torch.no_grad()
    def absorb(self, window: Tensor, future: Tensor) -> None:
        """Add the spectra of training windows, and choose the periods again."""
        if len(window) == 0:
            return
        require_finite(window, "the windows")
        seen = torch.fft.rfft(exact(window)).abs().sum(dim=(0, 1))
        amplitudes = self.amplitudes + seen
        frequencies = self.frequencies.clone()
        ranked = amplitudes[1:].topk(min(len(frequencies), len(amplitudes) - 1))
        frequencies[: len(ranked.indices)] = (ranked.indices + 1).to(frequencies.dtype)
        self.write(amplitudes=amplitudes, frequencies=frequencies)

    def forward(
        self,
        past: Tensor,  # (batch, lookback, channels)
        features: Tensor | None = None,  # (batch, channels, d_model)
    ) -> Tensor:
        """Forecast every channel; the mean of the features is added to every step."""
        x = self.dropout(self.embed(past.mT).mT)
        if features is not None:
            x = x + features.mean(dim=1, keepdim=True)
        for block in self.blocks:
            x = self.norm(x + self._fold(x, block))
        return self.out(self.over_time(x.mT).mT)

    def _fold(self, x: Tensor, block: nn.Module) -> Tensor:
        length = x.shape[1]
        frequencies = self.frequencies.round().long().to(x.device)
        spectrum = torch.fft.rfft(working(x), dim=1)[:, frequencies.clamp(max=length // 2)]
        weight = spectrum.abs().mean(dim=2).softmax(dim=1).to(x.dtype)
        folded = []
        for frequency in frequencies.tolist():
            period = max(1, length // frequency)
            rows = math.ceil(length / period)
            picture = pad(x.mT, (0, rows * period - length)).unflatten(2, (rows, period))
            folded.append(block(picture).flatten(2)[..., :length].mT)
        return (torch.stack(folded, dim=1) * weight[..., None, None]).sum(dim=1)


class _Inception(nn.Module):
    def __init__(self, d_model: int, d_ff: int):
        super().__init__()
        self.first, self.second = (
            nn.ModuleList(nn.Conv2d(*widths, size, padding=size // 2) for size in _KERNELS)
            for widths in ((d_model, d_ff), (d_ff, d_model))
        )

    def forward(self, picture: Tensor) -> Tensor:  # (batch, d_model, cycles, phases)
        for layers in (self.first, self.second):
            picture = sum(layer(picture) for layer in layers) / len(layers)
            if layers is self.first:
                picture = gelu(picture)
        return picture
