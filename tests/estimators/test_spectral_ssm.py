import inspect
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from klforecast.estimators.spectral_ssm import SpectralSSMClassifier
from klforecast.estimators.spectral_ssm_panel import SpectralSSMPanelClassifier
from klforecast.modules import SpectralSSM
from klforecast.modules.ssm.cost import flops, n_parameters

SMALL_NET = {
    "solver": "gradient",
    "n_filters": 16,
    "n_estimators": 1,
    "d_model": 8,
    "n_modes": 2,
    "n_layers": 1,
    "max_epochs": 15,
    "batch_size": 32,
    "lr": 1e-2,
}
# Few series need many small steps.
PATIENT = {"batch_size": 8, "n_modes": 4, "max_epochs": 30}
SMALL = {
    "closed-form": {"n_filters": 64},
    "gradient": SMALL_NET | PATIENT,
    "gradient alone": SMALL_NET | PATIENT | {"refine": False},
}


@pytest.fixture(scope="module")
def waves():
    """Series of two frequencies in noise, (40, 30), and their classes."""
    rng = np.random.default_rng(0)
    y = np.array(["slow", "fast"] * 20)
    turns = np.where(y == "slow", 2, 4)[:, None] * np.linspace(0, 2 * np.pi, 30)
    return np.sin(turns + rng.uniform(0, 6, (40, 1))) + 0.3 * rng.normal(size=(40, 30)), y


@pytest.fixture(scope="module", params=SMALL)
def fitted(request, waves):
    return SpectralSSMClassifier(**SMALL[request.param], random_state=0).fit(*waves)


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
@parametrize_with_checks([SpectralSSMClassifier(n_filters=64), SpectralSSMClassifier(**SMALL_NET)])
def test_scikit_learn_finds_nothing_to_object_to(estimator, check):
    check(estimator)


def test_both_classifiers_have_the_same_parameters():
    ours = inspect.signature(SpectralSSMClassifier).parameters
    assert ours == inspect.signature(SpectralSSMPanelClassifier).parameters
    backbone = inspect.signature(SpectralSSM).parameters
    differ = {
        name
        for name in ours.keys() & backbone.keys()
        if ours[name].default != backbone[name].default
    }
    # A classifier sees whole series of any time constant, and small sets need the noise of dropout.
    assert differ == {"bidirectional", "dropout", "n_scales"}


def test_answers_fit_together(fitted, waves):
    X, y = waves
    probabilities = fitted.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.classes_, ["fast", "slow"])
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[probabilities.argmax(axis=1)])
    np.testing.assert_array_equal(fitted.decision_function(X) > 0, fitted.predict(X) == "slow")
    assert fitted.score(X, y) > 0.85


@pytest.mark.parametrize("solver", SMALL)
def test_a_seed_is_all_that_decides(solver, waves, capsys):
    X, y = waves
    before = torch.get_rng_state(), np.random.mtrand._rand.get_state()[1].copy()
    first, second = (
        SpectralSSMClassifier(**SMALL[solver], random_state=3).fit(X, y).predict_proba(X)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    other = SpectralSSMClassifier(**SMALL[solver], random_state=4).fit(X, y).predict_proba(X)
    assert (first != other).any()
    assert (torch.get_rng_state() == before[0]).all()
    np.testing.assert_array_equal(np.random.mtrand._rand.get_state()[1], before[1])
    assert capsys.readouterr() == ("", "")


def test_predicting_writes_nothing_and_a_pickle_answers_the_same(fitted, waves, state_of):
    X, _ = waves
    before = state_of(fitted)
    answers = fitted.predict_proba(X)
    fitted.predict(X)
    fitted.decision_function(X)
    assert state_of(fitted) == before
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict_proba(X), answers)
    assert not hasattr(clone(fitted), "model_")


def test_one_channel_in_three_dimensions_is_the_same_as_in_two(waves):
    X, y = waves
    flat = SpectralSSMClassifier(n_filters=16, random_state=0).fit(X, y)
    deep = SpectralSSMClassifier(n_filters=16, random_state=0).fit(X[:, None], y)
    np.testing.assert_array_equal(deep.predict_proba(X[:, None]), flat.predict_proba(X))
    assert (flat.n_features_in_, deep.n_features_in_) == (30, 1)


