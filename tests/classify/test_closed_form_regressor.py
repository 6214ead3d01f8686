import numpy as np
import pytest
import torch
from torch.testing import assert_close

from klforecast.classify.closed_form_regressor import ClosedFormRegressor, _choose_share


def chirps(n, seed):
    """Series of many frequencies in noise, and these frequencies."""
    rng = np.random.default_rng(seed)
    target = rng.uniform(0.2, 0.6, n)
    waves = np.sin(target[:, None] * np.arange(60) + rng.uniform(0, 6, (n, 1)))
    return list(torch.from_numpy(waves + 0.2 * rng.normal(size=waves.shape))[:, None]), (
        torch.from_numpy(target)
    )


def test_numbers_are_told_and_their_unit_does_not_matter():
    test, wanted = chirps(40, 1)
    series, target = chirps(60, 0)
    told = ClosedFormRegressor(8).fit(series, target).answer(test)
    assert (told - wanted).square().mean() < 0.2 * wanted.var()
    large = ClosedFormRegressor(8).fit(series, 1e6 * target + 5e6).answer(test)
    assert_close((large - 5e6) / 1e6, told, rtol=1e-6, atol=1e-6)


def test_answers_of_series_left_out_are_as_good_as_those_of_new_ones():
    series, target = chirps(60, 0)
    test, wanted = chirps(200, 1)
    model = ClosedFormRegressor(8).fit(series, target)
    inside = (model.left_out_ - target).square().mean()
    outside = (model.answer(test) - wanted).square().mean()
    assert 0.5 < inside / outside < 2


def test_the_share_of_the_forest_is_that_of_least_squared_error():
    generator = torch.Generator().manual_seed(0)
    wanted, first, second = torch.randn(3, 50, generator=generator, dtype=torch.float64)
    ridge, forest = wanted + first, wanted + 0.5 * second
    shares = torch.linspace(0, 1, 1001, dtype=torch.float64)[:, None]
    errors = ((1 - shares) * ridge + shares * forest - wanted).square().mean(1)
    even = torch.full((50,), 1 / 50, dtype=torch.float64)
    assert _choose_share(ridge, forest, wanted, even) == pytest.approx(
        float(shares[errors.argmin()]), abs=1e-3
    )
    assert _choose_share(wanted, forest, wanted, even) == 0
    assert _choose_share(ridge, ridge, wanted, even) == 0.5
    # Rows that the ridge answers rightly are all that counts.
    ridge[:5] = wanted[:5]
    assert _choose_share(ridge, forest, wanted, torch.eye(50).double()[:5].mean(0)) == 0


def test_a_target_that_does_not_vary_is_answered_by_its_value():
    series, _ = chirps(20, 0)
    model = ClosedFormRegressor(8).fit(series, torch.full((20,), 7.0, dtype=torch.float64))
    assert_close(model.answer(series), torch.full((20,), 7.0, dtype=torch.float64))
