"""After a change of level or of unit: forecasts on the new level, and intervals that hold what follows."""

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.benchmark.theta import theta_forecast

DAYS = pd.date_range("2021-01-01", periods=758, freq="D")
FH = range(1, 29)


def weekly(level, noise, seed):
    t = np.arange(758)
    week = 1 + 0.15 * np.sin(2 * np.pi * t / 7) + 0.075 * (t % 7 >= 5)
    return level * week * (1 + noise * np.random.default_rng(seed).standard_normal(758))


def split(values):
    y = pd.Series(values, DAYS)
    return y.iloc[:730], y.iloc[730:]


def assert_within_the_truth(y, truth):
    fitted = KLMemoryForecaster(28).fit(y)
    assert fitted.predict(fh=FH).between(truth.min(), truth.max()).all()
    interval = fitted.predict_interval(fh=FH, coverage=0.9).to_numpy()
    assert np.mean((interval[:, 0] <= truth) & (truth <= interval[:, 1])) >= 0.75


@pytest.mark.parametrize("seed", [100, 101])
def test_a_change_of_unit_four_weeks_ago_is_followed(seed):
    values = weekly(5e6, 0.05, seed)
    values[:702] /= 1000
    assert_within_the_truth(*split(values))


def test_seven_hundred_rows_at_100_and_28_at_1000_go_on_at_1000():
    level = np.r_[np.full(702, 100.0), np.full(56, 1000.0)]
    values = level * (1 + 0.01 * np.random.default_rng(100).standard_normal(758))
    assert_within_the_truth(*split(values))


# The core says that windows of a constant and one step hold no second moments; local experts do not need them.
@pytest.mark.filterwarnings("ignore::klforecast.exceptions.NumericalWarning")
def test_a_step_without_noise_goes_on_at_its_level():
    y = pd.Series(np.r_[np.full(702, 100.0), np.full(28, 1000.0)], DAYS[:730])
    forecast = KLMemoryForecaster(28).fit(y).predict(fh=FH)
    np.testing.assert_allclose(forecast, 1000, rtol=1e-6)


@pytest.mark.parametrize("days", [7, 14, 28, 56])
def test_a_drop_by_forty_percent_is_followed_at_least_as_well_as_by_theta(days):
    ours, theta = [], []
    for seed in (100, 101, 102):
        values = weekly(100.0, 0.08, seed)
        values[: 730 - days] /= 0.6
        y, truth = split(values)
        assert_within_the_truth(y, truth)
        forecast = KLMemoryForecaster(28).fit(y).predict(fh=FH)
        ours.append(np.mean(np.abs(forecast / truth - 1)))
        reference = theta_forecast(y.to_numpy()[None, -210:], 28, 7, True)[0]
        theta.append(np.mean(np.abs(reference / truth - 1)))
    assert np.mean(ours) <= np.mean(theta)


def test_a_shift_that_follows_by_update_is_seen_without_a_fit_where_local_experts_speak():
    values = weekly(100.0, 0.05, 100)
    values[:716] /= 0.1
    y, truth = split(values)
    fitted = KLMemoryForecaster(28).fit(y[:-14])
    fitted._pool = fitted._pool._replace(share=np.ones_like(fitted._pool.share))
    forecast = fitted.update(y[-14:], update_params=False).predict(fh=FH)
    assert forecast.between(truth.min(), truth.max()).all()


def test_the_width_of_a_month_does_not_grow_with_how_far_else_one_looks():
    t = np.arange(108)
    rng = np.random.default_rng(0)
    season = 1 + 0.2 * np.sin(2 * np.pi * t / 12)
    passengers = 100 * np.exp(0.01 * t) * season * (1 + 0.04 * rng.standard_normal(108))
    y = pd.Series(passengers, pd.period_range("1949-01", periods=108, freq="M"))
    widths = []
    for horizon in (12, 24, 36):
        interval = KLMemoryForecaster(horizon).fit(y).predict_interval(fh=[12], coverage=0.9)
        widths.append(float(interval.iloc[0, 1] - interval.iloc[0, 0]))
    assert max(widths) <= 1.15 * min(widths)


@pytest.mark.parametrize("by", ["lag", "expert"])
def test_an_explanation_after_a_shift_adds_up_to_the_forecast(by):
    values = weekly(100.0, 0.05, 100)[580:730]
    values[:100] /= 0.1
    forecaster = KLMemoryForecaster(7).fit(pd.Series(values, DAYS[580:730]))
    total = forecaster.explain(by=by).groupby("step")["value"].sum().to_numpy()
    np.testing.assert_allclose(total, forecaster.predict(fh=range(1, 8)), rtol=1e-6)


def hourly(shift, rows_ago, seed=0):
    t = np.arange(1500)
    values = 100 + 10 * np.sin(2 * np.pi * t / 24) + np.random.default_rng(seed).normal(size=1500)
    values[-rows_ago:] += shift
    return pd.Series(values)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_core_that_a_shift_leads_astray_has_no_share_and_another_one_keeps_it(seed):
    fitted = KLMemoryForecaster(24).fit(hourly(6, 120, seed))
    assert (fitted._pool.share < 1).all()
    assert (fitted._pool.share > 0).all()
    np.testing.assert_allclose(
        fitted.predict(), hourly(6, 120, seed)[-24:].to_numpy().ravel(), atol=5
    )
    astray = KLMemoryForecaster(24).fit(hourly(9e4, 24, seed))
    assert (astray._pool.share == 1).all()


def test_each_channel_is_asked_whether_its_core_is_led_astray():
    y = pd.DataFrame({"mild": hourly(6, 120), "none": hourly(0, 120), "unit": hourly(9e4, 24)})
    share = KLMemoryForecaster(24).fit(y)._pool.share[0]
    assert (share[[0, 1]] < 1).all()
    assert (share[2] == 1).all()


def test_series_of_a_panel_are_asked_each_for_itself():
    parts = {"mild": hourly(6, 120), "none": hourly(0, 120), "unit": hourly(9e4, 24)}
    panel = pd.concat(parts, names=["id", "hour"]).to_frame("y")
    fitted = KLMemoryForecaster(24).fit(panel)
    share = dict(zip(fitted._pool.keys, fitted._pool.share[:, 0], strict=True))
    assert (share["mild",] < 1).all()
    assert (share["none",] < 1).all()
    assert (share["unit",] == 1).all()


@pytest.mark.parametrize("months", [7, 12, 15])
def test_months_follow_a_shift_that_is_younger_than_a_year(months):
    rng = np.random.default_rng(months)
    rows = np.where(np.arange(72 + months) < 60, 10.0, 50.0) + rng.normal(size=72 + months)
    y = pd.Series(rows, pd.period_range("2000-01", periods=len(rows), freq="M"))
    forecaster = KLMemoryForecaster(horizon=12).fit(y[: 60 + months])
    assert (forecaster.predict() - y[60 + months :]).abs().mean() < 2.5
    limits = forecaster.predict_interval(coverage=0.9).to_numpy()
    assert (limits[:, 1] - limits[:, 0]).max() < 20
