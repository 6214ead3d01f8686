"""Weights of series: whole numbers are copies, zero leaves out, and their unit does not matter."""

import numpy as np
import pytest
from sklearn.base import clone

from klforecast import SpectralSSMClassifier, SpectralSSMRegressor

NETWORKS = {"n_estimators": 1, "d_model": 8, "n_modes": 2, "n_heads": 2, "max_epochs": 3}
LEARNERS = {
    "classifier": SpectralSSMClassifier(n_filters=32, random_state=0),
    "balanced": SpectralSSMClassifier(n_filters=32, class_weight="balanced", random_state=0),
    "networks": SpectralSSMClassifier("gradient", n_filters=32, random_state=0, **NETWORKS),
    "regressor": SpectralSSMRegressor(n_filters=32, random_state=0),
}
COUNTS = np.random.default_rng(1).integers(0, 4, 40)


@pytest.fixture(scope="module")
def waves():
    """Series of two frequencies in much noise, (40, 30), and which of the two it is."""
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    turns = np.where(y, 2, 4)[:, None] * np.linspace(0, 2 * np.pi, 30)
    return np.sin(turns + rng.uniform(0, 6, (40, 1))) + rng.normal(size=(40, 30)), y


@pytest.fixture(params=LEARNERS)
def learner(request):
    return LEARNERS[request.param]


def answers(learner, X, y, new, weights=None):
    fitted = clone(learner).fit(X, y, sample_weight=weights)
    return fitted.predict_proba(new) if hasattr(fitted, "predict_proba") else fitted.predict(new)


def test_weights_are_copies_in_any_order(learner, waves):
    X, y = waves
    order = np.random.default_rng(2).permutation(40)
    weighted = answers(learner, X[order], y[order], X, COUNTS[order])
    copies = answers(learner, X.repeat(COUNTS, axis=0), y.repeat(COUNTS), X)
    np.testing.assert_allclose(weighted, copies, rtol=0, atol=1e-9)
    assert np.abs(weighted - answers(learner, X, y, X)).max() > 0.01


def test_a_weight_of_zero_leaves_out(learner, waves):
    X, y = waves
    out = np.arange(40) < 30
    without = answers(learner, X[out], y[out], X)
    np.testing.assert_allclose(answers(learner, X, y, X, 1.0 * out), without, rtol=0, atol=1e-9)


def test_the_unit_of_weights_does_not_matter(learner, waves):
    X, y = waves
    weights = np.random.default_rng(3).uniform(0.1, 2, 40)
    plain = answers(learner, X, y, X, weights)
    np.testing.assert_allclose(answers(learner, X, y, X, 8 * weights), plain, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(
        answers(learner, X, y, X, np.full(40, 8.0)), answers(learner, X, y, X)
    )


def test_what_counts_more_is_answered_more_nearly(waves):
    X, _ = waves
    y = np.r_[np.zeros(20), np.ones(20)]  # nothing in the series tells
    heavy = answers(LEARNERS["regressor"], X, y, X, np.where(y == 1, 50.0, 1.0))
    even = answers(LEARNERS["regressor"], X, y, X)
    assert heavy.mean() > even.mean() + 0.2


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(40), "zero"),
        (np.full(40, -1.0), "[Nn]egative"),
        (np.full(40, np.nan), "NaN"),
        (np.ones(39), "shape"),
        (np.ones((40, 2)), "1D"),
        (np.arange(40) % 2, "one class only"),
    ],
)
def test_weights_that_are_none_leave_the_old_classifier(weights, message, waves, state_of):
    fitted = clone(LEARNERS["classifier"]).fit(*waves)
    before = state_of(fitted)
    with pytest.raises(ValueError, match=message):
        fitted.fit(*waves, sample_weight=weights)
    assert state_of(fitted) == before


def test_copies_alone_are_learned_from(waves):
    X, _ = waves
    same = np.repeat(X[:1], 6, axis=0)
    regressor = SpectralSSMRegressor(n_filters=32, random_state=0).fit(same, np.full(6, 7.0))
    np.testing.assert_allclose(regressor.predict(X), 7.0)
