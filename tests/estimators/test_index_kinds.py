"""Every regular index works through fit, predict, update and X; gaps are refused by name."""

import numpy as np
import pandas as pd
import pytest
from pandas.tseries import offsets

from klforecast.estimators.forecaster import KLMemoryForecaster

ROWS, CUT = 300, 260

KINDS = {
    "summer time starts": pd.date_range("2024-03-20", periods=ROWS, freq="h", tz="Europe/Berlin"),
    "summer time ends": pd.date_range("2024-10-16", periods=ROWS, freq="h", tz="America/New_York"),
    "days of the clock": pd.date_range("2024-01-01", periods=ROWS, freq="D", tz="Europe/Berlin"),
    "UTC": pd.date_range("2024-01-01", periods=ROWS, freq="15min", tz="UTC"),
    "business days": pd.date_range("2020-01-01", periods=ROWS, freq="B"),
    "days without Sundays": pd.date_range(
        "2020-01-01", periods=ROWS, freq=offsets.CustomBusinessDay(weekmask="1111110")
    ),
    "month ends": pd.date_range("1990-01-31", periods=ROWS, freq="ME"),
    "month starts": pd.date_range("1990-01-01", periods=ROWS, freq="MS"),
    "quarters": pd.date_range("1900-01-01", periods=ROWS, freq="QS"),
    "weeks": pd.date_range("2000-01-05", periods=ROWS, freq="W-WED"),
    "periods of months": pd.period_range("1990-01", periods=ROWS, freq="M"),
    "periods of quarters": pd.period_range("1900Q1", periods=ROWS, freq="Q"),
    "integers": pd.Index(np.arange(1000, 1000 + ROWS)),
    "range": pd.RangeIndex(-20, ROWS - 20),
}


def example(index):
    rng = np.random.default_rng(0)
    rain = np.convolve(rng.standard_normal(ROWS + 4), np.ones(5) / 2, "valid")
    y = np.sin(np.arange(ROWS) * np.pi / 6) + rain + 0.1 * rng.standard_normal(ROWS)
    return pd.DataFrame({"y": y}, index=index), pd.DataFrame({"rain": rain}, index=index)


def make():
    return KLMemoryForecaster(5, memory_depth=24, period=12, local_experts=False)


