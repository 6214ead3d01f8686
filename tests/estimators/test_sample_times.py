"""Classifiers and regressors of series at uneven times, which one of the channels tells."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal

from klforecast import (
    SpectralSSMClassifier,
    SpectralSSMPanelClassifier,
    SpectralSSMPanelRegressor,
    SpectralSSMRegressor,
)
from klforecast.estimators.sample_times import timed_series

SMALL = {"n_filters": 32, "random_state": 0}
NETS = {
    **SMALL,
    "solver": "gradient",
    "n_estimators": 1,
    "d_model": 8,
    "n_layers": 1,
    "n_modes": 4,
    "n_heads": 2,
    "max_epochs": 2,
}


def waves(n=60, samples=40, seed=0):
    """Two periods, told only by the times: samples are drawn at the phases of the same sequence."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    phase = np.cumsum(rng.uniform(0.1, 1.5, (n, samples)), axis=1)
    times = phase * np.where(y, 1.5, 1.0)[:, None] + rng.uniform(0, 100, (n, 1))
    return np.stack([times, np.sin(phase)], axis=1), y


@pytest.mark.parametrize(
    "settings", [SMALL, {**NETS, "refine": False, "max_epochs": 25, "lr": 0.02}]
)
def test_what_only_the_times_tell_is_learned(settings):
    X, y = waves()
    X_test, y_test = waves(seed=1)
    timed = SpectralSSMClassifier(time_channel=0, **settings).fit(X, y)
    assert timed.score(X_test, y_test) > 0.85
    blind = SpectralSSMClassifier(**settings).fit(X[:, 1], y)
    assert blind.score(X_test[:, 1], y_test) < 0.75


@pytest.mark.parametrize("settings", [SMALL, NETS])
def test_neither_the_unit_nor_the_origin_of_time_matters(settings):
    X, y = waves(n=20)
    other = X.copy()
    other[:, 0] = 60 * (X[:, 0] + 1000)
    a, b = (SpectralSSMClassifier(time_channel=0, **settings).fit(part, y) for part in (X, other))
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(other), atol=1e-4)


def test_even_times_are_no_times():
    X, y = waves(n=20)
    X[:, 0] = np.arange(40)
    timed = SpectralSSMClassifier(time_channel=0, **SMALL).fit(X, y)
    plain = SpectralSSMClassifier(**SMALL).fit(X[:, 1], y)
    assert_array_equal(timed.predict_proba(X), plain.predict_proba(X[:, 1]))


def test_a_panel_names_its_channel_of_times_and_may_have_unequal_lengths():
    X, y = waves(n=20)
    frames = [
        pd.DataFrame({"value": row[1, :end], "at": row[0, :end]})
        for row, end in zip(X, range(21, 41), strict=True)
    ]
    classifier = SpectralSSMPanelClassifier(time_channel="at", **SMALL).fit(frames, y)
    turned = [frame[["at", "value"]] for frame in frames]
    assert_array_equal(classifier.predict_proba(turned), classifier.predict_proba(frames))
    assert classifier.n_channels_ == 1
    with pytest.raises(ValueError, match=r"'when' and X has the channels \['value', 'at'\]"):
        SpectralSSMPanelClassifier(time_channel="when", **SMALL).fit(frames, y)


def test_gaps_are_times_between_samples_in_units_of_the_median():
    series = [
        np.array([[5.0, 6, 7, 11], [1, 2, 3, 4]]),
        np.array([[0.0, 4, 6, 8], [1, 1, 1, np.nan]]),
    ]
    (first, second), unit = timed_series(series, 0, None, None)
    assert unit == 2.0  # of 1, 1, 4, 4 and 2
    assert first.tolist() == [[1, 2, 3, 4], [1, 0.5, 0.5, 2]]
    assert second.tolist() == [[1, 1, 1], [1, 2, 1]]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0.0, 1, 1, 2], "series 1 of X are missing or do not rise"),
        ([0.0, np.nan, 1, 2], "series 1 of X are missing or do not rise"),
        ([0.0, 1, 2, 1e6], "series 1 of X span 1000001 steps of 1 with 4 samples"),
    ],
)
def test_times_that_cannot_be_are_refused(times, message):
    X = np.stack([[np.arange(4.0), np.ones(4)], [times, np.ones(4)]])
    with pytest.raises(ValueError, match=message):
        SpectralSSMClassifier(time_channel=0, **SMALL).fit(X, [0, 1])


