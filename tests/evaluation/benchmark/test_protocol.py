from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from klforecast.data.splits import window_cutoffs
from klforecast.evaluation.benchmark import protocol
from klforecast.evaluation.benchmark.baselines import Persistence
from klforecast.evaluation.benchmark.models import MODELS
from klforecast.evaluation.benchmark.protocol import (
    Cell,
    ProtocolError,
    audit,
    run_windows,
    score_windows,
    standardize,
    task_of,
)


class Recorder:
    """Persistence that keeps what it was handed."""

    def __init__(self, horizon):
        self.horizon = horizon
        self.fitted_on = None
        self.handed = []

    def get_params(self):
        return {}

    def fit(self, y):
        self.fitted_on = y.copy()

    def predict_windows(self, y, cutoffs):
        self.handed.append((len(y), list(cutoffs)))
        return Persistence(self.horizon).predict_windows(y, cutoffs)


class Offset(Recorder):
    """Returns the value `offset` rows after the cutoff, or its last one where there is none."""

    def __init__(self, horizon, offset):
        super().__init__(horizon)
        self.offset = offset

    def predict_windows(self, y, cutoffs):
        rows = np.clip(np.asarray(cutoffs) + self.offset, 0, len(y) - 1)
        return np.repeat(y.to_numpy()[rows][:, None], self.horizon, axis=1)


@pytest.mark.parametrize(
    ("horizon", "n_windows", "mse", "mae"),
    [
        (96, 2785, 1.2944, 0.7132),
        (192, 2689, 1.3249, 0.7331),
        (336, 2545, 1.3299, 0.7460),
        (720, 2161, 1.3351, 0.7550),
    ],
)
def test_persistence_on_etth1_equals_its_published_checksum(
    load_real, horizon, n_windows, mse, mae
):
    cell = Cell("ETTh1", "persistence", horizon)
    row = run_windows(cell, MODELS["persistence"].make, load_real("ETTh1"))
    assert row["n_test_windows"] == n_windows
    assert (round(row["mse"], 4), round(row["mae"], 4)) == (mse, mae)


def test_every_window_of_the_test_part_is_scored_once(waves, monkeypatch):
    monkeypatch.setattr(protocol, "_VALUES_AT_ONCE", 12 * 3 * 50)  # 50 windows at once, of 139
    y = standardize(waves)
    model = Recorder(12)
    scores = score_windows(model, y, window_cutoffs(*waves.borders.test, 12), 12)
    assert [cutoff for _, cutoffs in model.handed for cutoff in cutoffs] == list(range(500, 639))
    values = y.to_numpy()
    errors = [values[c : c + 12] - values[c - 1] for c in range(500, 639)]
    assert scores.n_windows == 139
    assert scores.mse == pytest.approx(np.mean(np.square(errors)))
    assert scores.mae == pytest.approx(np.mean(np.abs(errors)))


def test_the_model_is_never_handed_rows_from_the_last_cutoff_on(waves, monkeypatch):
    monkeypatch.setattr(protocol, "_VALUES_AT_ONCE", 12 * 3 * 50)
    model = Recorder(12)
    score_windows(model, standardize(waves), window_cutoffs(*waves.borders.test, 12), 12)
    assert [n_rows for n_rows, _ in model.handed] == [549, 599, 638]


def test_scaling_uses_the_training_rows_only(waves):
    shifted = waves.frame.copy()
    shifted.iloc[400:] = shifted.iloc[400:] * 9 - 2
    plain, moved = standardize(waves), standardize(replace(waves, frame=shifted))
    assert plain.iloc[:400].equals(moved.iloc[:400])
    assert plain.iloc[:400].to_numpy().mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)
    assert plain.iloc[:400].to_numpy().std(axis=0) == pytest.approx(np.ones(3))
    # The same line through both parts: rows to come are measured with the statistics of the past.
    line = waves.frame.iloc[450, 0], plain.iloc[450, 0]
    mean, scale = waves.frame.iloc[:400, 0].mean(), waves.frame.iloc[:400, 0].std(ddof=0)
    assert line[1] == pytest.approx((line[0] - mean) / scale)


@pytest.mark.parametrize(("fit_on", "n_rows"), [("train+validation", 500), ("train", 400)])
def test_fit_gets_the_rows_that_the_cell_names(waves, fit_on, n_rows):
    model = Recorder(12)
    run_windows(Cell("waves", "", 12, fit_on=fit_on), lambda task: model, waves)
    assert len(model.fitted_on) == n_rows


