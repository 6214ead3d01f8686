"""What returns on the same day of every month is forecast, and nothing is taken for it that does not."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster
from klforecast.estimators.month_places import month_days, month_places

HORIZON = 40
WEEK = np.array([20.0, 10.0, 5.0, 0.0, 10.0, -22.0, -23.0])


def of_days(heights, rows=500, freq="D", seed=0, december=0.0, first="2021-03-01"):
    """Rows with a week and more on some days of the month, and those that follow."""
    index = pd.date_range(first, periods=rows + HORIZON, freq=freq)
    values = 100 + WEEK[index.dayofweek] + 6 * np.random.default_rng(seed).normal(size=len(index))
    for day, height in heights.items():
        values = values + height * np.asarray(index.is_month_end if day < 0 else index.day == day)
    in_december = (index.month == 12) & (index.day > 5) & (index.day < 25)
    y = pd.Series(values + december * in_december, index)
    return y[:rows], y[rows:]


@pytest.fixture(scope="module")
def rent():
    return of_days({1: 120.0, 25: -80.0})


@pytest.fixture(scope="module")
def fitted(rent):
    return KLMemoryForecaster(HORIZON).fit(rent[0])


def test_rents_and_paydays_are_forecast_on_their_dates(fitted, rent):
    error = (fitted.predict() - rent[1]).abs()
    assert fitted.returning_.name == "month"
    assert error.mean() < 8
    assert error[np.isin(error.index.day, [1, 25])].mean() < 20


def test_they_are_no_outliers(fitted):
    assert fitted.outliers().empty
    assert "days of the month" in str(fitted.summary())


def test_months_end_on_the_28th_to_the_31st():
    y, truth = of_days({-1: 120.0})
    forecast = KLMemoryForecaster(HORIZON).fit(y).predict()
    ends = truth.index.is_month_end
    assert set(truth.index[ends].day) == {31}
    assert (forecast - truth)[ends].abs().max() < 25
    assert forecast[truth.index.day == 30].max() < 140


@pytest.mark.parametrize("freq", ["B", pd.offsets.CustomBusinessDay(weekmask="1111110")])
def test_the_last_open_day_of_a_month_is_one(freq):
    index = pd.date_range("2021-03-01", "2023-03-31", freq=freq)
    last = index.isin(pd.Series(index, index).resample("ME").max())
    noise = 5 * np.random.default_rng(0).normal(size=len(index))
    y = pd.Series(100 + 80 * last + noise, index)
    known, truth = y[:-30], y[-30:]
    forecast = KLMemoryForecaster(30).fit(known).predict()
    at_ends = forecast[last[-30:]]
    assert len(at_ends) == 2
    assert (at_ends > 160).all()
    assert (forecast - truth).abs().mean() < 8


def test_half_a_year_of_days_is_enough_and_five_months_are_not():
    heights = {10: 100.0}
    y, truth = of_days(heights, rows=215)
    forecaster = KLMemoryForecaster(HORIZON).fit(y)
    assert forecaster.returning_.name == "month"
    assert (forecaster.predict() - truth)[truth.index.day == 10].abs().max() < 40
    found = KLMemoryForecaster(HORIZON).fit(of_days(heights, rows=150)[0]).returning_
    assert found is None or found.name != "month"


@pytest.mark.parametrize("seed", range(3))
def test_rows_without_them_are_forecast_as_if_none_had_been_looked_for(seed):
    forecaster = KLMemoryForecaster(HORIZON).fit(of_days({}, seed=seed)[0])
    assert forecaster.returning_ is None


def test_whoever_names_a_period_or_leaves_local_experts_out_gets_none(rent):
    y, _ = rent
    assert KLMemoryForecaster(HORIZON, period=7).fit(y).returning_ is None
    assert KLMemoryForecaster(HORIZON, local_experts=False).fit(y).returning_ is None


def test_a_december_is_found_in_what_they_leave():
    y, truth = of_days({10: 70.0}, rows=1000, december=120.0)
    forecaster = KLMemoryForecaster(HORIZON).fit(y)
    assert forecaster.returning_.name == "month and year"
    assert (forecaster.predict() - truth).abs().mean() < 9


def test_periods_and_time_zones_have_the_same_days(rent):
    y, truth = rent
    forecast = KLMemoryForecaster(HORIZON).fit(y).predict().to_numpy()
    by_period = KLMemoryForecaster(HORIZON).fit(y.to_period("D")).predict()
    np.testing.assert_allclose(by_period, forecast, rtol=1e-9)
    zoned = KLMemoryForecaster(HORIZON).fit(y.tz_localize("Europe/Berlin")).predict()
    assert (zoned.to_numpy() - truth.to_numpy())[truth.index.day == 1].max() < 30
    assert zoned[truth.index.day == 1].min() > 180


def test_windows_are_forecast_with_the_days_of_their_months(fitted, rent):
    y, truth = rent
    windows = fitted.predict_windows(pd.concat([y, truth]), [len(y)], alpha=[0.5])
    alone = fitted.predict_quantiles(alpha=[0.5]).to_numpy()
    np.testing.assert_allclose(windows[0, :, :, 0], alone, rtol=1e-6)
    with pytest.raises(TypeError, match="days of the month are found by stamps"):
        fitted.predict_windows(y.to_numpy(), [len(y) - 9])


def test_a_year_later_they_are_those_of_the_same_dates(fitted):
    stamps = pd.to_datetime(["2022-09-01", "2023-05-01", "2023-09-01"])
    found = np.concatenate([fitted.returning_.of((), stamps[[place]]) for place in range(3)])
    np.testing.assert_allclose(found[:, 0], 105, rtol=0.1)


def test_new_rows_move_the_context_or_are_learned_from(rent):
    y, truth = rent
    for learn in (False, True):
        forecaster = KLMemoryForecaster(HORIZON).fit(y)
        forecaster.update(truth[:8], update_params=learn)
        assert (forecaster.predict(fh=range(1, 31)) - truth[8:38]).abs().mean() < 9


def test_a_file_holds_them_and_contributions_add_up(fitted, tmp_path):
    fitted.save(tmp_path / "rent.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "rent.safetensors")
    pd.testing.assert_series_equal(loaded.predict(), fitted.predict())
    parts = loaded.explain()
    total = parts.groupby("step")["value"].sum().to_numpy()
    np.testing.assert_allclose(total, fitted.predict().to_numpy(), rtol=1e-6)
    assert parts[parts["part"] == "month"]["value"].max() > 90


def test_a_series_of_a_panel_has_its_own():
    with_rent, truth = of_days({1: 120.0}, seed=1)
    panel = pd.concat({"rent": with_rent, "none": of_days({}, seed=2)[0]}, names=["shop", "day"])
    forecaster = KLMemoryForecaster(HORIZON).fit(panel.to_frame("paid"))
    assert np.abs(forecaster.returning_.of(("none",), truth.index)).max() < 10
    ahead = forecaster.predict().loc["rent"]["paid"]
    assert (ahead - truth.to_numpy()).abs().mean() < 9


def test_places_are_the_same_days_of_other_months():
    days = pd.date_range("2023-01-15", "2024-06-20")
    places = month_places(days, days.freq, 365.2425, season=1)
    row = days.get_loc("2024-01-31")
    by_date = days[places.by_date[row][places.by_date[row] >= 0]]
    assert by_date.day.unique().tolist() == [31]
    assert len(by_date) == 9  # of seventeen months, without this one
    by_end = days[places.by_feast[row][places.by_feast[row] >= 0]]
    assert by_end.is_month_end.all()
    assert len(by_end) == 16
    assert (places.by_feast[days.get_loc("2024-01-20")] == -1).all()


def test_the_rows_of_a_month_that_begins_before_the_first_one_are_counted_from_its_start():
    days = pd.date_range("2024-08-15", "2024-10-10", freq="B")
    found = month_days(days, days.freq)
    assert found.from_start[0] == 10
    assert found.from_end[days.get_loc("2024-08-30")] == 0
    assert found.from_end[-1] == len(pd.bdate_range("2024-10-11", "2024-10-31"))


@pytest.fixture(scope="module")
def shops():
    """Ten shops that noise hides a payday in, one of which opened three months ago."""
    days = pd.date_range("2022-01-01", periods=480 + HORIZON)
    rng = np.random.default_rng(4)
    rows = {}
    for shop in range(10):
        chance = 1 + 0.2 * rng.normal(size=len(days))
        sales = (
            100 * (shop + 1) * (1 + WEEK[days.dayofweek] / 100 + 0.5 * (days.day == 25)) * chance
        )
        rows[f"shop {shop}"] = pd.Series(sales, days)[390 if shop == 9 else 0 :]
    panel = pd.concat(rows, names=["shop", "day"]).to_frame("sold")
    cutoff = days[480 - 1]
    return panel[panel.index.get_level_values("day") <= cutoff]


def test_a_panel_shares_them_and_a_new_shop_has_those_of_the_others(shops):
    forecaster = KLMemoryForecaster(HORIZON).fit(shops)
    assert forecaster.returning_.name == "month"
    payday = pd.DatetimeIndex(["2023-05-25"])
    found = [forecaster.returning_.of((f"shop {shop}",), payday).item() for shop in range(10)]
    shares = np.array(found) / (50 * np.arange(1, 11))
    assert shares.mean() == pytest.approx(1, abs=0.2)
    assert shares[9] == pytest.approx(1, abs=0.4)


def test_shops_without_a_payday_share_none(shops):
    level = shops["sold"].groupby("shop").transform("mean")
    rng = np.random.default_rng(5)
    week = 1 + WEEK[shops.index.get_level_values("day").dayofweek] / 100
    flat = (level * week * (1 + 0.2 * rng.normal(size=len(shops)))).to_frame("sold")
    assert KLMemoryForecaster(HORIZON).fit(flat).returning_ is None
