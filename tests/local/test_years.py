"""Events of the year are what years agree on, in bands and at dates, and nothing else."""

import numpy as np
import pytest

from klforecast.local.bands import local_means, widening_bands
from klforecast.local.years import Places, effects_of_years, places_of, without_season

YEAR, ROWS = 365, 3 * 365


def by_date(rows, ahead=YEAR, year=YEAR, most=4):
    years = np.array([number for number in range(-most, most + 1) if number])
    places = np.arange(rows + ahead)[:, None] + year * years
    return np.where((places >= 0) & (places < rows), places, -1)


def effect(rows, season=1, bands=7):
    rows = np.asarray(rows, dtype=np.float64).reshape(len(rows), -1)
    places = places_of(by_date(len(rows)), len(rows), season)
    return effects_of_years(rows, places, season, YEAR, [bands])[0]


def noise(seed, rows=ROWS):
    return np.random.default_rng(seed).normal(size=rows)


def test_bands_and_the_level_that_they_leave_add_up_to_the_series():
    rows = noise(0, 200)[:, None]
    bands = widening_bands(rows, 4)
    level = rows - bands.sum(axis=0)
    assert np.isfinite(level[15:-15]).all()
    assert np.isnan(level[:15]).all()
    assert np.isnan(level[-15:]).all()
    assert np.abs(np.diff(level[15:-15], axis=0)).max() < 0.1


def test_a_line_has_no_bands():
    bands = widening_bands(np.arange(100.0)[:, None], 3)
    np.testing.assert_allclose(bands[np.isfinite(bands)], 0, atol=1e-9)


def test_gaps_say_nothing_and_are_bridged_for_their_neighbours():
    rows = np.arange(20.0)[:, None]
    rows[[4, 5]] = np.nan
    assert local_means(rows, 1)[3:7, 0].tolist() == [2.5, 3.0, 6.0, 6.5]
    band = widening_bands(rows, 1)[0, :, 0]
    assert np.flatnonzero(np.isnan(band)).tolist() == [0, 4, 5, 19]
    np.testing.assert_allclose(band[[3, 6]], 0, atol=1e-9)


def test_a_median_week_is_taken_off_whatever_a_single_day_did():
    week = np.tile([5.0, 1.0, 0.0, -1.0, -2.0, -1.0, -2.0], 60)
    rows = week.copy()
    rows[200] += 100
    left = without_season(rows[:, None], 7)[:, 0]
    assert left[200] == pytest.approx(100, abs=1)
    np.testing.assert_allclose(np.delete(left, np.arange(190, 211)), 0, atol=1e-9)


@pytest.mark.parametrize("width", [1, 5, 25])
def test_two_peaks_seen_at_the_same_date_are_expected_a_third_time(width):
    rows = 3 * noise(1, 1000)
    for year in (0, 1):
        rows[300 + YEAR * year : 300 + width + YEAR * year] += 60
    ahead = effect(rows)[300 + 2 * YEAR : 300 + width + 2 * YEAR]
    assert ahead.mean() == pytest.approx(60, rel=0.2)


def test_one_wild_year_is_no_event():
    rows = noise(2)
    rows[300:325] += 60
    assert np.abs(effect(rows)[300 + 3 * YEAR : 325 + 3 * YEAR]).max() < 3


def test_a_row_is_told_by_the_other_years_alone():
    rows = noise(3)
    for year in range(3):
        rows[300 + YEAR * year] += 30
    changed = rows.copy()
    changed[300 + YEAR] += 2
    before, after = effect(rows), effect(changed)
    others = [300, 300 + 2 * YEAR]
    assert (after - before)[others, 0] == pytest.approx([0.75, 0.75], abs=0.5)
    assert abs(after - before)[300 + YEAR, 0] < 0.2


@pytest.mark.parametrize("make", [np.asarray, np.cumsum])
def test_noise_and_walks_have_next_to_no_events(make):
    shares = []
    for seed in range(10):
        rows = make(noise(10 + seed))
        shares.append(effect(rows)[ROWS:].std() / np.diff(rows).std())
    assert np.median(shares) < 0.2


def test_peaks_that_grow_with_the_level_are_told_in_units_of_the_year_before():
    level = np.repeat([100.0, 200.0, 400.0], YEAR)
    rows = level * np.exp(0.02 * noise(4))
    for year in range(3):
        rows[150 + YEAR * year : 170 + YEAR * year] *= 2
    ahead = effect(rows)[150 + 3 * YEAR : 170 + 3 * YEAR]
    assert ahead.mean() == pytest.approx(400, rel=0.2)


def test_events_that_keep_to_a_day_of_the_week_are_found_there():
    rows = noise(5)
    thursdays = [329 + 364 * year for year in range(3)]
    rows[thursdays] += 30
    ahead = effect(rows, season=7)[ROWS:, 0]
    assert ahead.argmax() + ROWS == 329 + 364 * 3
    assert ahead.max() > 15


def test_gaps_and_a_single_year_ask_for_nothing():
    rows = noise(6)
    rows[100:400] = np.nan
    assert np.isfinite(effect(rows)).all()
    assert not effect(noise(7, 360)).any()
    assert places_of(by_date(20), 20, 1) == Places(pytest.approx(by_date(20)), None)
