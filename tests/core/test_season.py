import numpy as np
import pandas as pd
import pytest
import torch

from klforecast import KLMemoryForecaster
from klforecast.core.covariate_effect import CovariatePanel, solve_effect
from klforecast.core.plan import plan_core
from klforecast.core.season import season_waves, with_season

ROWS, PERIOD = 4500, 1500
PLAN = plan_core([ROWS], 2, 48, [24], memory_depth=96)


def panel(values):
    steps = torch.arange(ROWS)
    waves = season_waves(steps, PERIOD)
    return CovariatePanel(
        [torch.from_numpy(values)], [torch.ones(values.shape, dtype=torch.bool)], [waves], [steps]
    )


def test_a_season_is_found_in_the_channel_that_has_one():
    rng = np.random.default_rng(0)
    phase = np.arange(ROWS) * 2 * np.pi / PERIOD
    season = np.sin(phase) + 0.5 * np.cos(3 * phase)
    given = panel(np.stack([season + rng.normal(size=ROWS), rng.normal(size=ROWS)], axis=1))
    plain = torch.ones(given.columns[0].shape[1], dtype=torch.bool)
    effect = with_season(given, PLAN, solve_effect(given, PLAN, 24, [], plain), plain)
    found = effect.of(given.columns[0], given.steps[0]).numpy()
    assert np.square(found[:, 0] - season).mean() < 0.03 * season.var()
    assert np.square(found[:, 1]).mean() < 0.01
    assert (
        effect.ratio[0] < 0.97
    )  # of noise of variance one, and a season of 0.6 that the past shows


def test_no_season_stays_out():
    rng = np.random.default_rng(0)
    given = panel(rng.normal(size=(ROWS, 2)).cumsum(axis=0) / 30)
    plain = torch.ones(given.columns[0].shape[1], dtype=torch.bool)
    effect = with_season(given, PLAN, solve_effect(given, PLAN, 24, [], plain), plain)
    assert effect.ratio.min() > 0.9


def years(rows):
    """Three years of a day of 24 steps, shortened to 1,800 steps."""
    rng = np.random.default_rng(0)
    time = np.arange(rows)
    noise = np.zeros(rows)
    for t in range(1, rows):
        noise[t] = 0.9 * noise[t - 1] + 0.4 * rng.normal()
    year, day = 2 * np.pi * time / 1800, 2 * np.pi * time / 24
    return pd.Series(10 * np.sin(year) + 3 * np.sin(2 * year + 1) + 2 * np.sin(day) + noise)


def test_a_long_period_is_better_than_none_and_costs_no_window_of_its_length():
    y = years(5400 + 600)
    cutoffs = np.arange(5400, 6000 - 96, 7)
    truth = np.stack([y[c : c + 96] for c in cutoffs])
    error = {}
    for period in (None, 1800):
        forecaster = KLMemoryForecaster(96, period=period).fit(y[:5400])
        forecast = forecaster.predict_windows(y.to_frame(), cutoffs)[..., 0]
        error[period] = np.square(forecast - truth).mean()
        assert forecaster.period_ == 24
        assert forecaster.memory_depth_ < 1800
    assert error[1800] < 0.97 * error[None]
    np.testing.assert_allclose(forecaster.predict().to_numpy(), forecast[0], rtol=1e-6)


def test_a_season_goes_on_through_update_and_files(tmp_path):
    y = years(4000)
    forecaster = KLMemoryForecaster(24, period=1800).fit(y[:3700])
    assert forecaster.effects_ is not None
    forecaster.update(y[3700:3900], update_params=False)
    forecast = forecaster.predict()
    assert np.abs(forecast - y[3900:3924]).mean() < 1.5
    forecaster.save(tmp_path / "model.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "model.safetensors")
    pd.testing.assert_series_equal(loaded.predict(), forecast)


def test_a_cycle_that_was_not_seen_twice_is_told_to_have_no_effect():
    y = years(3000)
    with pytest.warns(UserWarning, match=r"cycle of 1800 steps has no effect: it takes 3600 rows"):
        forecaster = KLMemoryForecaster(24, period=1800).fit(y)
    assert forecaster.effects_ is None
    assert forecaster.period_ == 24
