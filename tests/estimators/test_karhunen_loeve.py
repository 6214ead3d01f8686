import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.utils import check_random_state
from sklearn.utils.estimator_checks import parametrize_with_checks

from klforecast.estimators.karhunen_loeve import KarhunenLoeve
from klforecast.ops.kl import empirical_kl
from klforecast.ops.linalg import fix_signs, follow_signs


def low_rank_rows(n_rows, n_features, rank, seed=0):
    rng = np.random.default_rng(seed)
    return 5 + rng.normal(size=(n_rows, rank)) @ rng.normal(size=(rank, n_features))


def assert_same_transform(transform, other, rtol=1e-7):
    for name in ("mean_", "components_", "eigenvalues_", "explained_variance_ratio_", "weight_"):
        assert_allclose(getattr(transform, name), getattr(other, name), rtol=rtol, atol=1e-9)


def fitted_state(transform):
    attributes = vars(transform) | {
        "_state": [torch.as_tensor(part).numpy() for part in transform._state]
    }
    return {name: pickle.dumps(value) for name, value in attributes.items()}


# Tables of one or two columns or rows are part of scikit-learn's checks.
@pytest.mark.filterwarnings("default:n_components=2 is more than")
@parametrize_with_checks(
    [
        KarhunenLoeve(),
        KarhunenLoeve(n_components=1, solver="online"),
        KarhunenLoeve(n_components=2, whiten=True),
        KarhunenLoeve(n_components=2, solver="online", forgetting=0.9, whiten=True),
        KarhunenLoeve(n_components=1, basis="auto"),
    ]
)
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


# The definition


def test_scores_are_those_of_principal_component_analysis():
    rows = np.random.default_rng(0).normal(size=(60, 5)) * [5, 4, 3, 2, 1]
    ours, theirs = KarhunenLoeve(n_components=3).fit(rows), PCA(n_components=3).fit(rows)
    signs = np.sign((ours.components_ * theirs.components_).sum(axis=1))
    assert_allclose(ours.components_, signs[:, None] * theirs.components_)
    assert_allclose(ours.eigenvalues_, theirs.explained_variance_ * 59 / 60)
    assert_allclose(ours.explained_variance_ratio_, theirs.explained_variance_ratio_)
    assert_allclose(ours.transform(rows), signs * theirs.transform(rows), atol=1e-12)


def test_whitened_scores_of_a_series_are_its_modes_over_time():
    series = np.random.default_rng(1).normal(size=(50, 4)).cumsum(axis=0)
    scores = KarhunenLoeve(n_components=3, whiten=True).fit_transform(series)
    modes = empirical_kl(torch.tensor(series), 3).modes
    assert_allclose(fix_signs(torch.tensor(scores)) / np.sqrt(50), modes, atol=1e-9)


@pytest.mark.parametrize("solver", ["exact", "online"])
def test_forgetting_is_the_explicitly_weighted_covariance(solver):
    rows, f = low_rank_rows(80, 6, 3), 0.9
    transform = KarhunenLoeve(n_components=3, solver=solver, forgetting=f).fit(rows)
    weights = f ** np.arange(79, -1, -1)
    mean = weights @ rows / weights.sum()
    covariance = (rows - mean).T * weights @ (rows - mean) / weights.sum()
    V = transform.components_
    assert_allclose(transform.mean_, mean)
    assert_allclose(V.T * transform.eigenvalues_ @ V, covariance, atol=1e-9)
    assert transform.weight_ == pytest.approx(weights.sum())


# Exact and online


@pytest.mark.parametrize("forgetting", [1.0, 0.95])
@pytest.mark.parametrize("chunk", [1, 9, 120])
def test_partial_fit_equals_the_exact_fit_on_rank_up_to_n_components(chunk, forgetting):
    rows = low_rank_rows(120, 10, 4)
    exact = KarhunenLoeve(n_components=4, forgetting=forgetting).fit(rows)
    online = KarhunenLoeve(n_components=4, forgetting=forgetting)
    for start in range(0, 120, chunk):
        online.partial_fit(rows[start : start + chunk])
    assert_same_transform(online, exact)
    assert_same_transform(clone(exact).set_params(solver="online").fit(rows), exact)


def test_all_components_are_exact_on_any_data():
    rows = np.random.default_rng(2).normal(size=(100, 4))
    grown = KarhunenLoeve().partial_fit(rows[:1]).partial_fit(rows[1:])
    assert_same_transform(grown, KarhunenLoeve().fit(rows))


