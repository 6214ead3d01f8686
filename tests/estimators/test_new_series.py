"""A forecaster that has learned from a panel forecasts series that were not in it."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster

MONTHS = pd.period_range("2000-01", periods=240, freq="M")


def yearly(rows, phase, scale, generator):
    """Rows of a yearly cycle in noise of a tenth of its height."""
    cycle = 100 + 10 * np.sin((np.arange(rows) + phase) * np.pi / 6)
    return scale * (cycle + generator.standard_normal(rows))


@pytest.fixture(scope="module")
def pretrained():
    generator = np.random.default_rng(0)
    parts = {f"s{k}": pd.DataFrame({"y": yearly(240, k, 1, generator)}, MONTHS) for k in range(12)}
    return KLMemoryForecaster(horizon=12).pretrain(pd.concat(parts, names=["id", "month"]))


def new_series(rows, seed=1):
    return pd.Series(yearly(rows, 3, 7, np.random.default_rng(seed)), MONTHS[:rows], name="new")


@pytest.mark.parametrize(("rows", "times"), [(14, 1.7), (20, 1.3), (30, 1.2)])
def test_short_new_series_are_forecast_nearly_as_well_as_their_noise_allows(
    pretrained, rows, times
):
    errors = []
    for seed in range(1, 11):
        y = new_series(rows + 12, seed)
        forecast = pretrained.clone().fit(y[:-12]).predict()
        assert forecast.index.equals(y.index[-12:])
        errors.append(np.abs(forecast - y[-12:]).mean())
    noise = 7 * np.sqrt(2 / np.pi)  # mean absolute error of the cycle itself
    assert np.mean(errors) < times * noise


def test_new_series_have_intervals_in_their_own_scale(pretrained):
    y = new_series(60)
    small = pretrained.clone().fit(y).predict_interval(coverage=0.8)
    large = pretrained.clone().fit(100 * y).predict_interval(coverage=0.8)
    np.testing.assert_allclose(large, 100 * small)
    width = (small.iloc[:, 1] - small.iloc[:, 0]).mean()
    assert 1.5 * 7 < width < 4 * 7  # 2.56 deviations of the noise, were it all


def test_a_panel_of_new_series_is_forecast_each_as_if_alone(pretrained):
    y = new_series(60)
    frames = {"a": y.to_frame("y"), "b": 3 * y[6:].to_frame("y")}
    together = pretrained.clone().fit(pd.concat(frames, names=["id", "month"])).predict()
    alone = pretrained.clone().fit(frames["b"]).predict()
    np.testing.assert_allclose(together.loc["b"], alone)


def test_update_says_how_a_new_series_is_forecast():
    frame = new_series(60).to_frame("y")
    forecaster = KLMemoryForecaster(horizon=12).fit(pd.concat({"a": frame}, names=["id", "month"]))
    with pytest.raises(
        ValueError, match="forecast new series by `pretrain` on the panel and `fit`"
    ):
        forecaster.update(pd.concat({"b": frame}, names=["id", "month"]))
