"""Months and quarters are forecast with the days that they have, and nothing is taken for them that is not."""

import calendar
import datetime

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster
from klforecast.estimators.trading_days import days_of, last_months

YEAR = 12
WEEK = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 0.2, 0.0])


def office(seed=0, years=10, week=WEEK, noise=0.005, kind="period"):
    """Monthly work of an office, and that of the year that follows."""
    days = pd.date_range(f"{2020 - years}-01-01", "2020-12-31")
    months = pd.Series(week[days.dayofweek], days.to_period("M")).groupby(level=0).sum()
    y = 100 * months * np.exp(noise * np.random.default_rng(seed).normal(size=len(months)))
    if kind != "period":
        y.index = y.index.to_timestamp(how=kind).normalize()
        y = y.asfreq("MS" if kind == "start" else "ME")
    return y[:-YEAR], y[-YEAR:]


@pytest.fixture(scope="module")
def fitted():
    return KLMemoryForecaster(YEAR).fit(office()[0])


def error_of(forecaster, truth):
    return float((forecaster.predict() - truth).abs().mean())


def test_a_month_is_forecast_by_the_weekdays_that_it_has(fitted):
    y, truth = office()
    without = KLMemoryForecaster(YEAR, period=YEAR).fit(y)
    assert fitted.returning_.name == "trading days"
    assert "trading days" in str(fitted.summary())
    assert without.returning_ is None
    assert error_of(fitted, truth) < 0.5 * error_of(without, truth)


@pytest.mark.parametrize("kind", ["start", "end"])
def test_dates_at_the_start_and_at_the_end_of_a_month_are_that_month(fitted, kind):
    y, _ = office(kind=kind)
    dated = KLMemoryForecaster(YEAR).fit(y).predict()
    np.testing.assert_allclose(dated.to_numpy(), fitted.predict().to_numpy(), rtol=1e-10)


def test_days_are_those_that_a_calendar_counts():
    months = np.arange(-240, 600)
    days = days_of(months, 1)
    raw = []
    for number in months:
        year, month = 1970 + number // 12, number % 12 + 1
        length = calendar.monthrange(year, month)[1]
        week = [datetime.date(year, month, day).weekday() for day in range(1, length + 1)]
        raw.append([*(week.count(day) / length for day in range(7)), np.log(length)])
    raw = np.array(raw)
    usual = np.array([raw[months % 12 == place].mean(axis=0) for place in months % 12])
    np.testing.assert_allclose(days[:, :8], raw - usual, atol=1e-12)


def test_easter_of_march_and_of_april():
    """31 March 2024, 20 April 2025, 5 April 2026: the days from Sunday to Sunday in each month."""
    months = np.arange(12 * 54, 12 * 57)  # 2024 to 2026
    easter = days_of(months, 1)[:, 8].reshape(3, 12)
    of_march = np.array([1.0, 0.0, 3 / 8])
    np.testing.assert_allclose(easter[:, 2], of_march - of_march.mean(), atol=1e-12)
    np.testing.assert_allclose(easter[:, 3], of_march.mean() - of_march, atol=1e-12)
    assert not easter[:, [0, 1, *range(4, 12)]].any()


def test_quarters_of_any_first_month_end_where_they_end():
    for frequency in ("QS-FEB", "QE-JAN", "QS-JAN", "QE-DEC"):
        index = pd.date_range("2001-01-01", periods=9, freq=frequency)
        months = 1 if frequency.startswith("QE") else 3
        expected = [(stamp.year - 1970) * 12 + stamp.month - 2 + months for stamp in index]
        assert last_months(index, 3).tolist() == expected, frequency


def test_means_of_days_that_count_alike_have_none():
    y, _ = office(week=np.ones(7), noise=0.02)
    days = y.index.days_in_month
    assert KLMemoryForecaster(YEAR).fit(y / days).returning_ is None


@pytest.mark.parametrize("change", ["no dates", "below zero", "local_experts"])
def test_rows_without_dates_and_rows_below_zero_have_none(change):
    y, _ = office()
    options = {}
    if change == "no dates":
        y = y.reset_index(drop=True)
    elif change == "below zero":
        y = y - y.mean()
    else:
        options = {"local_experts": False}
    assert KLMemoryForecaster(YEAR, **options).fit(y).returning_ is None


def test_a_panel_shares_its_days_and_its_members_may_start_at_different_times():
    parts = {}
    for number in range(6):
        y, truth = office(seed=number, years=4 + number, noise=0.02)
        parts[f"s{number}"] = y * 10.0**number
    panel = pd.concat(parts, names=["id", "month"]).to_frame("y")
    forecaster = KLMemoryForecaster(YEAR).fit(panel)
    without = KLMemoryForecaster(YEAR, period=YEAR).fit(panel)
    errors = [
        np.mean(
            [
                np.abs(f.predict().loc[key, "y"] / 10.0**place - truth).mean()
                for place, key in enumerate(parts)
            ]
        )
        for f in (forecaster, without)
    ]
    assert forecaster.returning_ is not None
    assert errors[0] < 0.8 * errors[1]


