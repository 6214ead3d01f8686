"""An explanation adds up to the forecast, and each of its contributions is what its name says."""

import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline
from sktime.exceptions import NotFittedError

from klforecast import KLMemoryForecaster

VIEWS = ("lag", "cycle", "component", "expert")


def assert_adds_up(forecaster, by, fh=None, X=None):
    explanation = forecaster.explain(fh, X, by=by)
    total = explanation.groupby(["series", "step", "channel"], sort=False)["value"].sum()
    expected = pd.DataFrame(forecaster.predict(fh, X)).to_numpy()
    series = explanation["series"].nunique()
    shape = (series, explanation["channel"].nunique(), -1)
    by_channel = total.to_numpy().reshape(shape).transpose(0, 2, 1).reshape(expected.shape)
    np.testing.assert_allclose(by_channel, expected, rtol=1e-10)
    return explanation


def hourly(rows: int, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Loads that follow the temperature and the wind, and a column of noise."""
    generator = np.random.default_rng(seed)
    step = np.arange(rows)
    index = pd.date_range("2024-01-01", periods=rows, freq="h")
    warm = 10 * np.sin(step / 35) + generator.standard_normal(rows)
    wind = np.convolve(generator.standard_normal(rows + 9), np.ones(10) / 3, "valid")
    X = pd.DataFrame(
        {"warm": warm, "wind": wind, "noise": generator.standard_normal(rows)}, index=index
    )
    load = 50 + 8 * np.sin(step * np.pi / 12) + warm + 3 * wind
    return pd.DataFrame({"load": load + generator.standard_normal(rows)}, index=index), X


@pytest.fixture(scope="module")
def airline():
    forecaster = KLMemoryForecaster(horizon=12).fit(load_airline())
    assert forecaster._pool.share.any()
    return forecaster


@pytest.fixture(scope="module")
def core_alone():
    return KLMemoryForecaster(horizon=12, local_experts=False).fit(load_airline())


@pytest.fixture(scope="module", params=["known ahead", "wind up to now"])
def with_covariates(request):
    past_only = request.param == "wind up to now"
    known = 1650 if past_only else 1150
    y, X = hourly(known + 50)
    forecaster = KLMemoryForecaster(
        horizon=24,
        past_covariates=["wind"] if past_only else None,
        calendar_features=["dayofweek"],
        local_experts=not past_only,
    )
    return forecaster.fit(y[:known], X[:known]), X[known:]


@pytest.mark.parametrize("by", VIEWS)
@pytest.mark.parametrize("fh", [None, [1, 7, 30]], ids=["horizon", "beyond"])
def test_every_view_of_airline_adds_up(airline, by, fh):
    parts = assert_adds_up(airline, by, fh)["part"].unique()
    assert {"level", "core", "local"} == set(parts)


@pytest.mark.parametrize("by", VIEWS)
def test_an_hourly_series_with_covariates_adds_up(with_covariates, by):
    forecaster, X = with_covariates
    explanation = assert_adds_up(forecaster, by, fh=range(1, 31), X=X)
    sizes = explanation[explanation["part"] == "covariate"].groupby("name", observed=True)["value"]
    largest = sizes.agg(lambda values: values.abs().max())
    assert (largest[["noise", "dayofweek"]] == 0).all()
    assert (largest[["warm", "wind"]] > 1).all()


def test_a_covariate_contributes_what_it_moves_the_forecast_by(with_covariates):
    forecaster, X = with_covariates
    cooler = X.assign(warm=X["warm"] - 3)
    before, after = (
        forecaster.explain(X=rows, by="component").groupby(["step", "name"], observed=True)["value"]
        for rows in (X, cooler)
    )
    moved = (after.sum() - before.sum()).unstack()
    difference = forecaster.predict(X=cooler) - forecaster.predict(X=X)
    assert np.abs(difference.to_numpy()).min() > 0.5
    np.testing.assert_allclose(moved["warm"], difference["load"], rtol=1e-9)
    assert np.abs(moved.drop(columns="warm").to_numpy()).max() < 1e-10


def test_the_level_is_the_mean_of_the_residual(with_covariates):
    forecaster, X = with_covariates
    explanation = forecaster.explain(X=X, by="component")
    level = explanation.loc[explanation["part"] == "level", "value"]
    mean = forecaster.scalers_[()].mean[0]
    # What only the past is known of is forecast around a mean effect of its own, near zero.
    past_only = forecaster.past_covariates is not None
    np.testing.assert_allclose(level, mean, rtol=0.01 if past_only else 1e-12)


@pytest.mark.parametrize("by", VIEWS)
def test_a_frame_of_channels_adds_up(by):
    y, X = hourly(500)
    frame = pd.concat([y, 1000 * X["warm"], X["wind"]], axis=1)
    assert_adds_up(KLMemoryForecaster(horizon=12).fit(frame), by, fh=range(1, 30))


@pytest.mark.parametrize("by", VIEWS)
def test_a_panel_of_unequal_lengths_with_gaps_adds_up(by):
    y, X = hourly(250)
    frame = pd.concat([y, X["wind"]], axis=1)
    frame.iloc[100:106, 0] = np.nan
    panel = pd.concat({"a": frame, "b": frame[40:], "c": 3 * frame[:240]}, names=["id", "time"])
    forecaster = KLMemoryForecaster(horizon=12).fit(panel)
    assert forecaster._pool.share.any()
    explanation = assert_adds_up(forecaster, by)
    assert list(explanation["series"].unique()) == ["a", "b", "c"]


@pytest.mark.parametrize("by", VIEWS)
def test_a_series_shorter_than_the_depth_adds_up(by):
    y = load_airline()
    panel = pd.concat({"long": y.to_frame("n"), "short": y[-20:].to_frame("n")})
    forecaster = KLMemoryForecaster(horizon=6).fit(panel)
    assert forecaster.memory_depth_ > 20
    lags = assert_adds_up(forecaster, by).query("series == 'short'")["lag"].dropna()
    assert (
        lags.max() == {"lag": 20, "cycle": 13}[by] if len(lags) else by in ("component", "expert")
    )


def test_a_long_season_is_a_part_of_its_own():
    step = np.arange(3400)
    noise = np.random.default_rng(0).standard_normal(len(step))
    y = pd.Series(
        30 * np.sin(step * 2 * np.pi / 1500) + 5 * np.sin(step * np.pi / 12) + noise,
        pd.date_range("2020-01-01", periods=len(step), freq="h"),
    )
    forecaster = KLMemoryForecaster(horizon=24, period=1500, memory_depth=168).fit(y)
    explanation = assert_adds_up(forecaster, "component")
    season = explanation[explanation["part"] == "season"]
    assert season["name"].unique().tolist() == ["season of 1500 steps"]
    assert season["value"].abs().min() > 0


def test_what_lifts_a_forecast_to_zero_is_said():
    falling = pd.Series(np.r_[np.linspace(60, 1, 60), np.zeros(2)] + np.tile([0, 0.5], 31))
    forecaster = KLMemoryForecaster(horizon=12).fit(falling)
    np.testing.assert_allclose(forecaster.predict()[-3:], 0, atol=1e-10)
    explanation = forecaster.explain()
    total = explanation.groupby("step")["value"].sum().to_numpy()
    np.testing.assert_allclose(total, forecaster.predict(), rtol=1e-10, atol=1e-10)
    assert (explanation.loc[explanation["part"] == "floor", "value"] >= 0).all()
    assert "floor" in set(explanation["part"])


def moved(forecaster, y, lag, by):
    """Forecast after the row of a lag has been moved."""
    changed = y[-lag:].copy()
    changed.iloc[0] += by
    return forecaster.update(changed, update_params=False).predict()


@pytest.mark.parametrize("lag", [1, 2, 12, 30])
def test_coefficients_are_what_a_row_moves_the_forecast_by(core_alone, lag):
    y, before = load_airline(), core_alone.predict()
    after = moved(core_alone, y, lag, 10.0)
    core_alone.update(y[-lag:], update_params=False)
    coefficients = core_alone.coefficients_
    assert coefficients.shape == (12, core_alone.memory_depth_)
    assert coefficients.index.names == ["channel", "step"]
    np.testing.assert_allclose((after - before) / 10, coefficients[lag], atol=1e-10)


@pytest.mark.parametrize("lag", [1, 5, 40])
def test_contributions_are_slopes_times_the_distance_of_a_row_from_the_mean(lag):
    y = load_airline()
    forecaster = KLMemoryForecaster(horizon=12).fit(y)
    explanation = forecaster.explain()
    own = explanation[explanation["lag"] == lag].groupby("step")["value"].sum()
    upper, lower = (moved(forecaster, y, lag, by).to_numpy() for by in (1e-3, -1e-3))
    slopes = (upper - lower) / 2e-3
    np.testing.assert_allclose(own, slopes * (y.iloc[-lag] - y.mean()), rtol=1e-4, atol=1e-5)


def test_coefficients_times_distances_are_the_contributions(core_alone):
    y = load_airline()
    explanation = core_alone.explain()
    rows = explanation[explanation["part"] == "core"].pivot(
        index="step", columns="lag", values="value"
    )
    newest = y.to_numpy()[::-1][: core_alone.memory_depth_]
    np.testing.assert_allclose(
        rows.to_numpy(dtype=float), core_alone.coefficients_ * (newest - y.mean()), rtol=1e-9
    )
    # The newest row is named by its stamp.
    assert explanation.loc[explanation["lag"] == 1, "name"].unique().tolist() == ["1960-12"]


def test_cycles_are_sums_of_lags(airline):
    lags, cycles = airline.explain(), airline.explain(by="cycle")
    lags = lags[lags["lag"].notna()]
    expected = lags.groupby(["part", "step", (lags["lag"] - 1) // 12], observed=True)["value"].sum()
    kept = cycles[cycles["lag"].notna()].sort_values(["part", "step", "lag"])
    np.testing.assert_allclose(kept["value"], expected, rtol=1e-6, atol=1e-6)
    assert kept["name"].iloc[0] == "cycle 1"


def test_experts_of_the_core_count_as_they_are_weighted(airline):
    explanation = airline.explain(by="expert")
    core = explanation[explanation["part"] == "core"]
    assert set(core["name"]) == {*airline.summary().experts, "rounding"}
    assert core.loc[core["name"] == "rounding", "value"].abs().max() < 1e-3
    # The mean of the training rows is the level itself.
    assert (core.loc[core["name"] == "LevelExpert(steps=0)", "value"] == 0).all()


def test_experts_follow_new_rows():
    y = load_airline()
    forecaster = KLMemoryForecaster(horizon=12).fit(y[:-6])
    forecaster.update(y[-6:-3], update_params=False)
    assert_adds_up(forecaster, "expert")
    explanation = assert_adds_up(forecaster.update(y[-3:]), "expert")
    rounding = explanation[explanation["name"] == "rounding"]
    assert rounding["value"].abs().max() < 1e-3


def test_without_moments_the_experts_are_one(with_covariates):
    forecaster, X = with_covariates
    explanation = forecaster.explain(X=X, by="expert")
    assert set(explanation.query("part == 'core'")["name"]) == {"all experts"}


def test_explaining_changes_nothing(airline):
    before = airline.predict()
    for by in VIEWS:
        airline.explain(by=by)
    pd.testing.assert_series_equal(airline.predict(), before, check_exact=True)


def test_a_loaded_forecaster_explains_itself_alike(airline, tmp_path):
    airline.save(tmp_path / "airline.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "airline.safetensors")
    for by in VIEWS:
        pd.testing.assert_frame_equal(loaded.explain(by=by), airline.explain(by=by))


def test_what_cannot_be_explained_is_refused_in_words(airline):
    with pytest.raises(NotFittedError):
        KLMemoryForecaster().explain()
    with pytest.raises(ValueError, match="by is 'rows'; pass one of 'lag', 'cycle'"):
        airline.explain(by="rows")
    white = pd.Series(np.random.default_rng(0).standard_normal(80))
    with pytest.raises(ValueError, match="found none"):
        KLMemoryForecaster(horizon=3, period=1).fit(white).explain(by="cycle")
    trained = KLMemoryForecaster(horizon=6, encoder="gru", max_epochs=1, d_model=8)
    trained.fit(load_airline())
    with pytest.raises(ValueError, match="encoder='gru' is not linear"):
        trained.explain()
    assert not hasattr(trained, "coefficients_")
    assert not hasattr(KLMemoryForecaster(), "coefficients_")


def test_missing_rows_of_X_are_refused_as_by_predict(with_covariates):
    forecaster, X = with_covariates
    with pytest.raises(ValueError, match="has no row for"):
        forecaster.explain(fh=range(1, 5), X=X[:2])
