"""Coefficients of days are those of regression with errors of the airline model, and none where days say nothing."""

import numpy as np
import pytest

from klforecast.local.trading_days import (
    DayPrior,
    Innovations,
    day_coefficients,
    is_worth_having,
    learn_day_prior,
)

YEAR, ROWS, K = 12, 120, 9
SIZES = np.array([*[0.02] * 7, 0.01, 0.2])


def made(seed=0, n=20, noise=0.01, coefficients=(), rows=ROWS):
    """Days, and series that they move, with noise alone beside."""
    rng = np.random.default_rng(seed)
    days = rng.normal(size=(rows, K)) * SIZES
    own = np.zeros(K)
    own[: len(coefficients)] = coefficients
    return days, np.exp(5 + days @ own + noise * rng.normal(size=(n, rows)))


def innovations(series, days):
    return [Innovations.of(rows, days, np.arange(len(rows)), YEAR) for rows in series]


def test_innovations_are_what_the_airline_model_leaves():
    """Against the recursion e_t = c_t + f e_(t-1) + f e_(t-s) - f^2 e_(t-s-1), with c the changes of changes."""
    days, series = made(n=1, noise=0.01)
    logs = np.log(series[0])
    changes = [
        logs[t] - logs[t - 1] - logs[t - YEAR] + logs[t - YEAR - 1] for t in range(YEAR + 1, ROWS)
    ]
    expected = []
    for t, change in enumerate(changes):

        def before(lag, t=t):
            return expected[t - lag] if t >= lag else 0.0

        expected.append(change + 0.6 * before(1) + 0.6 * before(YEAR) - 0.36 * before(YEAR + 1))
    own = Innovations.of(series[0], days, np.arange(len(days)), YEAR)
    limit = 4 * 1.4826 * np.median(np.abs(expected))
    np.testing.assert_allclose(own.rows, np.clip(expected, -limit, limit), atol=1e-12)


def test_coefficients_are_the_posterior_mean_of_a_normal_prior():
    """Against least squares on the rows beside one row for each coefficient and its prior."""
    days, series = made(n=1, coefficients=[0.3, -0.2])
    own = Innovations.of(series[0], days, np.arange(len(days)), YEAR)
    prior = DayPrior(np.full(K, 0.1), np.full(K, 0.04))
    found = day_coefficients([own], prior)[0]
    covariance = np.zeros((K, K))
    for _ in range(20):
        left = own.rows - own.days @ found
        noise = (left @ left + np.trace(own.days.T @ own.days @ covariance)) / len(own.rows)
        rows = np.vstack([own.days / np.sqrt(noise), np.eye(K) / 0.2])
        targets = np.concatenate([own.rows / np.sqrt(noise), np.full(K, 0.1 / 0.2)])
        expected = np.linalg.lstsq(rows, targets, rcond=None)[0]
        covariance = np.linalg.inv(rows.T @ rows)
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_a_panel_finds_the_coefficients_that_it_was_made_with():
    coefficients = [0.4, -0.3, 0.0, 0.2, 0.0, -0.1, 0.0, 1.0, 0.05]
    days, series = made(coefficients=coefficients)
    panel = innovations(series, days)
    prior = learn_day_prior(panel)
    assert is_worth_having(panel)
    np.testing.assert_allclose(prior.mean, coefficients, atol=0.1)
    np.testing.assert_allclose(day_coefficients(panel, prior).mean(axis=0), coefficients, atol=0.1)


@pytest.mark.parametrize("n", [1, 6, 30])
@pytest.mark.parametrize("kind", ["noise", "walk", "shared shocks", "missing rows"])
def test_days_that_say_nothing_are_not_worth_having(n, kind):
    kept = 0
    for seed in range(20):
        days, series = made(seed, n=n, noise=0.05)
        rng = np.random.default_rng(seed + 100)
        if kind == "walk":
            series = np.exp(np.cumsum(np.log(series) - 5, axis=1))
        elif kind == "shared shocks":
            series = series * np.exp(0.05 * rng.normal(size=ROWS))
        elif kind == "missing rows":
            series = np.where(rng.random(series.shape) < 0.2, np.nan, series)
        kept += is_worth_having(innovations(series, days))
    assert kept <= 1


def test_a_series_of_little_noise_departs_from_its_panel_and_one_of_much_noise_does_not():
    days, series = made(n=20, coefficients=[0.3])
    rng = np.random.default_rng(1)
    calm = np.exp(5 - 0.3 * days[:, 0] + 0.003 * rng.normal(size=ROWS))
    wild = np.exp(5 - 0.3 * days[:, 0] + 0.3 * rng.normal(size=ROWS))
    panel = innovations([*series, calm, wild], days)
    found = day_coefficients(panel, learn_day_prior(panel))[:, 0]
    assert found[-2] < -0.15
    assert found[-1] > 0.1


def test_a_strike_does_not_move_the_coefficients():
    days, series = made(n=1, coefficients=[0.4])
    struck = series.copy()
    struck[0, 60] *= 0.05
    found = [
        day_coefficients(panel, learn_day_prior(panel))[0, 0]
        for panel in (innovations(series, days), innovations(struck, days))
    ]
    assert abs(found[1] - found[0]) < 0.1


def test_missing_rows_are_left_out():
    days, series = made(n=1, coefficients=[0.4])
    series[0, 40:43] = np.nan
    own = Innovations.of(series[0], days, np.arange(ROWS), YEAR)
    changes = np.diff(np.log(series[0]))
    seen = np.isfinite(changes[YEAR:]) & np.isfinite(changes[:-YEAR])
    assert own.months.tolist() == (np.flatnonzero(seen) + YEAR + 1).tolist()
    assert np.isfinite(own.rows).all()
    assert abs(day_coefficients([own], learn_day_prior([own]))[0, 0] - 0.4) < 0.15


def test_a_series_of_a_year_and_a_row_has_no_innovations():
    days, series = made(rows=YEAR + 1, n=1)
    assert Innovations.of(series[0], days, np.arange(len(days)), YEAR) is None
    days, series = made(rows=YEAR + 2, n=1)
    assert len(Innovations.of(series[0], days, np.arange(len(days)), YEAR).rows) == 1