def test_channels_have_days_of_their_own():
    y, truth = office()
    rng = np.random.default_rng(3)
    rain = pd.Series(np.exp(0.3 * rng.normal(size=len(y))), y.index)
    both = KLMemoryForecaster(YEAR).fit(pd.DataFrame({"office": y, "rain": rain}))
    effect = both.returning_.effects[()]
    assert np.abs(effect[:, 0]).mean() > 0.02 * y.mean()
    assert np.abs(effect[:, 1]).mean() < 0.05 * rain.std()
    assert float((both.predict()["office"] - truth).abs().mean()) < 60


def test_windows_and_new_rows_are_forecast_with_the_days_of_their_months(fitted):
    y, truth = office()
    rows = pd.concat([y, truth])
    moved = fitted.clone().fit(y).update(truth.iloc[:6], update_params=False)
    ahead = moved.predict(fh=range(1, 7))
    assert float((ahead - truth.iloc[6:]).abs().mean()) < 60
    windows = fitted.predict_windows(rows, np.array([len(y), len(y) + 6]))
    np.testing.assert_allclose(windows[1, :6, 0], ahead.to_numpy().ravel(), rtol=1e-8)
    np.testing.assert_allclose(windows[0, :, 0], fitted.predict().to_numpy().ravel(), rtol=1e-8)


def test_the_weekdays_of_28_years_later_are_the_same_again(fitted):
    months = np.arange(12 * 30, 12 * 90)
    now, later = days_of(months, 1), days_of(months + 28 * YEAR, 1)
    np.testing.assert_allclose(now[:, :8], later[:, :8], atol=1e-12)
    assert len(fitted.returning_.effects[()]) == 120 + 28 * YEAR


def test_a_month_is_no_part_of_its_own_forecast():
    """A window inside of the fit: months that were missing, and one that was six times as large."""
    y, _ = office()
    y.iloc[100:103] = np.nan
    y.iloc[-1] *= 6
    fitted = KLMemoryForecaster(YEAR).fit(y)
    assert fitted.returning_ is not None
    windows = fitted.predict_windows(y, np.array([96, len(y) - 2]))
    assert np.isfinite(windows).all()
    assert windows[1, 1, 0] < 1.2 * y.iloc[-13]


@pytest.mark.parametrize("seed", [0, 1])
def test_days_after_a_fall_of_the_level_are_those_of_the_new_level(seed):
    y, truth = office(seed=seed)
    fallen = y.copy()
    fallen.iloc[-8:] *= 0.05
    forecaster = KLMemoryForecaster(YEAR).fit(fallen)
    assert forecaster.returning_.name == "trading days"
    error = (forecaster.predict() - 0.05 * truth).abs().mean()
    assert error < 0.1 * 0.05 * truth.mean()


def test_a_month_that_was_missing_twice_has_its_days_too():
    y, _ = office()
    january = y.index.month == 1
    gaps = y.mask(january & (y.index.year >= 2018))
    full, fitted = (KLMemoryForecaster(YEAR).fit(rows) for rows in (y, gaps))
    ahead = [f.returning_.back[()][120:132, 0] for f in (full, fitted)]
    np.testing.assert_allclose(ahead[1], ahead[0], atol=15)
    assert abs(ahead[1][0]) > 10


def test_shocks_that_a_panel_shares_are_no_days():
    rng = np.random.default_rng(0)
    months = pd.period_range("2014-01", periods=60, freq="M")
    shared = 0.05 * rng.normal(size=60)
    parts = {
        f"s{number}": pd.Series(100 * np.exp(shared + 0.05 * rng.normal(size=60)), months)
        for number in range(12)
    }
    panel = pd.concat(parts, names=["id", "month"]).to_frame("y")
    assert KLMemoryForecaster(YEAR).fit(panel).returning_ is None


def test_a_file_holds_the_days(fitted, tmp_path):
    fitted.save(tmp_path / "f.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "f.safetensors")
    np.testing.assert_array_equal(loaded.predict(), fitted.predict())


def test_contributions_add_up_to_the_forecast(fitted):
    parts = fitted.explain()
    total = parts.groupby("step")["value"].sum().to_numpy()
    np.testing.assert_allclose(total, fitted.predict().to_numpy(), rtol=1e-6)
    assert parts[parts["part"] == "trading days"]["value"].abs().max() > 20


def test_a_map_of_the_past_does_not_hold_them(fitted, tmp_path):
    with pytest.raises(ValueError, match="trading days"):
        fitted.export(tmp_path / "core.pt2", format="torch")


def test_a_month_that_never_sold_less_than_nothing_is_forecast_above_it():
    y, _ = office()
    falling = y * np.linspace(1, 0.01, len(y)) ** 2
    forecaster = KLMemoryForecaster(YEAR).fit(falling)
    assert forecaster.returning_ is not None
    assert (forecaster.predict() >= 0).all()
    assert (forecaster.predict_interval(coverage=0.95) >= 0).all(axis=None)


def test_rows_of_another_step_are_refused(fitted):
    y, _ = office()
    with pytest.raises((ValueError, TypeError)):
        fitted.predict_windows(y.iloc[::3], np.array([36]))
