import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sktime.classification.model_selection import TSCGridSearchCV
from sktime.datatypes import convert_to
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from klforecast.estimators.spectral_ssm import SpectralSSMClassifier
from klforecast.estimators.spectral_ssm_panel import SpectralSSMPanelClassifier


@parametrize_with_checks([SpectralSSMPanelClassifier])
def test_sktime_finds_nothing_to_object_to(obj, test_name):
    check_estimator(obj, tests_to_run=test_name, raise_exceptions=True)


@pytest.fixture(scope="module")
def waves():
    """Series of two frequencies in two channels, (40, 2, 30), and their classes."""
    rng = np.random.default_rng(0)
    y = np.array(["slow", "fast"] * 20)
    turns = np.where(y == "slow", 2, 4)[:, None] * np.linspace(0, 2 * np.pi, 30)
    wave = np.sin(turns + rng.uniform(0, 6, (40, 1)))
    return wave[:, None] + 0.3 * rng.normal(size=(40, 2, 30)), y


def cut(X):
    """The same series, ended at unequal lengths."""
    return [pd.DataFrame(values[:, : 30 - number % 9].T) for number, values in enumerate(X)]


def make(**settings):
    return SpectralSSMPanelClassifier(**{"n_filters": 64, "random_state": 0} | settings)


def test_it_is_the_same_classifier_as_for_scikit_learn(waves):
    X, y = waves
    twin = SpectralSSMClassifier(n_filters=64, random_state=0).fit(X, y)
    np.testing.assert_array_equal(make().fit(X, y).predict_proba(X), twin.predict_proba(X))


@pytest.mark.parametrize("settings", SpectralSSMPanelClassifier.get_test_params())
def test_series_may_be_of_unequal_length(settings, waves):
    X, y = waves
    classifier = SpectralSSMPanelClassifier(
        **settings | {"max_epochs": 30, "lr": 1e-2, "batch_size": 8}
    )
    classifier.fit(cut(X[:30]), y[:30])
    assert classifier.score(cut(X[30:]), y[30:]) > 0.7


@pytest.mark.parametrize(
    "meta",
    [
        lambda: GridSearchCV(make(), {"n_filters": [32, 64]}, cv=2, error_score="raise"),
        lambda: Pipeline([("classifier", make())]),
        lambda: VotingClassifier([("a", make()), ("b", make(n_filters=32))], voting="soft"),
        lambda: CalibratedClassifierCV(make(), cv=2),
    ],
    ids=["GridSearchCV", "Pipeline", "VotingClassifier", "CalibratedClassifierCV"],
)
def test_it_works_inside_scikit_learn(meta, waves):
    X, y = waves
    fitted = meta().fit(X, y)
    assert fitted.score(X, y) > 0.8
    assert fitted.predict_proba(X).shape == (40, 2)


def test_it_can_be_cross_validated(waves):
    assert cross_val_score(make(), *waves, cv=3, error_score="raise").mean() > 0.8


def test_bad_series_and_settings_leave_the_old_classifier(waves, state_of):
    X, y = waves
    classifier = make().fit(X, y)
    before = state_of(classifier)
    spoiled = X.copy()
    spoiled[3, 1] = np.nan
    infinite = X.copy()
    infinite[3, 1, 5] = np.inf
    for bad, message in [
        (spoiled, "series 3 of X has no value in channel 1"),
        (infinite, "infinite"),
        (X[:, :, :1], "1 step"),
    ]:
        with pytest.raises(ValueError, match=message):
            classifier.fit(bad, y)
        assert state_of(classifier) == before


def test_channels_that_fit_has_not_seen_are_refused(waves):
    X, y = waves
    classifier = make().fit(X, y)
    with pytest.raises(ValueError, match="has 3 channels and those the classifier was fitted on 2"):
        classifier.predict(np.concatenate([X, X[:, :1]], axis=1))


def test_the_closed_form_cannot_be_compressed(waves):
    with pytest.raises(ValueError, match="pass solver='gradient'"):
        make().fit(*waves).compress()


