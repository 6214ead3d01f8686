import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from klforecast.estimators.regressor import KLMemoryRegressor


@pytest.fixture(scope="module")
def windows(hourly):
    pairs = sliding_window_view(hourly["load"].to_numpy(), 36 + 6)
    return pairs[:, :36], pairs[:, 36:]


# Checks with few rows have fewer components than the second regressor asks for.
@pytest.mark.filterwarnings("ignore:n_components=5 is more than the data allow:UserWarning")
@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
@parametrize_with_checks([KLMemoryRegressor(), KLMemoryRegressor(n_components=5)])
def test_scikit_learn_finds_nothing_to_object_to(estimator, check):
    check(estimator)


def test_with_all_components_it_is_ridge_regression(windows):
    X, y = windows
    mean_eigenvalue = np.linalg.eigvalsh(np.cov(X.T, bias=True)).mean()
    plain = Ridge(alpha=0.1 * len(X) * mean_eigenvalue).fit(X, y)
    ours = KLMemoryRegressor(ridge=0.1).fit(X, y)
    np.testing.assert_allclose(ours.coef_, plain.coef_, atol=1e-9)
    np.testing.assert_allclose(ours.intercept_, plain.intercept_, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_with_few_components_it_is_regression_on_principal_components(windows, k):
    X, y = windows
    plain = make_pipeline(PCA(k, svd_solver="full"), Ridge(alpha=0.0)).fit(X, y)
    ours = KLMemoryRegressor(k, ridge=0.0).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), plain.predict(X), atol=1e-8)
    np.testing.assert_allclose(ours.eigenvalues_, np.var(plain[0].transform(X), axis=0))
    assert ours.n_components_ == k


@pytest.mark.parametrize("center", [1, 4, 36])
def test_centring_is_taking_off_the_level_and_adding_it_again(windows, center):
    X, y = windows
    level = X[:, -center:].mean(axis=1, keepdims=True)
    plain = KLMemoryRegressor(8).fit(X - level, y - level)
    ours = KLMemoryRegressor(8, center=center).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), plain.predict(X - level) + level, rtol=1e-9)


def test_a_centred_forecast_follows_a_shift_of_the_level(windows):
    X, y = windows
    regressor = KLMemoryRegressor(8, center=3).fit(X, y)
    np.testing.assert_allclose(regressor.predict(X + 100), regressor.predict(X) + 100)


def test_one_target_gives_one_number_for_each_window(windows):
    X, y = windows
    one = KLMemoryRegressor().fit(X, y[:, 2])
    assert one.predict(X).shape == (len(X),)
    assert one.coef_.shape == (36,)
    np.testing.assert_allclose(one.predict(X), KLMemoryRegressor().fit(X, y).predict(X)[:, 2])


def test_more_components_than_the_windows_have_are_reduced(windows):
    X, y = windows
    with pytest.warns(UserWarning, match="n_components=50 is more than the data allow; .*_=36"):
        assert KLMemoryRegressor(50).fit(X, y).n_components_ == 36
    with pytest.warns(UserWarning, match="n_components=20 is more than the data allow; .*_=9"):
        assert KLMemoryRegressor(20).fit(X[:10], y[:10]).n_components_ == 9


def test_constant_windows_forecast_the_mean():
    regressor = KLMemoryRegressor().fit(np.ones((9, 4)), np.arange(9.0))
    assert regressor.n_components_ == 0
    np.testing.assert_allclose(regressor.predict(np.ones((2, 4))), [4.0, 4.0])


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"n_components": 0}, ValueError, "n_components is 0; pass an integer of at least 1"),
        ({"n_components": 2.0}, TypeError, "n_components is 2.0; pass"),
        ({"ridge": -1}, ValueError, "ridge is -1; pass a number with 0 <= ridge"),
        ({"center": -1}, ValueError, "center is -1; pass an integer of at least 0"),
        ({"center": 40}, ValueError, "center=40 is longer than a window of 36 steps; pass at most"),
    ],
)
def test_parameters_out_of_range_are_refused(windows, settings, error, message):
    with pytest.raises(error, match=message):
        KLMemoryRegressor(**settings).fit(*windows)


def test_a_fit_that_fails_leaves_the_old_one(windows, state_of):
    X, y = windows
    regressor = KLMemoryRegressor(5).fit(pd.DataFrame(X).add_prefix("lag"), y)
    before = state_of(regressor)
    for bad_X, bad_y in [(X[:, :20], y[:5]), (np.where(X > 10, np.nan, X), y), (X * np.inf, y)]:
        with pytest.raises(ValueError, match=r"inconsistent|NaN|infinity"):
            regressor.fit(bad_X, bad_y)
        assert state_of(regressor) == before
