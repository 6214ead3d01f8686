import math

import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.filter_bank import (
    FilterBank,
    draw_bank,
    filter_blocks,
    filter_loop,
    to_blocks,
)
from tests.ops.blocks import from_blocks

LENGTHS = (1, 2, 31, 32, 33, 80)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def series(generator):
    return [torch.randn(3, n, generator=generator, dtype=torch.float64) for n in LENGTHS]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize("chunk", [7, 32, 200])
def test_chunks_respond_as_the_loop_does(chunk, backward, series, generator):
    bank = draw_bank(5, 4, 3, 80, generator)
    fast = from_blocks(filter_blocks(to_blocks(series, chunk), bank, backward))
    for number, values in enumerate(series):
        slow = filter_loop(values, bank, backward)
        assert_close(fast[:, :, number, : values.shape[1]], slow, rtol=1e-10, atol=1e-10)


def test_a_response_does_not_depend_on_the_other_series(series, generator):
    bank = draw_bank(5, 4, 3, 80, generator)
    together = from_blocks(filter_blocks(to_blocks(series), bank))
    alone = from_blocks(filter_blocks(to_blocks(series[2:3]), bank))
    assert_close(together[:, :, 2, :31], alone[:, :, 0, :31], rtol=1e-12, atol=1e-12)


def test_gradients_are_those_of_the_loop(generator):
    bank = draw_bank(2, 3, 1, 40, generator)
    x = torch.randn(1, 40, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 3, 40, generator=generator, dtype=torch.float64)
    fast = from_blocks(filter_blocks(to_blocks([x], 16), bank))[:, :, 0, :40]
    (ours,) = torch.autograd.grad((weight * fast).sum(), x)
    (theirs,) = torch.autograd.grad((weight * filter_loop(x, bank)).sum(), x)
    assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_a_constant_is_forgotten():
    bank = draw_bank(8, 8, 1, 30, torch.Generator().manual_seed(1))
    response = filter_loop(torch.full((1, 2000), 7.0), bank)
    assert response[..., -1].abs().max() < 1e-8 * response.abs().max()


def test_a_mode_without_level_is_the_damped_cosine_of_its_definition():
    one = torch.ones(1, 1, dtype=torch.float64)
    bank = FilterBank(6 * one, 0.9 * one, 0.4 * one, one)
    impulse = torch.zeros(1, 50, dtype=torch.float64)
    impulse[0, 0] = 1
    t = torch.arange(50, dtype=torch.float64)
    decay = (-t / 6).exp()
    pole = complex(-1 / 6, 0.9)
    pole = math.e**pole
    level = ((complex(math.cos(0.4), math.sin(0.4)) / (1 - pole)).real) * (1 - abs(pole))
    wanted = decay * ((0.9 * t + 0.4).cos() - level) * (1 - abs(pole) ** 2) ** 0.5
    assert_close(filter_loop(impulse, bank)[0, 0], wanted)


def test_the_backward_response_is_the_forward_one_in_a_mirror(series, generator):
    bank = draw_bank(2, 3, 3, 80, generator)
    mirrored = filter_loop(series[-1].flip(1), bank._replace(phase=-bank.phase)).flip(2)
    assert_close(filter_loop(series[-1], bank, backward=True), mirrored)


def test_a_drawn_bank_has_the_stated_ranges():
    bank = draw_bank(200, 8, 20, 500, torch.Generator().manual_seed(2))
    assert 1 <= bank.time_constant.min() < 1.2
    assert 400 < bank.time_constant.max() <= 500
    assert bank.frequency.max() <= math.pi
    assert (bank.frequency * bank.time_constant <= 4 * math.pi + 1e-9).all()
    counts = bank.mix.abs().sum(1)
    assert counts.min() == 1
    assert counts.max() <= 9
    assert set(bank.mix.unique().tolist()) == {-1.0, 0.0, 1.0}


def test_cutting_and_joining_is_the_identity(series):
    blocks = to_blocks(series, 16)
    joined = from_blocks(blocks.values)
    observed = from_blocks(blocks.observed)
    for number, values in enumerate(series):
        assert_close(joined[:, number, : values.shape[1]], values)
        assert (joined[:, number, values.shape[1] :] == 0).all()
        assert observed[number].sum() == values.shape[1]
