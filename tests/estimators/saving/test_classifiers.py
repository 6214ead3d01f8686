"""Classifiers come back from the same files as forecasters do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sktime.base import load as load_sktime

from klforecast import SpectralSSMClassifier, SpectralSSMPanelClassifier

NETS = {
    "solver": "gradient",
    "n_estimators": 2,
    "n_filters": 32,
    "d_model": 8,
    "n_layers": 2,
    "n_modes": 4,
    "n_heads": 2,
    "max_epochs": 2,
    "random_state": 0,
}
SETTINGS = {
    "closed form": {"n_filters": 32, "class_weight": {"fast": 1, "slow": 2.5}},
    "random state": {"n_filters": 32, "random_state": np.random.RandomState(3)},
    "networks": NETS,
    "networks alone": NETS | {"refine": False, "selective": True},
    "masks and norms": NETS
    | {"compression_ratio": 0.5, "adaptive_mask": True, "spectral_norm": True},
    "attention": NETS | {"compression_ratio": 0.5, "attention_layers": [0], "bidirectional": False},
}


@pytest.fixture(scope="module")
def waves():
    rng = np.random.default_rng(0)
    labels = np.repeat(["slow", "fast"], 8)
    turns = np.where(labels == "slow", 3, 4)[:, None, None] * np.linspace(0, 2 * np.pi, 40)
    return np.sin(turns + rng.uniform(0, 6, (16, 2, 1))), labels


@pytest.mark.parametrize("kind", SETTINGS)
def test_a_classifier_comes_back_whole(kind, waves, tmp_path, state_of):
    X, labels = waves
    fitted = SpectralSSMClassifier(**SETTINGS[kind]).fit(X, labels)
    path = tmp_path / "model.safetensors"
    for compressed in (False, True):
        if compressed and "solver" in SETTINGS[kind]:
            fitted.compress()
        fitted.save(path)
        loaded = SpectralSSMClassifier.load(path)
        np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
        assert loaded.predict(X).dtype == fitted.predict(X).dtype
        assert state_of(loaded.classes_) == state_of(fitted.classes_)
        loaded.save(path)
        again = SpectralSSMClassifier.load(path)
        np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "labels",
    [
        np.repeat([0, 1], 8),
        np.repeat([1.0, 3.0], 8),
        np.repeat([False, True], 8),
        np.repeat(np.array(["a", "bc"], dtype=object), 8),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_keep_their_type(labels, waves, tmp_path):
    fitted = SpectralSSMClassifier(n_filters=32).fit(waves[0], labels)
    fitted.save(tmp_path / "model.safetensors")
    answer = SpectralSSMClassifier.load(tmp_path / "model.safetensors").predict(waves[0])
    assert answer.dtype == labels.dtype
    np.testing.assert_array_equal(answer, fitted.predict(waves[0]))


def test_a_panel_classifier_comes_back_whole_and_leaves_one_file(waves, tmp_path):
    X, labels = waves
    unequal = [pd.DataFrame(series[:, : 30 + place].T) for place, series in enumerate(X[:10])]
    for panel, classes in ((X, labels), (unequal, labels[:10])):
        fitted = SpectralSSMPanelClassifier(n_filters=32, random_state=0).fit(panel, classes)
        fitted.save(tmp_path / "c.safetensors")
        loaded = SpectralSSMPanelClassifier.load(tmp_path / "c.safetensors")
        np.testing.assert_array_equal(loaded.predict_proba(panel), fitted.predict_proba(panel))
        assert vars(loaded).keys() == vars(fitted).keys()
        assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]


def test_pickles_of_a_panel_classifier_stay_what_they_are_in_sktime(waves, tmp_path):
    X, labels = waves
    fitted = SpectralSSMPanelClassifier(n_filters=32, random_state=0).fit(X, labels)
    fitted.save(tmp_path / "model")
    loaded = load_sktime(str(tmp_path / "model"))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    with pytest.raises(ValueError, match="is a zip file, as sktime writes it: a pickle"):
        SpectralSSMPanelClassifier.load(tmp_path / "model.zip")


@pytest.mark.parametrize("kind", [SpectralSSMClassifier, SpectralSSMPanelClassifier])
def test_the_best_of_a_search_can_be_saved(kind, waves, tmp_path):
    search = GridSearchCV(kind(random_state=0), {"n_filters": [32, 64]}, cv=2).fit(*waves)
    search.best_estimator_.save(tmp_path / "best.safetensors")
    assert kind.load(tmp_path / "best.safetensors").score(*waves) == search.score(*waves)


@pytest.mark.parametrize("kind", [SpectralSSMClassifier, SpectralSSMPanelClassifier])
def test_a_classifier_before_its_fit_keeps_its_parameters(kind, tmp_path):
    fresh = kind(n_filters=64, attention_layers=(1,), class_weight="balanced")
    fresh.save(tmp_path / "model.safetensors")
    assert kind.load(tmp_path / "model.safetensors").get_params() == fresh.get_params()


def test_groups_are_those_of_the_banks(waves, crafted, tmp_path):
    path = tmp_path / "model.safetensors"
    SpectralSSMClassifier(n_filters=32).fit(*waves).save(path)
    state, tensors, name = crafted.read_parts(path)
    state["fitted"]["model_"]["features_"]["n_groups_"] = 10**12
    crafted.write_parts(path, state, tensors, name)
    with pytest.raises(ValueError, match="groups, and biases for"):
        SpectralSSMClassifier.load(path)
