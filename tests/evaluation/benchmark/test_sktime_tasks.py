from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline

from klforecast.data.collections import Collection
from klforecast.evaluation.benchmark import sktime_tasks
from klforecast.evaluation.benchmark.adapter import HarnessForecaster
from klforecast.evaluation.benchmark.models import MODELS, Model
from klforecast.evaluation.benchmark.sktime_tasks import make_benchmark
from klforecast.evaluation.benchmark.theta import theta_forecast
from klforecast.evaluation.suites.task import SuiteTask


def test_sktime_runs_the_benchmark(tmp_path):
    benchmark = make_benchmark(["klmemory", "persistence", "seasonal-naive"])
    results = benchmark.run(str(tmp_path / "results.csv"))
    assert benchmark.failed_experiments == []
    error = results.set_index("model_id")["MeanAbsoluteScaledError_mean"]
    assert error["klmemory"] < error["seasonal-naive"] < error["persistence"]


def test_a_configuration_of_a_suite_has_the_windows_of_the_suite(monkeypatch, tmp_path):
    # Each ends with two windows of 4 rows, in which persistence errs by 1, 2, 3, 4 steps of its slope.
    lines = {
        "a": pd.DataFrame({"value": 1.0 * np.arange(40)}),
        "b": pd.DataFrame({"value": 5.0 * np.arange(25)}),
    }
    task = SuiteTask("toy", "toys", Collection("toy", lines, "", ""), 4, 1, n_windows=2)
    monkeypatch.setattr(sktime_tasks, "GIFT_EVAL_CONFIGS", ("toy",))
    monkeypatch.setattr(sktime_tasks, "gift_eval_task", lambda config: task)
    benchmark = make_benchmark(["persistence"], task="toy")
    results = benchmark.run(str(tmp_path / "results.csv"))
    assert benchmark.failed_experiments == []
    folds = [f"MeanAbsoluteScaledError_fold_{n}_test" for n in range(2)]
    assert results[folds].to_numpy() == pytest.approx(2.5)
    assert "MeanAbsoluteScaledError_fold_2_test" not in results


def test_an_unknown_task_is_refused():
    with pytest.raises(
        ValueError, match="unknown task 'moon'; pass one of airline, ett1/15T/short"
    ):
        make_benchmark(["persistence"], task="moon")


def test_models_that_cannot_run_are_left_out_with_a_warning(monkeypatch):
    monkeypatch.setitem(MODELS, "absent", Model(len, "", needs=("no_such_library",)))
    with pytest.warns(UserWarning, match="goes without absent, which needs no_such_library"):
        make_benchmark(["persistence", "absent"])


def test_the_built_in_patchtst_stands_in_where_transformers_is_missing(monkeypatch):
    monkeypatch.setitem(MODELS, "patchtst", replace(MODELS["patchtst"], needs=("no_such_library",)))
    with pytest.warns(UserWarning, match="with patchtst-built-in in place of patchtst, which"):
        benchmark = make_benchmark(["patchtst", "patchtst-built-in"])
    assert list(benchmark.estimators.entities) == ["patchtst-built-in"]


def test_the_built_in_patchtst_forecasts_a_short_series():
    y = load_airline()
    forecaster = HarnessForecaster("patchtst-built-in", period=12, params={"max_epochs": 30})
    with pytest.warns(UserWarning, match="are too few for a lookback of 336"):
        forecast = forecaster.fit(y[:132], fh=np.arange(1, 13)).predict()
    naive = np.abs(y[120:132].to_numpy() - y[132:].to_numpy()).mean()
    assert np.abs(forecast.to_numpy() - y[132:].to_numpy()).mean() < 3 * naive


def test_an_unknown_model_is_refused():
    with pytest.raises(ValueError, match="unknown model 'magic'"):
        make_benchmark(["magic"])


def test_the_adapter_forecasts_what_the_model_does():
    y = load_airline()
    forecaster = HarnessForecaster("theta", period=12).fit(y[:100], fh=[1, 3, 6])
    forecast = forecaster.predict()
    expected = theta_forecast(y.to_numpy()[None, :100], 6, 12, multiplicative=True)[0]
    assert forecast.to_numpy() == pytest.approx(expected[[0, 2, 5]])
    assert forecast.index.equals(y.index[[100, 102, 105]])


def test_a_lookback_that_the_series_cannot_feed_is_cut_with_a_warning():
    y = pd.DataFrame({"a": np.arange(90.0), "b": np.ones(90)})
    forecaster = HarnessForecaster("nlinear", params={"max_epochs": 1})
    with pytest.warns(UserWarning, match="90 rows are too few for a lookback of 336; nlinear gets"):
        forecaster.fit(y, fh=[1, 2])
    assert forecaster.predict().shape == (2, 2)
