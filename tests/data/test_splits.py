import numpy as np
import pytest

from klforecast.data import (
    Borders,
    ett_borders,
    ratio_borders,
    window_cutoffs,
)


@pytest.mark.parametrize(
    ("borders", "horizons", "n_windows"),
    [
        (ett_borders(), (96, 192, 336, 720), (2785, 2689, 2545, 2161)),
        (ett_borders(4), (96, 192, 336, 720), (11425, 11329, 11185, 10801)),
        (ratio_borders(7588), (96, 192, 336, 720), (1422, 1326, 1182, 798)),
        (ratio_borders(966), (24, 36, 48, 60), (170, 158, 146, 134)),
    ],
    ids=["ETTh", "ETTm", "Exchange", "ILI"],
)
def test_every_test_window_of_the_published_protocol_is_counted(borders, horizons, n_windows):
    assert tuple(len(window_cutoffs(*borders.test, h)) for h in horizons) == n_windows


def test_parts_touch_and_cover_all_rows_up_to_the_end_of_the_test_part():
    borders = ratio_borders(103)
    assert borders.train == (0, 72)
    assert borders.validation == (72, 83)
    assert borders.test == (83, 103)


@pytest.mark.parametrize("ends", [(0, 1, 2), (5, 4, 6), (5, 6, 5), (-1, 2, 3)])
def test_borders_that_do_not_increase_are_refused(ends):
    with pytest.raises(ValueError, match="borders must increase from 0"):
        Borders(*ends)


def test_first_and_last_forecast_meet_the_borders_of_the_part():
    cutoffs = window_cutoffs(10, 20, horizon=4)
    assert cutoffs[0] == 10
    assert cutoffs[-1] + 4 == 20
    assert (np.diff(cutoffs) == 1).all()


def test_a_part_as_long_as_the_horizon_has_one_window():
    assert window_cutoffs(10, 20, horizon=10).tolist() == [10]


@pytest.mark.parametrize(
    ("horizon", "message"), [(0, "horizon must be at least 1"), (11, "pass horizon <= 10")]
)
def test_an_impossible_horizon_is_refused(horizon, message):
    with pytest.raises(ValueError, match=message):
        window_cutoffs(10, 20, horizon)
