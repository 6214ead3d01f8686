"""A week that windows of the core cannot show is taken off before it and added after, where that helps."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster
from klforecast.core.plan import plan_core
from klforecast.estimators.weeks import week_of

HORIZON = 96


def rides(seed=0, weeks=5, weekend=0.3, size=100.0):
    """Half-hourly rides with rush hours, and weekends of a share of them."""
    index = pd.date_range("2024-01-01", periods=48 * 7 * weeks, freq="30min")
    hour = (index.hour + index.minute / 60).to_numpy()
    rush = np.exp(-0.5 * ((hour - 8.5) / 1.5) ** 2) + np.exp(-0.5 * ((hour - 18) / 2) ** 2)
    rate = size * (0.1 + rush * np.where(index.dayofweek.to_numpy() >= 5, weekend, 1.0))
    rows = np.random.default_rng(seed).poisson(rate).astype(float)
    y = pd.Series(rows, index)
    end = 48 * (7 * (weeks - 1) + 4)  # on a Thursday night: a Friday and a Saturday are ahead
    return y.iloc[:end], y.iloc[end:][:HORIZON]


@pytest.fixture(scope="module")
def fitted():
    return KLMemoryForecaster(HORIZON).fit(rides()[0])


def test_a_weekend_is_forecast_from_four_weeks_of_half_hours(fitted):
    y, truth = rides()
    error = (fitted.predict() - truth).abs().mean()
    weeks = y.to_numpy()[-4 * 336 :].reshape(4, 336).mean(axis=0)[:HORIZON]
    assert fitted.returning_.name == "week"
    assert error < 1.2 * np.abs(weeks - truth).mean()
    limits = fitted.predict_interval(coverage=0.8).to_numpy()
    assert 0.6 < np.mean((truth >= limits[:, 0]) & (truth <= limits[:, 1])) < 0.97


def test_the_core_alone_is_left_without_it():
    y, _ = rides()
    alone = KLMemoryForecaster(HORIZON, local_experts=False).fit(y)
    assert alone.returning_ is None
    with_period = KLMemoryForecaster(HORIZON, period=48).fit(y)
    assert with_period.returning_ is None


@pytest.mark.parametrize("weeks", [3, 5])
def test_days_that_are_all_alike_have_no_week(weeks):
    assert KLMemoryForecaster(HORIZON).fit(rides(weeks=weeks, weekend=1.0)[0]).returning_ is None


def test_a_clean_day_is_no_week():
    hours = np.arange(900)
    noise = 0.05 * np.random.default_rng(0).standard_normal(900)
    y = pd.Series(5 * np.maximum(0.0, np.sin(hours * np.pi / 12)) + noise)
    assert KLMemoryForecaster(24).fit(y).returning_ is None


def test_a_core_whose_windows_hold_three_weeks_knows_them():
    plans = [plan_core([rows], 1, 48, [24, 168]) for rows in (1344, 10_000)]
    assert [week_of([24, 168], plan) for plan in plans] == [168, None]


def test_days_whose_noise_hides_their_season_may_have_a_week():
    days = pd.date_range("2024-01-01", periods=23)
    sales = np.array([80.0, 90.0, 90.0, 100.0, 140.0, 200.0, 60.0])[days.dayofweek]
    y = pd.Series(sales + 25 * np.random.default_rng(0).standard_normal(23), days)
    forecaster = KLMemoryForecaster(5).fit(y[:18])
    assert forecaster.periods_ == []
    assert forecaster.returning_.name == "week"
    error = (forecaster.predict() - sales[18:]).abs().mean()
    assert error < 0.8 * np.abs(y[:18].mean() - sales[18:]).mean()


def test_a_day_alone_and_a_month_have_no_week():
    assert week_of([24], plan_core([1344], 1, 48, [24])) is None
    assert week_of([12, 24], plan_core([140], 1, 12, [12, 24])) is None


def test_rides_are_not_forecast_below_zero(fitted):
    assert (fitted.predict() >= 0).all()
    assert (fitted.predict_interval(coverage=0.9).to_numpy() >= 0).all()


def test_new_rows_move_the_context_or_are_learned_from():
    y, truth = rides()
    for learn in (False, True):
        forecaster = KLMemoryForecaster(HORIZON).fit(y)
        forecaster.update(truth[:48], update_params=learn)
        ahead = forecaster.predict(fh=range(1, 49))
        assert (ahead - truth[48:96]).abs().mean() < 8


def test_contributions_add_up_to_the_forecast(fitted):
    parts = fitted.explain()
    total = parts.groupby("step")["value"].sum().to_numpy()
    np.testing.assert_allclose(total, fitted.predict().to_numpy(), rtol=1e-6)
    y, steps = rides()[0], np.arange(1, HORIZON + 1)
    days = fitted.returning_.ahead((), y.index[-1], steps)[:, 0]
    of_core = 1 - fitted._pool.shares_ahead(HORIZON)[0, :, 0]
    week = parts[parts["part"] == "week"]["value"].to_numpy()
    assert np.abs(days).max() > 30
    np.testing.assert_allclose(week, of_core * days)
    assert "days of the week" in str(fitted.summary())


def test_local_experts_see_the_rows_with_their_week(fitted):
    y, _ = rides()
    assert fitted._pool.model.periods == (48, 336)
    assert fitted._pool.model.positive.all()
    known = fitted._rows.series[()]
    reader = fitted._reader()
    np.testing.assert_array_equal(reader.residual_rows((), known)[:, 0], y)
    rows = reader.rows_read([((), known)])[0]
    np.testing.assert_array_equal(rows[:, 0], y)
    off = fitted.scalers_[()].inverse_transform(reader.core_rows((), rows, known.index))[:, 0] - y
    np.testing.assert_allclose(off, -fitted.returning_.of((), y.index)[:, 0], atol=1e-9)


@pytest.mark.parametrize(("weeks", "for_core_alone"), [(3, False), (4, False), (5, True)])
def test_a_few_weeks_are_taken_off_for_local_experts_too(weeks, for_core_alone):
    # Two whole weeks before every origin are what makes a week one of their own seasons.
    y, truth = rides(weeks=weeks)
    forecaster = KLMemoryForecaster(HORIZON).fit(y)
    assert forecaster.returning_.name == "week"
    assert forecaster.returning_.for_core_alone == for_core_alone
    assert (336 in forecaster._pool.model.periods) == for_core_alone
    assert forecaster.periods_ == [48, 336]
    assert (forecaster.predict() - truth).abs().mean() < 12


def test_two_weeks_are_enough():
    y, truth = rides(weeks=3)
    y = y.iloc[len(y) - 2 * 336 :]
    forecaster = KLMemoryForecaster(HORIZON).fit(y)
    weeks = y.to_numpy().reshape(2, 336).mean(axis=0)[:HORIZON]
    assert forecaster.returning_.name == "week"
    assert (forecaster.predict() - truth).abs().mean() < 1.3 * np.abs(weeks - truth).mean()


def test_a_file_of_before_takes_the_week_off_for_all(fitted):
    everybodys = fitted.returning_._replace(for_core_alone=False)
    reader = fitted._reader()._replace(returning=everybodys)
    known = fitted._rows.series[()]
    assert reader.weeks is None
    np.testing.assert_array_equal(
        reader.residual_rows((), known),
        known.values - everybodys.of((), known.index),
    )


def test_a_file_holds_the_week(fitted, tmp_path):
    fitted.save(tmp_path / "rides.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "rides.safetensors")
    pd.testing.assert_series_equal(loaded.predict(), fitted.predict())
    with pytest.raises(ValueError, match="days of the week"):
        loaded.export(tmp_path / "core.pt2", format="torch")


def test_each_series_of_a_panel_has_a_week_of_its_own():
    late = rides(seed=1)[0].shift(24, freq=None).bfill()
    panel = pd.concat({"early": rides()[0], "late": late}, names=["city", "time"])
    forecaster = KLMemoryForecaster(HORIZON).fit(panel.to_frame("rides"))
    truth = rides()[1].to_numpy()
    ahead = forecaster.predict()
    assert forecaster.returning_.name == "week"
    assert np.abs(ahead.loc["early"]["rides"].to_numpy() - truth).mean() < 6
    assert np.abs(ahead.loc["late"]["rides"].to_numpy()[24:] - truth[:-24]).mean() < 6
