"""What returns at the same date of every year is forecast, and nothing is taken for it that does not."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster
from klforecast.estimators.years import feast_places, same_places, steps_of_a_year

HORIZON = 40


def sales(seed=0, end="2017-11-25", peak=150.0, weekly=20.0):
    """Daily sales with a week, and a peak of the 25 days before Christmas."""
    index = pd.date_range("2015-01-01", "2018-02-28")
    month, day = index.month.to_numpy(), index.day.to_numpy()
    rows = 100 + weekly * np.sin(2 * np.pi * index.dayofweek.to_numpy() / 7)
    rows += peak * ((month == 12) & (day <= 25))
    rows += 5 * np.random.default_rng(seed).normal(size=len(index))
    y = pd.Series(rows, index)
    return y[:end], y[pd.Timestamp(end) + index.freq :][:HORIZON]


@pytest.fixture(scope="module")
def fitted():
    return KLMemoryForecaster(HORIZON).fit(sales()[0])


def test_a_peak_that_two_decembers_showed_is_forecast_in_the_third(fitted):
    y, truth = sales()
    error = (fitted.predict() - truth).abs().mean()
    last_year = np.abs(y.to_numpy()[-365:][:HORIZON] - truth).mean()
    assert error < 0.6 * last_year
    assert error < 8


def test_intervals_hold_the_peak(fitted):
    truth = sales()[1].to_numpy()
    limits = fitted.predict_interval(coverage=0.9).to_numpy()
    assert np.mean((truth >= limits[:, 0]) & (truth <= limits[:, 1])) > 0.75
    assert (limits[:, 1] - limits[:, 0]).max() < 100


def test_a_level_that_a_peak_has_raised_ends_with_it():
    y, truth = sales(end="2017-12-12")
    error = (KLMemoryForecaster(HORIZON).fit(y).predict() - truth).abs()
    assert error.iloc[15:].mean() < 10


def test_rows_without_a_year_are_forecast_as_if_none_had_been_looked_for():
    y, _ = sales(peak=0.0)
    forecaster = KLMemoryForecaster(HORIZON).fit(y)
    assert forecaster.returning_ is None
    assert "events of the year" not in str(forecaster.summary())


def test_one_december_is_no_event():
    y, _ = sales(end="2016-11-25")
    assert KLMemoryForecaster(HORIZON).fit(y).returning_ is None


def test_whoever_names_a_period_or_leaves_local_experts_out_gets_no_events():
    y, _ = sales()
    assert KLMemoryForecaster(HORIZON, period=7).fit(y).returning_ is None
    assert KLMemoryForecaster(HORIZON, local_experts=False).fit(y).returning_ is None


def test_dates_of_a_period_index_and_integers_with_a_year_are_places_too():
    days = pd.date_range("2019-06-01", periods=900)
    by_stamp = same_places(days, days.freq, steps_of_a_year(days, []))
    by_period = same_places(days.to_period(), days.to_period().freq, steps_of_a_year(days, []))
    np.testing.assert_array_equal(by_stamp, by_period)
    row = days.get_loc("2021-03-01")
    assert days[by_stamp[row][by_stamp[row] >= 0]].strftime("%d %m").unique().tolist() == ["01 03"]
    counted = same_places(pd.RangeIndex(900), None, 365.0)
    assert counted[800][counted[800] >= 0].tolist() == [70, 435]


def test_weeks_and_business_days_find_the_nearest_row():
    weeks = pd.date_range("2018-01-07", periods=160, freq="W")
    places = same_places(weeks, weeks.freq, steps_of_a_year(weeks, []))
    apart = np.abs((weeks[places[110][places[110] >= 0]] - weeks[110]).days) % 365.25
    assert (np.minimum(apart, 365.25 - apart) <= 3.75).all()
    business = pd.date_range("2018-01-01", periods=800, freq="B")
    found = same_places(business, business.freq, steps_of_a_year(business, []))
    assert (found[300:500] >= 0).any(axis=1).all()


def test_windows_are_forecast_with_the_events_of_their_dates(fitted):
    y, truth = sales()
    whole = pd.concat([y, truth])
    windows = fitted.predict_windows(whole, [len(y)], alpha=[0.5])
    alone = fitted.predict_quantiles(alpha=[0.5]).to_numpy()
    np.testing.assert_allclose(windows[0, :, :, 0], alone, rtol=1e-6)
    with pytest.raises(TypeError, match="events of the year are found by stamps"):
        fitted.predict_windows(whole.to_numpy(), [len(y)])


def test_a_year_later_the_events_are_those_of_whole_years_ago(fitted):
    stamps = pd.to_datetime(["2017-12-10", "2018-12-10", "2020-12-10", "2013-12-10"])
    events = np.concatenate([fitted.returning_.of((), stamps[[place]]) for place in range(4)])
    np.testing.assert_allclose(events[:, 0], 150, rtol=0.2)


def test_new_rows_move_the_context_or_are_learned_from():
    y, truth = sales()
    for learn in (False, True):
        forecaster = KLMemoryForecaster(HORIZON).fit(y)
        forecaster.update(truth[:15], update_params=learn)
        ahead = forecaster.predict(fh=range(1, 21))
        assert (ahead - truth[15:35]).abs().mean() < 10


def test_a_file_holds_the_events(fitted, tmp_path):
    fitted.save(tmp_path / "sales.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "sales.safetensors")
    pd.testing.assert_series_equal(loaded.predict(), fitted.predict())


def test_contributions_add_up_to_the_forecast(fitted):
    parts = fitted.explain()
    total = parts.groupby("step")["value"].sum().to_numpy()
    np.testing.assert_allclose(total, fitted.predict().to_numpy(), rtol=1e-6)
    events = parts[parts["part"] == "year"]["value"]
    assert events.max() > 100


def test_a_map_of_the_past_does_not_hold_them(fitted, tmp_path):
    with pytest.raises(ValueError, match="events of the year"):
        fitted.export(tmp_path / "core.pt2", format="torch")


def test_sales_that_were_never_below_zero_are_forecast_above_it():
    y, _ = sales(peak=-95.0, weekly=0.0)
    y = y.clip(lower=0.0)
    forecaster = KLMemoryForecaster(HORIZON).fit(y)
    assert forecaster.returning_ is not None
    assert (forecaster.predict() >= 0).all()
    assert (forecaster.predict_interval(coverage=0.9).to_numpy() >= 0).all()


def test_a_series_of_a_panel_has_events_of_its_own():
    with_peak, truth = sales(seed=1)
    shops = {"peak": with_peak, "none": sales(seed=2, peak=0.0)[0]}
    panel = pd.concat(shops, names=["shop", "day"])
    forecaster = KLMemoryForecaster(HORIZON).fit(panel.to_frame("sold"))
    of_none = forecaster.returning_.of(("none",), truth.index)
    assert np.abs(of_none).mean() < 1
    ahead = forecaster.predict().loc["peak"]["sold"]
    assert (ahead - truth.to_numpy()).abs().mean() < 12


def test_events_of_a_former_level_are_not_put_on_a_new_unit():
    y, truth = sales()
    y.iloc[-28:] /= 1000
    forecast = KLMemoryForecaster(HORIZON).fit(y).predict()
    assert forecast.abs().max() < 1
    assert (forecast.iloc[:5] - truth[:5] / 1000).abs().max() < 0.05


def shops(count, step="D", rows=1000):
    """Noisy sales of shops that open on days that follow each other."""
    panel = {}
    for number in range(count):
        rng = np.random.default_rng(number)
        index = pd.date_range(
            pd.Timestamp("2015-01-01") + pd.Timedelta(days=number), periods=rows, freq=step
        )
        before = (pd.to_datetime(index.year.astype(str) + "-12-25") - index).days.to_numpy()
        sold = 100 + 30 * ((before >= 0) & (before < 12)) + 15 * rng.standard_normal(rows)
        panel[f"shop {number}"] = pd.Series(sold, index.rename("day"))
    return pd.concat(panel, names=["shop"]).to_frame("sold")


def test_a_shop_of_a_few_months_is_forecast_with_the_december_of_the_others():
    panel = shops(8)
    opened = pd.Timestamp("2017-06-01")
    days = panel.index.get_level_values("day")
    young = panel.index.get_level_values("shop") == "shop 7"
    panel = panel[~young | (days >= opened)]
    forecaster = KLMemoryForecaster(HORIZON).fit(panel)
    december = pd.date_range("2017-12-14", "2017-12-24")
    november = pd.date_range("2017-11-01", "2017-11-10")
    effect = forecaster.returning_.of(("shop 7",), december)
    assert effect.mean() > 15
    assert abs(forecaster.returning_.of(("shop 7",), november).mean()) < 5


def easter_sales(end="2017-03-25", seed=0, sign=1.0):
    """Daily sales with a week, and a peak of the eight days up to Easter, which was 5 April, 27 March, 16 April."""
    index = pd.date_range("2014-04-01", "2017-06-30")
    easter = pd.DatetimeIndex(
        [pd.Timestamp(year, 1, 1) + pd.offsets.Easter() for year in index.year]
    )
    before = (easter - index).days.to_numpy()
    rows = 100 + 20 * np.sin(2 * np.pi * index.dayofweek.to_numpy() / 7)
    rows += sign * 60 * ((before >= 0) & (before < 8))
    rows += 5 * np.random.default_rng(seed).normal(size=len(index))
    y = pd.Series(rows, index)
    return y[:end], y[pd.Timestamp(end) + index.freq :][:HORIZON]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_easter_is_forecast_where_it_will_be_and_not_where_it_was(sign):
    y, truth = easter_sales(sign=sign)
    error = (KLMemoryForecaster(HORIZON).fit(y).predict() - truth).abs()
    assert error.mean() < 8
    assert error["2017-04-09":"2017-04-16"].mean() < 15


def test_places_by_feast_are_as_far_from_easter():
    days = pd.date_range("2014-01-01", "2019-12-31")
    places = feast_places(days, days.freq, steps_of_a_year(days, []))
    for day, others in (
        ("2017-04-16", {"2014-04-20", "2015-04-05", "2016-03-27", "2018-04-01", "2019-04-21"}),
        ("2017-06-05", {"2014-06-09", "2015-05-25", "2016-05-16", "2018-05-21", "2019-06-10"}),
    ):
        found = places[days.get_loc(day)]
        assert set(days[found[found >= 0]].strftime("%Y-%m-%d")) == others
    assert (places[days.get_loc("2017-08-15")] == -1).all()
    assert feast_places(pd.RangeIndex(900), None, 365.0) is None


def test_weeks_know_the_week_of_easter():
    weeks = pd.date_range("2014-01-05", periods=280, freq="W")
    places = feast_places(weeks, weeks.freq, steps_of_a_year(weeks, []))
    found = places[weeks.get_loc("2017-04-16")]
    assert {"2015-04-05", "2016-03-27", "2018-04-01"} <= set(
        weeks[found[found >= 0]].strftime("%Y-%m-%d")
    )


def test_dates_of_a_time_zone_have_the_same_feasts():
    days = pd.date_range("2015-01-01", "2018-12-31", tz="Europe/Berlin")
    naive = days.tz_localize(None)
    np.testing.assert_array_equal(
        feast_places(days, days.freq, 365.2425),
        feast_places(pd.date_range(naive[0], naive[-1]), naive.freq or days.freq, 365.2425),
    )


def test_shops_share_easter():
    parts = {f"s{seed}": easter_sales(seed=seed)[0] * (seed + 1) for seed in range(5)}
    panel = pd.concat(parts, names=["shop", "day"]).to_frame("sales")
    forecast = KLMemoryForecaster(HORIZON).fit(panel).predict()["sales"]
    for seed in range(5):
        error = (forecast.loc[f"s{seed}"] / (seed + 1) - easter_sales(seed=seed)[1]).abs()
        assert error.mean() < 8


def test_hours_at_which_clocks_change_have_no_place_in_other_years():
    hours = pd.date_range("2015-01-01", periods=3000, freq="8h", tz="America/New_York")
    places = same_places(hours, hours.freq, steps_of_a_year(hours, []))
    row = hours.get_loc(pd.Timestamp("2016-06-01 01:00", tz="America/New_York"))
    found = hours[places[row][places[row] >= 0]]
    assert set(found.strftime("%m-%d %H")) == {"06-01 01"}
    y = pd.Series(np.random.default_rng(0).normal(size=3000), hours)
    assert np.isfinite(KLMemoryForecaster(6).fit(y).predict()).all()
