"""Forecasters that are broken on purpose, each found by the check meant for it."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from sktime.forecasting.base import BaseForecaster

from klforecast.evaluation.leakage import leakage_report

LENGTH = 8
HORIZON = 6


@pytest.fixture
def y() -> pd.Series:
    steps = np.arange(160)
    rng = np.random.default_rng(3)
    walk = np.cumsum(rng.standard_normal(len(steps)))
    return pd.Series(10 + np.sin(steps / 5) + 0.5 * walk, pd.RangeIndex(len(steps)))


class Honest(BaseForecaster):
    """The last `LENGTH` rows, shrunk towards the training mean."""

    _tags = {
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:multivariate": True,
        "capability:exogenous": False,
        "requires-fh-in-fit": False,
        "capability:update": True,
    }
    _config = {"remember_data": False}

    def __post_init__(self):
        self._y = self._X = None

    def learn(self, rows):
        self.mean_, self.scale_ = rows.mean(axis=0), rows.std(axis=0)

    def level(self, rows):  # scaled rows before a cutoff
        return 0.9 * rows[-LENGTH:].mean(axis=0)

    def forecast(self, rows, cutoffs):
        scaled = (rows - self.mean_) / self.scale_
        return np.stack([self.level(scaled[:c]) for c in cutoffs]) * self.scale_ + self.mean_

    def _fit(self, y, X=None, fh=None):
        self._rows, self._columns = y.to_numpy(), y.columns
        self.learn(self._rows)
        return self

    def _update(self, y, X=None, update_params=True):
        self._rows = np.concatenate([self._rows, y.to_numpy()])
        if update_params:
            self.learn(self._rows)
        return self

    def _predict(self, fh, X=None):
        index = fh.to_absolute_index(self.cutoff)
        level = self.forecast(self._rows, [len(self._rows)])[0]
        return pd.DataFrame(np.tile(level, (len(index), 1)), index, self._columns)


class HonestWindows(Honest):
    def predict_windows(self, y, cutoffs):
        rows = pd.DataFrame(y).to_numpy()
        return np.repeat(self.forecast(rows, cutoffs)[:, None], HORIZON, axis=1)


class ScalesWithAllRows(HonestWindows):
    def predict_windows(self, y, cutoffs):
        self.learn(pd.DataFrame(y).to_numpy())
        return super().predict_windows(y, cutoffs)


class TakesAScaler(Honest):
    def __init__(self, scaler=None):
        self.scaler = scaler
        super().__init__()

    def learn(self, rows):
        self.mean_, self.scale_ = self.scaler.mean_, self.scaler.scale_


class WritesInPredict(Honest):
    def learn(self, rows):
        super().learn(rows)
        self.memory_ = {"tokens": [np.zeros(3)]}

    def level(self, rows):
        self.memory_["tokens"][0] += 1
        return super().level(rows)


class WritesInPredictWindows(HonestWindows):
    def predict_windows(self, y, cutoffs):
        self.last_batch_ = np.asarray(cutoffs)
        return super().predict_windows(y, cutoffs)


class CentresOverTheBatch(HonestWindows):
    def predict_windows(self, y, cutoffs):
        forecast = super().predict_windows(y, cutoffs)
        return forecast - 0.1 * (forecast.mean(axis=0) - self.mean_)


class SharesAMemory(Honest):
    tokens: ClassVar[list] = []

    def learn(self, rows):
        self.tokens.append(rows.mean(axis=0))
        self.mean_, self.scale_ = np.mean(self.tokens, axis=0), rows.std(axis=0)


class ReadsX(Honest):
    _tags = {"capability:exogenous": True}

    def _predict(self, fh, X=None):
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(X.loc[index].to_numpy()[:, -1:], index, self._columns)


class LooksOneRowAhead(HonestWindows):
    def predict_windows(self, y, cutoffs):
        return super().predict_windows(y, np.asarray(cutoffs) + 1)


class LooksAheadInUpdatePredict(Honest):
    def update_predict(self, y, cv=None, X=None, update_params=True, reset_forecaster=True):
        forecasts = super().update_predict(y, cv, X, update_params, reset_forecaster)
        return forecasts + 0.1 * y.to_numpy().mean()


class KeepsWhatItWasShown(HonestWindows):
    shown: ClassVar[list] = []

    def learn(self, rows):
        super().learn(rows)
        self.mean_ = np.mean([self.mean_, *self.shown], axis=0)

    def predict_windows(self, y, cutoffs):
        self.shown.append(pd.DataFrame(y).to_numpy().mean(axis=0))
        return super().predict_windows(y, cutoffs)


class AbsorbsTestRows(Honest):
    def learn(self, rows):
        super().learn(rows)
        self.covariance_ = rows.T @ rows

    def _update(self, y, X=None, update_params=True):
        self.covariance_ = self.covariance_ + y.to_numpy().T @ y.to_numpy()
        return super()._update(y, X, update_params)


class StopsOn(Honest):
    """Gradient steps towards the training mean, as long as the error on other rows falls."""

    def __init__(self, validation=None):
        self.validation = validation
        super().__init__()

    def learn(self, rows):
        super().learn(rows)
        goal, best = self.mean_, np.inf
        self.mean_ = np.zeros_like(goal)
        for epoch in range(1, 31):
            mean = self.mean_ + 0.2 * (goal - self.mean_)
            error = np.mean((self.validation - mean) ** 2)
            if error >= best:
                break
            self.mean_, self.n_epochs_, best = mean, epoch, error


class LooksFurtherThanItSays(HonestWindows):
    def learn(self, rows):
        super().learn(rows)
        self.input_length_ = LENGTH // 2


class KnowsTheAnswers(Honest):
    def __init__(self, answers=None):
        self.answers = answers
        super().__init__()

    def _predict(self, fh, X=None):
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(self.answers[list(index)][:, None], index, self._columns)


class CarriesAMemoryFromBatchToBatch(HonestWindows):
    def learn(self, rows):
        super().learn(rows)
        self.memory_ = [0.0]

    def level(self, rows):
        self.memory_[0] = 0.5 * self.memory_[0] + 0.5 * rows[-1, 0]
        return super().level(rows) + 0.1 * self.memory_[0]


class DrawsFromTheGlobalGenerator(Honest):
    def learn(self, rows):
        super().learn(rows)
        self.mean_ = self.mean_ + torch.randn(1).numpy()
        self.net_ = torch.nn.Dropout()

    def _predict(self, fh, X=None):
        self.net_.eval()
        return super()._predict(fh, X)


class DrawsWithoutASeed(Honest):
    def learn(self, rows):
        super().learn(rows)
        self.mean_ = self.mean_ + np.random.default_rng().standard_normal()


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
    evidence = found(WritesInPredict(), y, "state_hash", "predict")
    assert evidence == "written: memory_['tokens'][0]"
    assert "last_batch_" in found(WritesInPredictWindows(), y, "state_hash", "predict_windows")


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
