"""X and the calendar in fit, predict, update and predict_windows."""

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.forecaster import KLMemoryForecaster

ROWS, CUT, HORIZON = 900, 800, 6
FH = range(1, HORIZON + 1)


def make(**settings):
    return KLMemoryForecaster(**{"horizon": HORIZON, "memory_depth": 48, "period": 12} | settings)


def example(index):
    """Demand that is high when it is cold and when it is warm, and the weather."""
    rng = np.random.default_rng(0)
    warmth = np.convolve(rng.standard_normal(ROWS + 9), np.ones(10) / 3, "valid")
    season = np.sin(np.arange(ROWS) * np.pi / 6)
    demand = 10 + season + 0.7 * np.abs(warmth) + 0.05 * rng.standard_normal(ROWS)
    return (
        pd.DataFrame({"demand": demand}, index=index),
        pd.DataFrame({"warmth": warmth, "noise": rng.standard_normal(ROWS)}, index=index),
    )


Y, X = example(pd.date_range("2024-01-01", periods=ROWS, freq="h"))


def error(forecaster, X):
    cutoffs = np.arange(CUT, ROWS - HORIZON + 1)
    truth = Y.to_numpy()[cutoffs[:, None] + np.arange(HORIZON)]
    return np.square(forecaster.predict_windows(Y, cutoffs, X=X) - truth).mean()


@pytest.fixture(scope="module")
def fitted():
    return make().fit(Y[:CUT], X=X[:CUT])


@pytest.fixture(scope="module")
def plain():
    return make().fit(Y[:CUT])


def test_known_covariates_lower_the_error(fitted, plain):
    assert error(fitted, X) < 0.3 * error(plain, None)


def test_noise_leaves_the_forecast_as_it_is(plain):
    noisy = make().fit(Y[:CUT], X=X[["noise"]][:CUT])
    assert noisy.effects_ is None
    expected = plain.predict(fh=FH)
    pd.testing.assert_frame_equal(noisy.predict(fh=FH, X=X[["noise"]][CUT:]), expected)


def test_predict_and_predict_windows_agree(fitted):
    windows = fitted.predict_windows(Y, [CUT], X=X)[0]
    np.testing.assert_allclose(fitted.predict(fh=FH, X=X[CUT:]), windows, rtol=1e-10)


def test_rows_of_X_after_the_last_step_never_matter(fitted):
    forecast = fitted.predict(fh=FH, X=X[CUT : CUT + HORIZON])
    later = X[CUT:].copy()
    later.iloc[HORIZON:] = 1e9
    pd.testing.assert_frame_equal(fitted.predict(fh=FH, X=later), forecast)
    other = X.copy()
    other.iloc[CUT + HORIZON :] = 1e9
    np.testing.assert_array_equal(
        fitted.predict_windows(Y, [CUT], X=other), fitted.predict_windows(Y, [CUT], X=X)
    )
    again = make().fit(Y[:CUT], X=other).predict(fh=FH)
    pd.testing.assert_frame_equal(again, forecast)


def test_rows_of_past_covariates_at_or_after_the_cutoff_never_matter():
    forecaster = make(past_covariates=["warmth", "noise"]).fit(Y[:CUT], X=X[:CUT])
    forecast = forecaster.predict(fh=FH)
    other = X.copy()
    other.iloc[CUT:] = 1e9
    pd.testing.assert_frame_equal(forecaster.predict(fh=FH, X=other[CUT:]), forecast)
    pd.testing.assert_frame_equal(
        make(past_covariates=["warmth", "noise"]).fit(Y[:CUT], X=other).predict(fh=FH), forecast
    )
    np.testing.assert_array_equal(
        forecaster.predict_windows(Y, [CUT], X=other),
        forecaster.predict_windows(Y, [CUT], X=X[:CUT]),
    )
    np.testing.assert_allclose(forecaster.predict_windows(Y, [CUT], X=X)[0], forecast, rtol=1e-10)


def test_past_covariates_may_be_left_out_of_the_future():
    forecaster = make(past_covariates=["noise"]).fit(Y[:CUT], X=X[:CUT])
    whole = forecaster.predict(fh=FH, X=X[CUT:])
    pd.testing.assert_frame_equal(forecaster.predict(fh=FH, X=X[["warmth"]][CUT:]), whole)


