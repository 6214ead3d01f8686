"""The two recurrences of a spectral layer, each a module around one scan of `ops.scan`.

A head has one time constant and `n_modes` frequencies, at first the harmonics of that constant:
pole k is exp(delta (-a + i theta_k)) with a = 1, theta_k = 2 pi k and delta = 1 / time constant, as
in S4D-Lin (arXiv 2206.11893), where the real part is shared and a mode is a frequency. Heads are
spread over `n_scales` time constants, evenly in the logarithm.

What enters a mode is scaled by 1 - exp(-a delta): the state is then a turned convex combination of
its inputs and never larger than the largest of them, whatever the steps and whatever the length.

At uneven times, `gaps` say how many regular steps have gone by since the step before. What stands in
the state decays and turns for as long; what enters is the same. A sequence without the steps at which
nothing enters then has the states that the whole sequence has at the steps that are left. (A gap below
one lets more enter in the same time, and the bound on the state grows with the number of samples.)
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from klforecast.ops.convolution import convolve
from klforecast.ops.precision import working
from klforecast.ops.scan import (
    modal_filter_loop,
    modal_kernel,
    modal_step,
    spectral_scan,
    spectral_step,
)

_SHORTEST_TIME_CONSTANT = 2.0  # steps


def time_constants(n_heads: int, n_scales: int, max_length: int) -> Tensor:  # (n_heads,)
    """Time constant of every head in steps, log-spaced from 2 to half of `max_length`.

    One scale has the geometric mean of both ends.
    """
    if not 1 <= n_scales <= n_heads:
        raise ValueError(f"n_scales is {n_scales}; pass one between 1 and n_heads = {n_heads}")
    longest = max(_SHORTEST_TIME_CONSTANT, max_length / 2)
    position = torch.linspace(0, 1, n_scales) if n_scales > 1 else torch.tensor([0.5])
    scales = _SHORTEST_TIME_CONSTANT * (longest / _SHORTEST_TIME_CONSTANT) ** position
    return scales[torch.arange(n_heads) * n_scales // n_heads]


class _Modes(nn.Module):
    """Poles that both recurrences share: a decay and a step per head, frequencies per mode."""

    def __init__(self, n_heads: int, n_modes: int, n_scales: int, max_length: int):
        super().__init__()
        constants = time_constants(n_heads, n_scales, max_length)
        self.raw_decay = nn.Parameter(_inverse_softplus(torch.ones(n_heads)))
        self.raw_step = nn.Parameter(_inverse_softplus(1 / constants))
        # A mode that turns by more than pi per step cannot be told from a slower one.
        highest = (2 * math.pi * (n_modes - 1) * torch.ones(n_heads)).minimum(math.pi * constants)
        spread = torch.linspace(0, 1, n_modes) if n_modes > 1 else torch.zeros(1)
        self.frequency = nn.Parameter(highest[:, None] * spread)  # (n_heads, n_modes)

    @property
    def n_modes(self) -> int:
        return self.frequency.shape[1]

    @property
    def decay(self) -> Tensor:  # (n_heads,)
        return F.softplus(working(self.raw_decay))

    @property
    def base_step(self) -> Tensor:  # (n_heads,)
        return F.softplus(working(self.raw_step))

    def turning(self) -> Tensor:  # (n_modes,)
        """Mean angle per step of each mode, in radians."""
        return (self.frequency.abs() * self.base_step[:, None]).mean(dim=0)

    def _keep_frequencies(self, indices: Tensor) -> None:
        self.frequency = nn.Parameter(self.frequency.detach()[:, indices])


class ModalCore(_Modes):
    """Time-invariant recurrence: every channel reads the modes of its head with its own weights.

    Parameters
    ----------
    n_heads, width : int
        Heads and channels per head.
    n_modes : int
        Complex modes per head.
    n_scales : int
        Different time constants among the heads.
    max_length : int
        Length of the sequences to come, in steps; sets the longest time constant.
    bounded : bool
        Scale each channel's weights to a sum of magnitudes of at most one, so that the output is
        never larger than the input.
    """

    def __init__(
        self,
        n_heads: int,
        width: int,
        n_modes: int,
        n_scales: int,
        max_length: int,
        bounded: bool,
    ):
        super().__init__(n_heads, n_modes, n_scales, max_length)
        self.bounded = bounded
        self.weight = nn.Parameter(torch.randn(n_heads, width, n_modes, 2) / math.sqrt(n_modes))

    def log_pole(self) -> Tensor:  # (n_heads, n_modes), complex
        """Logarithm of every pole; its real part is below zero."""
        step = self.base_step[:, None]
        return torch.complex(
            (-self.decay[:, None] * step).expand_as(self.frequency), step * self.frequency
        )

    def reading(self, gate: Tensor) -> Tensor:  # (n_modes,) -> (n_heads, width, n_modes), complex
        """Weights from modes to channels, with the gate and the input's scale in them."""
        weight = torch.view_as_complex(working(self.weight)) * gate
        if self.bounded:
            weight = weight / weight.abs().sum(dim=2, keepdim=True).clamp(min=1)
        entering = -torch.expm1(-self.decay * self.base_step)
        return weight * entering[:, None, None]

    def forward(
        self,
        u: Tensor,  # (batch, length, heads, width), zero where padded
        drive: Tensor,  # (batch, length, d_model)
        gate: Tensor,  # (n_modes,)
        backward: "ModalCore | None" = None,
        gaps: Tensor | None = None,  # (batch, length)
    ) -> Tensor:  # (batch, length, heads, width)
        """Run over whole sequences, and `backward` from their end; both are one convolution.

        `drive` is what a selective core needs. With `gaps` each direction goes step by step.
        """
        if gaps is not None:
            y = modal_filter_loop(u, self.log_pole(), self.reading(gate), gaps=gaps)[0]
            if backward is None:
                return y
            return y + backward(u.flip(1), drive, gate, gaps=from_the_end(gaps)).flip(1)
        length = u.shape[1]
        causal = modal_kernel(self.log_pole(), self.reading(gate), length)
        anticausal = None
        if backward is not None:
            anticausal = modal_kernel(backward.log_pole(), backward.reading(gate), length)
        return convolve(u.permute(0, 2, 3, 1), causal, anticausal).permute(0, 3, 1, 2)

    def step(
        self,
        u: Tensor,  # (batch, heads, width)
        drive: Tensor,  # (batch, d_model)
        gate: Tensor,  # (n_modes,)
        state: Tensor,  # (batch, heads, modes, width), complex
        gaps: Tensor | None = None,  # (batch,)
    ) -> tuple[Tensor, Tensor]:
        """Advance by one step."""
        return modal_step(u, self.log_pole(), self.reading(gate), state, gaps)

    def keep_modes(self, indices: Tensor) -> None:
        """Remove every other mode for good."""
        self._keep_frequencies(indices)
        self.weight = nn.Parameter(self.weight.detach()[:, :, indices])


