"""Convolution of real sequences with long kernels, one per channel, by FFT.

    y[t] = sum_{s <= t} causal[t - s] x[s] + sum_{s >= t} anticausal[s - t] x[s]

Both directions are one circular convolution: steps after the start of the circle hold the causal
kernel, steps before its end the other one. The gradient of a correlation is a correlation, so it is
written out: what autograd derives for a real FFT runs a complex one over the whole circle.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def convolve(
    signal: Tensor,  # (batch, ..., length)
    causal: Tensor,  # (..., length)
    anticausal: Tensor | None = None,  # (..., length)
) -> Tensor:  # (batch, ..., length)
    """Convolve every channel with its kernel, as long as the signal, and if given with one ahead.

    Parameters
    ----------
    signal : Tensor of shape (batch, ..., length)
        Real sequences.
    causal : Tensor of shape (..., length)
        Weight of what lies 0, 1, 2, ... steps back.
    anticausal : Tensor of shape (..., length), default=None
        Weight of what lies 0, 1, 2, ... steps ahead; None is zero.

    Returns
    -------
    Tensor of shape (batch, ..., length)

    Notes
    -----
    O(log(length)) for each step of each channel, the same for one direction and for both.

    Examples
    --------
    >>> import torch
    >>> convolve(torch.tensor([[1.0, 0, 0]]), torch.tensor([3.0, 2, 1])).round()
    tensor([[3., 2., 1.]])
    """
    length = signal.shape[-1]
    circle = _fast_length(2 * length - 1)
    kernel = F.pad(causal, (0, circle - length))
    if anticausal is not None:
        kernel = kernel + F.pad(anticausal, (0, circle - length)).flip(-1).roll(1, -1)
    return _Circular.apply(signal, kernel)


class _Circular(torch.autograd.Function):
    """First steps of the circular convolution of padded signals with kernels."""

    @staticmethod
    def forward(ctx: Any, signal: Tensor, kernel: Tensor) -> Tensor:
        circle, length = kernel.shape[-1], signal.shape[-1]
        spectrum, response = torch.fft.rfft(signal, n=circle), torch.fft.rfft(kernel)
        ctx.save_for_backward(spectrum, response)
        ctx.circle = circle
        return torch.fft.irfft(spectrum * response, n=circle)[..., :length]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        spectrum, response = ctx.saved_tensors
        slopes = torch.fft.rfft(slope, n=ctx.circle)
        to_signal = to_kernel = None
        if ctx.needs_input_grad[0]:
            whole = torch.fft.irfft(slopes * response.conj(), n=ctx.circle)
            to_signal = whole[..., : slope.shape[-1]]
        if ctx.needs_input_grad[1]:
            to_kernel = torch.fft.irfft((slopes * spectrum.conj()).sum(0), n=ctx.circle)
        return to_signal, to_kernel


def _fast_length(shortest: int) -> int:
    """Least length from `shortest` on without prime factors above 5, which FFTs are fast for."""
    length = shortest
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
