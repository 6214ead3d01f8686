import copy

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules import ForecastModule, LinearCore
from klforecast.modules.attribution import influence, token_weights

DEPTH, WINDOW = 40, 12


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def core():
    modes = torch.zeros(9, 4, dtype=torch.float64)
    modes[:6, :2] = torch.linalg.qr(torch.randn(6, 2).double()).Q
    modes[6:, 2:] = torch.linalg.qr(torch.randn(3, 2).double()).Q
    weight = torch.randn(2, 8, 3 + 4).double()
    return LinearCore(modes, weight, torch.randn(2, 8).double())


def encoder(memory="history", row_length=4, **options):
    module = ForecastModule(
        6,
        2,
        encoder="gru",
        input_length=WINDOW,
        memory=memory,
        memory_depth=DEPTH,
        row_length=row_length,
        n_components=3,
        memory_tokens=2,
        d_model=4,
        n_layers=1,
        patch_length=4,
        memory_options=options,
    ).double()
    if memory == "history":
        module.memory.append(module.histories(torch.randn(50, DEPTH, 2).double().cumsum(dim=1)))
    return module


def draw(depth=DEPTH):
    return torch.randn(depth, 2).double().cumsum(dim=0)


def by_differences(function, past, step=1e-5):
    """Derivative of `function` at each step of the first channel, (..., depth)."""
    slopes = []
    for place in range(len(past)):
        up, down = past.clone(), past.clone()
        up[place, 0] += step
        down[place, 0] -= step
        slopes.append((function(up) - function(down)) / (2 * step))
    return torch.stack(slopes, dim=-1)


def test_the_weights_of_a_component_are_its_mode_at_every_past():
    module = core()
    found = token_weights(module, draw(12))
    slopes = by_differences(lambda past: module.components(past[None])[0, 0], draw(12)).abs()
    assert_close(found, slopes / slopes.sum(dim=1, keepdim=True))
    assert_close(token_weights(module, 5 * draw(12)), found, rtol=0, atol=0)


@pytest.mark.parametrize("row_length", [1, 4, 0])
def test_the_weights_of_a_token_are_its_slopes(row_length):
    module, past = encoder(row_length=row_length).eval(), draw()
    past[:, 1] = past[:, 0]  # the mean over channels is that of each

    def tokens(past):
        return module.memory(module.histories(past[None]))[0]  # of the first channel

    slopes = by_differences(tokens, past).square().sum(dim=1).sqrt()
    found = token_weights(module, past)
    assert_close(found, slopes / slopes.sum(dim=1, keepdim=True), rtol=1e-4, atol=1e-8)
    assert_close(found.sum(dim=1), torch.ones(2).double())


def test_what_moves_a_forecast_moves_it_through_its_memory_too():
    module, past = encoder().eval(), draw()
    past[:, 1] = past[:, 0]
    slopes = by_differences(lambda past: module(past[None])[0, :, 0], past).abs().mean(dim=0)
    moved = influence(module, past)
    assert moved[: DEPTH - WINDOW].any()
    assert_close(moved, slopes, rtol=1e-4, atol=1e-8)


def test_the_influence_of_a_linear_map_is_its_weight_at_every_past():
    module = core()
    whole = torch.cat([module.modes @ module.weight[..., 3:].mT, module.weight[..., :3].mT], dim=1)
    assert_close(influence(module, draw(12)), whole.abs().mean(dim=(0, 2)))


def test_a_memory_that_reads_no_past_has_no_weights():
    assert token_weights(encoder("none"), draw()).shape == (0, DEPTH)
    assert token_weights(encoder("trajectory"), draw()).shape == (0, DEPTH)
    forgetful = encoder(reset_before_predict=True)
    assert_close(token_weights(forgetful, draw()), torch.zeros(2, DEPTH).double())


def test_a_module_in_training_is_read_without_dropout_and_left_as_it_is():
    module, past = encoder(dropout=0.5).train(), draw()
    before, random = copy.deepcopy(module.state_dict()), torch.get_rng_state()
    assert_close(token_weights(module, past), token_weights(module, past), rtol=0, atol=0)
    influence(module, past)
    assert module.training
    assert module.memory.detach
    assert torch.equal(torch.get_rng_state(), random)
    assert all(weights.requires_grad for weights in module.parameters())
    assert_close(module.state_dict(), before, rtol=0, atol=0)
