"""Which cycles a fit looks for."""

import numpy as np
import pytest

from klforecast.core.season import LONGEST_CYCLE
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