def test_many_filters_are_rounded_up_to_whole_groups(waves):
    classifier = SpectralSSMClassifier(n_filters=33, random_state=0).fit(*waves)
    assert classifier.model_.features_.n_groups_ == 2


def test_compressing_keeps_the_answers_and_costs_less(waves):
    X, y = waves
    settings = SMALL_NET | {"n_modes": 8, "compression_ratio": 0.25, "adaptive_mask": True}
    classifier = SpectralSSMClassifier(**settings, random_state=0).fit(X, y)
    module, one = classifier.model_.nets_[0].module_, torch.zeros(1, 30, 1, dtype=torch.float64)
    before = classifier.predict_proba(X)
    size, work = n_parameters(module), flops(module, one)
    classifier.compress()
    np.testing.assert_allclose(classifier.predict_proba(X), before, atol=1e-5)
    assert n_parameters(module) < size
    assert flops(module, one) < work


def test_every_mode_of_a_fitted_network_fades(waves):
    settings = SMALL_NET | {"lr": 0.1}
    classifier = SpectralSSMClassifier(**settings, random_state=0).fit(*waves)
    for layer in classifier.model_.nets_[0].module_.backbone.spectral_layers:
        for core in (layer.core, layer.backward_core):
            assert (core.log_pole().exp().abs() < 1).all()


def test_the_closed_form_cannot_be_compressed(waves):
    classifier = SpectralSSMClassifier(n_filters=8).fit(*waves)
    with pytest.raises(ValueError, match=r"no masks to compress by; pass solver='gradient'"):
        classifier.compress()


def test_early_stopping_looks_at_training_series_of_every_class(waves):
    X, y = waves
    classifier = SpectralSSMClassifier(**SMALL_NET | {"n_estimators": 3}, random_state=0).fit(X, y)
    labels = torch.from_numpy((y == "slow").astype(np.int64))
    seen = set()
    for net in classifier.model_.nets_:
        training, validation = net.get_split_datasets({"x": torch.zeros(40, 1, 1)}, labels)
        assert sorted([*training.indices, *validation.indices]) == list(range(40))
        assert labels[validation.indices].bincount().tolist() == [4, 4]
        assert not seen & set(validation.indices)
        seen |= set(validation.indices)


def test_without_a_step_the_networks_leave_the_closed_form_as_it_is(waves):
    X, y = waves
    untrained = SpectralSSMClassifier(**SMALL_NET | {"max_epochs": 0}, random_state=0).fit(X, y)
    closed = SpectralSSMClassifier(n_filters=16, random_state=0).fit(X, y)
    np.testing.assert_allclose(untrained.predict_proba(X), closed.predict_proba(X), atol=1e-12)


def test_gaps_are_bridged_by_straight_lines(fitted, waves):
    X, y = waves
    gappy = X.copy()
    gappy[:, [0, 7, 8, 9]] = np.nan
    gappy[5, 3] = np.nan
    bridged = pd.DataFrame(gappy).interpolate(axis=1, limit_direction="both").to_numpy()
    np.testing.assert_allclose(
        fitted.predict_proba(gappy), fitted.predict_proba(bridged), atol=1e-9
    )
    learned, expected = (
        clone(fitted).fit(series, y).predict_proba(X) for series in (gappy, bridged)
    )
    np.testing.assert_allclose(learned, expected, atol=1e-9)


def test_missing_steps_at_the_end_make_a_series_shorter(fitted, waves):
    X, _ = waves
    padded = np.concatenate([X[:, :25], np.full((40, 5), np.nan)], axis=1)
    panel = SpectralSSMPanelClassifier(**fitted.get_params()).fit(X[:, None], waves[1])
    np.testing.assert_allclose(
        fitted.predict_proba(padded), panel.predict_proba(X[:, None, :25]), atol=1e-9
    )


BAD_SERIES = {
    "nothing but NaN": (
        lambda X: np.where(np.arange(40)[:, None] == 3, np.nan, X),
        "series 3 .* 0 steps",
    ),
    "nothing but NaN in a channel": (
        lambda X: np.stack([X, np.where(np.arange(40)[:, None] == 3, np.nan, X)], axis=1),
        "series 3 of X has no value in channel 1",
    ),
    "infinite": (lambda X: np.where(X > 1.5, np.inf, X), "infinity"),
    "huge": (lambda X: X * 1e200, r"e\+200 in magnitude; rescale"),
    "no series": (lambda X: X[:0], "0 sample"),
    "one step": (lambda X: X[:, :1], r"has 1 step.*at least 2 steps"),
    "four dimensions": (lambda X: X[:, None, None], "X has 4 dimensions; pass"),
}


