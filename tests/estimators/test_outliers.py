"""Outliers of y: read as what would have been usual by the core and by local experts, at any cutoff, and said so."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster

STEPS = np.arange(1, 15)
WEEK = 15 * np.sin(2 * np.pi * np.arange(7) / 7)


def daily(rows=400, channels=1):
    rng = np.random.default_rng(0)
    values = 100 + WEEK[np.arange(rows) % 7, None] + rng.normal(0, 5, (rows, channels))
    index = pd.date_range("2020-01-01", periods=rows, freq="D")
    return pd.DataFrame(values, index, [f"c{channel}" for channel in range(channels)])


def spoil(y, rows=(50, 120, 200, 333)):
    spoiled = y.copy()
    spoiled.iloc[list(rows), 0] += 300
    return spoiled


def error(y, **arguments):
    forecast = KLMemoryForecaster(14, **arguments).fit(y).predict(STEPS).to_numpy()[:, 0]
    return np.abs(forecast - 100 - WEEK[(len(y) + STEPS - 1) % 7]).mean()


@pytest.mark.parametrize("arguments", [{}, {"local_experts": False}])
def test_a_few_outliers_cost_next_to_nothing(arguments):
    y = daily()
    assert error(spoil(y), **arguments) < error(y, **arguments) + 0.5
    assert error(spoil(y), clean_outliers=False, **arguments) > 2 * error(y, **arguments)


@pytest.mark.parametrize("arguments", [{}, {"local_experts": False}])
def test_an_outlier_in_the_newest_row_costs_next_to_nothing(arguments):
    y = daily()
    assert error(spoil(y, [399]), **arguments) < error(y, **arguments) + 0.5


def test_series_without_outliers_are_forecast_alike_with_and_without_looking_for_them():
    y = daily()
    looking = KLMemoryForecaster(14).fit(y)
    assert looking.outliers().empty
    not_looking = KLMemoryForecaster(14, clean_outliers=False).fit(y)
    pd.testing.assert_frame_equal(looking.predict(STEPS), not_looking.predict(STEPS))
    assert not_looking.outlier_seasons_ is None


def test_outliers_are_named_with_what_is_read_in_their_place():
    y = daily(channels=2)
    found = KLMemoryForecaster(14).fit(spoil(y)).outliers()
    assert found["time"].tolist() == y.index[[50, 120, 200, 333]].tolist()
    assert set(found["channel"]) == {"c0"}
    assert set(found["series"]) == {"y"}
    np.testing.assert_allclose(found["value"], y["c0"].iloc[[50, 120, 200, 333]] + 300)
    assert np.abs(found["usual"] - y["c0"].iloc[[50, 120, 200, 333]].to_numpy()).max() < 25


def test_series_of_a_panel_have_their_own():
    panel = pd.concat(
        {"a": daily(), "b": spoil(daily(rows=300), [50, 120, 200])}, names=["id", "day"]
    )
    forecaster = KLMemoryForecaster(14).fit(panel)
    assert forecaster.outliers()["series"].tolist() == ["b"] * 3
    assert forecaster.summary().outliers == 3
    assert "outliers       3 values read as usual ones" in str(forecaster.summary())


@pytest.mark.parametrize("arguments", [{}, {"local_experts": False}])
@pytest.mark.parametrize("gap", [False, True])
def test_windows_read_before_a_cutoff_what_a_forecaster_there_reads(arguments, gap):
    y = spoil(daily())
    y.iloc[150:153, 0] = [500.0, 510.0, 520.0]  # far rows that turn out to last
    if gap:
        y.iloc[196:199] = np.nan
    forecaster = KLMemoryForecaster(14, **arguments).fit(y[:140])
    cutoffs = [20, 34, 121, 151, 152, 153, 154, 200, 201, 202, 334, 335, 400]
    windows = forecaster.predict_windows(y, cutoffs)
    quantiles = forecaster.predict_windows(y, cutoffs, alpha=[0.1, 0.9])
    for cutoff, window in zip(cutoffs, windows, strict=True):
        if cutoff < 140:
            continue
        there = KLMemoryForecaster(14, **arguments).fit(y[:140])
        there.update(y[140:cutoff], update_params=False)
        np.testing.assert_allclose(window, there.predict(STEPS), rtol=0, atol=1e-9)
    assert np.isfinite(quantiles).all()


def test_rows_after_a_cutoff_have_no_say():
    y = spoil(daily())
    forecaster = KLMemoryForecaster(14).fit(y[:300])
    before = forecaster.predict_windows(y[:335], [332, 333, 334])
    y.iloc[334:] = 9e3
    np.testing.assert_array_equal(forecaster.predict_windows(y, [332, 333, 334]), before)


@pytest.mark.parametrize("spoiled", [(50,), (50, 298), (50, 299), (50, 301, 310), (303, 304, 305)])
def test_an_update_is_a_fit_to_all_rows_whenever_outliers_come(spoiled):
    y = spoil(daily(), spoiled)
    sizes = {"input_length": 14, "memory_depth": 70, "period": 7, "local_experts": False}
    forecaster = KLMemoryForecaster(14, **sizes).fit(y[:300])
    for start, stop in [(300, 302), (302, 306), (306, 320)]:
        forecaster.update(y[start:stop])
        whole = KLMemoryForecaster(14, **sizes).fit(y[:stop])
        np.testing.assert_allclose(forecaster.predict(STEPS), whole.predict(STEPS), atol=1e-6)


def test_a_file_has_what_outliers_are_told_by(tmp_path):
    y = spoil(daily())
    forecaster = KLMemoryForecaster(14).fit(y)
    forecaster.save(tmp_path / "model")
    loaded = KLMemoryForecaster.load_from_path(tmp_path / "model.zip")
    pd.testing.assert_frame_equal(loaded.outliers(), forecaster.outliers())
    pd.testing.assert_frame_equal(loaded.predict(STEPS), forecaster.predict(STEPS))


def test_explanations_of_what_is_read_add_up_to_the_forecast():
    forecaster = KLMemoryForecaster(14).fit(spoil(daily()))
    total = forecaster.explain(STEPS).groupby("step")["value"].sum().to_numpy()
    np.testing.assert_allclose(total, forecaster.predict(STEPS).to_numpy()[:, 0], atol=1e-8)


def test_a_flag_that_is_none_is_refused():
    with pytest.raises(TypeError, match="clean_outliers"):
        KLMemoryForecaster(14, clean_outliers="yes").fit(daily())
