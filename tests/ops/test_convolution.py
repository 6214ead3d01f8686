import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.convolution import _fast_length, convolve


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
@pytest.mark.parametrize("length", [1, 2, 7, 32, 64, 65, 251, 700])
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


@pytest.mark.parametrize("length", [40, 100, 1000])
@pytest.mark.parametrize("value", [1e6, 1e30, torch.nan, torch.inf, -torch.inf])
def test_a_late_value_moves_no_earlier_step_by_a_single_bit(length, value):
    signal, causal, _ = draw(length, torch.float32)
    for late in (length - 1, length - 2, length // 2, length // 3):
        changed = signal.clone()
        changed[..., late] = value
        past = convolve(changed, causal)[..., :late]
        assert torch.equal(past, convolve(signal, causal)[..., :late])


def test_a_value_that_is_not_finite_makes_all_after_it_so():
    signal, causal, _ = draw(100, torch.float32)
    signal[0, 1, 70] = torch.nan
    y = convolve(signal, causal)
    spoiled = torch.zeros_like(y, dtype=torch.bool)
    spoiled[0, 1, 70:] = True
    assert torch.equal(y.isnan(), spoiled)


def test_a_tail_of_large_values_keeps_the_precision_of_what_was_before():
    inputs = draw(1000, torch.float32)[:2]
    inputs[0][..., 500:] *= 1e6
    exact = by_definition(*(tensor.double() for tensor in inputs))
    off = (convolve(*inputs) - exact).abs()[..., :500].max()
    assert off <= 1e-5 * exact[..., :500].abs().max()


# torch 2.13 deprecates tracing; networks that are traced still have to be right.
@pytest.mark.filterwarnings("ignore:.*torch.jit.trace. is deprecated:DeprecationWarning")
def test_a_traced_convolution_is_the_convolution():
    inputs, others = draw(50, torch.float32), draw(50, torch.float32)[::-1]
    for n in (2, 3):
        with pytest.warns(torch.jit.TracerWarning):
            traced = torch.jit.trace(convolve, tuple(inputs[:n]), check_trace=False)
        other = (torch.randn(2, 3, 50), *others[: n - 1])
        assert_close(traced(*other), convolve(*other))


@pytest.mark.parametrize("n_kernels", [1, 2])
def test_no_signals_are_convolved_to_none(n_kernels):
    _, *kernels = draw(9)
    signal = torch.zeros(0, 3, 9, dtype=torch.float64, requires_grad=True)
    y = convolve(signal, *kernels[:n_kernels])
    y.sum().backward()
    assert y.shape == signal.grad.shape == (0, 3, 9)


def test_signals_without_a_step_are_refused():
    with pytest.raises(ValueError, match="got sequences of length 0"):
        convolve(torch.zeros(2, 3, 0), torch.zeros(3, 0))


@pytest.mark.parametrize("shortest", [0, -1])
def test_the_search_for_a_fast_length_ends(shortest):
    with pytest.raises(ValueError, match=f"length {shortest}"):
        _fast_length(shortest)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_convolved_in_single(dtype):
    inputs = [tensor.to(dtype) for tensor in draw(300, torch.float32)]
    for n in (2, 3):
        y = convolve(*inputs[:n])
        assert y.dtype == torch.float32
        assert_close(y, convolve(*(tensor.float() for tensor in inputs[:n])))
