import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from klforecast.ops.adaptive_levels import (
    GRID,
    LEVEL_TABLE,
    adapt_levels,
    adapted_levels,
    nominal_levels,
    reached_levels,
)
from klforecast.ops.conformal import (
    Residuals,
    calibrate,
    extend_steps,
    score_quantiles,
)
from klforecast.ops.pinball import pinball


def unscaled(errors, rows):
    n, _, channels = errors.shape
    return calibrate(Residuals(errors, torch.full((n, channels, 3), torch.nan), rows))


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def reached(errors, calibration):
    table = score_quantiles(calibration, LEVEL_TABLE.expand(errors.shape[-1], -1))
    return reached_levels(errors, table.expand(*errors.shape, -1))


def at(*levels):
    return torch.tensor([levels], dtype=torch.float64)


@pytest.mark.parametrize("level", [0.025, 0.1, 0.5, 0.9, 0.975])
def test_a_new_error_lies_below_a_quantile_with_the_probability_of_its_level(level):
    # 39 scores have the ranks of 1 / 40: the coverage is exact whatever the distribution.
    repeats = 20_000
    errors = noise(40, 1, repeats).exp()
    calibration = unscaled(errors[:39], rows=39)
    levels = torch.full((repeats, 1), level, dtype=torch.float64)
    covered = errors[39] <= score_quantiles(calibration, levels)[..., 0]
    assert abs(covered.double().mean() - level) < 4 * math.sqrt(level * (1 - level) / repeats)


def test_quantiles_of_many_scores_are_those_of_the_sample():
    errors = noise(5000, 2, 1)
    quantiles = score_quantiles(unscaled(errors, rows=10**9), at(0.1, 0.5, 0.9))
    wanted = np.quantile(errors.numpy(), [0.1, 0.5, 0.9], axis=0, method="hazen")
    np.testing.assert_allclose(quantiles[:, 0].T, wanted[..., 0], atol=0.01)


def test_fewer_independent_rows_give_wider_intervals_late_in_the_horizon():
    errors = noise(400, 1, 1).expand(400, 50, 1)
    low, high = score_quantiles(unscaled(errors, rows=2000), at(0.05, 0.95)).unbind(-1)
    width = (high - low)[:, 0]
    assert (width.diff() >= -1e-9).all()
    assert width[-1] > 1.02 * width[0]


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 60),
    rows=st.integers(1, 200),
    levels=st.lists(st.floats(0.001, 0.999), min_size=2, max_size=8),
    moved=st.lists(st.floats(-0.3, 0.3), min_size=len(GRID), max_size=len(GRID)),
)
def test_quantiles_are_finite_and_never_cross(n, rows, levels, moved):
    calibration = unscaled(noise(n, 3, 2), rows)
    adapted = nominal_levels(2) + torch.tensor(moved)
    adapted = adapted.clamp(1e-4, 1 - 1e-4).sort(dim=-1).values
    wanted = torch.tensor(sorted(levels), dtype=torch.float64)
    quantiles = score_quantiles(calibration, adapted_levels(adapted, wanted))
    quantiles = extend_steps(quantiles, calibration.growth, 7)
    assert quantiles.isfinite().all()
    assert (quantiles.diff(dim=-1) >= -1e-12).all()


def test_few_scores_count_with_both_signs():
    calibration = unscaled(torch.tensor([[[1.0]], [[3.0]]]), rows=2)
    low, median, high = score_quantiles(calibration, at(0.05, 0.5, 0.95))[0, 0]
    assert_close(high, -low)
    assert median == 0
    assert high > 3


def test_beyond_its_ranks_a_quantile_goes_on_like_that_of_a_normal_distribution():
    calibration = unscaled(noise(50, 1, 1), rows=50)
    edge, far = score_quantiles(calibration, at(50 / 51, 0.999))[0, 0]
    median = score_quantiles(calibration, at(0.5))[0, 0, 0]
    z = torch.special.ndtri(at(50 / 51, 0.999))[0]
    assert_close((far - median) / (edge - median), z[1] / z[0])


