import numpy as np
import pandas as pd
import pytest

from klforecast.evaluation.benchmark.baselines import OLS, Persistence, SeasonalNaive


@pytest.fixture
def two_channels():
    return pd.DataFrame({"a": np.arange(40.0), "b": np.arange(40.0) % 4})


def test_persistence_repeats_the_row_before_the_cutoff(two_channels):
    forecast = Persistence(3).fit(two_channels).predict_windows(two_channels, [5, 40])
    assert forecast.shape == (2, 3, 2)
    assert (forecast[0] == [4, 0]).all()
    assert (forecast[1] == [39, 3]).all()


def test_the_seasonal_naive_forecast_of_a_cycle_has_no_error(two_channels):
    forecast = SeasonalNaive(6, 4).fit(two_channels).predict_windows(two_channels, [8, 34])
    assert (forecast[0, :, 1] == [0, 1, 2, 3, 0, 1]).all()
    assert (forecast[1, :, 0] == [30, 31, 32, 33, 30, 31]).all()


def test_ols_solves_the_least_squares_problem_of_all_centred_windows():
    rng = np.random.default_rng(0)
    y = pd.DataFrame(rng.standard_normal((90, 2)).cumsum(axis=0))
    model = OLS(horizon=3, lookback=7).fit(y)
    windows = np.concatenate(
        [np.lib.stride_tricks.sliding_window_view(channel, 10) for channel in y.to_numpy().T]
    )
    level = windows[:, :7].mean(axis=1, keepdims=True)
    past, future = windows[:, :7] - level, windows[:, 7:] - level
    expected = past @ np.linalg.lstsq(past, future, rcond=None)[0]
    assert past @ model.weight_ == pytest.approx(expected, abs=1e-8)
    forecast = model.predict_windows(y, [7, 20])
    assert forecast[1, :, 0] == pytest.approx((expected + level)[13], abs=1e-8)


@pytest.mark.parametrize("model", [SeasonalNaive(2, 12), OLS(2, 12), Persistence(2)])
def test_a_cutoff_without_enough_past_is_refused(two_channels, model):
    needed = model.fit(two_channels).memory_depth_
    with pytest.raises(ValueError, match=f"fewer than the {needed} past steps"):
        model.predict_windows(two_channels, [30, needed - 1])


def test_a_series_shorter_than_one_window_is_refused(two_channels):
    with pytest.raises(ValueError, match="40 rows do not give one window of 36 \\+ 12 steps"):
        OLS(12, 36).fit(two_channels)