def test_partial_fit_goes_on_from_fit():
    rows = low_rank_rows(100, 6, 3)
    resumed = KarhunenLoeve(n_components=3).fit(rows[:40]).partial_fit(rows[40:])
    assert_same_transform(resumed, KarhunenLoeve(n_components=3).fit(rows))


@pytest.mark.parametrize("solver", ["exact", "online"])
def test_fit_forgets_what_came_before_bit_for_bit(solver):
    first, second = low_rank_rows(50, 6, 3), low_rank_rows(40, 5, 4, seed=1)
    fresh = KarhunenLoeve(n_components=3, solver=solver).fit(second)
    refitted = KarhunenLoeve(n_components=3, solver=solver).fit(first).fit(second)
    assert fitted_state(refitted) == fitted_state(fresh)


def test_what_the_online_solver_cuts_still_counts_as_variance():
    rows = np.random.default_rng(3).normal(size=(300, 8))
    online = KarhunenLoeve(n_components=2, solver="online").fit(rows)
    exact = KarhunenLoeve(n_components=2).fit(rows)
    assert online.explained_variance_ratio_.sum() <= exact.explained_variance_ratio_.sum()
    assert_allclose(online.explained_variance_ratio_, online.eigenvalues_ / rows.var(axis=0).sum())


# There and back


@pytest.mark.parametrize("whiten", [False, True])
def test_the_way_back_is_exact_on_rank_deficient_rows(whiten):
    rows = low_rank_rows(50, 7, 3)
    transform = KarhunenLoeve(n_components=5, whiten=whiten).fit(rows)
    assert_allclose(transform.inverse_transform(transform.transform(rows)), rows)
    assert_array_equal(transform.eigenvalues_[3:], 0)
    assert_array_equal(transform.components_[3:], 0)


def test_whitened_scores_have_unit_variance():
    scores = KarhunenLoeve(whiten=True).fit_transform(low_rank_rows(50, 7, 7))
    assert_allclose(np.cov(scores.T, bias=True), np.eye(7), atol=1e-9)


@pytest.mark.parametrize("solver", ["exact", "online"])
@pytest.mark.parametrize("level", [0.0, 0.1, 1e6 / 3])
def test_constant_rows_have_zero_scores_and_come_back(level, solver):
    rows = np.full((200, 3), level)
    transform = KarhunenLoeve(whiten=True, solver=solver).fit(rows)
    assert_array_equal(transform.transform(rows), 0)
    assert_array_equal(transform.explained_variance_ratio_, 0)
    assert_allclose(transform.inverse_transform(transform.transform(rows)), rows)


def test_one_row_is_enough_to_start():
    row = np.array([[1.0, 2.0, 3.0]])
    for learn in (KarhunenLoeve().fit, KarhunenLoeve(n_components=2).partial_fit):
        transform = learn(row)
        assert_array_equal(transform.mean_, row[0])
        assert_array_equal(transform.transform(row), 0)


# Sizes


@pytest.mark.parametrize(("shape", "allowed"), [((4, 9), 4), ((9, 4), 4)])
def test_more_components_than_the_data_allow_are_reduced_with_a_warning(shape, allowed):
    transform = KarhunenLoeve(n_components=6)
    message = f"n_components=6 is more than {shape[0]} rows of {shape[1]} features allow; keeping 4"
    with pytest.warns(UserWarning, match=message):
        transform.fit(np.random.default_rng(4).normal(size=shape))
    assert transform.n_components_ == allowed
    assert transform.n_components == 6
    assert len(transform.get_feature_names_out()) == allowed


def test_a_stream_is_reduced_by_its_features_but_not_by_its_first_rows():
    rows = low_rank_rows(30, 4, 4)
    with pytest.warns(UserWarning, match="n_components=6 is more than 4 features allow; keeping 4"):
        transform = KarhunenLoeve(n_components=6).partial_fit(rows[:1])
    assert_same_transform(transform.partial_fit(rows[1:]), KarhunenLoeve().fit(rows))


def test_frames_keep_their_column_names():
    frame = pd.DataFrame(low_rank_rows(20, 3, 2), columns=["a", "b", "c"])
    transform = KarhunenLoeve(n_components=2).set_output(transform="pandas").fit(frame)
    assert list(transform.transform(frame).columns) == ["karhunenloeve0", "karhunenloeve1"]
    with pytest.raises(ValueError, match="feature names should match"):
        transform.partial_fit(frame.rename(columns={"c": "d"}))


# Contracts