@pytest.mark.parametrize("helps", [True, False])
def test_the_scale_stays_only_if_it_helps_on_windows_held_out(helps):
    features = noise(300, 2, 3)
    sizes = features[..., 2].exp()
    if not helps:
        # Of a feature that only tells the order of the windows nothing holds on other windows.
        features = torch.arange(300.0, dtype=torch.float64)[:, None, None].repeat(1, 2, 3)
        sizes = torch.where(torch.arange(300) // 60 % 2 == 0, 0.3, 3.0)[:, None]
    errors = sizes[:, None] * noise(300, 10, 2, seed=1)
    exponents = calibrate(Residuals(errors, features, rows=3000)).scale.exponents
    assert bool(exponents.any()) == helps


def test_errors_beyond_the_horizon_grow_no_faster_than_those_of_a_random_walk():
    walk = noise(300, 20, 1).cumsum(dim=1)
    explosive = walk * torch.arange(1, 21)[:, None] ** 2
    still = noise(300, 20, 1)
    growth = [unscaled(errors, rows=6000).growth.item() for errors in (still, walk, explosive)]
    assert growth[0] < 0.1
    assert 0.3 < growth[1] <= 0.5
    assert growth[2] == 0.5


def test_a_step_beyond_the_horizon_has_the_last_quantiles_times_a_power_of_the_ratio():
    quantiles = noise(4, 2, 3)
    longer = extend_steps(quantiles, torch.tensor([0.5, 0.0], dtype=torch.float64), 16)
    assert_close(longer[:4], quantiles)
    assert_close(longer[15], quantiles[3] * torch.tensor([[2.0], [1.0]]))
    assert_close(extend_steps(quantiles, torch.zeros(2), 3), quantiles[:3])


def test_levels_that_nothing_moved_are_the_nominal_ones():
    levels = torch.tensor([0.001, 0.025, 0.33, 0.5, 0.999], dtype=torch.float64)
    assert_close(adapted_levels(nominal_levels(2), levels), levels.expand(2, 5))


def test_levels_move_by_the_rate_times_the_miss():
    calibration = unscaled(noise(999, 4, 1), rows=10**6)
    below_all = torch.full((4, 1), -100.0, dtype=torch.float64)
    moved = adapt_levels(nominal_levels(1), reached(below_all, calibration), torch.tensor(0.001))
    inner = slice(2, -2)
    assert_close(moved[0, inner], (GRID + 0.001 * (GRID - 1))[inner])


def test_levels_stay_in_order_however_fast_they_move():
    calibration = unscaled(noise(999, 4, 1), rows=10**6)
    # All errors in the middle push the levels below it up and those above it down.
    moved = adapt_levels(
        nominal_levels(1), reached(noise(4, 1) * 1e-6, calibration), torch.tensor(0.9)
    )
    assert (moved.diff(dim=-1) >= 0).all()


def test_levels_follow_errors_that_grow_until_the_coverage_is_right_again():
    calibration = unscaled(noise(500, 5, 1), rows=10**6)
    levels, wanted = nominal_levels(1), torch.tensor([0.1, 0.9], dtype=torch.float64)
    covered = []
    for turn in range(300):
        errors = 1.5 * noise(5, 1, seed=turn + 1)
        low, high = score_quantiles(calibration, adapted_levels(levels, wanted)).unbind(-1)
        covered.append(((low <= errors) & (errors <= high)).double().mean().item())
        levels = adapt_levels(levels, reached(errors, calibration), torch.tensor(0.03))
    assert np.mean(covered[:20]) < 0.7
    assert abs(np.mean(covered[100:]) - 0.8) < 0.03


def test_series_adapt_as_one_by_one():
    calibration = unscaled(noise(100, 4, 2), rows=400)
    levels = nominal_levels(2).repeat(3, 1, 1)
    errors, rates = noise(3, 4, 2, seed=5), torch.tensor([0.1, 0.01, 0.2])
    together = adapt_levels(levels, reached(errors, calibration), rates[:, None, None])
    for i in range(3):
        assert_close(
            together[i], adapt_levels(levels[i], reached(errors[i], calibration), rates[i])
        )


def test_twice_the_mean_pinball_loss_is_the_crps():
    levels = (torch.arange(2000, dtype=torch.float64) + 0.5) / 2000
    truth = torch.tensor([-1.0, 0.0, 2.5], dtype=torch.float64)
    loss = 2 * pinball(truth, torch.special.ndtri(levels).expand(3, -1), levels).mean(dim=-1)
    density = torch.exp(-(truth**2) / 2) / math.sqrt(2 * math.pi)
    # Gneiting & Raftery 2007, eq. 21 ff., for the standard normal distribution.
    exact = truth * (2 * torch.special.ndtr(truth) - 1) + 2 * density - 1 / math.sqrt(math.pi)
    assert_close(loss, exact, atol=2e-3, rtol=0)


def test_no_more_than_a_few_hundred_scores_are_kept_whatever_the_sample():
    assert len(unscaled(noise(3000, 2, 1), rows=6000).scores) == 256


def test_intervals_are_wide_at_the_phases_that_move_and_narrow_at_those_that_rest():
    generator = torch.Generator().manual_seed(0)
    first = torch.arange(600) % 4  # windows start at every phase, or the step would tell it
    size = torch.tensor([1.0, 1.0, 0.01, 0.01])[(first[:, None] + torch.arange(12)) % 4]
    errors = size[..., None] * torch.randn(600, 12, 1, generator=generator)
    phases = size[:, None, :4].log()
    unknown = torch.full((600, 1, 3), torch.nan)
    with_phases = calibrate(Residuals(errors, unknown, 7200, phases))
    assert with_phases.phase.item() > 0.9
    assert calibrate(Residuals(errors, unknown, 7200)).phase is None
    # Phases that say nothing of the errors are left out.
    even = torch.randn(600, 12, 1, generator=generator)
    assert calibrate(Residuals(even, unknown, 7200, phases)).phase is None
    # So are those of a cycle that was hardly seen.
    assert calibrate(Residuals(errors, unknown, 79, phases)).phase is None


def test_both_signs_of_an_error_count_once():
    calibration = unscaled(noise(40, 8, 1), rows=40)
    assert calibration.scores.shape[0] == 80
    assert_close(calibration.effective, 40 / torch.arange(1, 9, dtype=torch.float64))
