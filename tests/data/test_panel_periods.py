"""Seasons that the series of a panel share, and what is none."""

import numpy as np
import pytest

from klforecast.data.panel_periods import find_panel_periods
from klforecast.data.periods import candidate_seasons, find_periods, repeats_beyond_chance

RNG = np.random.default_rng(0)


def day(period, rows=600):
    return np.sin(2 * np.pi * np.arange(rows) / period)[:, None] + 0.3 * RNG.normal(size=(rows, 1))


def test_a_neighbour_of_what_most_series_show_is_no_second_season():
    assert find_panel_periods([day(23) for _ in range(4)] + [day(24) for _ in range(16)]) == (24,)


def test_short_series_show_together_what_few_show_alone():
    season = np.array([0.0, 4.0, -2.0, 2.0])
    series = [
        (np.cumsum(RNG.normal(size=rows)) + np.tile(season, rows // 4))[:, None]
        for rows in [60] * 3 + [20] * 20
    ]
    assert [find_periods(rows) for rows in series].count((4,)) in (2, 3, 4)
    assert find_panel_periods([*series, *series[-20:]]) == (4,)


@pytest.mark.parametrize("rows", [20, 40, 100])
def test_random_walks_share_no_season(rows):
    walks = np.cumsum(RNG.normal(size=(rows, 25)), axis=0)
    assert find_panel_periods(list(walks.T[:, :, None])) == ()


def test_months_of_weeks_are_no_season_of_five():
    weeks = np.arange(1200)
    ends = np.diff(np.floor(weeks / (52 / 12)), prepend=0)
    series = [(np.cumsum(ends) + 0.02 * RNG.normal(size=1200))[:, None] for _ in range(6)]
    assert 5 not in find_panel_periods(series)


def test_phases_of_noise_repeat_by_chance_at_most():
    noise = [RNG.normal(size=(40, 1)) for _ in range(100)]
    assert np.mean([repeats_beyond_chance(rows, 4) for rows in noise]) <= 0.05
    assert not repeats_beyond_chance(np.ones((40, 1)), 4)
    assert not repeats_beyond_chance(noise[0][:8], 4)


def test_a_year_of_weeks_is_no_day():
    assert candidate_seasons([52], None) == (52,)
    assert candidate_seasons([96], None) == (96, 672)


def test_a_day_is_no_candidate_where_only_the_week_was_found():
    assert candidate_seasons([168], "h") == (168,)
    assert candidate_seasons([24], "h") == (24, 168)
    assert candidate_seasons([], "h") == (24, 168)
