import inspect

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.linear_model import RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks as parametrize_with_sklearn
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from klforecast import SpectralFeatures, SpectralPanelFeatures
from klforecast.classify.filter_features import KINDS, FilterFeatures
from klforecast.ops.filter_bank import filter_loop


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
@parametrize_with_sklearn([SpectralFeatures(n_filters=32)])
def test_scikit_learn_finds_nothing_to_object_to(estimator, check):
    check(estimator)


@parametrize_with_checks([SpectralPanelFeatures])
def test_sktime_finds_nothing_to_object_to(obj, test_name):
    check_estimator(obj, tests_to_run=test_name, raise_exceptions=True)


@pytest.fixture(scope="module")
def waves():
    """Series of two frequencies in two channels, (40, 2, 30), and their classes."""
    rng = np.random.default_rng(0)
    y = np.array([0, 1] * 20)
    turns = np.where(y == 0, 2, 4)[:, None] * np.linspace(0, 2 * np.pi, 30)
    wave = np.sin(turns + rng.uniform(0, 6, (40, 1)))
    return wave[:, None] + 0.3 * rng.normal(size=(40, 2, 30)), y


def make(kind=SpectralFeatures, **settings):
    return kind(**{"n_filters": 64, "random_state": 0} | settings)


def test_both_transformers_are_the_same(waves):
    X, _ = waves
    ours = inspect.signature(SpectralFeatures).parameters
    assert ours == inspect.signature(SpectralPanelFeatures).parameters
    panel = make(SpectralPanelFeatures).fit_transform(X)
    np.testing.assert_array_equal(panel.to_numpy(), make().fit_transform(X))


def test_every_feature_has_its_own_name_and_frames_bear_it(waves):
    X, _ = waves
    features = make().fit(X)
    names = features.get_feature_names_out()
    assert len(set(names)) == len(names) == features.transform(X).shape[1]
    frame = make().set_output(transform="pandas").fit_transform(X)
    assert list(frame.columns) == list(names)
    panel = make(SpectralPanelFeatures).fit(
        [pd.DataFrame(values.T, columns=["x", "y"]) for values in X]
    )
    assert panel.transform(X).columns[-1] == "y_point127"


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_name_says_which_response_was_pooled(direction, waves):
    X = waves[0][:, :1]
    features = make().fit(X)
    frame = pd.DataFrame(features.transform(X), columns=features.get_feature_names_out())
    bank = features.features_.banks_[0].part(1, 2)
    scaled = torch.from_numpy((X - X.mean()) / X.std())
    responses = torch.stack(
        [filter_loop(row, bank, backward=direction == "backward") for row in scaled]
    )
    for mode in (0, 5):
        found = frame[f"series_endless_{direction}_group1_mode{mode}_peak"]
        np.testing.assert_allclose(found, responses[:, 0, mode].amax(1), atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_are_chosen(kind, waves):
    X, _ = waves
    whole = make().fit(X)
    part = make(kinds=[kind]).fit(X)
    chosen = np.isin(whole.get_feature_names_out(), part.get_feature_names_out())
    np.testing.assert_array_equal(part.transform(X), whole.transform(X)[:, chosen])


def test_features_group_and_tell_apart_what_differs_in_frequency(waves):
    X, y = waves
    told = make_pipeline(make(), StandardScaler(), RidgeClassifier()).fit(X[::3], y[::3])
    assert told.score(X, y) > 0.9
    peaks = make_pipeline(
        make(kinds=["peak"]), StandardScaler(), KMeans(2, n_init=5, random_state=0)
    )
    groups = peaks.fit_predict(X)
    assert max((groups == y).mean(), (groups != y).mean()) > 0.9


def test_features_of_a_series_do_not_depend_on_the_others_and_labels_are_not_looked_at(waves):
    X, y = waves
    features = make().fit(X, y)
    np.testing.assert_allclose(features.transform(X[3:4]), features.transform(X)[3:4], atol=1e-9)
    np.testing.assert_array_equal(make().fit(X).transform(X), features.transform(X))


@pytest.mark.parametrize("kind", [SpectralFeatures, SpectralPanelFeatures])
def test_a_transformer_comes_back_whole(kind, waves, tmp_path):
    X, _ = waves
    fitted = make(kind, kinds=["sides", "shape"]).fit(X)
    fitted.save(tmp_path / "features.safetensors")
    loaded = kind.load(tmp_path / "features.safetensors")
    np.testing.assert_array_equal(np.asarray(loaded.transform(X)), np.asarray(fitted.transform(X)))
    assert list(loaded.kinds) == ["sides", "shape"]


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"kinds": []}, ValueError, "kinds is"),
        ({"kinds": "sides"}, ValueError, "pass a list of some of 'sides'"),
        ({"kinds": ["sides", "loudness"]}, ValueError, "loudness"),
        ({"n_filters": 0}, ValueError, "n_filters is 0"),
        ({"random_state": "seed"}, TypeError, "random_state"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, error, message, waves, state_of):
    fitted = make().fit(waves[0])
    before = state_of(fitted.features_)
    with pytest.raises(error, match=message):
        fitted.set_params(**settings).fit(waves[0])
    assert state_of(fitted.features_) == before


def test_series_without_a_value_are_refused(waves):
    X = waves[0].copy()
    X[3] = np.nan
    with pytest.raises(ValueError, match="series 3 of X has 0 steps"):
        make().fit(X)


def test_names_of_few_groups_count_as_the_features_do():
    series = [
        torch.randn(2, 30, generator=torch.Generator().manual_seed(i)).double() for i in range(5)
    ]
    for groups in (1, 4, 6):
        features = FilterFeatures(groups).fit(series)
        sizes = {kind: values.shape[1] for kind, values in features.transform(series).items()}
        names = features.names(["a", "b"])
        assert {kind: len(names[kind]) for kind in KINDS} == sizes
