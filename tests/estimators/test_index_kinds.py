"""Every regular index works through fit, predict, update and X; gaps are refused by name."""

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.forecaster import KLMemoryForecaster

ROWS, CUT = 300, 260

KINDS = {
    "summer time starts": pd.date_range("2024-03-20", periods=ROWS, freq="h", tz="Europe/Berlin"),
    "summer time ends": pd.date_range("2024-10-16", periods=ROWS, freq="h", tz="America/New_York"),
    "days of the clock": pd.date_range("2024-01-01", periods=ROWS, freq="D", tz="Europe/Berlin"),
    "UTC": pd.date_range("2024-01-01", periods=ROWS, freq="15min", tz="UTC"),
    "business days": pd.date_range("2020-01-01", periods=ROWS, freq="B"),
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
    return KLMemoryForecaster(horizon=5, memory_depth=24, period=12)


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
