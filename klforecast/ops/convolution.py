"""Convolution of real sequences with long kernels, one per channel, by FFT.

    y[t] = sum_{s <= t} causal[t - s] x[s] + sum_{s >= t} anticausal[s - t] x[s]

One direction  A Fourier transform spreads the rounding of its largest value over all of its steps.
    So that no step is moved by one that comes later, the past is taken in blocks: within blocks of
    B steps by a product with a triangular matrix, and from every second block of b = B, 2 B, 4 B ...
    steps into the block after it by one circle of 2 b steps,

        y[right] += (x[left] * causal[:2 b])[b:]        none of it before the end of `left`

    A value that is not finite makes all after it NaN, and nothing before it.
Two directions  Every step depends on every other anyway: one circular convolution, of which steps
    after the start of the circle hold the causal kernel, steps before its end the other one.
Gradient  The gradient of a correlation is a correlation, on one circle, and written out: what
    autograd derives for a real FFT runs a complex one over the whole circle.

Letters   B at most 64 steps of a block   b steps of two blocks that meet
See       Gardner 1995, Journal of the Audio Engineering Society 43, 127-136 (blocks of growing
          length for convolution without delay).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from klforecast.ops.checks import require_steps
from klforecast.ops.precision import in_working_precision

# Measured on one core at 1,024 and 4,096 steps of 64 channels: 64 beats 32 and 128.
_LONGEST_BLOCK = 64


@in_working_precision
def convolve(
    signal: Tensor,  # (batch, ..., length)
    causal: Tensor,  # (..., length)
    anticausal: Tensor | None = None,  # (..., length)
) -> Tensor:  # (batch, ..., length)
    """Convolve every channel with its kernel, as long as the signal, and if given with one ahead.

    Parameters
    ----------
    signal : Tensor of shape (batch, ..., length)
        Real sequences of one step at least.
    causal : Tensor of shape (..., length)
        Weight of what lies 0, 1, 2, ... steps back.
    anticausal : Tensor of shape (..., length), default=None
        Weight of what lies 0, 1, 2, ... steps ahead; None is zero.

    Returns
    -------
    Tensor of shape (batch, ..., length)
        In float32 for half precision. Without `anticausal` a step depends on no later one, not
        even by its rounding.

    Raises
    ------
    ValueError
        If the length is zero.

    Notes
    -----
    O(log(length)) for each step of each channel in two directions, O(64 + log(length)**2) in one.

    Examples
    --------
    >>> import torch
    >>> convolve(torch.tensor([[1.0, 0, 0]]), torch.tensor([3.0, 2, 1])).round()
    tensor([[3., 2., 1.]])
    """
    # Under tracing a shape is a tensor, which the search for a fast length would change in place.
    length = int(signal.shape[-1])
    require_steps(length)
    if signal.shape[0] == 0:
        return signal * causal
    plain = torch.compiler.is_compiling()  # a compiler derives the gradient by itself
    if anticausal is None:
        return (_past_in_blocks if plain else _Causal.apply)(signal, causal)
    circle = _fast_length(2 * length - 1)
    kernel = F.pad(causal, (0, circle - length))
    kernel = kernel + F.pad(anticausal, (0, circle - length)).flip(-1).roll(1, -1)
    return (_on_circle if plain else _Circular.apply)(signal, kernel)


class _Causal(torch.autograd.Function):
    """Convolution with the past alone."""

    @staticmethod
    def forward(ctx: Any, signal: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(signal, kernel)
        return _past_in_blocks(signal, kernel)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        signal, kernel = ctx.saved_tensors
        circle = _fast_length(2 * signal.shape[-1] - 1)
        return _slopes(slope, signal, kernel, circle, ctx.needs_input_grad)


class _Circular(torch.autograd.Function):
    """First steps of the circular convolution of padded signals with kernels."""

    @staticmethod
    def forward(ctx: Any, signal: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(signal, kernel)
        return _on_circle(signal, kernel)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, Tensor | None]:
        signal, kernel = ctx.saved_tensors
        return _slopes(slope, signal, kernel, kernel.shape[-1], ctx.needs_input_grad)


def _past_in_blocks(signal: Tensor, kernel: Tensor) -> Tensor:
    """Sum over the past, by a matrix within blocks and by circles from block to block."""
    length = int(signal.shape[-1])
    n_blocks = 1
    while n_blocks * _LONGEST_BLOCK < length:
        n_blocks *= 2
    block = length if n_blocks == 1 else _fast_length(-(-length // n_blocks))
    missing = (0, n_blocks * block - length)
    # Channels first: a product of matrices for each then takes all its sequences.
    x = F.pad(signal.movedim(0, -2).nan_to_num(0.0, 0.0, 0.0), missing)
    kernel = F.pad(kernel, missing)
    within = _lower_triangle(kernel[..., :block])
    y = (x.unflatten(-1, (n_blocks, block)).flatten(-3, -2) @ within.mT).reshape(x.shape)
    while block < x.shape[-1]:
        left, circle = x.unflatten(-1, (-1, 2, block))[..., 0, :], 2 * block
        response = torch.fft.rfft(kernel[..., None, None, :circle])
        met = torch.fft.irfft(torch.fft.rfft(left, n=circle) * response, n=circle)[..., block:]
        y.view(*y.shape[:-1], -1, 2, block)[..., 1, :] += met
        block = circle
    # 0 x is NaN for what is not finite, and stays so in the sum from there on.
    return y[..., :length].movedim(-2, 0) + (0 * signal).cumsum(-1)


def _lower_triangle(kernel: Tensor) -> Tensor:  # (..., n) -> (..., n, n)
    """Matrix of a causal convolution: entry (t, s) is kernel[t - s], zero for s > t."""
    n = kernel.shape[-1]
    return F.pad(kernel, (n - 1, 0)).unfold(-1, n, 1).flip(-1)


def _on_circle(signal: Tensor, kernel: Tensor) -> Tensor:
    circle = kernel.shape[-1]
    product = torch.fft.rfft(signal, n=circle) * torch.fft.rfft(kernel)
    return torch.fft.irfft(product, n=circle)[..., : signal.shape[-1]]


def _slopes(
    slope: Tensor,  # (batch, ..., length)
    signal: Tensor,  # (batch, ..., length)
    kernel: Tensor,  # (..., steps), at most as many as the circle has
    circle: int,
    wanted: tuple[bool, ...],
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients with respect to signal and kernel, those that are wanted."""
    slopes = torch.fft.rfft(slope, n=circle)
    to_signal = to_kernel = None
    if wanted[0]:
        response = torch.fft.rfft(kernel, n=circle)
        to_signal = torch.fft.irfft(slopes * response.conj(), n=circle)[..., : signal.shape[-1]]
    if wanted[1]:
        spectrum = torch.fft.rfft(signal, n=circle)
        to_kernel = torch.fft.irfft((slopes * spectrum.conj()).sum(0), n=circle)
        to_kernel = to_kernel[..., : kernel.shape[-1]]
    return to_signal, to_kernel


def _fast_length(shortest: int) -> int:
    """Least length from `shortest` on without prime factors above 5, which FFTs are fast for.

    Raises
    ------
    ValueError
        If `shortest` is below 1.
    """
    require_steps(shortest)
    length = shortest
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1
