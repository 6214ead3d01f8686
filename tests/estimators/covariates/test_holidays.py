"""Public holidays are columns beside X, of the place that was named."""

import sys

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("holidays", reason="holidays need pip install 'klforecast[holidays]'")

from klforecast import KLMemoryForecaster
from klforecast.estimators.covariates.holidays import holiday_columns, holidays_of

# 2025: Easter on 20 April; 1 May and 29 May (Ascension) are holidays in Germany, 2 May is none.
DAYS = pd.date_range("2025-04-17", "2025-05-30")


def test_a_day_is_known_with_its_neighbours():
    found = pd.DataFrame(holiday_columns("DE", DAYS), DAYS, columns=["here", "next", "before"])
    closed = found.index[found["here"] == 1].strftime("%m-%d").tolist()
    assert closed == ["04-18", "04-21", "05-01", "05-29"]
    np.testing.assert_array_equal(found["next"].to_numpy()[:-1], found["here"].to_numpy()[1:])
    np.testing.assert_array_equal(found["before"].to_numpy()[1:], found["here"].to_numpy()[:-1])


def test_a_part_of_a_country_has_holidays_of_its_own():
    victoria, australia = (holidays_of(place, 2024) for place in ("AU-VIC", "AU"))
    assert pd.Timestamp("2024-11-05") in victoria  # the day of the Melbourne Cup
    assert pd.Timestamp("2024-11-05") not in australia


def test_hours_belong_to_the_day_of_their_time_zone():
    hours = pd.date_range("2025-04-30 20:00", periods=8, freq="h", tz="UTC")
    local = hours.tz_convert("Europe/Berlin")
    assert holiday_columns("DE", hours)[:, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert holiday_columns("DE", local)[:, 0].tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def closed_on_holidays(seed=0):
    days = pd.date_range("2022-01-01", "2024-12-31")
    week = 10 * np.sin(2 * np.pi * days.dayofweek.to_numpy() / 7)
    rows = 100 + week + np.random.default_rng(seed).normal(size=len(days))
    y = pd.Series(np.where(holiday_columns("FR", days)[:, 0] == 1, rows - 60, rows), days)
    return y[:"2024-04-28"], y["2024-04-29":][:21]


def test_a_day_that_is_closed_next_month_is_forecast():
    """1 May, 8 May and 9 May (Ascension) 2024."""
    y, truth = closed_on_holidays()
    holidays = KLMemoryForecaster(21, calendar_features=["holidays:FR"]).fit(y)
    errors = [(f.predict() - truth).abs().mean() for f in (holidays, KLMemoryForecaster(21).fit(y))]
    assert errors[0] < 2
    assert errors[0] < 0.3 * errors[1]


def test_they_are_searched_cloned_and_saved_by_name(tmp_path):
    y, _ = closed_on_holidays()
    forecaster = KLMemoryForecaster(21, calendar_features=["dayofweek", "holidays:FR"])
    fitted = forecaster.clone().fit(y)
    fitted.save(tmp_path / "f.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "f.safetensors")
    pd.testing.assert_series_equal(loaded.predict(), fitted.predict())


@pytest.mark.parametrize(
    "name", ["holidays:XX", "holidays:AU-QQ", "holidays:", "holidays:registry", "holidays:NYSE"]
)
def test_a_place_that_the_library_does_not_know_is_refused_in_a_sentence(name):
    y, _ = closed_on_holidays()
    with pytest.raises(ValueError, match=rf"'{name}'.*knows no such place.*'holidays:DE'"):
        KLMemoryForecaster(21, calendar_features=[name]).fit(y)


def test_rows_of_months_have_no_holidays():
    y = pd.Series(np.arange(60.0), pd.period_range("2019-01", periods=60, freq="M"))
    with pytest.raises(ValueError, match="pass rows of a day or shorter ones"):
        KLMemoryForecaster(12, calendar_features=["holidays:DE"]).fit(y)


def test_without_the_library_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "holidays", None)
    holidays_of.cache_clear()
    with pytest.raises(ImportError, match=r"pip install klforecast\[holidays\]"):
        holiday_columns("DE", DAYS)


def test_codes_may_be_small_and_no_rows_have_no_holidays():
    assert holidays_of("de", 2024) == holidays_of("DE", 2024)
    assert holiday_columns("DE", DAYS[:0]).shape == (0, 3)
