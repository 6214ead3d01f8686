import numpy as np
import pytest
from numpy.testing import assert_allclose

from klforecast.local.filters import LEVELS, RETURNS, SLOPES, filter_forecasts

RNG = np.random.default_rng(0)


def plain_forecast(past, forgetting, slope, steps):
    """Level and slope as weighted means over the observed rows, written out."""
    age = np.arange(len(past))[::-1]
    known = np.isfinite(past)
    z, k = past[known], age[known]
    weight = (1 - forgetting) ** k
    level, lag = np.average(z, weights=weight), np.average(k, weights=weight)
    weight = (1 - slope.forgetting) ** k
    mean_z, mean_k = np.average(z, weights=weight), np.average(k, weights=weight)
    rise = -np.average((k - mean_k) * (z - mean_z), weights=weight)
    rise /= np.average((k - mean_k) ** 2, weights=weight)
    ahead = np.array([sum(slope.damping**i for i in range(1, h + 1)) for h in steps])
    return level + slope.share * rise * (lag + (steps if slope.damping == 1 else ahead))


def plain_return(past, way, steps):
    """A share of the distance to the slow level goes with every step, written out."""
    flat = SLOPES[0]
    last, usual = (plain_forecast(past, f, flat, steps) for f in (LEVELS[0], way.forgetting))
    if abs(last[0] - usual[0]) > 3 * np.nanstd(past):
        usual = plain_forecast(past, 0.3, flat, steps)
    return np.array([usual[0] + way.damping**h * (last[0] - usual[0]) for h in steps])


def test_forecasts_are_those_of_the_written_out_weighted_means():
    past = RNG.normal(50, 5, size=(3, 40))
    past[1, :10] = np.nan
    past[2, [5, 17, 18, 39]] = np.nan
    steps = np.array([1, 2, 7])
    made = filter_forecasts(past, steps)
    for row, forecasts in zip(past, made, strict=True):
        expected = [
            plain_forecast(row, level, slope, steps) for slope in SLOPES for level in LEVELS
        ]
        expected += [plain_return(row, way, steps) for way in RETURNS]
        assert_allclose(forecasts, expected, rtol=1e-9)


def test_a_series_far_from_where_it_usually_is_is_not_forecast_to_go_back():
    past = np.r_[RNG.normal(100, 5, 200), RNG.normal(40, 5, 7)][None]
    back = filter_forecasts(past, np.arange(1, 29))[0, -len(RETURNS) :]
    to_the_mean = [place for place, way in enumerate(RETURNS) if way.forgetting == 0]
    assert (back[to_the_mean] < 60).all()


def test_a_line_goes_on_exactly_under_the_whole_slope():
    line = 5 + 2 * np.arange(60.0)[None]
    whole = slice(2 * len(LEVELS), 3 * len(LEVELS))
    expected = np.broadcast_to(line[0, -1] + 2 * np.arange(1, 13), (len(LEVELS), 12))
    assert_allclose(filter_forecasts(line, np.arange(1, 13))[0, whole], expected, rtol=1e-12)


@pytest.mark.parametrize("gap", [1, 30, 400])
def test_a_gap_before_the_cutoff_leaves_finite_forecasts_near_the_series(gap):
    past = np.concatenate([RNG.normal(100, 1, 200), np.full(gap, np.nan)])[None]
    levels = filter_forecasts(past, np.array([1]))[0, : len(LEVELS), 0]
    assert (np.abs(levels - 100) < 5).all()


def test_a_series_of_one_row_stays_there():
    past = np.array([[np.nan, np.nan, 3.0]])
    assert_allclose(filter_forecasts(past, np.array([1, 5])), 3.0)


def test_an_unobserved_series_has_no_forecast():
    assert np.isnan(filter_forecasts(np.full((1, 4), np.nan), np.array([1]))).all()
