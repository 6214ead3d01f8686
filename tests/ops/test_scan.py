import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from klforecast.ops.scan import (
    modal_filter,
    modal_filter_loop,
    modal_kernel,
    modal_state,
    modal_step,
    spectral_scan,
    spectral_scan_loop,
    spectral_step,
)

BATCH, HEADS, WIDTH, MODES = 2, 3, 4, 5


def selective_inputs(length: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    return [
        normal(BATCH, length, HEADS, WIDTH),
        0.1 * normal(BATCH, length, HEADS).exp(),
        normal(HEADS).exp(),
        3 * normal(HEADS, MODES),
        torch.complex(normal(BATCH, length, MODES), normal(BATCH, length, MODES)),
        torch.complex(normal(BATCH, length, MODES), normal(BATCH, length, MODES)),
        torch.complex(normal(BATCH, HEADS, MODES, WIDTH), normal(BATCH, HEADS, MODES, WIDTH)),
    ]


def modal_inputs(length: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    generator = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    return [
        normal(BATCH, length, HEADS, WIDTH),
        torch.complex(-0.1 * normal(HEADS, MODES).exp(), normal(HEADS, MODES)),
        torch.complex(normal(HEADS, WIDTH, MODES), normal(HEADS, WIDTH, MODES)),
        torch.complex(normal(BATCH, HEADS, MODES, WIDTH), normal(BATCH, HEADS, MODES, WIDTH)),
    ]


def gradients(function, inputs: list[Tensor]) -> list[Tensor]:
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    outputs = function(*leaves)
    loss = sum((part * part.conj()).real.sum() for part in outputs)
    return list(torch.autograd.grad(loss, leaves))


@pytest.mark.parametrize("length", [1, 31, 32, 33, 100])
def test_the_chunked_scan_equals_the_loop(length):
    inputs = selective_inputs(length)
    assert_close(spectral_scan(*inputs), spectral_scan_loop(*inputs))
    assert_close(gradients(spectral_scan, inputs), gradients(spectral_scan_loop, inputs))


def test_the_chunked_scan_equals_the_loop_in_single_precision():
    inputs = selective_inputs(1000, torch.float32)
    y, state = spectral_scan(*inputs)
    y_loop, state_loop = spectral_scan_loop(*inputs)
    assert (y - y_loop).abs().max() <= 1e-5 * y_loop.abs().max()
    assert (state - state_loop).abs().max() <= 1e-5 * state_loop.abs().max()
    for fast, loop in zip(
        gradients(spectral_scan, inputs), gradients(spectral_scan_loop, inputs), strict=True
    ):
        assert (fast - loop).abs().max() <= 1e-5 * loop.abs().max()


def test_phases_stay_exact_in_single_precision_after_thousands_of_steps():
    generator = torch.Generator().manual_seed(0)
    exact = [
        torch.randn(1, 4096, 1, 2, generator=generator, dtype=torch.float64),
        torch.rand(1, 4096, 1, generator=generator, dtype=torch.float64),
        torch.tensor([0.01], dtype=torch.float64),
        torch.linspace(0.1, 3, 8, dtype=torch.float64)[None],
        torch.randn(1, 4096, 8, generator=generator, dtype=torch.complex128),
        torch.randn(1, 4096, 8, generator=generator, dtype=torch.complex128),
    ]
    rounded = [t.to(torch.complex64 if t.is_complex() else torch.float32) for t in exact]
    promoted = [t.to(torch.complex128 if t.is_complex() else torch.float64) for t in rounded]
    y, _ = spectral_scan(*rounded)
    y_exact, _ = spectral_scan(*promoted)
    assert (y - y_exact).norm() <= 1e-4 * y_exact.norm()


def test_the_kernel_stays_exact_in_single_precision_after_thousands_of_steps():
    log_pole = torch.complex(torch.tensor([[-1e-4]]), torch.tensor([[3.1]]))
    weight = torch.ones(1, 1, 1, dtype=torch.complex64)
    kernel = modal_kernel(log_pole, weight, 10_000)
    exact = modal_kernel(log_pole.to(torch.complex128), weight.to(torch.complex128), 10_000)
    assert_close(kernel.double(), exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize("chunk", [1, 2, 7, 32, 64])
def test_the_size_of_the_chunks_does_not_matter(chunk):
    inputs = selective_inputs(45)
    assert_close(spectral_scan(*inputs, chunk=chunk), spectral_scan(*inputs))


def test_gradients_of_the_chunked_scan_are_those_of_finite_differences():
    inputs = [tensor.requires_grad_() for tensor in selective_inputs(5)]
    assert torch.autograd.gradcheck(lambda *a: spectral_scan(*a, chunk=2), inputs)


def test_streaming_the_scan_step_by_step_equals_the_whole_sequence():
    x, step, decay, frequency, write, read, state = selective_inputs(40)
    whole, last = spectral_scan(x, step, decay, frequency, write, read, state)
    for t in range(40):
        y, state = spectral_step(
            x[:, t], step[:, t], decay, frequency, write[:, t], read[:, t], state
        )
        assert_close(y, whole[:, t])
    assert_close(state, last)


def test_scanning_in_two_parts_equals_the_whole_sequence():
    x, step, decay, frequency, write, read, state = selective_inputs(64)
    whole, last = spectral_scan(x, step, decay, frequency, write, read, state)
    for border in (1, 32, 50):
        early, late = slice(None, border), slice(border, None)
        y_early, middle = spectral_scan(
            x[:, early], step[:, early], decay, frequency, write[:, early], read[:, early], state
        )
        y_late, end = spectral_scan(
            x[:, late], step[:, late], decay, frequency, write[:, late], read[:, late], middle
        )
        assert_close(torch.cat([y_early, y_late], dim=1), whole)
        assert_close(end, last)


def test_a_step_of_zero_leaves_the_state_as_it_is():
    x, step, decay, frequency, write, read, state = selective_inputs(9)
    _, after = spectral_scan(x, torch.zeros_like(step), decay, frequency, write, read, state)
    assert_close(after, state)


def test_the_state_of_the_scan_never_exceeds_the_largest_write():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 100_000, 1, 1, generator=generator, dtype=torch.float64)
    step = 10 ** (6 * torch.rand(1, 100_000, 1, generator=generator, dtype=torch.float64) - 3)
    write = torch.randn(1, 100_000, 2, generator=generator, dtype=torch.complex128)
    frequency = torch.tensor([[0.3, 2.0]], dtype=torch.float64)
    state = None
    largest = torch.zeros(2, dtype=torch.float64)
    for part in range(0, 100_000, 10_000):
        now = slice(part, part + 10_000)
        y, state = spectral_scan(
            x[:, now],
            step[:, now],
            torch.ones(1).double(),
            frequency,
            write[:, now],
            torch.ones_like(write[:, now]),
            state,
        )
        largest = torch.maximum(largest, (write[:, now] * x[:, now, :, 0]).abs().amax(dim=(0, 1)))
        assert y.isfinite().all()
        assert (state[0, 0, :, 0].abs() <= largest + 1e-9).all()


@pytest.mark.parametrize("length", [1, 2, 33, 100])
def test_the_convolution_equals_the_loop(length):
    inputs = modal_inputs(length)

    def fast(x, log_pole, weight, state):
        return modal_filter(x, log_pole, weight, state), modal_state(x, log_pole, state)

    assert_close(fast(*inputs), modal_filter_loop(*inputs))
    assert_close(gradients(fast, inputs), gradients(modal_filter_loop, inputs))


def test_the_convolution_equals_the_loop_in_single_precision():
    x, log_pole, weight, _ = modal_inputs(1000, torch.float32)
    y_loop, state_loop = modal_filter_loop(x, log_pole, weight)
    y, state = modal_filter(x, log_pole, weight), modal_state(x, log_pole)
    assert (y - y_loop).abs().max() <= 1e-5 * y_loop.abs().max()
    assert (state - state_loop).abs().max() <= 1e-5 * state_loop.abs().max()


def test_gradients_of_the_convolution_are_those_of_finite_differences():
    inputs = [tensor.requires_grad_() for tensor in modal_inputs(5)]
    assert torch.autograd.gradcheck(modal_filter, inputs)


def test_streaming_the_filter_step_by_step_equals_the_convolution():
    x, log_pole, weight, state = modal_inputs(40)
    whole, last = modal_filter(x, log_pole, weight, state), modal_state(x, log_pole, state)
    for t in range(40):
        y, state = modal_step(x[:, t], log_pole, weight, state)
        assert_close(y, whole[:, t])
    assert_close(state, last)


def test_the_kernel_is_the_response_to_an_impulse():
    _, log_pole, weight, _ = modal_inputs(20)
    impulse = torch.zeros(1, 20, HEADS, WIDTH, dtype=torch.float64)
    impulse[:, 0] = 1
    y, _ = modal_filter_loop(impulse, log_pole, weight)
    assert_close(modal_kernel(log_pole, weight, 20), y[0].permute(1, 2, 0))


def test_the_selective_scan_with_constant_steps_is_a_time_invariant_filter():
    x, step, decay, frequency, write, read, _ = selective_inputs(50)
    step = step[:1, :1].expand(BATCH, 50, -1)
    write, read = write[:1, :1].expand(BATCH, 50, -1), read[:1, :1].expand(BATCH, 50, -1)
    y, _ = spectral_scan(x, step, decay, frequency, write, read)
    poles = step[0, 0, :, None] * torch.complex(-decay[:, None].expand_as(frequency), frequency)
    gain = 1 - torch.exp(-decay * step[0, 0])
    weight = (gain[:, None] * write[0, 0] * read[0, 0])[:, None, :].expand(-1, WIDTH, -1)
    assert_close(modal_filter(x, poles, weight), y)


@pytest.mark.parametrize(
    ("run", "inputs"), [(spectral_scan, selective_inputs), (modal_filter, modal_inputs)]
)
def test_the_future_does_not_reach_the_past(run, inputs):
    x, *rest = inputs(40)
    changed = x.clone()
    changed[:, 20:] += 1
    y, y_changed = run(x, *rest), run(changed, *rest)
    if run is spectral_scan:
        y, y_changed = y[0], y_changed[0]
    assert_close(y[:, :20], y_changed[:, :20], rtol=0, atol=1e-12)
    assert (y[:, 20:] != y_changed[:, 20:]).any()
