import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError as SklearnNotFitted
from sktime.exceptions import NotFittedError

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.memory_plots import (
    influence,
    mode_period,
    name_period,
    window_modes,
)

SETTINGS = {"horizon": 6, "input_length": 24, "memory_depth": 72, "period": 24, "random_state": 0}


@pytest.fixture(scope="module")
def fitted(hourly):
    return KLMemoryForecaster(**SETTINGS).fit(hourly)


@pytest.mark.parametrize("period", [12, 24, 50.5])
def test_the_period_of_a_wave_is_found_between_the_bins(period):
    wave = np.sin(2 * np.pi * np.arange(200) / period + 0.3)
    assert mode_period(wave) == pytest.approx(period, rel=0.02)


def test_less_than_a_cycle_is_a_trend():
    assert mode_period(np.linspace(-1, 1, 50)) == np.inf


@pytest.mark.parametrize(
    ("period", "frequency", "name"),
    [
        (24, "h", "daily"),
        (168, "h", "weekly"),
        (96, "15min", "daily"),
        (12, "MS", "yearly"),
        (6, "ME", "half-yearly"),
        (4, "QS", "yearly"),
        (52, "W-SUN", "yearly"),
        (5, "B", "weekly"),
        (7, "D", "weekly"),
        (37, "h", "37 steps"),
        (10, "YE", "10 steps"),
        (24, None, "24 steps"),
        (np.inf, "h", "trend"),
    ],
)
def test_periods_bear_the_names_of_the_calendar(period, frequency, name):
    offset = None if frequency is None else pd.tseries.frequencies.to_offset(frequency)
    assert name_period(period, offset) == name


def test_modes_are_orthonormal_and_shares_sum_to_one():
    rng = np.random.default_rng(0)
    panel = [rng.normal(size=(200, 2)).cumsum(axis=0), rng.normal(size=(10, 2))]
    found = window_modes(panel, 30, 3)
    np.testing.assert_allclose(found.modes.T @ found.modes, np.eye(3), atol=1e-10)
    assert found.shares.sum() == pytest.approx(1)
    assert (np.diff(found.shares) <= 1e-12).all()


def test_the_influence_of_a_linear_map_is_its_weight(fitted, hourly):
    core = fitted.net_.module_
    past = np.random.default_rng(0).normal(size=(core.depth, 2))
    moved = influence(core, past)
    assert moved.shape == (core.depth,)
    past[0] += 1e3
    np.testing.assert_allclose(influence(core, past), moved)


def test_the_leading_modes_of_a_daily_series_are_daily(fitted):
    ax = fitted.plot_modes(2)
    assert [line.get_label().split(",")[0] for line in ax.get_legend().legend_handles] == [
        "mode 1: daily",
        "mode 2: daily",
    ]


@pytest.mark.parametrize("encoder", ["linear", "gru"])
def test_the_memory_is_drawn_and_nothing_is_written(encoder, hourly, state_of):
    tiny = {"d_model": 4, "n_layers": 1, "n_heads": 1, "max_epochs": 1}
    forecaster = KLMemoryForecaster(encoder=encoder, **SETTINGS, **tiny).fit(hourly[:200])
    before = state_of(forecaster)
    spectrum, moved = forecaster.plot_memory().axes
    assert len(moved.lines[0].get_xdata()) == forecaster.memory_depth_
    assert spectrum.lines[0].get_ydata()[0] > 0.4
    assert state_of(forecaster) == before


@pytest.mark.parametrize("method", ["plot_modes", "plot_memory"])
def test_before_fit_there_is_nothing_to_draw(method):
    with pytest.raises((NotFittedError, SklearnNotFitted)):
        getattr(KLMemoryForecaster(), method)()
