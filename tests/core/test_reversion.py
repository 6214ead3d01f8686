import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from klforecast.core.reversion import reversion_weight, variance_between_parts


def noise(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_the_share_is_what_no_part_has_within_itself():
    rows = noise(53, 2).cumsum(dim=0)
    last = rows[3:]
    within = sum(
        (last[10 * k : 10 * k + 10] - last[10 * k : 10 * k + 10].mean(dim=0)).square().sum(dim=0)
        for k in range(5)
    )
    total = (last - last.mean(dim=0)).square().sum(dim=0)
    assert_close(variance_between_parts(rows), 1 - within / 45 / (total / 49))


@pytest.mark.parametrize("rows", [10, 14, 50])
def test_noise_has_no_share_on_average_however_short(rows):
    assert abs(variance_between_parts(noise(rows, 4000)).mean()) < 0.02


@pytest.mark.parametrize("rows", [1, 9])
def test_fewer_than_ten_rows_say_nothing(rows):
    assert variance_between_parts(torch.arange(float(rows))[:, None]).tolist() == [0]


def test_of_the_variance_of_random_walks_four_fifths_lie_between_fifths():
    walks = noise(1000, 4000).cumsum(dim=0)
    total = walks.var(dim=0, correction=0)
    assert abs((variance_between_parts(walks) * total).sum() / total.sum() - 0.8) < 0.01


def test_a_line_has_a_share_of_one_less_the_square_of_a_part():
    line = torch.arange(10_000, dtype=torch.float64)[:, None]
    assert_close(
        variance_between_parts(line), torch.tensor([0.96], dtype=torch.float64), rtol=0, atol=1e-4
    )


def test_what_returns_within_a_part_has_next_to_no_share():
    rows = torch.cat([noise(5000, 1), torch.sin(torch.arange(5000.0) / 4)[:, None]], dim=1)
    assert (variance_between_parts(rows).abs() < 0.01).all()


def test_a_constant_has_no_share():
    assert variance_between_parts(torch.full((20, 2), 3.0)).tolist() == [0, 0]


@given(st.floats(0.01, 100), st.floats(-100, 100))
def test_the_share_does_not_depend_on_units(scale, shift):
    rows = noise(100, 3).cumsum(dim=0)
    assert_close(variance_between_parts(scale * rows + shift), variance_between_parts(rows))


def test_the_weight_of_reversion_falls_from_one_to_nothing_around_the_share_of_a_random_walk():
    weight = reversion_weight(torch.linspace(0, 1, 101), seasonal=False)
    assert (weight.diff() <= 0).all()
    assert weight[:70].eq(1).all()
    assert weight[86:].eq(0).all()
    assert 0 < weight[80] < 1


def test_beside_a_season_the_weight_of_reversion_is_gone_before_the_share_of_a_random_walk():
    weight = reversion_weight(torch.linspace(0, 1, 101), seasonal=True)
    assert (weight.diff() <= 0).all()
    assert weight[:20].eq(1).all()
    assert weight[71:].eq(0).all()
    assert 0 < weight[45] < 1


def test_a_season_takes_from_the_share_of_a_level_that_wanders():
    walks = noise(600, 200).cumsum(dim=0)
    wave = torch.sin(torch.arange(600, dtype=torch.float64) * torch.pi / 6)[:, None]
    beside = walks + 2**0.5 * walks.std(dim=0) * wave  # as much variance as the walk
    assert variance_between_parts(beside).mean() < 0.6 * variance_between_parts(walks).mean()
