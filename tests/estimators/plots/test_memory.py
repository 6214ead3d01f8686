import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError as SklearnNotFitted
from sktime.exceptions import NotFittedError

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.plots.memory import name_period
from klforecast.ops.window_modes import mode_period, window_modes

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


def test_the_leading_modes_of_a_daily_series_are_daily(fitted):
    ax = fitted.plot_modes(2)
    assert [line.get_label().split(",")[0] for line in ax.get_legend().legend_handles] == [
        "mode 1: daily",
        "mode 2: daily",
    ]


TINY = {"d_model": 4, "n_layers": 1, "n_heads": 1, "max_epochs": 1}


@pytest.mark.parametrize("encoder", ["linear", "gru"])
def test_the_memory_is_drawn_and_nothing_is_written(encoder, hourly, state_of):
    forecaster = KLMemoryForecaster(encoder=encoder, **SETTINGS, **TINY).fit(hourly[:200])
    before = state_of(forecaster)
    spectrum, moved, tokens = forecaster.plot_memory().axes
    assert len(moved.lines[0].get_xdata()) == forecaster.memory_depth_
    assert spectrum.lines[0].get_ydata()[0] > 0.4
    assert tokens.images[0].get_extent()[:2] == [0.5 - forecaster.memory_depth_, 0.5]
    assert state_of(forecaster) == before


def test_each_token_has_a_row_and_components_have_their_names(fitted, hourly):
    rows = fitted.plot_memory().axes[2]
    assert [label.get_text() for label in rows.get_yticklabels()][:3] == ["level", "daily", "daily"]
    trained = KLMemoryForecaster(encoder="gru", memory_tokens=3, **SETTINGS, **TINY).fit(hourly)
    rows = trained.plot_memory().axes[2]
    assert [label.get_text() for label in rows.get_yticklabels()] == [
        "token 1",
        "token 2",
        "token 3",
    ]
    assert rows.images[0].get_array().shape == (3, 72)


def test_without_tokens_of_the_past_there_is_no_panel_for_them(hourly):
    settings = SETTINGS | TINY | {"encoder": "gru", "memory": "trajectory"}
    assert len(KLMemoryForecaster(**settings).fit(hourly[:200]).plot_memory().axes) == 2
    assert len(KLMemoryForecaster(horizon=2).fit(hourly[:30]).plot_memory().axes) == 2


@pytest.mark.parametrize("method", ["plot_modes", "plot_memory"])
def test_before_fit_there_is_nothing_to_draw(method):
    with pytest.raises((NotFittedError, SklearnNotFitted)):
        getattr(KLMemoryForecaster(), method)()
