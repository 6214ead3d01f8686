import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks as parametrize_with_sklearn
from sktime.datatypes import convert_to
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from klforecast import SpectralSSMPanelRegressor, SpectralSSMRegressor


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
@parametrize_with_sklearn([SpectralSSMRegressor(n_filters=32)])
def test_scikit_learn_finds_nothing_to_object_to(estimator, check):
    check(estimator)


@parametrize_with_checks([SpectralSSMPanelRegressor])
def test_sktime_finds_nothing_to_object_to(obj, test_name):
    check_estimator(obj, tests_to_run=test_name, raise_exceptions=True)


@pytest.fixture(scope="module")
def waves():
    """Series of many frequencies in two channels, (60, 2, 40), and these frequencies."""
    rng = np.random.default_rng(0)
    y = rng.uniform(2, 6, 60)
    wave = np.sin(y[:, None] * np.linspace(0, 2 * np.pi, 40) + rng.uniform(0, 6, (60, 1)))
    return wave[:, None] + 0.2 * rng.normal(size=(60, 2, 40)), y


def make(kind=SpectralSSMPanelRegressor, **settings):
    return kind(**{"n_filters": 64, "random_state": 0} | settings)


def cut(X):
    """The same series, ended at unequal lengths."""
    return [pd.DataFrame(values[:, : 40 - number % 9].T) for number, values in enumerate(X)]


def test_both_regressors_are_the_same(waves):
    X, y = waves
    panel, plain = (
        make(kind).fit(X[:40], y[:40]) for kind in (SpectralSSMPanelRegressor, SpectralSSMRegressor)
    )
    np.testing.assert_array_equal(panel.predict(X[40:]), plain.predict(X[40:]))
    assert plain.score(X[40:], y[40:]) > 0.7


def test_a_seed_is_all_that_decides_and_a_pickle_answers_the_same(waves, state_of):
    X, y = waves
    first, second, other = (
        make(SpectralSSMRegressor, **settings).fit(X, y)
        for settings in ({}, {"n_jobs": 2}, {"random_state": 1})
    )
    before, answers = state_of(first), first.predict(X)
    np.testing.assert_array_equal(second.predict(X), answers)
    assert (other.predict(X) != answers).any()
    assert state_of(first) == before
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(first)).predict(X), answers)


def test_series_may_be_of_unequal_length(waves):
    X, y = waves
    assert make().fit(cut(X[:40]), y[:40]).score(cut(X[40:]), y[40:]) > 0.5


@pytest.mark.parametrize("container", ["numpy3D", "df-list", "pd-multiindex", "nested_univ"])
def test_gaps_are_bridged_in_every_container(container, waves):
    X, y = waves
    gappy = X.copy()
    gappy[:, 0, [0, 7, 8]] = np.nan
    bridged = [pd.DataFrame(one.T).interpolate(limit_direction="both") for one in gappy]
    holding = convert_to(gappy, container)
    expected = make(n_filters=32).fit(bridged, y).predict(bridged)
    found = make(n_filters=32).fit(holding, y).predict(holding)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_columns_are_told_by_their_names(waves):
    X, y = waves
    frames = [pd.DataFrame(values.T, columns=["a", "b"]) for values in X]
    regressor = make(n_filters=32).fit(frames, y)
    turned = [frame[["b", "a"]] for frame in frames]
    np.testing.assert_array_equal(regressor.predict(turned), regressor.predict(frames))


@pytest.mark.parametrize(
    "meta",
    [
        lambda: GridSearchCV(make(), {"n_filters": [32, 64]}, cv=2, error_score="raise"),
        lambda: Pipeline([("regressor", make())]),
    ],
    ids=["GridSearchCV", "Pipeline"],
)
def test_it_works_inside_scikit_learn(meta, waves):
    assert meta().fit(*waves).score(*waves) > 0.7


def test_it_can_be_cross_validated(waves):
    assert cross_val_score(make(), *waves, cv=3, error_score="raise").mean() > 0.4


@pytest.mark.parametrize("kind", [SpectralSSMRegressor, SpectralSSMPanelRegressor])
def test_a_regressor_comes_back_whole(kind, waves, tmp_path):
    X, y = waves
    fitted = make(kind).fit(X, y)
    fitted.save(tmp_path / "model.safetensors")
    loaded = kind.load(tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    assert loaded.get_params() == fitted.get_params()


BAD = {
    "numbers that are none": (lambda X, y: (X, np.where(y > 5, np.nan, y)), "NaN|missing"),
    "huge numbers": (lambda X, y: (X, y * 1e200), "squares overflow"),
    "infinite series": (lambda X, y: (np.where(X > 1, np.inf, X), y), "infinit"),
    "one series": (lambda X, y: (X[:1], y[:1]), "1 sample"),
    "one step": (lambda X, y: (X[:, :, :1], y), "1 step"),
}


# sktime warns before we refuse.
@pytest.mark.filterwarnings("ignore:only single label seen")
@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("kind", [SpectralSSMRegressor, SpectralSSMPanelRegressor])
def test_what_cannot_be_learned_from_is_refused(kind, case, waves, state_of):
    spoil, message = BAD[case]
    fitted = make(kind, n_filters=32).fit(*waves)
    before = state_of(fitted)
    with pytest.raises(ValueError, match=message):
        fitted.fit(*spoil(*waves))
    assert state_of(fitted) == before


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_filters", 0, ValueError),
        ("n_jobs", 0, ValueError),
        ("n_jobs", "two", TypeError),
        ("random_state", "seed", TypeError),
    ],
)
def test_parameters_out_of_range_are_refused(name, value, error, waves):
    with pytest.raises(error, match=name):
        SpectralSSMRegressor(**{name: value}).fit(*waves)


def test_channels_that_fit_has_not_seen_are_refused(waves):
    X, y = waves
    regressor = make(n_filters=32).fit(X, y)
    with pytest.raises(ValueError, match="has 3 channels and those the regressor was fitted on 2"):
        regressor.predict(np.concatenate([X, X[:, :1]], axis=1))
