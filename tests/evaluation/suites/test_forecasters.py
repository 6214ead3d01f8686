import numpy as np
import pandas as pd
import pytest

from klforecast.data.collections import Collection
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation import needs
from klforecast.evaluation.suites.forecasters import EachAlone, Mean, PooledMemory, SeasonalNaive
from klforecast.evaluation.suites.models import SUITE_MODELS, suite_model
from klforecast.evaluation.suites.scores import LEVELS
from klforecast.evaluation.suites.task import SuiteTask


@pytest.fixture
def panel() -> dict[str, pd.DataFrame]:
    """Three weekly series of different lengths, whose names do not stand in order."""
    rng = np.random.default_rng(5)
    series = {}
    for name, n in (("b", 90), ("a", 70), ("c", 80)):
        t = np.arange(n)
        values = 10 + 3 * np.sin(2 * np.pi * t / 7) + rng.normal(0, 0.3, n)
        series[name] = pd.DataFrame({"value": values})
    return series


def task_of(series, horizon=5, season=7) -> SuiteTask:
    return SuiteTask("made", "none", Collection("made", series, "0" * 64, ""), horizon, season, 1)


@pytest.mark.parametrize("name", [name for name, m in SUITE_MODELS.items() if not m.needs])
def test_every_model_forecasts_every_series_in_the_shape_that_is_scored(name, panel):
    model = suite_model(name).make(task_of(panel), 0, {})
    model.fit({key: rows.iloc[:-5] for key, rows in panel.items()})
    model.update({key: rows.iloc[-5:] for key, rows in panel.items()})
    forecasts = model.forecast()
    assert set(forecasts) == set(panel)
    for forecast in forecasts.values():
        assert forecast.point.shape == (5, 1)
        assert np.isfinite(forecast.point).all()
        if forecast.quantiles is not None:
            assert forecast.quantiles.shape == (5, 1, len(LEVELS))
            assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()


@pytest.mark.parametrize("n_series", [1, 3])
def test_the_pooled_model_is_the_forecaster_with_its_defaults(panel, n_series):
    series = dict(list(panel.items())[:n_series])
    ours = PooledMemory(5, 0, {})
    ours.fit({key: rows.iloc[:-5] for key, rows in series.items()})
    ours.update({key: rows.iloc[-5:] for key, rows in series.items()})

    def joined(part):
        rows = {key: part(value) for key, value in series.items()}
        return pd.concat(rows) if n_series > 1 else rows["b"]

    plain = KLMemoryForecaster(5, random_state=0).fit(joined(lambda rows: rows.iloc[:-5]))
    plain.update(joined(lambda rows: rows.iloc[-5:]), update_params=False)
    point = plain.predict(fh=range(1, 6))
    quantiles = plain.predict_quantiles(fh=range(1, 6), alpha=list(LEVELS))
    for key, forecast in ours.forecast().items():
        alone = (lambda frame, key=key: frame.loc[key]) if n_series > 1 else (lambda frame: frame)
        np.testing.assert_array_equal(forecast.point, alone(point).to_numpy())
        np.testing.assert_array_equal(forecast.quantiles[:, 0], alone(quantiles).to_numpy())


def test_one_by_one_no_series_hears_of_another(panel):
    together = EachAlone(lambda: PooledMemory(5, 0, {}))
    together.fit(panel)
    alone = PooledMemory(5, 0, {})
    alone.fit({"a": panel["a"]})
    np.testing.assert_array_equal(together.forecast()["a"].point, alone.forecast()["a"].point)


def test_seasonal_naive_repeats_the_last_season_and_its_spread_grows_by_seasons():
    past = np.r_[1.0, 5.0, 2.0, 7.0]
    model = SeasonalNaive(horizon=5, season=2)
    model.fit({"y": pd.DataFrame(past)})
    forecast = model.forecast()["y"]
    assert forecast.point[:, 0].tolist() == [2.0, 7.0, 2.0, 7.0, 2.0]
    spread = np.ptp(forecast.quantiles[:, 0], axis=1)
    np.testing.assert_allclose(spread / spread[0], np.sqrt([1, 1, 2, 2, 3]))


def test_the_mean_leaves_missing_values_out():
    model = Mean(horizon=1, season=1)
    model.fit({"y": pd.DataFrame([1.0, np.nan, np.nan, 4.0])})
    assert model.forecast()["y"].point == 2.5


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(needs, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"'autoets' needs statsforecast.*klforecast\[peers\]"):
        suite_model("autoets")


def test_unknown_names_and_settings_of_plain_models_are_refused(panel):
    with pytest.raises(ValueError, match=r"unknown model 'prophet'.* klmemory"):
        suite_model("prophet")
    with pytest.raises(ValueError, match="no settings to change, got depth"):
        suite_model("theta").make(task_of(panel), 0, {"depth": 3})


@pytest.mark.parametrize("name", [name for name, m in SUITE_MODELS.items() if m.needs])
def test_models_of_statsforecast_continue_a_season_with_ordered_quantiles(name, panel):
    pytest.importorskip("statsforecast", reason="AutoETS, AutoTheta and AutoCES are its models")
    model = suite_model(name).make(task_of(panel), 0, {})
    model.fit({key: rows.iloc[:-5] for key, rows in panel.items()})
    for key, forecast in model.forecast().items():
        truth = panel[key].to_numpy()[-5:]
        assert np.abs(forecast.point - truth).mean() < 1.0
        assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
