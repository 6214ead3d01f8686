"""Every estimator has files of the one format, and comes back from them as it was."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from sktime.base import load as load_sktime

import klforecast
from klforecast import (
    KarhunenLoeve,
    KLMemoryDetector,
    KLMemoryForecaster,
    KLMemoryRegressor,
    LongForecaster,
    ReconciledForecaster,
    SpectralFeatures,
    SpectralPanelFeatures,
    SpectralSSMClassifier,
    SpectralSSMPanelClassifier,
    SpectralSSMPanelRegressor,
    SpectralSSMRegressor,
    estimators,
)

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(12, 20))
TARGET = RNG.normal(size=12)
CLASSES = np.repeat(["a", "b"], 6)
DAYS = pd.date_range("2024-01-01", periods=90, freq="D")
SERIES = pd.Series(np.sin(np.arange(90) * 2 * np.pi / 7) + 0.1 * RNG.normal(size=90), DAYS)
LONG = pd.concat(
    pd.DataFrame({"unique_id": name, "ds": DAYS, "y": size * SERIES.to_numpy()})
    for name, size in {"north": 1, "south": 10}.items()
)
SHOPS = pd.concat(
    {name: (size * SERIES).rename("sales").to_frame() for name, size in {"a": 1, "b": 3}.items()},
    names=["shop", "day"],
)
KIND = {"$": "TableKind", "library": "pandas", "times": "String", "unit": None}
LIGHT = KLMemoryForecaster(7, input_length=2, period=7, local_experts=False)


def fitted(estimator, *rows, say):
    return SimpleNamespace(estimator=estimator.fit(*rows), say=say)


FITTED = {
    "KLMemoryForecaster": lambda: fitted(
        KLMemoryForecaster(7), SERIES, say=lambda e: e.predict_interval(range(1, 9))
    ),
    "KLMemoryDetector": lambda: fitted(
        KLMemoryDetector(forecaster=LIGHT), SERIES, say=lambda e: e.verdicts(SERIES)
    ),
    "LongForecaster": lambda: fitted(
        LongForecaster(LIGHT), LONG, say=lambda e: e.predict(3, level=[80])
    ),
    "ReconciledForecaster": lambda: fitted(
        ReconciledForecaster(LIGHT, n_paths=50),
        SHOPS,
        say=lambda e: e.predict_interval(range(1, 4)),
    ),
    "KarhunenLoeve": lambda: fitted(KarhunenLoeve(2), ROWS, say=lambda e: e.transform(ROWS)),
    "KLMemoryRegressor": lambda: fitted(
        KLMemoryRegressor(2), ROWS, TARGET, say=lambda e: e.predict(ROWS)
    ),
    "SpectralFeatures": lambda: fitted(
        SpectralFeatures(32, random_state=0), ROWS, say=lambda e: e.transform(ROWS)
    ),
    "SpectralPanelFeatures": lambda: fitted(
        SpectralPanelFeatures(32, random_state=0),
        ROWS[:, None],
        say=lambda e: e.transform(ROWS[:, None]),
    ),
    "SpectralSSMClassifier": lambda: fitted(
        SpectralSSMClassifier(n_filters=32, random_state=0),
        ROWS,
        CLASSES,
        say=lambda e: e.predict_proba(ROWS),
    ),
    "SpectralSSMPanelClassifier": lambda: fitted(
        SpectralSSMPanelClassifier(n_filters=32, random_state=0),
        ROWS[:, None],
        CLASSES,
        say=lambda e: e.predict_proba(ROWS[:, None]),
    ),
    "SpectralSSMRegressor": lambda: fitted(
        SpectralSSMRegressor(32, random_state=0), ROWS, TARGET, say=lambda e: e.predict(ROWS)
    ),
    "SpectralSSMPanelRegressor": lambda: fitted(
        SpectralSSMPanelRegressor(32, random_state=0),
        ROWS[:, None],
        TARGET,
        say=lambda e: e.predict(ROWS[:, None]),
    ),
}


def same(one, other):
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
    else:
        np.testing.assert_array_equal(one, other)


def test_none_is_left_out():
    classes = {name: getattr(estimators, name) for name in estimators.__all__}
    assert set(FITTED) == {name for name, kind in classes.items() if hasattr(kind, "fit")}


@pytest.mark.parametrize("name", FITTED)
def test_it_comes_back_from_the_one_format_and_says_the_same(name, tmp_path):
    case, path = FITTED[name](), tmp_path / "e.safetensors"
    case.estimator.save(path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert (metadata["format"], metadata["class"]) == ("klforecast estimator", name)
    assert json.loads(metadata["state"]).keys() == {"parameters", "fitted"}
    kind = getattr(klforecast, name)
    loaded = kind.load(path)
    assert vars(loaded).keys() == vars(case.estimator).keys()
    same(case.say(loaded), case.say(case.estimator))
    loaded.save(path)
    same(case.say(kind.load(path)), case.say(case.estimator))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", FITTED)
def test_before_its_fit_it_comes_back_too(name, tmp_path):
    kind = getattr(klforecast, name)
    kind().save(tmp_path / "e.safetensors")
    loaded = kind.load(tmp_path / "e.safetensors")
    assert repr(loaded) == repr(kind()) or vars(loaded) == vars(kind())


@pytest.mark.parametrize("name", FITTED)
def test_a_zip_of_sktime_is_called_a_pickle_that_executes_code(name, tmp_path):
    KLMemoryForecaster(7).save(tmp_path / "e.zip")
    with pytest.raises(ValueError, match=r"zip file, .*: a pickle, which executes code when it is"):
        getattr(klforecast, name).load(tmp_path / "e.zip")


@pytest.mark.parametrize("events", ["both", "shifts"])
def test_a_loaded_detector_goes_on_like_the_saved_one(events, tmp_path):
    rows = SERIES.rename("load")
    panel = pd.concat({"a": rows, "b": rows[::-1].set_axis(rows.index)}).to_frame()
    new = pd.Series(9.0, pd.date_range("2024-03-31", periods=3, freq="D"), name="load")
    for known, more in ((rows, new), (panel, pd.concat({"b": new}).to_frame())):
        detector = KLMemoryDetector(0.1, events=events, forecaster=LIGHT).fit(known)
        detector.save(tmp_path / "d.safetensors")
        loaded = KLMemoryDetector.load(tmp_path / "d.safetensors")
        assert loaded.get_tag("task") == detector.get_tag("task")
        same(loaded.verdicts(more), detector.verdicts(more))
        same(loaded.update(more).detections(known), detector.update(more).detections(known))


def test_a_pickle_of_a_detector_stays_what_it_is_in_sktime(tmp_path):
    detector = KLMemoryDetector(forecaster=LIGHT).fit(SERIES)
    detector.save(tmp_path / "d")
    same(load_sktime(str(tmp_path / "d")).verdicts(SERIES), detector.verdicts(SERIES))


@pytest.mark.parametrize("table", ["pandas", "dates", "stamps", "numbers"])
def test_a_loaded_long_forecaster_answers_in_the_library_of_its_fit(table, tmp_path):
    df = LONG
    if table != "pandas":
        pl = pytest.importorskip("polars")
        numbers = LONG.groupby("unique_id").cumcount().tolist()
        times = {"dates": pl.Date, "stamps": pl.Datetime("ms"), "numbers": pl.UInt16}[table]
        df = pl.DataFrame({name: LONG[name].to_list() for name in LONG}).with_columns(
            (pl.Series("ds", numbers) if table == "numbers" else pl.col("ds")).cast(times)
        )
    model = LongForecaster(LIGHT).fit(df)
    model.save(tmp_path / "l.safetensors")
    loaded = LongForecaster.load(tmp_path / "l.safetensors")
    answer, wanted = loaded.predict(3, level=[80]), model.predict(3, level=[80])
    assert type(answer) is type(df)
    assert answer.equals(wanted)
    if table != "pandas":
        assert answer.schema["ds"] == df.schema["ds"]


def test_a_forecaster_of_others_inside_is_refused_by_name(tmp_path):
    class Other:
        pass

    with pytest.raises(TypeError, match="forecaster is of type Other, which a file without code"):
        LongForecaster(Other()).save(tmp_path / "l.safetensors")

    class Own(KLMemoryForecaster):
        pass

    with pytest.raises(TypeError, match="cannot hold a Own inside another estimator"):
        KLMemoryDetector(forecaster=Own()).save(tmp_path / "d.safetensors")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        (KLMemoryDetector, {"n_channels_": 2}, "do not fit together"),
        (KLMemoryDetector, {"cycles_": None}, "cycles_ is None"),
        (LongForecaster, {"_kind": KIND | {"library": "os"}}, "library is 'os'"),
        (LongForecaster, {"_kind": KIND | {"times": "eval"}}, "times is 'eval'"),
        (LongForecaster, {"forecaster_": {"$": "KLMemoryDetector"}}, "forecaster_ is a"),
    ],
)
def test_parts_that_no_fit_leaves_are_refused(kind, change, said, crafted, tmp_path):
    path = tmp_path / "e.safetensors"
    FITTED[kind.__name__]().estimator.save(path)
    state, tensors, name = crafted.read_parts(path)
    state["fitted"] |= change
    crafted.write_parts(path, state, tensors, name)
    with pytest.raises(ValueError, match=said):
        kind.load(path)
