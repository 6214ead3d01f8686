"""Paths have the margins of the intervals, and errors that vary together."""

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed
from sktime.datasets import load_airline

from klforecast import KLMemoryForecaster
from klforecast.estimators.paths import PATH_LEVELS, sample_paths
from klforecast.exceptions import KLForecastError

STEPS = range(1, 13)


@pytest.fixture(scope="module")
def airline():
    return KLMemoryForecaster(horizon=12).fit(load_airline())


def correlated(n, channels=1, seed=0, memory=0.95):
    """Rows around a cycle whose errors stay what they were for some twenty steps."""
    noise = np.random.default_rng(seed).standard_normal((n, channels))
    error = np.zeros((n, channels))
    for step in range(1, n):
        error[step] = memory * error[step - 1] + noise[step]
    cycle = 10 * np.sin(np.arange(n) * np.pi / 6)[:, None]
    index = pd.date_range("2020", periods=n, freq="D")
    return pd.DataFrame(cycle + error, index, [f"c{place}" for place in range(channels)])


def test_paths_have_the_quantiles_of_the_intervals(airline):
    paths = airline.simulate(STEPS, n_paths=200_000, random_state=0)
    alpha = [0.05, 0.25, 0.5, 0.75, 0.95]
    quantiles = airline.predict_quantiles(STEPS, alpha=alpha).to_numpy()
    found = np.quantile(paths.to_numpy().reshape(200_000, 12), alpha, axis=0).T
    width = quantiles[:, -1:] - quantiles[:, :1]
    assert (np.abs(found - quantiles) < 0.03 * width).all()


def test_paths_are_indexed_by_path_and_stamp(airline):
    paths = airline.simulate([1, 3], n_paths=5, random_state=0)
    stamps = airline.predict([1, 3]).index
    assert isinstance(paths, pd.DataFrame)
    assert paths.index.names == ["path", "Period"]
    assert paths.loc[4].index.equals(stamps)
    assert paths.index.equals(
        pd.MultiIndex.from_product([range(5), stamps], names=["path", "Period"])
    )


def test_steps_asked_for_alone_are_those_of_the_whole_path(airline):
    whole = airline.simulate(STEPS, n_paths=4, random_state=0)
    some = airline.simulate([2, 12], n_paths=4, random_state=0)
    expected = whole.to_numpy().reshape(4, 12)[:, [1, 11]].ravel()
    np.testing.assert_allclose(some.to_numpy().ravel(), expected)


def test_sums_over_the_horizon_are_in_their_intervals_and_not_in_those_of_independent_steps():
    y = correlated(4000)
    forecaster = KLMemoryForecaster(horizon=24, random_state=0).fit(y[:2000])
    within, apart = [], []
    generator = np.random.default_rng(0)
    for cutoff in range(2000, 3976, 24):
        paths = forecaster.simulate(range(1, 25), n_paths=500).to_numpy().reshape(500, 24)
        rows = y[cutoff : cutoff + 24]
        for drawn, hits in ((paths, within), (generator.permuted(paths, axis=0), apart)):
            low, high = np.quantile(drawn.sum(axis=1), [0.1, 0.9])
            hits.append(low <= rows.to_numpy().sum() <= high)
        forecaster.update(rows, update_params=False)
    assert 0.7 < np.mean(within) < 0.9
    assert np.mean(apart) < 0.5


def test_channels_whose_errors_are_the_same_have_paths_that_vary_together():
    y = correlated(1500)
    noise = 0.3 * np.random.default_rng(1).standard_normal((1500, 2))
    y = pd.DataFrame(y.to_numpy() + noise, y.index, ["a", "b"])
    paths = KLMemoryForecaster(horizon=6).fit(y).simulate(range(1, 7), random_state=0)
    last = paths.to_numpy().reshape(1000, 6, 2)[:, -1]
    assert np.corrcoef(last.T)[0, 1] > 0.7


def test_series_of_a_panel_have_paths_of_their_own():
    panel = pd.concat({"x": correlated(300), "y": correlated(260, seed=1)}, names=["series", "day"])
    forecaster = KLMemoryForecaster(horizon=6).fit(panel)
    paths = forecaster.simulate(range(1, 7), n_paths=2000, random_state=0)
    assert paths.index.names == ["path", "series", "day"]
    median = paths.groupby(["series", "day"]).median()
    expected = forecaster.predict_quantiles(range(1, 7), alpha=[0.5])
    np.testing.assert_allclose(median.to_numpy(), expected.to_numpy(), atol=0.6)
    last = paths.to_numpy().reshape(2000, 2, 6)[..., -1]
    assert abs(np.corrcoef(last.T)[0, 1]) < 0.1


