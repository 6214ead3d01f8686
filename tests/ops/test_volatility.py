import math

import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.volatility import (
    expected_scale,
    fit_phase_exponent,
    fit_scale,
    phase_scale,
    phase_volatility,
    recent_volatility,
)


def test_volatility_is_the_mean_absolute_seasonal_difference_of_each_span():
    past = torch.randn(64 + 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    moves = (past[4:] - past[:-4]).abs()
    expected = torch.stack([moves[-4:].mean(), moves[-16:].mean(), moves.mean()])
    assert_close(recent_volatility(past, period=4), (expected + 1e-3).log())


def test_neighbours_are_compared_where_the_past_holds_fewer_than_two_cycles():
    past = torch.randn(7, generator=torch.Generator().manual_seed(0))
    assert_close(recent_volatility(past, period=4), recent_volatility(past, period=1))


def test_rows_that_were_not_observed_do_not_count():
    past = torch.randn(3, 20, generator=torch.Generator().manual_seed(0))
    known = torch.tensor([20, 12, 2])
    changed = past.clone()
    changed[1, :8], changed[2, :18] = 99.0, -99.0
    found = recent_volatility(changed, 2, known)
    assert_close(found[0], recent_volatility(past[0], 2))
    assert_close(found, recent_volatility(past, 2, known), equal_nan=True)
    assert found[1].isfinite().all()
    assert found[2].isnan().all()


def test_a_single_row_has_no_volatility_and_counts_as_the_mean():
    features = recent_volatility(torch.zeros(5, 2, 1), period=1)
    model = fit_scale(features, torch.ones(5, 3, 2))
    assert_close(expected_scale(model, features), torch.ones(5, 2))


def heteroscedastic(exponent, n=400):
    generator = torch.Generator().manual_seed(1)
    features = torch.randn(n, 2, 3, generator=generator, dtype=torch.float64)
    size = (exponent * features[..., 1]).exp()
    noise = torch.randn(n, 20, 2, generator=generator, dtype=torch.float64)
    return features, size[:, None] * noise


def test_the_exponent_of_the_volatility_is_found():
    for exponent in (0.0, 0.5, 1.0):
        model = fit_scale(*heteroscedastic(exponent))
        wanted = torch.tensor([0.0, exponent, 0.0], dtype=torch.float64).expand(2, 3)
        assert_close(model.exponents, wanted, atol=0.05, rtol=0)


def test_scaled_errors_have_one_size():
    features, errors = heteroscedastic(1.0)
    scaled = errors / expected_scale(fit_scale(features, errors), features)[:, None]
    wild = features[:, 0, 1] > 0
    ratio = scaled[wild, :, 0].abs().mean() / scaled[~wild, :, 0].abs().mean()
    assert abs(ratio - 1) < 0.1


def test_features_beyond_those_seen_count_as_half_their_range_above_and_as_the_border_below():
    features, errors = heteroscedastic(1.0)
    model = fit_scale(features, errors)
    highest, lowest = features.amax(dim=0), features.amin(dim=0)
    most = highest + 0.5 * (highest - lowest)
    assert_close(expected_scale(model, highest + 100), expected_scale(model, most))
    assert_close(expected_scale(model, lowest - 100), expected_scale(model, lowest))


def test_errors_of_zero_give_a_finite_scale():
    features, errors = heteroscedastic(0.0)
    assert expected_scale(fit_scale(features, 0 * errors), features).isfinite().all()


def day_and_night(n=300, cycle=12, seed=0):
    """Windows that move in the first half of a cycle only, and the errors that follow them."""
    generator = torch.Generator().manual_seed(seed)
    awake = (torch.arange(10 * cycle) % cycle < cycle // 2).double()
    past = awake * torch.randn(n, 1, 10 * cycle, generator=generator, dtype=torch.float64)
    errors = awake[:20, None] * torch.randn(n, 20, 1, generator=generator, dtype=torch.float64)
    return past, errors


def test_volatility_at_a_phase_is_that_of_the_last_eight_cycles_less_the_mean():
    past = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    cycles = past[-36:].reshape(9, 4)
    size = ((cycles[1:] - cycles[:-1]).abs().mean(dim=0) + 1e-3).log()
    assert_close(phase_volatility(past, 4), size - size.mean())


def test_a_past_of_few_cycles_says_nothing_of_phases():
    past = torch.randn(2, 15, generator=torch.Generator().manual_seed(0))
    assert_close(phase_volatility(past, 4), torch.zeros(2, 1))
    assert_close(phase_volatility(past, 1), torch.zeros(2, 1))
    unseen = phase_volatility(torch.cat([past, past], dim=1), 4, torch.tensor([30, 5]))
    assert unseen[0].any()
    assert not unseen[1].any()


def test_errors_over_the_scale_of_their_phase_have_one_size():
    past, errors = day_and_night()
    phases = phase_volatility(past, 12)
    exponent = fit_phase_exponent(phases, errors)
    assert exponent.item() > 0.8
    scaled = errors.abs() / phase_scale(exponent, phases, 20)
    assert errors[:, 6:12].abs().mean() == 0
    assert_close(
        scaled[:, :6].mean(dim=(0, 1)), scaled[:, 12:18].mean(dim=(0, 1)), rtol=0.1, atol=0
    )
    even = torch.randn(300, 20, 1, generator=torch.Generator().manual_seed(1)).double()
    assert fit_phase_exponent(phases, even).item() < 0.05


def test_a_past_wilder_than_all_that_were_seen_announces_larger_errors():
    torch.manual_seed(0)
    features = torch.linspace(-1.0, 1.0, 200)[:, None, None].double()
    model = fit_scale(features, features.exp() * torch.randn(200, 8, 1).double())
    seen, beyond = (expected_scale(model, torch.tensor([[x]]).double()) for x in (1.0, 1.5))
    assert float(beyond / seen) == pytest.approx(math.exp(0.5), rel=0.2)
