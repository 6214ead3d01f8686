import json
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor
from sktime.datasets import load_airline
from sktime.forecasting.compose import make_reduction
from sktime.forecasting.naive import NaiveForecaster
from sktime.forecasting.theta import ThetaForecaster
from sktime.transformations.series.detrend import Deseasonalizer

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation import leakage_report
from klforecast.evaluation.benchmark.adapter import HarnessForecaster
from klforecast.evaluation.leakage import CHECKS, LeakageReport, Row

# sktime announces a new default for what its own forecasters keep.
FORGETS = "ignore:The default of config ``remember_data``:FutureWarning"
# Both sktime's Theta and the forecasters of the harness go on from the end of `fit`.
STANDS_STILL = "ignore:NotImplementedWarning:UserWarning"
# What statsmodels says of shuffled rows and of noise, on some processors: the checks fit Theta to such rows too.
NOISE_HAS_NO_OPTIMUM = "ignore:Optimization failed to converge"


@pytest.fixture(scope="module")
def waves() -> pd.DataFrame:
    steps = np.arange(240)
    rng = np.random.default_rng(5)
    values = np.sin(2 * np.pi * steps[:, None] / 24 + [0.0, 1.0])
    values += 0.2 * rng.standard_normal(values.shape)
    return pd.DataFrame(
        values, pd.date_range("2024-01-01", periods=len(steps), freq="h"), ["a", "b"]
    )


def assert_clean(report: LeakageReport) -> None:
    assert report.passed, str(report)
    assert set(report.to_frame()["check"]) == set(CHECKS)


@pytest.mark.filterwarnings(FORGETS)
@pytest.mark.filterwarnings(STANDS_STILL)
@pytest.mark.filterwarnings(NOISE_HAS_NO_OPTIMUM)
@pytest.mark.parametrize(
    ("kind", "params"),
    [
        (NaiveForecaster, {"sp": 12}),
        (NaiveForecaster, {"strategy": "drift"}),
        (NaiveForecaster, {"strategy": "mean", "window_length": 7}),
        (ThetaForecaster, {"sp": 12}),
        (HarnessForecaster, {"name": "seasonal-naive", "period": 12}),
        (HarnessForecaster, {"name": "theta", "period": 12}),
        (KLMemoryForecaster, {"horizon": 12}),
    ],
)
def test_honest_forecasters_pass(kind, params):
    assert_clean(leakage_report(kind(**params), load_airline(), fh=range(1, 13)))


@pytest.mark.filterwarnings(FORGETS)
def test_a_context_that_moves_inside_of_a_pipeline_is_no_leak():
    pipeline = Deseasonalizer(sp=12) * NaiveForecaster()
    trees = make_reduction(DecisionTreeRegressor(random_state=0), window_length=6)
    for forecaster in (pipeline, trees):
        report = leakage_report(forecaster, load_airline(), fh=3, checks=["memory_isolation"])
        assert report.passed, str(report)


def test_the_memory_of_several_channels_passes(waves):
    assert_clean(leakage_report(KLMemoryForecaster(horizon=12, local_experts=False), waves))


# One epoch of a small network may well end behind the closed form that it starts from.
@pytest.mark.filterwarnings("ignore:the memory of the training run is empty:UserWarning")
@pytest.mark.parametrize(
    "memory", [{"memory": "history", "memory_depth": 72}, {"memory": "trajectory"}]
)
def test_a_trained_memory_passes(waves, memory):
    small = {"d_model": 8, "n_layers": 1, "n_heads": 2, "input_length": 24, "period": 24}
    brief = {"max_epochs": 1, "batch_size": 128, "local_experts": False}
    forecaster = KLMemoryForecaster(12, encoder="transformer", **brief, **small, **memory)
    assert_clean(leakage_report(forecaster, waves[["a"]], fh=12))


@pytest.mark.filterwarnings(FORGETS)
def test_the_ratio_of_noise_is_large_for_a_forecaster_that_reads_its_inputs():
    report = leakage_report(NaiveForecaster(sp=12), load_airline(), fh=12, checks=["modes"])
    rows = {row.route.split(" (")[0]: row for row in report.rows}
    assert list(rows) == [
        "normal",
        "shuffled inputs",
        "Gaussian noise inputs",
        "noise, decoder inputs zeroed",
        "noise, time features zeroed",
        "noise, all ancillary zeroed, memory reset per batch",
        "shuffled over the whole test part",
    ]
    assert rows["normal"].ratio == 1
    assert rows["Gaussian noise inputs"].ratio > 5
    assert rows["shuffled over the whole test part"].ratio > 2
    assert rows["noise, decoder inputs zeroed"].verdict == "not applicable"
    assert "no decoder inputs" in rows["noise, decoder inputs zeroed"].evidence


