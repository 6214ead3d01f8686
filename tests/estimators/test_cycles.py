"""Which cycles a fit looks for."""

import numpy as np
import pytest
import torch

from klforecast.core.plan import plan_core
from klforecast.core.season import LONGEST_CYCLE, season_waves
from klforecast.estimators.cycles import local_seasons, long_season, window_periods

WEEK = np.sin(np.arange(200) * 2 * np.pi / 7)[:, None]


def test_a_period_that_is_asked_for_is_the_only_one():
    assert window_periods([WEEK], None, 12) == [12]
    assert window_periods([WEEK], None, 1) == []
    assert local_seasons([12], None, 12) == [12]


def test_without_one_periods_are_detected_through_gaps():
    holed = WEEK.copy()
    holed[[3, 50, 51]] = np.nan
    assert window_periods([WEEK], None, None)[0] == 7
    assert window_periods([holed], None, None)[0] == 7


def test_a_period_longer_than_any_window_leaves_the_windows_to_detection():
    asked = LONGEST_CYCLE + 1
    assert window_periods([WEEK], None, asked)[0] == 7
    assert long_season(np.zeros((2 * asked, 1)), None, asked) == asked


def test_a_long_season_has_to_be_seen_twice():
    asked = LONGEST_CYCLE + 1
    with pytest.warns(UserWarning, match=f"a cycle of {asked} steps has no effect"):
        assert long_season(np.zeros((2 * asked - 1, 1)), None, asked) == 1
    assert long_season(WEEK, None, 7) == 1


@pytest.mark.parametrize("asked", [2_000, 4_000, 8_760])
def test_a_year_of_hours_costs_no_matrix_of_its_length(asked):
    # A window of whole years had Gram matrices of 8,760^2 numbers for each expert, and more than 3 GB.
    rows = 3 * 8_760
    hours = np.sin(np.arange(rows) * 2 * np.pi / 24)[:, None]
    periods = window_periods([hours], None, asked)
    plan = plan_core([rows], 1, 96, periods)
    assert plan.period == 24
    assert 8 * (plan.depth + plan.padded_horizon) ** 2 < 80e6
    # What a longer cycle adds are as many columns whatever its length.
    assert long_season(hours, None, asked) == asked
    assert season_waves(torch.arange(rows), asked).shape == (rows, 12)