class SelectiveCore(_Modes):
    """Selective recurrence: steps, writes and reads depend on the input; modes are read by all.

    Parameters
    ----------
    d_model : int
        Channels that the steps, writes and reads are computed from.
    n_heads, n_modes, n_scales, max_length : int
        As in `ModalCore`.
    """

    def __init__(self, d_model: int, n_heads: int, n_modes: int, n_scales: int, max_length: int):
        super().__init__(n_heads, n_modes, n_scales, max_length)
        self.write_read = nn.Linear(d_model, 4 * n_modes)
        self.raw_step_slope = nn.Parameter(0.1 * torch.randn(n_heads, d_model) / math.sqrt(d_model))

    def forward(
        self,
        u: Tensor,  # (batch, length, heads, width), zero where padded
        drive: Tensor,  # (batch, length, d_model)
        gate: Tensor,  # (n_modes,)
        backward: "SelectiveCore | None" = None,
        gaps: Tensor | None = None,  # (batch, length)
    ) -> Tensor:  # (batch, length, heads, width)
        """Run over whole sequences, and `backward` from their end."""
        step, write, read = self._terms(drive, gate)
        elapsed = None if gaps is None else self._elapsed(step, gaps)
        y = spectral_scan(u, step, self.decay, self.frequency, write, read, elapsed=elapsed)[0]
        if backward is None:
            return y
        back = None if gaps is None else from_the_end(gaps)
        return y + backward(u.flip(1), drive.flip(1), gate, gaps=back).flip(1)

    def step(
        self,
        u: Tensor,  # (batch, heads, width)
        drive: Tensor,  # (batch, d_model)
        gate: Tensor,  # (n_modes,)
        state: Tensor,  # (batch, heads, modes, width), complex
        gaps: Tensor | None = None,  # (batch,)
    ) -> tuple[Tensor, Tensor]:
        """Advance by one step."""
        step, write, read = self._terms(drive, gate)
        elapsed = None if gaps is None else self._elapsed(step, gaps)
        return spectral_step(u, step, self.decay, self.frequency, write, read, state, elapsed)

    def keep_modes(self, indices: Tensor) -> None:
        """Remove every other mode for good."""
        self._keep_frequencies(indices)
        for name in ("weight", "bias"):
            rows = getattr(self.write_read, name).detach().unflatten(0, (2, -1, 2))
            setattr(self.write_read, name, nn.Parameter(rows[:, indices].flatten(0, 2)))
        self.write_read.out_features = 4 * len(indices)

    def _elapsed(self, step: Tensor, gaps: Tensor) -> Tensor:  # (..., heads), (...)
        """Time of each step and of the steps left out before it, which are those of no input."""
        gaps = gaps[..., None].to(step.dtype)
        return step * gaps.clamp(max=1) + self.base_step * (gaps - 1).clamp(min=0)

    def _terms(self, drive: Tensor, gate: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        raw = working(F.linear(drive, self.raw_step_slope, self.raw_step))
        # Softplus, written so that torch compiles its gradient: it expects another layout of it.
        step = torch.logaddexp(raw, raw.new_zeros(()))
        pairs = working(self.write_read(drive)).unflatten(-1, (2, self.n_modes, 2))
        write, read = torch.view_as_complex(pairs).unbind(dim=-2)
        return step, write, read * gate


def from_the_end(gaps: Tensor) -> Tensor:  # (batch, length)
    """Gaps of the sequence that runs backward; before its first step there is nothing."""
    return gaps.roll(-1, dims=1).flip(1)


def _inverse_softplus(value: Tensor) -> Tensor:
    return value + torch.log(-torch.expm1(-value))