@pytest.fixture(scope="module")
def named(waves):
    """The series of `waves` with a third channel of noise, as frames with names, and classes."""
    X, y = waves
    noise = np.random.default_rng(1).normal(size=(40, 1, 30))
    third = np.concatenate([X, noise], axis=1)
    return [pd.DataFrame(values.T, columns=["a", "b", "c"]) for values in third], y


def as_multiindex(frames):
    return pd.concat(dict(enumerate(frames)), names=["series", "step"])


@pytest.mark.parametrize("container", [list, as_multiindex], ids=["df-list", "pd-multiindex"])
def test_columns_are_told_by_their_names(container, named):
    frames, y = named
    classifier = make().fit(container(frames), y)
    expected = classifier.predict_proba(container(frames))
    turned = container([frame[["b", "c", "a"]] for frame in frames])
    np.testing.assert_array_equal(classifier.predict_proba(turned), expected)


def test_series_of_one_fit_may_have_their_columns_in_any_order(named):
    frames, y = named
    mixed = [
        frame[list("abc" if number % 3 == 0 else "cab")] for number, frame in enumerate(frames)
    ]
    expected = make().fit(frames, y).predict_proba(frames)
    np.testing.assert_array_equal(make().fit(mixed, y).predict_proba(mixed), expected)


def test_columns_of_other_names_are_refused(named, state_of):
    frames, y = named
    classifier = make().fit(frames, y)
    before = state_of(classifier)
    other = [frame.rename(columns={"c": "d"}) for frame in frames]
    with pytest.raises(ValueError, match=r"columns 'a', 'b', 'd' .* fitted on 'a', 'b', 'c'"):
        classifier.predict(other)
    with pytest.raises(
        ValueError, match=r"series 1 .* 'a', 'b', 'd' and the first one 'a', 'b', 'c'"
    ):
        classifier.fit([frames[0], *other[1:]], y)
    assert state_of(classifier) == before


def test_arrays_have_no_names_and_go_by_position(named):
    frames, y = named
    array = np.stack([frame.to_numpy().T for frame in frames])
    expected = make().fit(frames, y).predict_proba(frames)
    np.testing.assert_array_equal(make().fit(frames, y).predict_proba(array), expected)
    np.testing.assert_array_equal(make().fit(array, y).predict_proba(frames), expected)


def test_numbers_that_are_no_classes_are_refused(waves, state_of):
    X, y = waves
    classifier = make().fit(X, y)
    before = state_of(classifier)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        classifier.fit(X, np.linspace(0, 1, len(y)))
    assert state_of(classifier) == before


@pytest.mark.parametrize("solver", ["closed-form", "gradient"])
def test_a_classifier_of_one_class_says_why_it_cannot_be_compressed(solver, waves):
    X, y = waves
    with pytest.warns(UserWarning, match="only single label seen"):
        classifier = make(solver=solver).fit(X, np.full(len(y), "one"))
    with pytest.raises(ValueError, match=r"one class only, .* at least 2 classes"):
        classifier.compress()


def test_sktime_searches_panels_that_scikit_learn_cannot_split(named):
    frames, y = named
    search = TSCGridSearchCV(make(), {"n_filters": [32, 64]}, cv=2, error_score="raise")
    search.fit(as_multiindex(frames), y)
    assert search.score(as_multiindex(frames), y) > 0.8


CONTAINERS = ("numpy3D", "df-list", "pd-multiindex", "nested_univ")


@pytest.mark.parametrize("container", CONTAINERS)
def test_gaps_are_bridged_and_ends_cut_in_every_container(container, waves):
    X, y = waves
    gappy = X.copy()
    gappy[:, 0, [0, 7, 8]] = np.nan
    gappy[::2, :, 25:] = np.nan
    series = [values[:, : 25 if number % 2 == 0 else 30].T for number, values in enumerate(gappy)]
    bridged = [pd.DataFrame(one).interpolate(limit_direction="both") for one in series]
    holding = convert_to(gappy, container)
    classifier = make().fit(holding, y)
    expected = make().fit(bridged, y).predict_proba(bridged)
    np.testing.assert_allclose(classifier.predict_proba(holding), expected, atol=1e-9)