@pytest.mark.parametrize("update_params", [False, True])
def test_update_takes_X(fitted, update_params):
    updated = make().fit(Y[:700], X=X[:700])
    updated.update(Y[700:CUT], X=X[700:], update_params=update_params)
    forecast = updated.predict(fh=FH)
    if update_params:
        pd.testing.assert_frame_equal(forecast, fitted.predict(fh=FH, X=X[CUT:]))
    else:
        windows = make().fit(Y[:700], X=X[:700]).predict_windows(Y, [CUT], X=X)[0]
        np.testing.assert_allclose(forecast, windows, rtol=1e-10)


def test_a_forecast_beyond_the_horizon_reads_X_up_to_its_last_step(fitted):
    far = fitted.predict(fh=[1, 2 * HORIZON], X=X[CUT : CUT + 2 * HORIZON])
    assert np.isfinite(far).all(axis=None)
    with pytest.raises(ValueError, match="no row for 1 stamps"):
        fitted.predict(fh=[1, 2 * HORIZON], X=X[CUT : CUT + HORIZON])


def test_rows_between_the_steps_may_be_left_out_with_a_warning(fitted):
    whole = fitted.predict(fh=[1, 4], X=X[CUT:])
    with pytest.warns(UserWarning, match="no row at 2 steps between"):
        forecast = fitted.predict(fh=[1, 4], X=X.iloc[[CUT, CUT + 3]])
    np.testing.assert_allclose(forecast, whole, atol=0.5)


def spoilt(rows, column, value):
    new = X[CUT:].copy()
    new.iloc[rows, column] = value
    return new


@pytest.mark.parametrize(
    ("future", "error", "message"),
    [
        (None, ValueError, r"no row for 6 stamps that the model reads: 2024-02-03 08:00:00"),
        (
            X[CUT : CUT + 4],
            ValueError,
            r"no row for 2 stamps .*2024-02-03 12:00:00, .*13:00:00; pass",
        ),
        (
            spoilt(2, 0, np.nan),
            ValueError,
            r"missing values in .*'warmth'.* at 1 stamps: .*10:00:00",
        ),
        (spoilt(2, 0, np.inf), ValueError, r"X has 1 values that are not finite"),
        (X[["warmth"]][CUT:], ValueError, r"X has the columns \['warmth'\], but .*'noise'"),
        (X[CUT:].assign(z=1.0), ValueError, r"X has the columns .*'z'"),
        (X[CUT:].assign(noise="wet"), TypeError, r"column 'noise' of X"),
    ],
)
def test_X_that_cannot_be_used_is_refused(fitted, future, error, message):
    with pytest.raises(error, match=message):
        fitted.predict(fh=FH, X=future)


def test_fit_and_update_name_the_stamps_that_X_lacks(state_of):
    with pytest.raises(ValueError, match="X has no row for 100 stamps"):
        make().fit(Y[:CUT], X=X[100:CUT])
    forecaster = make().fit(Y[:700], X=X[:700])
    before = state_of(forecaster)
    with pytest.raises(ValueError, match="X has no row for 100 stamps"):
        forecaster.update(Y[700:CUT])
    assert state_of(forecaster) == before


def test_X_without_X_in_fit_is_refused(plain):
    with pytest.raises(ValueError, match="fitted on no X"):
        plain.predict(fh=FH, X=X[CUT:])
    with pytest.raises(ValueError, match=r"names \['warmth'\], but fit was given no X"):
        make(past_covariates=["warmth"]).fit(Y[:CUT])
    with pytest.raises(ValueError, match=r"\['rain'\], which are no columns of X"):
        make(past_covariates=["rain"]).fit(Y[:CUT], X=X)
    with pytest.raises(TypeError, match="past_covariates is 'warmth'"):
        make(past_covariates="warmth").fit(Y[:CUT], X=X)


def test_a_panel_has_one_effect_and_X_of_each_series():
    ys = {"a": Y[:CUT], "b": 3 * Y[100:700] - 5}
    panel = pd.concat(ys, names=["site"])
    xs = pd.concat({"a": X[["warmth"]], "b": X[["warmth"]]}, names=["site"])
    forecaster = make().fit(panel, X=xs)
    forecast = forecaster.predict(fh=FH)
    for site, stop, scale, level in (("a", CUT, 1, 0), ("b", 700, 3, -5)):
        truth = scale * Y[stop : stop + HORIZON].to_numpy() + level
        assert np.abs(forecast.loc[site] - truth).to_numpy().mean() < 0.15 * scale
    with pytest.raises(ValueError, match="series 'b' of X has no row for 600 stamps"):
        make().fit(panel, X=xs.loc[["a"]])