@pytest.mark.filterwarnings(FORGETS)
def test_fair_features_pass_and_are_zeroed(waves):
    clock = pd.DataFrame({"hour": waves.index.hour.astype(float)}, waves.index)
    forecaster = make_reduction(LinearRegression(), window_length=24, strategy="direct")
    report = leakage_report(forecaster, waves["a"], clock, fh=6)
    assert_clean(report)
    zeroed = next(row for row in report.rows if row.route.startswith("noise, time features"))
    assert zeroed.verdict == "passed"
    assert zeroed.ratio > 2


def test_an_array_without_stamps_will_do():
    values = load_airline().to_numpy()
    report = leakage_report(KLMemoryForecaster(horizon=6), values, checks=["future_perturbation"])
    assert report.passed


@pytest.mark.filterwarnings(FORGETS)
def test_the_reach_of_a_forecast_is_found():
    def reach(forecaster):
        report = leakage_report(forecaster, load_airline(), fh=6, checks=["past_ablation"])
        return report.rows[0].value

    assert reach(NaiveForecaster()) == 1
    assert reach(NaiveForecaster(sp=12)) == 12
    assert reach(NaiveForecaster(strategy="mean", window_length=7)) == 7


def test_what_was_passed_is_left_as_it_was():
    y = load_airline()
    before = y.copy()
    forecaster = KLMemoryForecaster(horizon=6)
    drawn = np.random.mtrand._rand.get_state()[1].copy()
    leakage_report(forecaster, y, checks=["refit", "scaler"])
    pd.testing.assert_series_equal(y, before)
    assert not forecaster.is_fitted
    assert forecaster.random_state is None
    assert np.array_equal(np.random.mtrand._rand.get_state()[1], drawn)


def test_the_same_seed_gives_the_same_report():
    reports = [
        leakage_report(KLMemoryForecaster(horizon=6), load_airline(), checks=["modes"])
        for _ in range(2)
    ]
    assert reports[0] == reports[1]


class Fragile(KLMemoryForecaster):
    def update(self, y, X=None, update_params=True):
        raise RuntimeError("cannot be updated")


def test_a_check_that_cannot_be_run_is_an_error_and_not_passed():
    report = leakage_report(
        Fragile(horizon=6), load_airline(), checks=["memory_isolation", "refit"]
    )
    assert not report.passed
    assert not report.leaks
    assert [row.evidence for row in report.errors] == ["RuntimeError: cannot be updated"]
    assert report.headline == "no leak found, but not all checks could be run: memory_isolation"


def test_a_warning_of_the_forecaster_is_repeated_once():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        leakage_report(NaiveForecaster(), load_airline(), checks=["refit"])
    texts = [str(warning.message) for warning in caught if "remember_data" in str(warning.message)]
    assert len(texts) == 2  # one of the constructor above
    assert "times during the checks)" in texts[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"forecaster": "naive"}, "got a str; pass an sktime forecaster, or a function"),
        ({"forecaster": lambda y: 3}, "the function returned a int for y"),
        ({"y": [1.0, 2.0]}, "got y as list; pass one series"),
        ({"y": pd.Series([1.0, np.nan] * 30)}, "y has 30 missing values"),
        ({"fh": [0, 1]}, r"got fh=\[0, 1\]; pass steps ahead, 1 or more"),
        ({"cutoffs": [100]}, r"144 rows give the cutoffs \[100\] for 12 steps ahead"),
        ({"cutoffs": [100, 140]}, "the checks need two different ones from 2 to 132"),
        ({"checks": ["magic"]}, "unknown check 'magic'; pass some of future_perturbation"),
        ({"X": pd.DataFrame({"a": [1.0]})}, "X has 1 rows and y 144"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(arguments, message):
    given = {"forecaster": HarnessForecaster("persistence"), "y": load_airline(), **arguments}
    with pytest.raises((TypeError, ValueError), match=message):
        leakage_report(given.pop("forecaster"), given.pop("y"), **given)


def test_the_report_in_its_forms():
    rows = (
        Row("refit", "fit twice", "passed", "bit-equal <b>", "the same", 0.0),
        Row("modes", "noise", "leak", "MSE 1", "rises", 1.0, 1.01),
    )
    report = LeakageReport("Naive()", {"rows": 144}, rows)
    assert not report.passed
    assert report.headline == "leak found by modes"
    read = json.loads(report.to_json())
    assert read["passed"] is False
    assert read["rows"][1]["ratio"] == 1.01
    assert list(report.to_frame()) == [
        "check", "route", "verdict", "evidence", "expected", "value", "ratio",
    ]  # fmt: skip
    page = report.to_html()
    assert page.startswith("<!DOCTYPE html>")
    assert "bit-equal &lt;b&gt;" in page
    assert "http" not in page
    assert '<tr class="leak">' in page
