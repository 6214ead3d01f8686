import copy
import io
import pickle

import pytest
import torch
from torch.testing import assert_close

from klforecast.core.linear_core import LinearCore, Mixture

RECENT, DEPTH, MODES, HORIZON, CHANNELS = 4, 13, 5, 3, 2


def make_core(maps=CHANNELS, blocks=None):
    generator = torch.Generator().manual_seed(0)
    modes = torch.randn(DEPTH - RECENT, MODES, generator=generator)
    if blocks:
        kept = torch.zeros_like(modes)
        for rows, columns in blocks:
            kept[rows, columns] = modes[rows, columns]
        modes = kept
    weight = torch.randn(maps, HORIZON, RECENT + MODES, generator=generator)
    bias = torch.randn(maps, HORIZON, generator=generator)
    mixture = Mixture(("one", "other"), (1, HORIZON), torch.full((maps, 2, 2), 0.5))
    return LinearCore(modes, weight, bias, blocks, mixture)


@pytest.fixture
def past():
    return torch.randn(6, DEPTH, CHANNELS, generator=torch.Generator().manual_seed(1))


def plain_forecast(core, past):
    """Channel after channel and window after window: the definition."""
    out = torch.empty(len(past), HORIZON, past.shape[2])
    for c in range(past.shape[2]):
        which = min(c, len(core.weight) - 1)
        for b, window in enumerate(past[:, :, c]):
            inputs = torch.cat([window[-RECENT:], core.modes.T @ window[:-RECENT]])
            out[b, :, c] = core.weight[which] @ inputs + core.bias[which]
    return out


@pytest.mark.parametrize("maps", [1, CHANNELS])
def test_the_forecast_reads_recent_steps_and_components(past, maps):
    core = make_core(maps)
    assert_close(core(past), plain_forecast(core, past), rtol=1e-4, atol=1e-5)


def test_reading_block_by_block_is_reading_all_modes(past):
    blocks = [(slice(5, 9), slice(0, 2)), (slice(0, 5), slice(2, 5))]
    core = make_core(blocks=blocks)
    assert_close(core(past), plain_forecast(core, past), rtol=1e-4, atol=1e-5)
    assert_close(core.components(past), past[:, :-RECENT].transpose(1, 2) @ core.modes)


def test_sizes_are_those_of_the_weights():
    core = make_core()
    assert (core.recent, core.depth, core.horizon) == (RECENT, DEPTH, HORIZON)


def test_a_core_without_history_reads_the_recent_steps_alone(past):
    weight = torch.randn(1, HORIZON, RECENT, generator=torch.Generator().manual_seed(2))
    core = LinearCore(torch.zeros(0, 0), weight, torch.zeros(1, HORIZON))
    recent = past[:, -RECENT:]
    assert core.depth == RECENT
    assert_close(core(recent), torch.einsum("bdc,hd->bhc", recent, weight[0]))


def test_gradients_reach_the_readout_and_not_the_modes(past):
    core = make_core()
    core(past).square().sum().backward()
    assert core.weight.grad is not None
    assert core.weight.grad.abs().sum() > 0
    assert core.bias.grad is not None
    assert core.bias.grad.abs().sum() > 0
    assert not core.modes.requires_grad
    assert {name for name, _ in core.named_parameters()} == {"weight", "bias"}


def test_the_gradient_is_that_of_the_definition(past):
    core = make_core()
    target = plain_forecast(make_core(maps=1), past)
    (fast,) = torch.autograd.grad((core(past) - target).square().sum(), core.weight)
    (plain,) = torch.autograd.grad(
        (plain_forecast(core, past) - target).square().sum(), core.weight
    )
    assert_close(fast, plain, rtol=1e-4, atol=1e-3)


def test_a_window_is_forecast_the_same_in_any_batch(past):
    core = make_core().double()
    together = core(past.double())
    for i in range(len(past)):
        assert_close(core(past[i : i + 1].double())[0], together[i], rtol=1e-12, atol=1e-12)


def test_the_modes_travel_with_the_state(past):
    core, other = make_core(), make_core()
    other.modes.zero_()
    buffer = io.BytesIO()
    torch.save(core.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer))
    assert torch.equal(other(past), core(past))


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda core: pickle.loads(pickle.dumps(core))]
)
def test_a_copy_forecasts_the_same_and_remembers_its_mixture(past, duplicate):
    core = make_core(blocks=[(slice(0, 9), slice(0, 5))])
    twin = duplicate(core)
    assert torch.equal(twin(past), core(past))
    assert twin.mixture.experts == core.mixture.experts


@pytest.mark.parametrize("steps", [0, DEPTH - 1, DEPTH + 1])
def test_a_past_of_another_depth_is_refused(steps):
    with pytest.raises(ValueError, match=f"got a past of {steps} steps; pass the {DEPTH} before"):
        make_core()(torch.zeros(2, steps, CHANNELS))
