"""Saving and loading: nothing lost, nothing executed, nothing half-written."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from skorch.callbacks import EpochTimer
from sktime.base import load as load_sktime

from klforecast import KarhunenLoeve, KLMemoryForecaster, KLMemoryRegressor
from klforecast.estimators.saving import files as persistence
from klforecast.estimators.saving.files import write_atomically
from klforecast.modules.encoders import ENCODERS

LINEAR = {"horizon": 6, "input_length": 12, "memory_depth": 36, "period": 12}
TRANSFORMER = LINEAR | {
    "encoder": "transformer",
    "d_model": 4,
    "n_layers": 1,
    "n_heads": 1,
    "max_epochs": 1,
    "n_components": 2,
    "local_experts": False,
    "random_state": 0,
}
FH = range(1, 9)


def round_trip(estimator, folder):
    path = folder / "estimator.safetensors"
    assert estimator.save(path) is None
    return type(estimator).load(path)


def rows_with(index):
    time = np.arange(len(index))
    values = np.stack([np.sin(time / 2), np.cos(time / 3) + 0.01 * time], axis=1)
    return pd.DataFrame(values, index=index, columns=["load", 7])


INDICES = {
    "integers": pd.RangeIndex(5, 125),
    "hours": pd.date_range("2024-01-01", periods=120, freq="h", name="time"),
    "summer time": pd.date_range("2024-03-01", periods=120, freq="h", tz="Europe/Berlin"),
    "fixed offset": pd.date_range("2024-03-01", periods=120, freq="h", tz="UTC+03:00"),
    "business days": pd.date_range("2024-03-01", periods=120, freq="B"),
    "days without Sundays": pd.date_range(
        "2024-03-01", periods=120, freq=pd.offsets.CustomBusinessDay(weekmask="1111110")
    ),
    "month ends": pd.date_range("2000-01-31", periods=120, freq="ME"),
    "weeks": pd.date_range("2000-01-05", periods=120, freq="W-WED", unit="s"),
    "quarters": pd.period_range("1990Q1", periods=120, freq="Q-MAR"),
}


@pytest.mark.parametrize("kind", INDICES)
def test_a_loaded_forecaster_goes_on_like_the_saved_one(kind, tmp_path):
    y = rows_with(INDICES[kind])
    forecaster = KLMemoryForecaster(**LINEAR).fit(y[:110], fh=[1, 3])
    loaded = round_trip(forecaster, tmp_path)
    pd.testing.assert_frame_equal(loaded.predict(), forecaster.predict(), check_exact=True)
    for update_params in (False, True):
        rows = y[110:115] if not update_params else y[115:]
        forecaster.update(rows, update_params=update_params)
        loaded.update(rows, update_params=update_params)
        pd.testing.assert_frame_equal(loaded.predict(FH), forecaster.predict(FH), check_exact=True)


@pytest.mark.parametrize(
    "settings",
    [
        LINEAR,
        TRANSFORMER,
        TRANSFORMER | {"memory": "trajectory"},
        TRANSFORMER | {"memory": "none", "random_state": np.random.RandomState(4)},
        {"horizon": np.int64(6), "encoder": "transformer", "max_epochs": 0, "d_model": 8},
    ],
    ids=lambda settings: settings.get("encoder", "linear"),
)
def test_every_number_of_a_forecaster_comes_back(settings, hourly, state_of, tmp_path):
    forecaster = KLMemoryForecaster(**settings).fit(hourly[:300])
    loaded = round_trip(forecaster, tmp_path)
    np.testing.assert_array_equal(loaded.predict(FH), forecaster.predict(FH))
    np.testing.assert_array_equal(
        loaded.predict_windows(hourly, [250, 399]), forecaster.predict_windows(hourly, [250, 399])
    )
    weights = forecaster.net_.module_.state_dict()
    assert state_of(loaded.net_.module_.state_dict()) == state_of(weights)
    assert list(loaded.net_.history) == list(forecaster.net_.history)
    pd.testing.assert_frame_equal(loaded.training_log_, forecaster.training_log_)
    assert set(vars(loaded)) == set(vars(forecaster))
    assert loaded.get_fitted_params().keys() == forecaster.get_fitted_params().keys()


def test_panels_and_hierarchies_keep_their_labels(panel, tmp_path):
    hierarchy = pd.concat({("north", 1): panel.loc["a"], ("south", 2): panel.loc["b"]})
    hierarchy.index.names = ["region", "site", "time"]
    for rows in (panel, hierarchy):
        forecaster = KLMemoryForecaster(**LINEAR).fit(rows)
        loaded = round_trip(forecaster, tmp_path)
        expected = forecaster.predict(FH)
        pd.testing.assert_frame_equal(loaded.predict(FH), expected, check_exact=True)


def test_a_pretrained_forecaster_is_saved_before_and_after_its_fit(panel, hourly, tmp_path):
    pretrained = KLMemoryForecaster(**LINEAR).pretrain(panel)
    loaded = round_trip(pretrained, tmp_path)
    expected = pretrained.fit(hourly[:50]).predict(FH)
    np.testing.assert_array_equal(loaded.fit(hourly[:50]).predict(FH), expected)
    np.testing.assert_array_equal(round_trip(loaded, tmp_path).predict(FH), expected)


def test_a_forecaster_before_its_fit_keeps_its_parameters(hourly, tmp_path):
    fresh = KLMemoryForecaster(**LINEAR, random_state=np.random.RandomState(3))
    loaded = round_trip(fresh, tmp_path)
    assert loaded.random_state.randint(1000) == np.random.RandomState(3).randint(1000)
    assert {**loaded.get_params(), "random_state": 0} == {**fresh.get_params(), "random_state": 0}
    loaded.fit(hourly[:100])


def test_a_loaded_net_can_be_trained_on(hourly, tmp_path):
    rows = torch.tensor(hourly.to_numpy(), dtype=torch.float32)
    for settings in (LINEAR, TRANSFORMER):
        loaded = round_trip(KLMemoryForecaster(**settings).fit(hourly), tmp_path)
        loaded.net_.set_params(max_epochs=1).partial_fit([rows])


@pytest.mark.parametrize(
    "estimator",
    [
        KarhunenLoeve(3, whiten=True),
        KarhunenLoeve(2, solver="online", forgetting=0.99),
        KLMemoryRegressor(3, center=2),
    ],
)
@pytest.mark.parametrize("named", [False, True])
def test_scikit_learn_estimators_come_back(estimator, named, tmp_path, state_of):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6))
    X = pd.DataFrame(X, columns=list("abcdef")) if named else X
    y = rng.normal(size=(40, 2))
    fitted = estimator.fit(X, y)
    loaded = round_trip(fitted, tmp_path)
    assert state_of(loaded) == state_of(fitted)
    if isinstance(estimator, KarhunenLoeve):
        np.testing.assert_array_equal(loaded.transform(X), fitted.transform(X))
        loaded.partial_fit(X)
    else:
        np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))


def test_pickles_stay_what_they_are_in_sktime(hourly, tmp_path):
    forecaster = KLMemoryForecaster(**LINEAR).fit(hourly[:100])
    forecaster.save(tmp_path / "model")
    for loaded in (load_sktime(forecaster.save()), load_sktime(str(tmp_path / "model"))):
        np.testing.assert_array_equal(loaded.predict(FH), forecaster.predict(FH))
    with pytest.raises(
        ValueError, match=r"model\.zip is a zip file.*a pickle, which executes code"
    ):
        KLMemoryForecaster.load(tmp_path / "model.zip")
    with pytest.raises(FileNotFoundError, match=r"there is no .*model, but .*model\.zip"):
        KLMemoryForecaster.load(tmp_path / "model")


@pytest.fixture
def saved(hourly, tmp_path):
    path = tmp_path / "model.safetensors"
    KLMemoryForecaster(**LINEAR).fit(hourly[:60]).save(path)
    return path


def change_metadata(path, **changes):
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file(load_file(path), path, {**metadata, **changes})


def test_the_file_holds_plain_tensors_and_json_alone(saved):
    with safe_open(saved, framework="pt") as file:
        metadata = file.metadata()
    assert metadata["format_version"] == "3"
    assert metadata["class"] == "KLMemoryForecaster"
    assert json.loads(metadata["state"])["parameters"]["horizon"] == 6
    assert "torch" in json.loads(metadata["versions"])


def test_a_newer_format_is_refused(saved):
    change_metadata(saved, format_version="4")
    with pytest.raises(ValueError, match=r"format version 4, and this version .* reads up to 3"):
        KLMemoryForecaster.load(saved)


def test_another_class_is_refused(saved):
    with pytest.raises(ValueError, match="holds a KLMemoryForecaster, not a KarhunenLoeve"):
        KarhunenLoeve.load(saved)


def test_tensors_of_someone_else_are_refused(saved):
    save_file(load_file(saved), saved)
    with pytest.raises(ValueError, match="holds no klforecast estimator"):
        KLMemoryForecaster.load(saved)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.safetensors"):
        KLMemoryForecaster.load(tmp_path / "absent.safetensors")


def test_every_damage_is_noticed(saved):
    whole = saved.read_bytes()
    rng = np.random.default_rng(0)
    for cut in [0, 7, 8, 500, len(whole) - 1, *rng.integers(len(whole), size=20)]:
        saved.write_bytes(whole[:cut])
        with pytest.raises(ValueError, match="damaged"):
            KLMemoryForecaster.load(saved)
    for place in [8, *rng.integers(8, len(whole), size=60)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.integers(8)
        saved.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"damaged|holds no|format version|holds a"):
            KLMemoryForecaster.load(saved)


@pytest.mark.parametrize(
    ("written", "damaged"),
    [
        (b'"format_version"', b'"format^version"'),
        (b'"format_version":"3"', b'"format_version":"q"'),
        (b'"checksum"', b'"checkrum"'),
        (b'"class"', b'"clars"'),
        (b'"versions"', b'"verrions"'),
        (b'"state"', b'"stale"'),
    ],
)
def test_a_damaged_entry_of_the_header_is_noticed(saved, written, damaged):
    whole = saved.read_bytes()
    assert len(written) == len(damaged)
    assert written in whole
    saved.write_bytes(whole.replace(written, damaged, 1))
    with pytest.raises(ValueError, match="damaged"):
        KLMemoryForecaster.load(saved)


def test_a_changed_state_is_noticed(saved):
    with safe_open(saved, framework="pt") as file:
        state = file.metadata()["state"]
    change_metadata(saved, state=state.replace('"horizon_": 6', '"horizon_": 5'))
    with pytest.raises(ValueError, match="checksum"):
        KLMemoryForecaster.load(saved)


def test_what_would_be_code_is_refused_by_name(hourly, tmp_path):
    forecaster = KLMemoryForecaster(**LINEAR, callbacks=[EpochTimer()])
    with pytest.raises(TypeError, match=r"callbacks\[0\] is of type EpochTimer, which a file"):
        forecaster.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_an_empty_list_of_callbacks_is_none(hourly, tmp_path):
    KLMemoryForecaster(**LINEAR, callbacks=[]).fit(hourly).save(tmp_path / "model.safetensors")
    assert KLMemoryForecaster.load(tmp_path / "model.safetensors").callbacks == []


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_file(step, saved, monkeypatch, tmp_path):
    old = saved.read_bytes()

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(persistence.os, step, no_space)
    with pytest.raises(OSError, match="No space"):
        KLMemoryForecaster().save(saved)
    assert saved.read_bytes() == old
    assert list(tmp_path.iterdir()) == [saved]


KILLED = """
import os, signal, sys
from pathlib import Path
import klforecast.estimators.saving.files as persistence
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
persistence.os.replace = die
persistence.write_atomically(Path(sys.argv[1]), b"new" * 1000)
"""


def test_a_save_that_is_killed_leaves_the_old_file(tmp_path):
    path = tmp_path / "model"
    write_atomically(path, b"old")
    root = str(Path(persistence.__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)],
        cwd=root,
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.read_bytes() == b"old"


@pytest.mark.filterwarnings("ignore:the memory of the training run is empty:UserWarning")
@pytest.mark.parametrize("memory", ["history", "trajectory", "none"])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_encoder_comes_back_with_its_weights(encoder, memory, hourly, tmp_path):
    settings = {
        "memory": memory,
        "patch_length": 4,
        "max_epochs": 0,
        "period": 6,
        "random_state": 0,
    }
    sizes = {"d_model": 8, "n_heads": 2, "input_length": 24, "memory_depth": 60}
    small = TRANSFORMER | sizes | settings
    fitted = KLMemoryForecaster(**small | {"encoder": encoder}).fit(hourly[:200])
    loaded = round_trip(fitted, tmp_path)
    weights = fitted.net_.module_.state_dict()
    assert weights.keys() == loaded.net_.module_.state_dict().keys()
    assert all(
        torch.equal(part, weights[name]) and part.dtype == weights[name].dtype
        for name, part in loaded.net_.module_.state_dict().items()
    )


CONTAINERS = {
    "Series": lambda y: y["load"],
    "unnamed Series": lambda y: y["load"].rename(None),
    "array": lambda y: y.to_numpy(),
    "one column": lambda y: y[["heat"]],
    "list of frames": lambda y: [y[:60].reset_index(drop=True), y[:50].reset_index(drop=True)],
    "array of a panel": lambda y: np.stack([y[:60].to_numpy().T, y[60:120].to_numpy().T]),
    "days without frequency": lambda y: y["load"][:100:2].set_axis(
        pd.DatetimeIndex([*pd.date_range("2024", periods=50)])
    ),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_whatever_container_was_fitted_the_forecasts_come_back_in_it(kind, hourly, tmp_path):
    y = CONTAINERS[kind](hourly)
    fitted = KLMemoryForecaster(**LINEAR).fit(y)
    expected, forecast = fitted.predict(FH), round_trip(fitted, tmp_path).predict(FH)
    assert type(forecast) is type(expected)
    if isinstance(forecast, list):
        forecast, expected = pd.concat(forecast), pd.concat(expected)
    if isinstance(forecast, pd.Series | pd.DataFrame):
        assert forecast.equals(expected)
    else:
        np.testing.assert_array_equal(forecast, expected)


def test_covariates_come_back_with_their_effects(hourly, tmp_path):
    X = pd.DataFrame({7: np.sin(np.arange(400.0) ** 1.5), "late": np.arange(400.0)}, hourly.index)
    y = hourly[["load"]] + 5 * X[[7]].to_numpy()
    settings = LINEAR | {"past_covariates": ["late"], "calendar_features": ("hour",)}
    fitted = KLMemoryForecaster(**settings).fit(y[:390], X=X[:390])
    loaded = round_trip(fitted, tmp_path)
    assert loaded.effects_ is not None
    for one in (fitted, loaded):
        one.update(y[390:392], X=X[390:392])
    expected = fitted.predict(range(1, 7), X=X[392:398])
    pd.testing.assert_frame_equal(loaded.predict(range(1, 7), X=X[392:398]), expected)


def test_what_the_class_does_not_declare_is_not_saved(hourly, tmp_path):
    forecaster = KLMemoryForecaster(**LINEAR).fit(hourly[:60])
    forecaster.note_ = "mine"
    with pytest.raises(TypeError, match=r"cannot hold this KLMemoryForecaster.*has 'note_'"):
        forecaster.save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_parameter_of_another_type_is_not_saved(tmp_path):
    with pytest.raises(TypeError, match=r"KLMemoryForecaster\.horizon is 'long'.*: int"):
        KLMemoryForecaster(horizon="long").save(tmp_path / "model.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "zone", ["dateutil//etc/passwd", "../../../etc/passwd", "/etc/passwd", "Nowhere", "U" * 100]
)
def test_a_time_zone_is_a_name_and_no_path(zone, crafted, tmp_path):
    rows = pd.date_range("2024-03-01", periods=60, tz="Europe/Berlin")
    path = tmp_path / "model.safetensors"
    KLMemoryForecaster(**LINEAR).fit(pd.Series(np.arange(60.0) % 7, rows)).save(path)
    state, tensors, name = crafted.read_parts(path)
    text = json.dumps(state).replace("Europe/Berlin", zone)
    crafted.write_parts(path, text, tensors, name)
    with pytest.raises(ValueError, match="is refused"):
        KLMemoryForecaster.load(path)


def test_the_words_of_a_generator_are_not_read_beyond_their_end(crafted, tmp_path):
    path = tmp_path / "model.safetensors"
    KLMemoryForecaster(random_state=np.random.RandomState(0)).save(path)
    state, tensors, name = crafted.read_parts(path)
    state["parameters"]["random_state"]["place"] = 10**6
    crafted.write_parts(path, state, tensors, name)
    with pytest.raises(ValueError, match="place 1000000"):
        KLMemoryForecaster.load(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda plan: plan.update(padded_horizon=10**12, horizon=10**12),
            "moments of other windows",
        ),
        (lambda plan: plan["edges"]["items"].append(10**9), "moments of other windows"),
        (lambda plan: plan.update(horizon=10**6), "horizon 1000000"),
    ],
)
def test_a_plan_is_no_larger_than_its_moments(change, said, saved, crafted):
    state, tensors, name = crafted.read_parts(saved)
    change(state["fitted"]["_open_stream"]["stream"]["plan"])
    crafted.write_parts(saved, state, tensors, name)
    with pytest.raises(ValueError, match=said):
        KLMemoryForecaster.load(saved)


@pytest.mark.parametrize("part", ["horizon_", "memory_depth_", "n_channels_"])
def test_sizes_are_those_of_the_net(part, saved, crafted):
    state, tensors, name = crafted.read_parts(saved)
    state["fitted"][part] = 10**12
    crafted.write_parts(saved, state, tensors, name)
    with pytest.raises(ValueError, match="of the net"):
        KLMemoryForecaster.load(saved)
