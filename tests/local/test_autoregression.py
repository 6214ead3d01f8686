import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import solve_toeplitz

from klforecast.local.autoregression import autoregressive_forecasts, autoregressive_orders

RNG = np.random.default_rng(0)
STEPS = np.arange(1, 13)


def written_out(past, order, steps):
    """The equations of Yule and Walker as a system of its own, and one change after another."""
    changes = np.diff(past)
    sums = np.array([changes[lag:] @ changes[: len(changes) - lag] for lag in range(order + 1)])
    sums[0] *= 1 + 1 / len(changes)
    phi = solve_toeplitz(sums[:-1], sums[1:])
    known = list(changes)
    for _ in range(int(steps.max())):
        known.append(phi @ known[: -order - 1 : -1])
    return past[-1] + np.cumsum(known[len(changes) :])[steps - 1]


def test_forecasts_are_those_of_the_equations_written_out():
    past = RNG.normal(size=(4, 60)).cumsum(axis=1) + 3 * np.sin(np.arange(60) * np.pi / 6)
    made = autoregressive_forecasts(past, (3, 13, 20), STEPS)
    for row, forecasts in zip(past, made, strict=True):
        for order, forecast in zip((3, 13, 20), forecasts, strict=True):
            assert_allclose(forecast, written_out(row, order, STEPS), rtol=1e-9)


def test_a_series_that_returns_is_told_from_one_that_wanders():
    wandering = RNG.normal(size=(200, 100)).cumsum(axis=1)
    returning = RNG.normal(size=(200, 100))
    moved = [
        np.abs(autoregressive_forecasts(past, (3,), STEPS)[:, 0] - past[:, -1:]).mean()
        for past in (wandering, returning)
    ]
    assert moved[0] < 0.3
    assert moved[1] > 0.5


@pytest.mark.parametrize("rows", [1, 2, 5, 40])
def test_few_rows_gaps_and_constants_give_finite_forecasts(rows):
    past = RNG.normal(size=(4, rows)).cumsum(axis=1)
    past[1] = 7.0
    past[2, : rows // 2] = np.nan
    past[3, rows // 2 :: 3] = np.nan
    past[3, 0] = 1.0
    made = autoregressive_forecasts(past, (3, 13), STEPS)
    assert made.shape == (4, 2, 12)
    assert np.isfinite(made).all()
    assert_array_equal(made[1], 7.0)


def test_a_series_without_rows_has_no_forecast():
    past = np.array([np.full(30, np.nan), RNG.normal(size=30)])
    made = autoregressive_forecasts(past, (3,), STEPS)
    assert np.isnan(made[0]).all()
    assert np.isfinite(made[1]).all()


def test_what_lies_before_the_first_row_does_not_matter():
    past = RNG.normal(size=(2, 40)).cumsum(axis=1)
    longer = np.pad(past, ((0, 0), (17, 0)), constant_values=np.nan)
    made, same = (autoregressive_forecasts(each, (3, 13), STEPS) for each in (past, longer))
    assert_allclose(made, same, rtol=1e-9)


@pytest.mark.parametrize(
    ("rows", "period", "orders"),
    [(23, 12, ()), (24, 12, (3, 8)), (100, 12, (3, 13, 24)), (900, 168, (3, 60)), (50, 1, (3, 6))],
)
def test_orders_grow_with_the_rows_and_the_period(rows, period, orders):
    assert autoregressive_orders(rows, period) == orders