def fitted_numbers(model):
    """Every array, tensor and number among the attributes that `fit` set."""
    numbers = []
    for name, value in sorted(vars(model).items()):
        if name.startswith("_") or not name.endswith("_"):
            continue
        if name == "net_":
            value = value.module_
        if isinstance(value, torch.nn.Module):
            numbers += [tensor.numpy() for tensor in value.state_dict().values()]
        elif isinstance(value, torch.Tensor | np.ndarray | int | float | list):
            numbers.append(np.asarray(value))
    return numbers


@pytest.mark.parametrize("name", ["klmemory", "ols", "theta", "nlinear", "rlinear"])
def test_rows_of_the_test_part_change_no_fitted_number(waves, name):
    changed = waves.frame.copy()
    changed.iloc[500:] = np.random.default_rng(1).normal(50, 9, changed.iloc[500:].shape)
    params = {
        "klmemory": {"memory_depth": 72},
        "ols": {"lookback": 48},
        "theta": {"depth": 72},
    }.get(name, {"max_epochs": 1, "lookback": 48})
    cell = Cell("waves", name, 12, params=params)

    def numbers(data):
        model = MODELS[name].make(task_of(cell, data), **params)
        y = standardize(data)
        model.fit(y.iloc[:500])
        return [*fitted_numbers(model), model.predict_windows(y.iloc[:500], range(490, 501))]

    before, after = numbers(waves), numbers(replace(waves, frame=changed))
    assert len(before) == len(after)
    assert all(np.array_equal(b, a) for b, a in zip(before, after, strict=True))


def test_a_model_that_reads_the_row_it_forecasts_is_refused(waves):
    y = standardize(waves)
    cutoffs = window_cutoffs(*waves.borders.test, 12)
    audit(Offset(12, -1), y, cutoffs, None)
    with pytest.raises(ProtocolError, match="only the rows before the cutoff"):
        audit(Offset(12, 0), y, cutoffs, None)


def test_a_model_that_looks_further_back_than_the_regime_is_refused(waves):
    y = standardize(waves)
    cutoffs = window_cutoffs(*waves.borders.test, 12)
    audit(Offset(12, -96), y, cutoffs, 96)
    with pytest.raises(ProtocolError, match="only the 96 rows before the cutoff"):
        audit(Offset(12, -97), y, cutoffs, 96)


@pytest.mark.parametrize("name", ["klmemory", "theta", "ols", "nlinear", "dlinear", "itransformer"])
def test_models_keep_to_96_steps_in_that_regime(waves, name):
    params = {"max_epochs": 1} if name in ("nlinear", "dlinear", "itransformer") else {}
    cell = Cell("waves", name, 12, regime="lookback96", params=params)
    row = run_windows(cell, MODELS[name].make, waves)
    assert row["memory_depth"] <= 96


@pytest.mark.parametrize(
    ("forecast", "message"),
    [
        (np.zeros((3, 11, 3)), r"shape \(3, 11, 3\) for \(3, 12, 3\)"),
        (np.full((3, 12, 3), np.nan), "3 of 3 forecasts hold NaN"),
    ],
)
def test_a_missing_forecast_is_an_error_and_not_a_score(waves, forecast, message):
    model = Recorder(12)
    model.predict_windows = lambda y, cutoffs: forecast
    with pytest.raises(ProtocolError, match=message):
        score_windows(model, standardize(waves), np.array([500, 501, 502]), 12)


def test_covariates_are_not_forecast(waves):
    assert list(standardize(replace(waves, covariates=("b",))).columns) == ["a", "c"]


def test_data_without_borders_are_refused_with_their_name(waves):
    with pytest.raises(ValueError, match="waves has no training, validation and test part"):
        task_of(Cell("waves", "persistence", 12), replace(waves, borders=None))


def test_the_lookback_of_ili_is_36():
    assert protocol.past_limit("lookback96", "ILI") == 36
    assert protocol.past_limit("lookback96", "ETTh1") == 96
    assert protocol.past_limit("free", "ILI") is None


def test_an_unknown_regime_is_refused():
    with pytest.raises(ValueError, match="unknown regime 'tuned'; pass one of free, lookback96"):
        Cell("ETTh1", "ols", 96, regime="tuned")


def test_frames_keep_their_index(waves):
    assert isinstance(standardize(waves).index, pd.DatetimeIndex)
