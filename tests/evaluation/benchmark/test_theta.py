import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline
from statsmodels.tsa.forecasting.theta import ThetaModel
from statsmodels.tsa.seasonal import seasonal_decompose

from klforecast.evaluation.benchmark.theta import Theta, seasonal_indices, theta_forecast


@pytest.fixture
def airline():
    return load_airline().to_numpy()


@pytest.mark.parametrize("multiplicative", [False, True])
@pytest.mark.parametrize("period", [12, 7])
def test_seasonal_indices_are_those_of_classical_decomposition(airline, period, multiplicative):
    model = "multiplicative" if multiplicative else "additive"
    expected = seasonal_decompose(airline, model=model, period=period).seasonal[:period]
    found = seasonal_indices(airline[None], period, multiplicative)[0]
    assert found == pytest.approx(expected)


def test_a_forecast_is_the_textbook_recursion(airline):
    windows = np.stack([airline[:60], airline[40:100]])
    for row, forecast in zip(windows, theta_forecast(windows, 5), strict=True):
        grid = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
        fits = []
        for a in grid:
            level, squared = row[0], 0.0
            for value in row[1:]:
                squared += (value - level) ** 2
                level = a * value + (1 - a) * level
            fits.append((squared, a, level))
        _, a, level = min(fits)
        slope = np.polyfit(np.arange(60), row, 1)[0]
        steps = np.arange(1, 6)
        expected = level + slope / 2 * (steps - 1 + (1 - (1 - a) ** 60) / a)
        assert forecast == pytest.approx(expected)


def test_statsmodels_forecasts_the_same_up_to_the_grid_of_the_smoothing(airline):
    known = airline[:-24]
    theirs = ThetaModel(known, period=12, method="multiplicative").fit().forecast(24).to_numpy()
    ours = theta_forecast(known[None], 24, 12, multiplicative=True)[0]
    assert ours == pytest.approx(theirs, rel=0.005)


def test_windows_are_forecast_each_from_its_own_past(airline):
    y = pd.DataFrame({"n": airline})
    model = Theta(horizon=6, period=12, depth=48).fit(y.iloc[:100])
    together = model.predict_windows(y, [100, 120, 138])
    alone = theta_forecast(airline[None, 72:120], 6, 12, multiplicative=True)
    assert together.shape == (3, 6, 1)
    assert together[1, :, 0] == pytest.approx(alone[0])


def test_the_season_is_additive_as_soon_as_one_row_is_not_positive(airline):
    y = pd.DataFrame({"n": airline})
    assert Theta(6, 12).fit(y).multiplicative_
    assert not Theta(6, 12).fit(y - y.min()).multiplicative_


@pytest.mark.parametrize(("period", "depth"), [(1, 144), (4, 120), (12, 144)])
def test_the_default_depth_is_thirty_seasons_or_all_rows(airline, period, depth):
    y = pd.DataFrame({"n": airline})
    assert Theta(6, period).fit(y).memory_depth_ == depth
