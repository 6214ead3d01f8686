"""Missing values of y in fit, update, predict and predict_windows."""

import warnings

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.forecaster import KLMemoryForecaster

FH = range(1, 7)


def make(**settings):
    return KLMemoryForecaster(**{"horizon": 6, "memory_depth": 30, "period": 24} | settings)


def gappy(y, share, seed=0):
    return y.mask(np.random.default_rng(seed).random(y.shape) < share)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5])
def test_forecasts_from_gappy_rows_stay_close_to_those_from_all(hourly, share):
    whole = make().fit(hourly[:350]).predict(fh=FH)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        forecast = make().fit(gappy(hourly[:350], share)).predict(fh=FH)
    assert (np.abs(forecast - whole) < 0.5 * hourly.std()).all(axis=None)


@pytest.mark.parametrize("encoder", ["linear", "transformer"])
def test_any_pattern_gives_a_finite_forecast(hourly, encoder):
    y = hourly[:200].copy()
    y.iloc[:60] = np.nan
    y.iloc[150:, 0] = np.nan
    y.iloc[100:140, 1] = np.nan
    settings = {"max_epochs": 1, "d_model": 8, "n_heads": 2} if encoder == "transformer" else {}
    forecaster = make(encoder=encoder, random_state=0, **settings).fit(y)
    assert np.isfinite(forecaster.predict(fh=range(1, 20))).all(axis=None)


def test_a_window_without_any_value_is_forecast_by_the_mean(hourly):
    forecaster = make().fit(hourly[:300])
    rows = hourly[300:].copy()
    rows["load"] = np.nan
    forecast = forecaster.predict_windows(rows, [60])
    assert np.isfinite(forecast).all()
    assert np.abs(forecast[0, :, 0] - hourly["load"][:300].mean()).max() < 1.0


def test_predict_update_and_predict_windows_fill_alike(hourly):
    y = gappy(hourly, 0.2)
    forecaster = make().fit(y[:300])
    windows = forecaster.predict_windows(y, [300, 340])
    np.testing.assert_allclose(forecaster.predict(fh=FH), windows[0], rtol=1e-9)
    forecaster.update(y[300:340], update_params=False)
    np.testing.assert_allclose(forecaster.predict(fh=FH), windows[1], rtol=1e-9)


def test_update_with_params_is_a_fit_on_all_rows(hourly):
    y = gappy(hourly, 0.2)
    updated = make().fit(y[:300]).update(y[300:350])
    pd.testing.assert_frame_equal(updated.predict(fh=FH), make().fit(y[:350]).predict(fh=FH))


def test_no_row_at_or_after_the_cutoff_has_a_say_in_what_is_filled(hourly):
    y = gappy(hourly, 0.2)
    forecaster = make().fit(y[:300])
    other = y.copy()
    other.iloc[310:] = 1e6
    np.testing.assert_array_equal(
        forecaster.predict_windows(y, [290, 310]), forecaster.predict_windows(other, [290, 310])
    )
    np.testing.assert_array_equal(
        forecaster.predict_windows(y, [310]), forecaster.predict_windows(y[:310], [310])
    )


def test_a_model_of_whole_rows_forecasts_from_gappy_ones(hourly):
    forecaster = make().fit(hourly[:300])
    whole = forecaster.predict_windows(hourly, np.arange(300, 395))
    forecast = forecaster.predict_windows(gappy(hourly, 0.1), np.arange(300, 395))
    spread = hourly.std().to_numpy()
    assert np.sqrt(np.square(forecast - whole).mean(axis=(0, 1)) / spread**2).max() < 0.2


def test_a_panel_may_have_gaps_in_some_of_its_series(panel):
    y = panel.copy()
    y.loc["b", "load"] = gappy(y.loc[["b"]], 0.3)["load"].to_numpy()
    forecaster = make().fit(y)
    assert np.isfinite(forecaster.predict(fh=FH)).all(axis=None)
    y.loc["c", "load"] = np.nan
    with pytest.raises(ValueError, match=r"column 'load' of series 'c' of y .* has no value"):
        make().fit(y)


def test_pretrain_takes_gaps(panel, hourly):
    forecaster = make().pretrain(gappy(panel, 0.1)).fit(gappy(hourly[:200], 0.1))
    assert np.isfinite(forecaster.predict(fh=FH)).all(axis=None)


def test_the_period_is_found_between_gaps(hourly):
    assert KLMemoryForecaster(horizon=6).fit(gappy(hourly, 0.3)).period_ == 24
