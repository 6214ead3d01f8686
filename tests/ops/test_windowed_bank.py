import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.filter_bank import to_blocks
from klforecast.ops.windowed_bank import WINDOW, draw_windowed, filter_windowed, windowed_loop

LENGTHS = (1, 2, 8, 33, 80)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def series(generator):
    return [torch.randn(3, n, generator=generator, dtype=torch.float64) for n in LENGTHS]


@pytest.mark.parametrize("backward", [False, True])
def test_windows_respond_as_the_loop_does(backward, series, generator):
    bank = draw_windowed(5, 4, 3, 80, generator)
    fast = filter_windowed(to_blocks(series, 1), bank, backward)
    for number, values in enumerate(series):
        slow = windowed_loop(values, bank, backward)
        assert_close(fast[:, :, 0, number, : values.shape[1]], slow, rtol=1e-10, atol=1e-10)


def test_gradients_are_those_of_the_loop(generator):
    bank = draw_windowed(2, 3, 1, 40, generator)
    x = torch.randn(1, 40, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, 40, generator=generator, dtype=torch.float64)
    fast = filter_windowed(to_blocks([x], 1), bank)[:, :, 0, 0]
    (ours,) = torch.autograd.grad((weight * fast).sum(), x)
    (theirs,) = torch.autograd.grad((weight * windowed_loop(x, bank)).sum(), x)
    assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_an_impulse_is_seen_at_nine_dilated_steps_around_it(generator):
    bank = draw_windowed(6, 4, 1, 80, generator)
    impulse = torch.zeros(1, 161, dtype=torch.float64)
    impulse[0, 80] = 1
    response = filter_windowed(to_blocks([impulse], 1), bank)[:, :, 0, 0]
    steps = torch.arange(161) - 80
    for group, dilation in enumerate(bank.dilation.tolist()):
        inside = (steps % dilation == 0) & (steps.abs() <= dilation * (WINDOW // 2))
        assert (response[group, :, ~inside] == 0).all()
        assert (response[group, :, inside] != 0).all()
    # Unit gain on white noise.
    assert_close(response.square().sum(-1), torch.ones(6, 4, dtype=torch.float64))


def test_a_constant_gives_zero_away_from_the_ends(generator):
    bank = draw_windowed(6, 4, 1, 80, generator)
    response = windowed_loop(torch.full((1, 80), 7.0), bank)
    reach = int(bank.dilation.max()) * (WINDOW // 2)
    assert response[..., reach : 80 - reach].abs().max() < 1e-10


def test_dilations_reach_from_one_step_to_the_whole_series(generator):
    bank = draw_windowed(48, 8, 1, 801, generator)
    assert bank.dilation.min() == 1
    assert 80 < bank.dilation.max() <= 100
    assert draw_windowed(48, 8, 1, 3, generator).dilation.max() == 1
