"""Covariates of short and of odd series: what acts is used, what does not is left out."""

import warnings
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.forecaster import KLMemoryForecaster

HORIZON = 28
FH = range(1, HORIZON + 1)


def weekly(rows, seed):
    """A series with a week, in days, and the generator that made it."""
    rng = np.random.default_rng(seed)
    time = np.arange(rows)
    return 100 + 10 * np.sin(time * 2 * np.pi / 7) + 2 * rng.normal(size=rows), rng


def used(forecaster):
    effects = forecaster.effects_
    return [] if effects is None else effects.effect.basis.terms[:, 0].unique().tolist()


def least_squares(y, X, rows):
    """Regression on the columns and one wave of the week, from the first rows."""
    week = np.arange(len(y)) * 2 * np.pi / 7
    inputs = np.column_stack([np.ones(len(y)), np.sin(week), np.cos(week), X])
    return inputs[rows:] @ np.linalg.lstsq(inputs[:rows], y[:rows], rcond=None)[0]


@pytest.mark.parametrize("rows", [120, 200, 300, 400])
def test_three_strong_columns_are_all_used_however_short_the_series(rows):
    y, rng = weekly(rows + HORIZON, seed=0)
    X = rng.normal(size=(rows + HORIZON, 3))
    y = y + X @ [8.0, -6.0, 4.0]
    frame = pd.DataFrame(X, columns=list("abc"))
    forecaster = KLMemoryForecaster(HORIZON).fit(pd.Series(y[:rows]), X=frame[:rows])
    assert used(forecaster) == [0, 1, 2]
    forecast = forecaster.predict(fh=FH, X=frame[rows:]).to_numpy()
    reached, possible = (
        np.abs(values - y[rows:]).mean() for values in (forecast, least_squares(y, X, rows))
    )
    assert reached < 1.5 * possible


def test_some_400_days_of_demand_use_temperature_and_holidays(load_real):
    data = load_real("VicElec").frame
    hours = data.set_axis(
        data.index.tz_localize("UTC").tz_convert("Australia/Melbourne").tz_localize(None)
    )
    days = hours.resample("D").agg({"Demand": "mean", "Temperature": "max", "Holiday": "max"})
    y, X = days["Demand"], days[["Temperature", "Holiday"]].astype(float)
    forecaster = KLMemoryForecaster(HORIZON).fit(y[:400], X=X[:400])
    assert used(forecaster) == [0, 1]
    error = (forecaster.predict(fh=FH, X=X[400:]) - y[400:]).abs().mean()
    plain = (KLMemoryForecaster(HORIZON).fit(y[:400]).predict(fh=FH) - y[400:]).abs().mean()
    assert error < plain / 2


def test_a_column_that_only_repeats_the_series_adds_nothing_to_its_past():
    y, rng = weekly(400, seed=0)
    X = pd.DataFrame({"x": 0.5 * y + rng.normal(size=400)})
    forecaster = KLMemoryForecaster(HORIZON, past_covariates=["x"]).fit(pd.Series(y), X=X)
    assert forecaster.effects_ is None


def test_noise_beside_some_14_horizons_of_rows_has_no_effect():
    y, rng = weekly(400, seed=0)
    X = pd.DataFrame({"noise": rng.normal(size=400)})
    assert KLMemoryForecaster(HORIZON).fit(pd.Series(y), X=X).effects_ is None


@pytest.mark.parametrize("rows", [130, 250, 380])
def test_of_many_columns_of_noise_few_are_taken_for_an_effect(rows):
    # One-sided tests at 5 % for three nested sets of terms of each column.
    accepted = 0
    for seed in range(20):
        y, rng = weekly(rows, seed)
        noise = rng.normal(size=rows)
        X = pd.DataFrame({"noise": noise.cumsum() if seed % 2 else noise})
        accepted += bool(used(KLMemoryForecaster(HORIZON, period=7).fit(pd.Series(y), X=X)))
    assert accepted <= 2


def test_a_calendar_that_the_memory_knows_makes_nothing_worse():
    index = pd.date_range("2018-01-01", periods=4 * 365 + 181, freq="D")
    y, _ = weekly(len(index), seed=0)
    y = pd.Series(y + 10 * np.sin(np.arange(len(y)) * 2 * np.pi / 365.25), index)
    rows = len(y) - 180
    error = {}
    for calendar in (None, ["dayofyear", "dayofweek"]):
        forecaster = KLMemoryForecaster(180, calendar_features=calendar).fit(y[:rows])
        error[calendar is None] = (forecaster.predict(fh=range(1, 181)) - y[rows:]).abs().mean()
    assert error[False] < 1.02 * error[True]


def test_blocks_without_a_target_are_no_evidence():
    y, rng = weekly(400, seed=0)
    y[150:] = np.nan
    X = pd.DataFrame({"noise": rng.normal(size=400)})
    assert KLMemoryForecaster(HORIZON).fit(pd.Series(y), X=X).effects_ is None
    flat = KLMemoryForecaster(HORIZON).fit(pd.Series(7.0, range(400)), X=X)
    assert flat.effects_ is None


def test_an_effect_that_has_changed_is_forgotten_with_the_rest():
    y, rng = weekly(1200, seed=0)
    x = rng.normal(size=1200)
    y = y + np.where(np.arange(1200) < 800, -10.0, 10.0) * x
    X = pd.DataFrame({"x": x})
    forecaster = KLMemoryForecaster(7, forgetting=0.99, period=7).fit(pd.Series(y[:1190]), X=X)
    low, high = (
        forecaster.predict(fh=[1], X=X[1190:].assign(x=value)).iloc[0] for value in (-1.0, 1.0)
    )
    assert high - low == pytest.approx(20, rel=0.1)


# --- columns that leave the range in which they were seen


