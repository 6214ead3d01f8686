"""Estimators that are solved in closed form hand out their linear part as a fitted skorch net."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch import NeuralNet

from klforecast import (
    KLMemoryRegressor,
    SpectralSSMClassifier,
    SpectralSSMPanelClassifier,
    SpectralSSMPanelRegressor,
    SpectralSSMRegressor,
)

SMALL = {"n_filters": 32, "random_state": 0}


def waves(n=40, length=30):
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    angle = (1 + y)[:, None] * np.arange(length) / 2 + rng.uniform(0, 6, (n, 1))
    return np.sin(angle)[:, None] + 0.3 * rng.normal(size=(n, 1, length)), y


@pytest.mark.parametrize("kind", [SpectralSSMClassifier, SpectralSSMPanelClassifier])
def test_the_net_of_a_classifier_is_its_ridge_at_its_temperature(kind):
    X, y = waves()
    classifier = kind(**SMALL).fit(X, np.array(["a", "b"])[y])
    model, series = classifier.model_, list(torch.as_tensor(X))
    ridge = model.ridge_.answer(model.features_.transform(series)) / model.temperature_
    assert isinstance(classifier.net_, NeuralNet)
    net = classifier.net_
    assert_allclose(net.forward(X).numpy(), ridge.numpy(), rtol=1e-10, atol=1e-12)
    assert_allclose(net.predict(X), ridge.softmax(dim=1).numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", [SpectralSSMRegressor, SpectralSSMPanelRegressor])
def test_the_net_of_a_regressor_is_its_ridge_in_the_unit_of_the_target(kind):
    X, y = waves()
    regressor = kind(**SMALL).fit(X, 50.0 + 10 * y)
    model = regressor.model_
    ridge = model.ridge_.answer(model.features_.transform(list(torch.as_tensor(X))))
    assert_allclose(regressor.net_.predict(X), model.mean_ + model.scale_ * ridge.numpy())


@pytest.mark.parametrize("shape", [(50, 3), (50,)])
def test_the_net_of_the_window_regressor_is_the_regressor(shape):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 12)), rng.normal(size=shape)
    regressor = KLMemoryRegressor(n_components=4, center=2).fit(X, y)
    found = regressor.net_.predict(X)
    assert_allclose(found.reshape(shape), regressor.predict(X), rtol=1e-10, atol=1e-12)


def test_fine_tuning_goes_on_from_the_solution_and_leaves_the_estimator_as_it_is():
    X, y = waves()
    classifier = SpectralSSMClassifier(**SMALL).fit(X, y)
    before, net = classifier.predict_proba(X), classifier.net_
    targets = torch.as_tensor(y)
    solved = torch.nn.functional.cross_entropy(net.forward(X), targets)
    net.set_params(max_epochs=20, lr=1e-3).partial_fit(X, targets)
    assert net.history[0, "train_loss"] == pytest.approx(solved.item(), rel=0.2)
    assert net.history[-1, "train_loss"] < solved
    assert_array_equal(classifier.predict_proba(X), before)


def test_series_of_unequal_length_come_with_their_lengths():
    X, y = waves()
    net = SpectralSSMClassifier(**SMALL).fit(X, y).net_
    padded = np.where(np.arange(30) < 25, X, 7.0)
    lengths = np.full(len(X), 25)
    assert_allclose(net.predict({"x": padded, "lengths": lengths}), net.predict(X[:, :, :25]))


def test_there_is_no_solved_net_before_a_fit_or_of_networks():
    assert not hasattr(SpectralSSMClassifier(), "net_")
    assert not hasattr(SpectralSSMRegressor(), "net_")
    assert not hasattr(KLMemoryRegressor(), "net_")
    X, y = waves(n=12)
    tiny = {"d_model": 8, "n_heads": 2, "n_layers": 1, "n_modes": 2, "max_epochs": 1}
    networks = SpectralSSMClassifier("gradient", n_estimators=1, **SMALL, **tiny).fit(X, y)
    with pytest.raises(AttributeError, match=r"model_\.nets_ of the gradient solver"):
        networks.net_  # noqa: B018