def test_paths_of_a_series_never_below_zero_are_not_below_it():
    y = pd.Series(np.random.default_rng(0).poisson(1.0, 200).astype(float))
    paths = KLMemoryForecaster(horizon=6).fit(y).simulate(range(1, 7), random_state=0)
    assert paths.to_numpy().min() >= 0


def test_paths_go_beyond_the_horizon(airline):
    assert np.isfinite(airline.simulate(range(1, 31), n_paths=10).to_numpy()).all()


def test_covariates_ahead_move_the_paths():
    generator = np.random.default_rng(0)
    index = pd.date_range("2020", periods=320, freq="D")
    X = pd.DataFrame({"heat": generator.uniform(-1, 1, 320)}, index)
    X.iloc[:2] = [[-1.0], [1.0]]
    y = pd.DataFrame({"load": 5 * X["heat"] + 0.1 * generator.standard_normal(320)})
    forecaster = KLMemoryForecaster(horizon=6).fit(y[:300], X=X[:300])
    paths = forecaster.simulate(range(1, 7), X=X[300:306], n_paths=200, random_state=0)
    median = paths.groupby(level=1).median()
    np.testing.assert_allclose(median["load"], 5 * X["heat"][300:306], atol=0.3)


def drawn(forecaster):
    return forecaster.simulate(STEPS, n_paths=20, random_state=7)


def test_paths_are_the_same_after_saving_and_in_a_worker(airline, tmp_path):
    airline.save(tmp_path / "model.safetensors")
    loaded = KLMemoryForecaster.load(tmp_path / "model.safetensors")
    (elsewhere,) = Parallel(n_jobs=2)([delayed(drawn)(airline)])
    pd.testing.assert_frame_equal(drawn(airline), drawn(loaded))
    pd.testing.assert_frame_equal(drawn(airline), elsewhere)


def test_the_seed_of_the_forecaster_stands_in_and_no_global_generator_moves():
    forecaster = KLMemoryForecaster(horizon=12, random_state=3).fit(load_airline())
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, again = forecaster.simulate(STEPS), forecaster.simulate(STEPS)
    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(forecaster.simulate(STEPS, random_state=4))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"n_paths": 0}, ValueError, "n_paths is 0; pass an integer of at least 1"),
        ({"n_paths": 2.5}, TypeError, "n_paths is 2.5"),
        ({"random_state": -1}, ValueError, "random_state is -1"),
    ],
)
def test_arguments_that_cannot_be_used_are_named(airline, wrong, error, words):
    with pytest.raises(error, match=words):
        airline.simulate(STEPS, **wrong)


def test_a_forecaster_of_an_earlier_version_is_asked_to_fit_again(airline):
    earlier = airline.clone().fit(load_airline())
    earlier.calibration_ = earlier.calibration_._replace(joint=None)
    with pytest.raises(KLForecastError, match="call fit or pretrain again"):
        earlier.simulate(STEPS)


def test_a_quantile_that_no_float_can_hold_stays_the_largest_one(airline):
    largest = np.finfo(float).max
    columns = pd.MultiIndex.from_product([["y"], PATH_LEVELS])
    table = pd.DataFrame(
        np.linspace(-largest / 2, largest / 2, len(PATH_LEVELS))[None] * 2, columns=columns
    )
    joint = airline.calibration_.joint
    paths = sample_paths(table, [np.array([1])], joint, 100, seed=0)
    assert np.isfinite(paths.to_numpy()).all()


def test_a_joint_distribution_of_skpro_draws_whole_paths():
    forecaster = KLMemoryForecaster(horizon=12, random_state=0).fit(load_airline())
    joint = forecaster.predict_proba(STEPS, marginal=False)
    paths = forecaster.simulate(STEPS).to_numpy().reshape(1000, 12)
    drawn = joint.sample(50).to_numpy().reshape(50, 12)
    assert all((paths == path).all(axis=1).any() for path in drawn)
    np.testing.assert_allclose(joint.mean().to_numpy().ravel(), paths.mean(axis=0))
    apart = forecaster.predict_proba(STEPS)
    alone = apart.sample(1000).to_numpy().reshape(1000, 12)
    assert alone.sum(axis=1).std() < 0.7 * paths.sum(axis=1).std()