@pytest.fixture(scope="module")
def expected():
    y, X = example(pd.RangeIndex(ROWS))
    forecaster = make().fit(y[:250], X=X[:250])
    first = forecaster.predict(fh=[1, 2, 3, 4, 5, 8], X=X[250:])
    forecaster.update(y[250:CUT], X=X[250:CUT], update_params=False)
    return first.to_numpy(), forecaster.predict(fh=[1, 2, 3, 4, 5, 8], X=X[CUT:]).to_numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_the_forecast_is_that_of_counted_rows_at_the_right_stamps(kind, expected):
    y, X = example(KINDS[kind])
    forecaster = make().fit(y[:250], X=X[:250])
    assert forecaster.effects_ is not None
    places = np.array([0, 1, 2, 3, 4, 7])
    forecast = forecaster.predict(fh=places + 1, X=X[250:])
    assert forecast.index.equals(y.index[250 + places])
    np.testing.assert_allclose(forecast, expected[0], rtol=1e-9)
    forecaster.update(y[250:CUT], X=X[250:CUT], update_params=False)
    forecast = forecaster.predict(fh=places + 1, X=X[CUT:])
    assert forecast.index.equals(y.index[CUT + places])
    np.testing.assert_allclose(forecast, expected[1], rtol=1e-9)
    windows = forecaster.predict_windows(y, [CUT], X=X)[0]
    np.testing.assert_allclose(forecast[:5], windows, rtol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_missing_rows_are_refused_by_name(kind):
    y, _ = example(KINDS[kind])
    gone = y.index[[40, 41, 77]]
    with pytest.raises(ValueError, match="no row for 3 stamps") as error:
        make().fit(y.drop(gone))
    assert all(str(stamp) in str(error.value) for stamp in gone)
    with pytest.raises(ValueError, match="no row for 2 stamps"):
        make().fit(y[:200]).update(y[202:220])


# --- every step that pandas makes an index of

OFFSETS = {
    "twice a month, start": "SMS",
    "twice a month, end": "SME",
    "twice a month, on the 10th": offsets.SemiMonthEnd(day_of_month=10),
    "business days": "B",
    "business days with holidays": offsets.CustomBusinessDay(holidays=["2000-03-01"]),
    "business hours": "bh",
    "business hours of a shop": offsets.BusinessHour(start="10:00", end="15:00"),
    "custom business hours": "cbh",
    "custom business days": "C",
    "month ends of business": "BME",
    "month starts of business": "BMS",
    "custom month ends": "CBME",
    "custom month starts": "CBMS",
    "quarter ends of business": "BQE",
    "quarter ends of business from February": "BQE-FEB",
    "quarter starts of business": "BQS",
    "year ends of business": "BYE",
    "year starts of business": "BYS",
    "year ends in March": "YE-MAR",
    "second Thursdays": "WOM-2THU",
    "last Fridays": "LWOM-FRI",
    "retail years": offsets.FY5253(weekday=4, startingMonth=12),
    "retail quarters": offsets.FY5253Quarter(weekday=4, startingMonth=12, qtr_with_extra_week=1),
    "Easter": offsets.Easter(),
    "weeks of no day": offsets.Week(),
    "months from the third": pd.DateOffset(months=1),
    "ten days": pd.DateOffset(days=10),
    "36 hours": "36h",
    "two business days": "2B",
    "milliseconds": "ms",
    "nanoseconds": "ns",
}
UNTOLD = (  # steps that the stamps alone do not tell
    "business days with holidays",
    "business hours of a shop",
    "retail years",
    "retail quarters",
    "Easter",
    "two business days",
)


def waves(index):
    return pd.Series(np.sin(np.arange(len(index)) * np.pi / 3) + 0.1 * np.arange(len(index)), index)


@pytest.mark.parametrize("with_freq", [True, False])
@pytest.mark.parametrize("name", OFFSETS)
def test_dated_steps_give_what_counted_steps_give(name, with_freq):
    index = pd.date_range("2000-01-03", periods=60, freq=OFFSETS[name])
    y = waves(index if with_freq else pd.DatetimeIndex(index.to_numpy()))
    if not with_freq and name in UNTOLD:
        with pytest.raises(ValueError, match=r"step|no row for"):
            KLMemoryForecaster(6, period=6).fit(y[:50])
        return
    forecaster = KLMemoryForecaster(6, period=6).fit(y[:50])
    counted = forecaster.predict(fh=[1, 2, 4])
    assert counted.index.equals(index[[50, 51, 53]])
    for dates in (index[[50, 51, 53]], pd.DatetimeIndex(index.to_numpy()[[50, 51, 53]])):
        pd.testing.assert_series_equal(forecaster.predict(fh=dates), counted, check_freq=False)
    interval = forecaster.predict_interval(fh=index[[50, 53]])
    np.testing.assert_array_equal(interval, forecaster.predict_interval(fh=[1, 4]))
    moved = forecaster.update(y[50:55], update_params=False).predict(fh=[1, 2])
    assert moved.index.equals(index[[55, 56]])


def test_series_of_a_panel_are_forecast_at_the_same_dates_from_their_own_cutoffs():
    index = pd.date_range("2000-01-03", periods=60, freq="BME")
    parts = {"a": waves(index)[:50], "b": waves(index)[:48]}
    panel = pd.concat(parts, names=["site", "time"]).to_frame("y")
    forecaster = KLMemoryForecaster(6, period=6).fit(panel)
    dated = forecaster.predict(fh=index[50:53])
    assert dated.loc["a"].index.equals(index[50:53])
    assert dated.loc["b"].index.equals(index[50:53])
    counted = forecaster.predict(fh=range(1, 6))
    np.testing.assert_array_equal(dated.loc["a"], counted.loc["a"][:3])
    np.testing.assert_array_equal(dated.loc["b"], counted.loc["b"][2:])


def test_stamps_that_lie_far_apart_are_not_filled_up_to_many_more():
    index = pd.date_range("2000-01-03", periods=60, freq=OFFSETS["retail quarters"])
    with pytest.raises(ValueError, match=r"step of the index of y was not found.*name the step"):
        make().fit(waves(pd.DatetimeIndex(index.to_numpy())))