@pytest.mark.parametrize("case", BAD_SERIES)
def test_series_that_cannot_be_classified_are_refused(case, fitted, waves, state_of):
    spoil, message = BAD_SERIES[case]
    X, y = waves
    bad = spoil(X)
    before = state_of(fitted)
    with pytest.raises(ValueError, match=message):
        fitted.fit(bad, y[: len(bad)])
    assert state_of(fitted) == before


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (["slow"] * 40, ValueError, "y has one class only, .*slow"),
        (["slow", "fast"], ValueError, "inconsistent"),
        (np.linspace(0, 1, 40), ValueError, "Unknown label type"),
    ],
)
def test_classes_that_cannot_be_told_apart_are_refused(
    labels, error, message, fitted, waves, state_of
):
    before = state_of(fitted)
    with pytest.raises(error, match=message):
        fitted.fit(waves[0], labels)
    assert state_of(fitted) == before


def test_one_series_is_refused(waves):
    with pytest.raises(ValueError, match="1 sample"):
        SpectralSSMClassifier().fit(waves[0][:1], waves[1][:1])


def test_channels_that_fit_has_not_seen_are_refused(waves):
    X, y = waves
    classifier = SpectralSSMClassifier(n_filters=8).fit(np.stack([X, X], axis=1), y)
    with pytest.raises(ValueError, match=r"3 features.*expecting 2|has 3 channels"):
        classifier.predict(np.stack([X, X, X], axis=1))
    with pytest.raises(ValueError, match=r"features|channels"):
        classifier.predict(X)


BAD_PARAMETERS = {
    "solver": [("newton", ValueError)],
    "n_filters": [(0, ValueError), (1.5, TypeError)],
    "n_estimators": [(0, ValueError)],
    "n_scales": [(0, ValueError), (5, ValueError)],
    "d_model": [(0, ValueError), (6, ValueError)],
    "n_modes": [(0, ValueError)],
    "compression_ratio": [(0, ValueError), (1.5, ValueError), ("half", TypeError)],
    "dropout": [(1.0, ValueError)],
    "max_epochs": [(-1, ValueError)],
    "lr": [(0.0, ValueError)],
    "patience": [(0, ValueError)],
    "validation_fraction": [(1.0, ValueError)],
    "class_weight": [("even", ValueError), ({"slow": 0.0, "fast": 1.0}, ValueError)],
    "random_state": [("seed", TypeError)],
}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [(name, *case) for name, cases in BAD_PARAMETERS.items() for case in cases],
)
def test_parameters_out_of_range_are_refused(name, value, error, waves):
    with pytest.raises(error, match=name if name == "class_weight" else re.escape(str(value))):
        SpectralSSMClassifier(**{name: value}).fit(*waves)


HOSTILE = st.sampled_from([0.0, 1.0, -1.0, 1e-300, -1e99, 1e12, np.nan, np.inf, 3.14])


@given(
    X=st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(1, 40)).flatmap(
        lambda shape: arrays(np.float64, shape, elements=HOSTILE | st.floats(-10, 10))
    ),
    n_classes=st.integers(1, 3),
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_hostile_series_give_probabilities_or_one_clear_error(X, n_classes):
    y = np.arange(len(X)) % n_classes
    classifier = SpectralSSMClassifier(n_filters=8, random_state=0)
    observed = ~np.isnan(X)
    lengths = [int(np.flatnonzero(one.any(axis=0)).max(initial=-1)) + 1 for one in observed]
    usable = (
        not np.isinf(X).any()
        and observed.any(axis=2).all()
        and min(len(X), len(set(y)), max(lengths)) >= 2
        and not 0 < np.nanmax(np.abs(X)) < 1e-140
    )
    if not usable:
        with pytest.raises(
            ValueError,
            match=r"infinity|1 step|one class|1 sample|0 steps|no value in channel|rescale",
        ):
            classifier.fit(X, y)
        assert not hasattr(classifier, "model_")
        return
    classifier.fit(X, y)
    probabilities = classifier.predict_proba(X)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