def test_transforming_writes_nothing():
    rows = low_rank_rows(30, 4, 3)
    transform = KarhunenLoeve(n_components=3, whiten=True).fit(rows)
    before = fitted_state(transform)
    transform.inverse_transform(transform.transform(rows[:5]))
    assert fitted_state(transform) == before


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("parameters", [{}, {"n_components": 99}])
@pytest.mark.filterwarnings("error")
def test_a_failed_fit_leaves_the_transform_as_it_was(method, parameters):
    frame = pd.DataFrame(low_rank_rows(30, 4, 3), columns=list("abcd"))
    transform = KarhunenLoeve(n_components=3).fit(frame).set_params(**parameters)
    before = fitted_state(transform)
    bad = frame.rename(columns={"a": "e"}).mask(frame > 6)
    with pytest.raises(ValueError, match=r"NaN|feature names"):
        getattr(transform, method)(bad)
    assert fitted_state(transform) == before


def test_the_random_generators_are_left_alone():
    def states():
        return torch.get_rng_state().tolist(), pickle.dumps(check_random_state(None).get_state())

    before = states()
    KarhunenLoeve(solver="online").fit_transform(low_rank_rows(30, 4, 3))
    assert states() == before


def test_a_pickle_goes_on_where_it_stopped():
    rows = low_rank_rows(60, 4, 3)
    transform = KarhunenLoeve(n_components=3).partial_fit(rows[:30])
    copy = pickle.loads(pickle.dumps(transform))
    assert_same_transform(copy.partial_fit(rows[30:]), transform.partial_fit(rows[30:]), rtol=0)


@pytest.mark.parametrize("n_components", [2, 5, 9, None])
def test_a_stream_obeys_a_new_number_of_components(n_components):
    rows = np.random.default_rng(0).normal(size=(60, 6)) * [9, 7, 5, 3, 2, 1]
    transform = KarhunenLoeve(n_components=3).partial_fit(rows[:30])
    transform.set_params(n_components=n_components).partial_fit(rows[30:])
    wanted = min(n_components or 3, 6)
    assert transform.n_components_ == wanted
    assert transform.transform(rows).shape == (60, wanted)
    if n_components == 2:
        exact = KarhunenLoeve(n_components=2).fit(rows)
        np.testing.assert_allclose(transform.eigenvalues_, exact.eigenvalues_, rtol=0.02)
    else:
        # What was cut before is lost, what came after is not.
        assert (transform.eigenvalues_ > 0).all()


def test_grid_search_runs_over_n_components():
    rows = low_rank_rows(60, 6, 3)
    target = rows @ np.arange(6)
    search = GridSearchCV(
        make_pipeline(KarhunenLoeve(), Ridge(alpha=1e-6)),
        {"karhunenloeve__n_components": [1, 2, 3]},
        cv=TimeSeriesSplit(3),
    )
    assert search.fit(rows, target).best_params_ == {"karhunenloeve__n_components": 3}


def test_nothing_works_before_fit():
    for method in ("transform", "inverse_transform"):
        with pytest.raises(NotFittedError):
            getattr(KarhunenLoeve(), method)(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "n_components=0; pass a positive integer or None for all"),
        ({"n_components": 1.5}, "n_components=1.5"),
        ({"n_components": True}, "n_components=True"),
        ({"solver": "svd"}, "solver is 'svd'; pass one of"),
        ({"forgetting": 0}, r"forgetting=0; pass a number in \(0, 1\]"),
        ({"forgetting": "fast"}, "forgetting='fast'"),
    ],
)
def test_parameters_out_of_range_are_refused_in_fit(parameters, message):
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=message):
            getattr(KarhunenLoeve(**parameters), method)(np.eye(3))


def test_scores_of_another_width_are_refused_on_the_way_back():
    transform = KarhunenLoeve(n_components=2).fit(np.eye(4))
    with pytest.raises(ValueError, match="scores of 3 components; pass the 2 that transform gives"):
        transform.inverse_transform(np.zeros((1, 3)))


def test_signs_that_jump_in_a_stream_can_be_followed():
    # Two opposite entries of the leading component are as large as each other, but for noise.
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(400, 1)) * [1.0, -1.0, 0.3] + 0.5 * rng.normal(size=(400, 3))
    stream, jumps, turns, followed = KarhunenLoeve(1).partial_fit(rows[:20]), 0, 0, None
    for row in rows[20:]:
        before = torch.from_numpy(stream.components_.T)
        followed = before if followed is None else followed
        now = torch.from_numpy(stream.partial_fit(row[None]).components_.T)
        after = follow_signs(now, followed)
        jumps += bool((now * before).sum() < 0)
        turns += bool((after * followed).sum() < 0)
        followed = after
        assert now.abs().max() == now.max()
    assert jumps > 2
    assert turns == 0