@pytest.fixture(scope="module")
def driven():
    y, rng = weekly(400, seed=0)
    x = rng.uniform(-1, 1, size=400)
    forecaster = KLMemoryForecaster(7, period=7)
    return forecaster.fit(pd.Series(y + 10 * x), X=pd.DataFrame({"x": x})), x


def future(values):
    return pd.DataFrame({"x": np.resize(values, 7)}, index=range(400, 407))


def test_a_column_far_from_what_fit_saw_acts_like_the_edge_and_says_so(driven):
    forecaster, x = driven
    edge = forecaster.predict(fh=range(1, 8), X=future(x.max()))
    with pytest.warns(
        UserWarning, match=r"column 'x' of X runs from 1e\+06 to 1e\+06 .* from the -0.9"
    ):
        far = forecaster.predict(fh=range(1, 8), X=future(1e6))
    pd.testing.assert_series_equal(far, edge)


def test_intervals_are_wider_where_a_column_is_far(driven):
    forecaster, _ = driven
    fh, values = range(1, 8), [0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 0.0]
    near = forecaster.predict_interval(fh=fh, X=future(0.0), coverage=[0.8])
    with pytest.warns(UserWarning, match="intervals are wider"):
        far = forecaster.predict_interval(fh=fh, X=future(values), coverage=[0.8])
    wider = np.diff(far.to_numpy(), axis=1) - np.diff(near.to_numpy(), axis=1)
    # An effect that had gone on would have been 20 higher: as much on either side.
    assert wider[2, 0] == pytest.approx(2 * 20, rel=0.2)
    np.testing.assert_allclose(np.delete(wider, 2), 0, atol=1e-9)


def test_a_column_that_grows_is_followed_beyond_its_range():
    y, _ = weekly(428, seed=0)
    trend = np.arange(428.0)
    X = pd.DataFrame({"x": trend})
    forecaster = KLMemoryForecaster(28, period=7).fit(pd.Series(y[:400] + trend[:400]), X=X[:400])
    forecast = forecaster.predict(fh=FH, X=X[400:])
    assert np.abs(forecast - (y + trend)[400:]).mean() < 4


# --- the same for columns whose future is not known, which leave their range in rows of update


@pytest.fixture(scope="module")
def led():
    """A series whose level is seen more clearly in a column than in its own noisy past."""
    rng = np.random.default_rng(0)
    x = np.zeros(420)
    for step in range(1, 420):
        x[step] = 0.95 * x[step - 1] + rng.normal()
    week = np.sin(np.arange(420) * 2 * np.pi / 7)
    y = pd.Series(10 + week + 2 * x + 4 * rng.normal(size=420))
    X = pd.DataFrame({"x": x})
    forecaster = KLMemoryForecaster(7, period=7, past_covariates=["x"]).fit(y[:400], X=X[:400])
    assert forecaster.effects_.core is not None
    return forecaster, y, X


def after(led, value, steps=5):
    """The forecaster after five more rows in which the column had a value."""
    forecaster, y, X = led
    new = X[400 : 400 + steps].assign(x=value)
    return deepcopy(forecaster).update(y[400 : 400 + steps], X=new, update_params=False)


def spoilt(X, value):
    X = X[:405].copy()
    X.loc[400:] = value
    return X


FAR = r"column 'x' of X runs from 1e\+06 to 1e\+06 at 5 steps \(400, .* from the -\d.* intervals are wider"


def test_a_past_column_far_from_what_fit_saw_acts_like_the_edge_and_says_so(led):
    highest = led[2]["x"][:400].max()
    edge = after(led, highest).predict()
    with pytest.warns(UserWarning, match=FAR):
        far = after(led, 1e6).predict()
    pd.testing.assert_series_equal(far, edge)
    with pytest.warns(UserWarning, match=FAR):
        windows = after(led, 1e6).predict_windows(led[1][:405], [405], X=spoilt(led[2], 1e6))
    np.testing.assert_allclose(windows[0, :, 0], edge, rtol=1e-9)


def test_intervals_are_wider_where_a_past_column_was_far(led):
    highest = led[2]["x"][:400].max()

    def width(value):
        interval = after(led, value).predict_interval(coverage=[0.8]).to_numpy()
        return np.diff(interval, axis=1)[:, 0]

    near = width(highest)
    with pytest.warns(UserWarning, match="intervals are wider"):
        far, twice = width(highest + 50), width(highest + 100)
    assert (far > near + 1).all()
    # As far as the forecast of an effect that had gone on, which is linear in it.
    np.testing.assert_allclose(twice - near, 2 * (far - near), rtol=1e-6)
    X = spoilt(led[2], highest + 50)
    with pytest.warns(UserWarning, match="intervals are wider"):
        windows = led[0].predict_windows(led[1][:405], [400, 405], X=X, alpha=[0.1, 0.9])
    with pytest.warns(UserWarning, match="intervals are wider"):
        quantiles = after(led, highest + 50).predict_quantiles(alpha=[0.1, 0.9])
    np.testing.assert_allclose(windows[1, :, 0], quantiles, rtol=1e-9)


def test_a_past_column_of_the_largest_floats_leaves_finite_intervals(led):
    with pytest.warns(UserWarning, match="intervals are wider"):
        interval = after(led, 1.7e308).predict_interval(coverage=[0.8])
    assert np.isfinite(interval).all(axis=None)


def test_a_past_column_that_came_back_long_ago_leaves_no_doubt(led):
    forecaster = led[0]
    depth = forecaster.memory_depth_ + 7
    new = pd.DataFrame({"x": 0.0}, index=range(400, 406 + depth))
    new.iloc[:5] = 1e6
    later = deepcopy(forecaster).update(pd.Series(10.0, new.index), X=new, update_params=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        later.predict_interval()
