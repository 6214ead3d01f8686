"""Forecasters that are broken on purpose, each found by the check meant for it."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from klforecast.evaluation.leakage import leakage_report
from klforecast.evaluation.leakage.trials.cheats.ahead import (
    KnowsTheAnswers,
    LooksAheadInUpdatePredict,
    LooksOneRowAhead,
    ScalesWithAllRows,
    StopsOn,
    TakesAScaler,
)
from klforecast.evaluation.leakage.trials.cheats.batches import CentresOverTheBatch
from klforecast.evaluation.leakage.trials.cheats.every import cheats
from klforecast.evaluation.leakage.trials.cheats.learning import (
    AbsorbsTestRows,
    DrawsWithoutASeed,
    LooksFurtherThanItSays,
)
from klforecast.evaluation.leakage.trials.cheats.memories import (
    CarriesAMemoryFromBatchToBatch,
    KeepsWhatItWasShown,
    RemembersInAnAttribute,
    RemembersTheLastBatch,
    SharesAMemory,
)
from klforecast.evaluation.leakage.trials.honest import (
    HORIZON,
    Honest,
    HonestWindows,
    ReadsX,
    wandering,
)
from klforecast.evaluation.leakage.trials.odd.every import odd_ones


@pytest.fixture
def y() -> pd.Series:
    return wandering()


class DrawsFromTheGlobalGenerator(Honest):
    def learn(self, rows):
        super().learn(rows)
        self.mean_ = self.mean_ + torch.randn(1).numpy()
        self.net_ = torch.nn.Dropout()

    def _predict(self, fh, X=None):
        self.net_.eval()
        return super()._predict(fh, X)


def found(subject, y, check, route, X=None):
    report = leakage_report(subject, y, X, fh=HORIZON, checks=[check])
    row = next(row for row in report.leaks if row.route.startswith(route))
    assert not report.passed
    return row.evidence


def test_a_scaler_fitted_on_all_rows(y):
    evidence = found(ScalesWithAllRows(), y, "scaler", "predict_windows")
    assert "with later rows stretched by 1000 the first forecast moves by" in evidence


def prepare_scaler(y):
    return TakesAScaler(StandardScaler().fit(y.to_frame()))


def test_a_scaler_fitted_outside_of_the_forecaster(y):
    assert "moves by" in found(prepare_scaler, y, "scaler", "fit")
    evidence = found(prepare_scaler, y, "scaler", "state")
    assert "scaler.mean_ is the mean of all 160 rows, not of the 96 for training" in evidence


def test_a_fitted_scaler_is_found_without_a_function_by_its_numbers(y):
    assert "of all 160 rows" in found(prepare_scaler(y), y, "scaler", "state")


def test_a_memory_written_in_predict(y):
    evidence = found(RemembersInAnAttribute(), y, "state_hash", "predict")
    assert evidence == "written: memory_['tokens'][0]"
    assert "_last" in found(RemembersTheLastBatch(), y, "state_hash", "predict_windows")


def test_windows_of_the_batch_mixed(y):
    evidence = found(CentresOverTheBatch(), y, "batch_invariance", "predict_windows")
    assert "with the windows one by one a forecast moves by" in evidence


def test_series_of_a_panel_mixed(y):
    evidence = found(SharesAMemory(), y, "batch_invariance", "panel")
    assert "a forecast moves by" in evidence


@pytest.mark.parametrize("lag", [-2, 0, 3])
def test_the_target_in_the_features(y, lag):
    X = pd.DataFrame({"noise": np.random.default_rng(0).standard_normal(len(y))}, y.index)
    X["copy"] = (3 * y.shift(-lag) - 1).ffill().bfill()
    evidence = found(ReadsX(), y, "target_in_features", "X", X)
    assert "X['copy'] at t and channel 0 of y at t" + (f"{lag:+d}" if lag else ",") in evidence


def test_features_made_from_later_rows(y):
    def centred_mean(y):
        return pd.DataFrame({"smooth": y.rolling(9, center=True, min_periods=1).mean()})

    evidence = found(ReadsX(), y, "target_in_features", "X(y)", centred_mean)
    assert (
        evidence == "columns that change with y after the cutoff: 'smooth' from -4 rows off "
        "the cutoff on"
    )
    assert "moves by" in found(ReadsX(), y, "future_perturbation", "fit", centred_mean)


def test_an_off_by_one_cutoff(y):
    evidence = found(LooksOneRowAhead(), y, "future_perturbation", "predict_windows")
    assert evidence.endswith("of the first 6 rows after the cutoff it reads 0 (0 is the first)")


def test_a_look_ahead_in_update_predict(y):
    evidence = found(LooksAheadInUpdatePredict(), y, "future_perturbation", "update_predict")
    assert "it reads all" in evidence


def test_a_memory_kept_across_fits(y):
    SharesAMemory.tokens.clear()
    evidence = found(SharesAMemory(), y, "refit", "fit(A), fit(B)")
    assert evidence.startswith("fit(A) and then fit(B), against fit(B), differ by")


def test_a_memory_of_test_rows_that_the_next_fit_reads(y):
    KeepsWhatItWasShown.shown.clear()
    evidence = found(KeepsWhatItWasShown(), y, "memory_isolation", "another fit")
    assert "a fresh forecaster of the same training rows forecasts moved by" in evidence


def test_test_rows_in_the_covariance(y):
    evidence = found(AbsorbsTestRows(), y, "memory_isolation", "update")
    assert evidence.endswith("changed ['covariance']")


def test_early_stopping_on_the_test_part(y):
    evidence = found(lambda y: StopsOn(y.to_numpy()[96:]), y, "early_stopping", "fit")
    assert "; n_epochs: " in evidence


def test_early_stopping_inside_the_training_part_is_no_leak(y):
    report = leakage_report(
        lambda y: StopsOn(y.to_numpy()[80:96]), y, fh=HORIZON, checks=["early_stopping"]
    )
    assert report.passed


def test_a_deeper_past_than_declared(y):
    evidence = found(LooksFurtherThanItSays(), y, "past_ablation", "predict_windows")
    assert evidence == "the forecast depends on the last 8 of 154 rows; the forecaster says 4"


@pytest.mark.parametrize(
    ("check", "route"),
    [
        ("target_permutation", "update"),
        ("modes", "Gaussian noise inputs"),
        ("modes", "shuffled over the whole test part"),
        ("future_perturbation", "fit"),
    ],
)
def test_forecasts_copied_from_the_answers(y, check, route):
    assert found(lambda y: KnowsTheAnswers(y.to_numpy()), y, check, route)


def test_a_memory_carried_from_batch_to_batch(y):
    evidence = found(CarriesAMemoryFromBatchToBatch(), y, "modes", "noise, all ancillary")
    assert "when the memory of the batch before it is reset" in evidence
    assert found(CarriesAMemoryFromBatchToBatch(), y, "memory_isolation", "predict_windows")


def test_a_fit_without_a_seed(y):
    assert "differ by" in found(DrawsWithoutASeed(), y, "refit", "fit twice")


@pytest.mark.parametrize("kind", [Honest, HonestWindows])
def test_the_same_forecaster_without_the_plants_passes(y, kind):
    report = leakage_report(kind(), y, fh=HORIZON)
    assert report.passed, str(report)


def test_global_random_numbers_and_the_end_of_training_are_no_leak(y):
    report = leakage_report(DrawsFromTheGlobalGenerator(), y, fh=HORIZON)
    assert report.passed, str(report)
    panel = next(row for row in report.rows if row.route == "panel")
    assert panel.verdict == "not applicable"


def test_one_prepared_from_training_rows_alone_passes(y):
    def prepare(y):
        return TakesAScaler(StandardScaler().fit(y[:96].to_frame()))

    report = leakage_report(prepare, y, fh=HORIZON)
    assert report.passed, str(report)


# Of these only the study asks: they take seconds each and another of their kind is here, or need what the suite does
# not install.
SLOW = {
    "bagging, airline", "bagging, weekly", "constant series, K-L", "K-L memory, airline",
    "K-L memory, shift", "SCINet", "NLinear", "RBF", "RBF, airline", "ETS", "ARIMA", "local level",
    "trees", "neighbours", "ridge", "STL, weekly", "log pipeline",
}  # fmt: skip


def judged(trial):
    with warnings.catch_warnings(record=True):  # forecasters of sktime speak of their own affairs
        warnings.simplefilter("always")
        return leakage_report(trial.make(), trial.y, trial.X, fh=range(1, trial.fh + 1))


@pytest.mark.parametrize("name", [trial.name for trial in cheats()])
def test_a_cheat_does_not_come_out_clean(name):
    report = judged(next(trial for trial in cheats() if trial.name == name))
    assert report.verdict in ("leak", "suspicious"), str(report)
    assert all("settled by" in row.evidence for row in report.suspicions)


@pytest.mark.parametrize("name", [t.name for t in odd_ones() if t.name not in SLOW])
def test_an_odd_forecaster_that_is_honest_comes_out_clean(name):
    report = judged(next(trial for trial in odd_ones() if trial.name == name))
    assert report.verdict == "clean", str(report)


@pytest.mark.parametrize("name", ["Counts", "Times", "LogsInItsClass", "MemorisesItsAnswers"])
def test_a_write_that_no_forecast_reads_is_called_harmless(name):
    report = judged(next(trial for trial in odd_ones() if trial.name == name))
    notes = [row.evidence for row in report.rows if row.check == "state_hash"]
    assert any(evidence.startswith("harmless write: ") for evidence in notes)


def test_a_forecaster_that_refuses_short_series_is_checked_on_longer_ones(y):
    report = judged(next(trial for trial in odd_ones() if trial.name == "RefusesShortSeries"))
    assert not report.errors, str(report)


def test_an_error_is_no_verdict():
    report = judged(next(trial for trial in odd_ones() if trial.name == "RefusesOutliers"))
    assert {row.check for row in report.errors} == {"future_perturbation", "scaler"}
    assert report.verdict == "clean"
    assert not report.passed