def test_missing_values_and_X_go_together():
    gappy = Y.mask(np.random.default_rng(0).random(Y.shape) < 0.2)
    forecaster = make().fit(gappy[:CUT], X=X[:CUT])
    cutoffs = np.arange(CUT, ROWS - HORIZON + 1)
    truth = Y.to_numpy()[cutoffs[:, None] + np.arange(HORIZON)]
    forecast = forecaster.predict_windows(gappy, cutoffs, X=X)
    assert (
        np.square(forecast - truth).mean()
        < 0.4 * np.square(make().fit(gappy[:CUT]).predict_windows(gappy, cutoffs) - truth).mean()
    )


def test_the_transformer_works_around_the_effect(fitted):
    net = make(encoder="transformer", max_epochs=1, d_model=8, n_heads=2, random_state=0)
    gappy = Y[:CUT].mask(np.random.default_rng(0).random((CUT, 1)) < 0.05)
    forecast = net.fit(gappy, X=X[:CUT]).predict(fh=FH, X=X[CUT:])
    np.testing.assert_allclose(forecast, fitted.predict(fh=FH, X=X[CUT:]), atol=1.0)


def test_fit_after_pretrain_learns_the_effect():
    panel = pd.concat({"a": Y[:400], "b": 2 * Y[200:600]}, names=["site"])
    pretrained = make().pretrain(panel)
    plain = error(pretrained.clone().fit(Y[:CUT]), None)
    assert error(pretrained.fit(Y[:CUT], X=X[:CUT]), X) < 0.5 * plain
    with pytest.warns(UserWarning, match="X was passed to pretrain"):
        make().pretrain(panel, X=pd.concat({"a": X[:400], "b": X[200:600]}, names=["site"]))


def test_arrays_are_numbered_from_the_cutoff_on(fitted):
    forecaster = make().fit(Y[:CUT].to_numpy(), X=X[:CUT].to_numpy())
    forecast = forecaster.predict(fh=FH, X=X[CUT:].to_numpy())
    np.testing.assert_allclose(forecast, fitted.predict(fh=FH, X=X[CUT:]), rtol=1e-9)
    with pytest.raises(TypeError, match="pass y with the kind of index"):
        fitted.predict_windows(Y.to_numpy(), [CUT], X=X)


# --- the calendar


def test_levels_of_the_months_are_read_off_the_calendar():
    index = pd.date_range("2010-01-01", periods=3000, freq="D")
    rng = np.random.default_rng(0)
    levels = 2 * rng.standard_normal(12)
    y = pd.DataFrame({"load": levels[index.month - 1] + 0.3 * rng.standard_normal(3000)}, index)
    errors = []
    for names in (["month"], None):
        forecaster = KLMemoryForecaster(30, memory_depth=60, period=1, calendar_features=names)
        cutoffs = np.arange(2500, 2970)
        forecast = forecaster.fit(y[:2500]).predict_windows(y, cutoffs)
        truth = y.to_numpy()[cutoffs[:, None] + np.arange(30)]
        errors.append(np.square(forecast - truth).mean())
    assert errors[0] < 0.3 * errors[1]


@pytest.mark.parametrize("name", ["hour", "dayofweek", "day", "month", "quarter", "dayofyear"])
def test_every_calendar_feature_works_on_dates_and_periods(name):
    for index in (Y.index, Y.index.to_period("h"), Y.index.tz_localize("Asia/Tokyo")):
        forecaster = make(calendar_features=[name]).fit(Y[:300].set_axis(index[:300]))
        assert np.isfinite(forecaster.predict(fh=FH)).all(axis=None)


@pytest.mark.parametrize(
    ("names", "index", "error", "message"),
    [
        (["hour"], pd.RangeIndex(ROWS), ValueError, r"\['hour'\] need dates"),
        (["moon"], Y.index, ValueError, r"holds \['moon'\]; pass some of 'hour'"),
        ("hour", Y.index, TypeError, "calendar_features is 'hour'"),
    ],
)
def test_calendar_features_that_cannot_be_made_are_refused(names, index, error, message):
    with pytest.raises(error, match=message):
        make(calendar_features=names).fit(Y.set_axis(index)[:CUT])
