import torch
from torch.testing import assert_close

from klforecast.ops.volatility import expected_scale, fit_scale, recent_volatility


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


def test_features_beyond_those_seen_count_as_the_border():
    features, errors = heteroscedastic(1.0)
    model = fit_scale(features, errors)
    assert_close(
        expected_scale(model, features.amax(dim=0) + 100), expected_scale(model, features.amax(0))
    )


def test_errors_of_zero_give_a_finite_scale():
    features, errors = heteroscedastic(0.0)
    assert expected_scale(fit_scale(features, 0 * errors), features).isfinite().all()
