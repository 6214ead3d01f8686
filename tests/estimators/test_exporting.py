"""An exported file says what `predict` says, for any number of windows, and what it cannot hold is refused."""

import numpy as np
import pandas as pd
import pytest
import torch
from sktime.datasets import load_airline
from sktime.exceptions import NotFittedError

from klforecast import KLMemoryForecaster

NEEDED = "the onnx extra and onnxruntime, which are not installed, read ONNX files"


@pytest.fixture(scope="module")
def frame():
    """Three channels far from zero, of units far from each other."""
    step = np.arange(600)
    generator = np.random.default_rng(0)
    waves = np.sin(step[:, None] * [0.26, 0.13, 0.52]) + 0.2 * generator.standard_normal((600, 3))
    return pd.DataFrame(
        1e5 + waves * [1.0, 300.0, 1e4],
        pd.date_range("2024", periods=600, freq="h"),
        ["a", "b", "c"],
    )


@pytest.fixture(scope="module")
def fitted(frame):
    forecaster = KLMemoryForecaster(horizon=12, local_experts=False).fit(frame[:500])
    assert forecaster.net_.module_.modes.shape[1] > 0
    return forecaster


def run_torch(path, windows):
    return torch.export.load(path).module()(torch.tensor(windows)).numpy()


def run_onnx(path, windows):
    runtime = pytest.importorskip("onnxruntime", reason=NEEDED)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["forecast"], {"past": windows})[0]


RUN = {"torch": run_torch, "onnx": run_onnx}


@pytest.fixture(params=["torch", "onnx"])
def form(request):
    if request.param == "onnx":
        pytest.importorskip("onnx", reason=NEEDED)
    return request.param


@pytest.mark.parametrize("cutoffs", [[500], [300, 420, 499, 571]])
def test_a_file_forecasts_any_number_of_windows_as_predict_does(
    form, cutoffs, frame, fitted, tmp_path
):
    fitted.export(tmp_path / "model", format=form)
    rows, depth = frame.to_numpy(), fitted.memory_depth_
    windows = np.stack([rows[cutoff - depth : cutoff] for cutoff in cutoffs])
    made = RUN[form](tmp_path / "model", windows)
    expected = fitted.predict_windows(frame, cutoffs)
    np.testing.assert_allclose(made, expected, rtol=1e-12)
    assert np.abs(made - expected).max() < 1e-5 * frame.std().min()


def test_a_file_of_a_panel_has_the_scale_of_one_series(form, tmp_path):
    y = load_airline().to_frame("n")
    panel = pd.concat({"small": y, "large": 1000 * y[20:]})
    forecaster = KLMemoryForecaster(horizon=6, local_experts=False).fit(panel)
    forecaster.export(tmp_path / "model", format=form, series="large")
    window = panel.loc["large"].to_numpy()[None, -forecaster.memory_depth_ :]
    made = RUN[form](tmp_path / "model", window)
    np.testing.assert_allclose(made[0], forecaster.predict().loc["large"], rtol=1e-10)
    with pytest.raises(ValueError, match=r"series is None, and .*\['small', 'large'\]"):
        forecaster.export(tmp_path / "other", format=form)
    assert not (tmp_path / "other").exists()


def test_experts_without_a_share_leave_their_floor_in_the_file(form, tmp_path):
    generator = np.random.default_rng(0)
    y = pd.Series(np.maximum(0.0, np.sin(np.arange(900) * np.pi / 12)) * 5)
    y += 0.05 * np.abs(generator.standard_normal(900))
    forecaster = KLMemoryForecaster(horizon=24, clean_outliers=False).fit(y)
    pool = forecaster._pool
    forecaster._pool = pool._replace(share=np.zeros_like(pool.share))
    forecaster.export(tmp_path / "model", format=form)
    low = y.to_numpy()[None, -forecaster.memory_depth_ :, None].copy()
    low[:, -40:] = 0.0
    made = RUN[form](tmp_path / "model", low)
    assert made.min() == 0
    expected = forecaster.predict_windows(low[0], [low.shape[1]])
    np.testing.assert_allclose(made, expected, atol=1e-10)


def test_a_new_file_takes_the_place_of_the_old_one(form, fitted, tmp_path):
    (tmp_path / "model").write_bytes(b"old")
    fitted.export(tmp_path / "model", format=form)
    assert (tmp_path / "model").stat().st_size > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_is_no_map_of_a_window_is_refused_in_words(tmp_path):
    y, path = load_airline(), tmp_path / "model"
    with pytest.raises(NotFittedError):
        KLMemoryForecaster().export(path)
    forecaster = KLMemoryForecaster(horizon=12).fit(y)
    with pytest.raises(ValueError, match=r"share of up to \d+%.*local_experts=False"):
        forecaster.export(path, format="torch")
    with pytest.raises(ValueError, match="format is 'csv'; pass one of 'onnx', 'torch'"):
        forecaster.export(path, format="csv")
    with pytest.raises(TypeError, match="path is 3"):
        forecaster.export(3)
    trained = KLMemoryForecaster(horizon=6, encoder="gru", max_epochs=1, d_model=8).fit(y)
    with pytest.raises(ValueError, match="encoder='gru' is not exported"):
        trained.export(path)
    generator = np.random.default_rng(0)
    X = pd.DataFrame({"heat": generator.uniform(-1, 1, 300)})
    load = 5 * X["heat"] + 0.1 * generator.standard_normal(300)
    heated = KLMemoryForecaster(horizon=6).fit(load, X=X)
    with pytest.raises(ValueError, match="fit without X"):
        heated.export(path)
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_error_says_what_to_install(fitted, monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r"klforecast\[onnx\]"):
        fitted.export(tmp_path / "model")


def test_ten_lines_of_numpy_forecast_what_predict_forecasts(frame, fitted):
    coefficients = fitted.coefficients_.to_numpy()
    mean = fitted.scalers_[()].mean
    by_channel = coefficients.reshape(len(mean), -1, coefficients.shape[1])
    newest_first = frame[:500].to_numpy()[::-1][: fitted.memory_depth_] - mean
    forecast = mean + np.einsum("chd,dc->hc", by_channel, newest_first)
    np.testing.assert_allclose(forecast, fitted.predict(), rtol=1e-10)
