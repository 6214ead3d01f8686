import numpy as np
import pytest

from klforecast.local.shifts import on_present_level, without_shift

DAYS = np.arange(400)
WEEK = 1 + 0.2 * np.sin(2 * np.pi * DAYS / 7)


def noise(seed=0, n=400):
    return np.random.default_rng(seed).standard_normal(n)


def undone(rows, period=7, reach=200):
    return without_shift(rows[None], period, reach)


@pytest.mark.parametrize("days", [7, 10, 28, 150])
def test_a_changed_unit_is_undone_and_keeps_the_season(days):
    wanted = 500 * WEEK * (1 + 0.05 * noise())
    shifted = wanted.copy()
    shifted[:-days] /= 1000
    found = undone(shifted)
    assert found.shifted.all()
    np.testing.assert_allclose(found.past[0] / wanted, 1, atol=0.1)
    np.testing.assert_array_equal(found.past[0, -days:], wanted[-days:])


def test_an_added_level_is_undone_by_adding():
    wanted = 150 + 10 * np.sin(2 * np.pi * DAYS / 7) + 3 * noise()
    shifted = wanted.copy()
    shifted[:-35] -= 100
    moved = undone(shifted).past[0, :-35] - shifted[:-35]
    assert np.ptp(moved) < 1e-9
    assert moved[0] == pytest.approx(100, abs=4)


def test_a_level_below_zero_is_moved_too():
    shifted = noise() + np.where(DAYS < 350, 20.0, -20.0)
    found = undone(shifted, period=1)
    assert found.shifted.all()
    assert found.past[0, :350].mean() == pytest.approx(-20, abs=1)


def test_the_trend_goes_on_through_a_shift():
    wanted = 1000 + 0.5 * DAYS + noise()
    shifted = wanted - np.where(DAYS < 360, 300.0, 0.0)
    np.testing.assert_allclose(undone(shifted).past[0], wanted, atol=8)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_no_shift_is_left_as_it_is(seed):
    rng = np.random.default_rng(seed)
    walk = 1000 + np.cumsum(rng.standard_normal(400))
    slow = 100 + 30 * np.sin(2 * np.pi * DAYS / 200) + noise(seed)
    spike = 100 * WEEK + noise(seed)
    spike[-40] = 3000.0
    outage = 100 * WEEK + noise(seed)
    outage[-40:-36] = 0.0
    rows = np.stack([walk, slow, spike, outage, np.full(400, 7.0)])
    found = without_shift(rows, 7, 200)
    assert not found.shifted.any()
    np.testing.assert_array_equal(found.past, rows)


def test_a_shift_before_the_reach_is_left():
    shifted = np.where(DAYS < 150, 100.0, 1000.0) + noise()
    assert not undone(shifted, reach=200).shifted.any()
    assert undone(shifted, reach=300).shifted.all()


def test_missing_rows_stay_missing_and_hide_no_shift():
    shifted = 100 * WEEK * np.where(DAYS < 370, 1.0, 0.5) + noise()
    shifted[::9] = np.nan
    found = undone(shifted)
    assert found.shifted.all()
    np.testing.assert_array_equal(np.isnan(found.past[0]), np.isnan(shifted))
    assert np.nanmean(found.past[0, :300]) == pytest.approx(50, abs=2)


def test_a_short_past_is_left():
    shifted = np.r_[np.full(30, 1.0), np.full(10, 100.0)]
    assert not undone(shifted, period=1).shifted.any()


def test_a_change_by_hundreds_of_orders_of_magnitude_stays_within_floats():
    shifted = np.where(DAYS < 370, 1e-300, 1.0) * (1 + 0.01 * noise())
    found = undone(shifted)
    assert found.shifted.all()
    assert np.isfinite(found.past**2).all()


@pytest.mark.parametrize("months", [6, 8, 12, 15])
@pytest.mark.parametrize("swing", [0.0, 1.0])
def test_a_shift_that_is_younger_than_a_season_is_undone_phase_by_phase(months, swing):
    rows = 60 + months
    wanted = 50 + swing * np.sin(2 * np.pi * np.arange(rows) / 12) + noise(n=rows)
    shifted = wanted - 40 * (np.arange(rows) < 60)
    found = on_present_level(shifted[None], 12, [12])
    assert found.shifted.all()
    np.testing.assert_allclose(found.past[0], wanted, atol=2)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_season_does_all_the_time_is_no_young_shift(seed):
    months = np.arange(84)
    rng = np.random.default_rng(seed)
    peak = np.where(months % 12 == 11, 200.0, 20.0) * np.exp(0.1 * rng.standard_normal(84))
    holidays = np.where(months % 12 < 6, 100.0, 10.0) * np.exp(0.1 * rng.standard_normal(84))
    sales = np.exp(0.2 * np.sin(2 * np.pi * months / 12) + 0.05 * np.cumsum(rng.normal(size=84)))
    assert not on_present_level(np.stack([peak, holidays, sales]), 12, [12]).shifted.any()
