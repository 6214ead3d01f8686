import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.convolution import convolve


def by_definition(signal, causal, anticausal=None):
    length = signal.shape[-1]
    lag = torch.arange(length)[:, None] - torch.arange(length)
    weight = torch.where(lag >= 0, causal[..., lag.clamp(min=0)], 0)
    if anticausal is not None:
        weight = weight + torch.where(lag <= 0, anticausal[..., (-lag).clamp(min=0)], 0)
    return (weight @ signal[..., None])[..., 0]


def draw(length: int, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(length)
    shapes = [(2, 3, length), (3, length), (3, length)]
    return [torch.randn(*shape, generator=generator, dtype=dtype) for shape in shapes]


# 251 is prime, and so is half of the circle that it would need without padding to a fast length.
@pytest.mark.parametrize("length", [1, 2, 7, 32, 251])
@pytest.mark.parametrize("both", [False, True])
def test_the_convolution_is_the_sum_over_past_and_future(length, both):
    signal, causal, anticausal = draw(length)
    kernels = (causal, anticausal) if both else (causal,)
    assert_close(convolve(signal, *kernels), by_definition(signal, *kernels))


def test_the_convolution_is_exact_in_single_precision():
    inputs = draw(1000, torch.float32)
    exact = by_definition(*(tensor.double() for tensor in inputs))
    assert (convolve(*inputs) - exact).abs().max() <= 1e-5 * exact.abs().max()


@pytest.mark.parametrize("n_kernels", [1, 2])
def test_gradients_are_those_of_finite_differences(n_kernels):
    inputs = [tensor.requires_grad_() for tensor in draw(6)[: 1 + n_kernels]]
    assert torch.autograd.gradcheck(convolve, inputs)


def test_the_gradient_of_one_input_needs_none_of_the_other():
    signal, causal, _ = draw(6)
    for inputs in (
        (signal.clone().requires_grad_(), causal),
        (signal, causal.clone().requires_grad_()),
    ):
        assert torch.autograd.gradcheck(convolve, inputs)
