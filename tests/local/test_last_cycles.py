"""Means of the last cycles are those of the rows, and returns what a first order autoregression around them says."""

import numpy as np
import pytest

from klforecast.local.last_cycles import last_cycles, returns_to_cycles

STEPS = np.arange(1, 11)


def rows(n=2, length=31, seed=0):
    return np.random.default_rng(seed).normal(size=(n, length))


def test_means_are_those_of_rows_whole_cycles_ago():
    past = rows()
    made = last_cycles(past, 7, STEPS, np.zeros((2, 10)))
    for place, count in enumerate((1, 2, 4)):
        ago = [past[:, -7 * cycle :][:, :7] for cycle in range(1, count + 1)]
        mean = np.mean(ago, axis=0)
        np.testing.assert_allclose(made[:, place], mean[:, (STEPS - 1) % 7])


def test_a_return_is_an_autoregression_of_first_order_around_the_mean_of_the_other_cycles():
    past = rows()
    made = returns_to_cycles(past, 7, STEPS, np.zeros((2, 10)))
    cycles = past[:, -28:].reshape(2, 4, 7)
    distance = past[:, -1] - cycles[:, :-1, -1].mean(axis=1)
    ahead = cycles.mean(axis=1)[:, (STEPS - 1) % 7]
    for place, phi in enumerate((0.85, 0.95)):
        np.testing.assert_allclose(made[:, place], ahead + distance[:, None] * phi**STEPS)


def test_a_missing_newest_row_makes_the_return_as_much_older():
    past = rows()
    past[:, -3:] = np.nan
    made = returns_to_cycles(past, 7, STEPS, np.zeros((2, 10)))
    others = past[:, [-4 - 7, -4 - 14, -4 - 21]].mean(axis=1)
    known = np.nanmean(past[:, -28:].reshape(2, 4, 7), axis=1)[:, (STEPS - 1) % 7]
    left = 0.95 ** (STEPS + 3)
    np.testing.assert_allclose(made[:, 1], known + (past[:, -4] - others)[:, None] * left)


@pytest.mark.parametrize("forecast", [last_cycles, returns_to_cycles])
def test_a_phase_that_was_never_observed_has_the_fallback(forecast):
    past = np.ones((1, 31))
    past[:, 2::7] = np.nan  # the newest row is one of these
    made = forecast(past, 7, STEPS, np.full((1, 10), 5.0))
    np.testing.assert_array_equal(made, np.where(STEPS % 7 == 0, 5.0, 1.0) + 0 * made)


def test_a_single_cycle_has_no_others_to_be_compared_with():
    past = rows(length=7)
    made = returns_to_cycles(past, 7, STEPS, np.zeros((2, 10)))
    np.testing.assert_array_equal(made[:, 0], past[:, (STEPS - 1) % 7])


def test_no_series_and_no_rows_give_no_forecast_but_the_fallback():
    assert returns_to_cycles(np.empty((0, 9)), 7, STEPS, np.empty((0, 10))).shape == (0, 2, 10)
    np.testing.assert_array_equal(
        returns_to_cycles(np.full((1, 9), np.nan), 7, STEPS, np.ones((1, 10))), 1.0
    )
