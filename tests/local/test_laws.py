import numpy as np
import pytest
from numpy.testing import assert_allclose

from klforecast.local.empirical_law import empirical_quantiles
from klforecast.local.residual_law import fit_residual_law, residual_quantiles

RNG = np.random.default_rng(3)
STEPS = np.arange(1, 9)


def walk_errors(n, origins, scale):
    steps = RNG.normal(size=(origins, n, len(STEPS))) * scale[:, None]
    return steps.cumsum(axis=2)


def test_errors_of_random_walks_grow_with_the_root_of_the_steps():
    law = fit_residual_law(walk_errors(200, 20, np.ones(200)), STEPS, np.full(200, 0.8))
    assert law.growth == pytest.approx(0.5, abs=0.05)


def test_intervals_are_in_the_units_of_each_series():
    scale = np.array([1.0, 1e6] * 20)
    law = fit_residual_law(walk_errors(40, 20, scale), STEPS, 0.8 * scale)
    width = np.ptp(residual_quantiles(law, 0.8 * scale, STEPS, np.array([0.1, 0.9])), axis=2)
    assert_allclose(width / scale[:, None], width[:1] * np.ones((40, 1)), rtol=0.5)


def test_bounds_hold_what_they_say():
    law = fit_residual_law(walk_errors(300, 20, np.ones(300)), STEPS, np.full(300, 0.8))
    bounds = residual_quantiles(law, np.full(300, 0.8), STEPS, np.array([0.05, 0.95]))
    fresh = walk_errors(300, 20, np.ones(300))
    inside = (fresh >= bounds[..., 0]) & (fresh <= bounds[..., 1])
    assert inside.mean() == pytest.approx(0.9, abs=0.02)


def test_a_series_of_few_errors_has_the_scale_of_the_panel():
    errors = walk_errors(50, 20, np.ones(50))
    errors[:, 0] = np.nan
    errors[0, 0, 0] = 50.0
    law = fit_residual_law(errors, STEPS, np.full(50, 0.8))
    assert law.ratio[0] < 5 * law.ratio[1:].max()


def test_skewed_errors_have_skewed_quantiles_around_a_median_of_zero():
    law = fit_residual_law(RNG.exponential(size=(20, 50, 8)) - 1, STEPS, np.ones(50))
    assert law.shape[49] == 0
    assert law.shape[94] > -2 * law.shape[4]


def test_levels_beyond_the_kept_ones_go_on_outwards():
    law = fit_residual_law(walk_errors(50, 20, np.ones(50)), STEPS, np.ones(50))
    levels = np.array([0.001, 0.01, 0.99, 0.999])
    assert (np.diff(residual_quantiles(law, np.ones(50), STEPS, levels)) > 0).all()


def test_without_errors_the_law_is_that_of_a_random_walk():
    law = fit_residual_law(np.full((3, 2, 8), np.nan), STEPS, np.ones(2))
    assert law.growth == 0.5
    assert_allclose(law.ratio, 1)


def test_intervals_of_short_walks_hold_at_least_what_they_say():
    walks = np.random.default_rng(0).normal(size=(400, 48)).cumsum(axis=1)
    offsets, past, fresh = np.arange(1, 21), walks[:, :40], walks[:, 40:] - walks[:, 39:40]
    errors = np.full((20, 400, 8), np.nan)
    for place, offset in enumerate(offsets):
        steps = STEPS[offset >= STEPS]
        last = 39 - offset
        errors[place, :, : len(steps)] = past[:, last + steps] - past[:, last : last + 1]
    unit = np.abs(np.diff(past)).mean(axis=1)
    law = fit_residual_law(errors, STEPS, unit, offsets, 40)
    low, high = np.moveaxis(residual_quantiles(law, unit, STEPS, np.array([0.1, 0.9])), 2, 0)
    inside = ((fresh >= low) & (fresh <= high)).mean(axis=0)
    assert inside.min() >= 0.8
    assert inside.mean() <= 0.87


def test_a_single_series_of_few_horizons_has_wider_quantiles():
    errors = walk_errors(1, 20, np.ones(1))
    offsets = np.arange(2, 41, 2)
    few, many = (fit_residual_law(errors, STEPS, np.ones(1), offsets, rows) for rows in (60, 6000))
    assert np.ptp(few.shape[[9, 89]]) > 1.1 * np.ptp(many.shape[[9, 89]])
    assert few.growth == many.growth


def test_without_forgetting_empirical_quantiles_are_those_of_the_rows():
    past = RNG.normal(size=(2, 101))
    levels = np.array([0.1, 0.5, 0.9])
    expected = np.quantile(past, levels, axis=1, method="inverted_cdf").T
    assert_allclose(empirical_quantiles(past, 0.0, levels), expected)


def test_recent_rows_count_more():
    past = np.concatenate([np.zeros(50), np.ones(10)])[None]
    slow, fast = (empirical_quantiles(past, f, np.array([0.5]))[0, 0] for f in (0.0, 0.2))
    assert (slow, fast) == (0.0, 1.0)


def test_an_unobserved_series_has_quantiles_of_zero():
    assert (empirical_quantiles(np.full((1, 3), np.nan), 0.1, np.array([0.1, 0.9])) == 0).all()
