from itertools import pairwise

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sktime.datasets import load_airline
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.split import ExpandingWindowSplitter

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.regressor import KLMemoryRegressor

GRID = {"n_components": [1, 4, 8]}

pytestmark = pytest.mark.filterwarnings(
    "ignore:The default of config ``remember_data``:FutureWarning"
)


def folds():
    return ExpandingWindowSplitter(initial_window=300, step_length=40, fh=range(1, 7))


def forecaster():
    return KLMemoryForecaster(horizon=6, input_length=24, memory_depth=72, period=24)


@pytest.fixture(scope="module")
def searched(hourly):
    return ForecastingGridSearchCV(forecaster(), folds(), GRID, backend=None).fit(hourly)


def test_sktime_searches_over_the_number_of_components(searched, hourly):
    scores = searched.cv_results_["mean_test_MeanAbsolutePercentageError"]
    assert scores.notna().all()
    assert searched.best_params_["n_components"] in GRID["n_components"]
    best = searched.best_forecaster_.predict(fh=[1, 2])
    anew = forecaster().set_params(**searched.best_params_).fit(hourly).predict(fh=[1, 2])
    np.testing.assert_array_equal(best, anew)


def test_sktime_finds_the_same_in_two_processes(searched, hourly):
    parallel = ForecastingGridSearchCV(
        forecaster(), folds(), GRID, backend="loky", backend_params={"n_jobs": 2}
    ).fit(hourly)
    score = "mean_test_MeanAbsolutePercentageError"
    np.testing.assert_array_equal(parallel.cv_results_[score], searched.cv_results_[score])
    assert parallel.best_params_ == searched.best_params_


def test_scikit_learn_finds_the_same_in_two_processes(hourly):
    pairs = sliding_window_view(hourly["load"].to_numpy(), 36 + 6)
    results = [
        GridSearchCV(KLMemoryRegressor(), GRID, cv=TimeSeriesSplit(3), n_jobs=n_jobs)
        .fit(pairs[:, :36], pairs[:, 36:])
        .cv_results_["mean_test_score"]
        for n_jobs in (1, 2)
    ]
    assert np.isfinite(results[0]).all()
    assert len(set(results[0])) == 3
    np.testing.assert_array_equal(results[0], results[1])


@pytest.mark.parametrize("strategy", ["refit", "update", "no-update_params"])
def test_every_strategy_of_evaluate_runs_on_fresh_rows(hourly, strategy):
    table = evaluate(
        forecaster(), folds(), hourly, strategy=strategy, return_data=True, error_score="raise"
    )
    assert len(table) == 3
    for row in table.itertuples():
        known = hourly[: len(row.y_train)]
        learned = hourly[:300] if strategy == "no-update_params" else known
        expected = forecaster().fit(learned).predict_windows(known, [len(known)])[0]
        np.testing.assert_allclose(row.y_pred, expected, rtol=1e-11)


def test_components_act_on_the_forecast_of_a_short_series():
    y = load_airline()[:-36]
    forecasts = [
        KLMemoryForecaster(36, n_components=k).fit(y).predict().to_numpy() for k in (1, 4, None)
    ]
    for few, more in pairwise(forecasts):
        assert np.abs(few / more - 1).max() > 0.01