def test_a_timed_classifier_is_saved_with_its_unit(tmp_path):
    X, y = waves(n=20)
    classifier = SpectralSSMClassifier(time_channel=0, **NETS).fit(X, y)
    classifier.save(tmp_path / "timed.klf")
    loaded = SpectralSSMClassifier.load(tmp_path / "timed.klf")
    assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert loaded.time_unit_ == classifier.time_unit_
    assert torch.is_tensor(loaded.model_.mean_)


def paces(n=60, samples=40, seed=0):
    """The same sequence of phases, sampled at times that go by faster or slower: the pace is the number."""
    rng = np.random.default_rng(seed)
    y = rng.uniform(1.0, 2.0, n)
    phase = np.cumsum(rng.uniform(0.1, 1.5, (n, samples)), axis=1)
    times = phase * y[:, None] + rng.uniform(0, 100, (n, 1))
    return np.stack([times, np.sin(phase)], axis=1), y


def test_a_number_that_only_the_times_tell_is_learned():
    (X, y), (X_new, y_new) = paces(), paces(seed=1)
    assert SpectralSSMRegressor(time_channel=0, **SMALL).fit(X, y).score(X_new, y_new) > 0.7
    blind = SpectralSSMRegressor(**SMALL).fit(X[:, 1], y)
    assert blind.score(X_new[:, 1], y_new) < 0.2


def test_neither_the_unit_nor_the_origin_of_time_matters_for_a_number():
    X, y = paces(n=20)
    other = X.copy()
    other[:, 0] = 60 * (X[:, 0] + 1000)
    a, b = (SpectralSSMRegressor(time_channel=0, **SMALL).fit(part, y) for part in (X, other))
    np.testing.assert_allclose(a.predict(X), b.predict(other), atol=1e-4)
    assert b.time_unit_ == pytest.approx(60 * a.time_unit_)


def test_even_times_are_no_times_for_a_number():
    X, y = paces(n=20)
    X[:, 0] = np.arange(40)
    timed = SpectralSSMRegressor(time_channel=0, **SMALL).fit(X, y)
    plain = SpectralSSMRegressor(**SMALL).fit(X[:, 1], y)
    assert_array_equal(timed.predict(X), plain.predict(X[:, 1]))


def test_a_timed_panel_regressor_is_saved_and_predicts_without_writing(tmp_path, state_of):
    X, y = paces(n=20)
    frames = [
        pd.DataFrame({"value": row[1, :end], "at": row[0, :end]})
        for row, end in zip(X, range(21, 41), strict=True)
    ]
    regressor = SpectralSSMPanelRegressor(time_channel="at", **SMALL).fit(frames, y)
    before = state_of(regressor)
    answers = regressor.predict([frame[["at", "value"]] for frame in frames])
    assert state_of(regressor) == before
    assert regressor.n_channels_ == 1
    regressor.save(tmp_path / "timed.klf")
    loaded = SpectralSSMPanelRegressor.load(tmp_path / "timed.klf")
    assert_array_equal(loaded.predict(frames), answers)
    with pytest.raises(ValueError, match="the times of series 0 of X are missing"):
        regressor.predict([frame.assign(at=1.0) for frame in frames])
    with pytest.raises(ValueError, match=r"'when' and X has the channels \['value', 'at'\]"):
        SpectralSSMPanelRegressor(time_channel="when", **SMALL).fit(frames, y)
