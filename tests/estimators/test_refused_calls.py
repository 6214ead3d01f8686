"""Arguments of calls after `fit` that cannot be used are refused by name, and change nothing."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from klforecast import KarhunenLoeve, KLMemoryForecaster, KLMemoryRegressor

VALUES = np.sin(np.arange(80) * 2 * np.pi / 7) + 0.1 * np.random.default_rng(0).normal(size=80)
Y = pd.Series(VALUES)


@pytest.fixture(scope="module")
def fitted():
    return KLMemoryForecaster(4, period=7).fit(Y)


NO_NUMBERS = ["x", "0.9", True, {"a": 1}, [None], [[0.9]], ["x"], object(), b"x", [True]]
NO_LEVELS = [[], 1.5, -0.1, 0, 1, 90, np.nan, [0.5, np.inf], Y]
CALLS = {
    "coverage": lambda forecaster, value: forecaster.predict_interval([1], coverage=value),
    "alpha": lambda forecaster, value: forecaster.predict_quantiles([1], alpha=value),
    "alpha of windows": lambda forecaster, value: forecaster.predict_windows(Y, [40], alpha=value),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", [*NO_NUMBERS, *NO_LEVELS], ids=lambda value: repr(value)[:12])
def test_levels_that_are_none_are_refused_by_name(fitted, call, value, state_of):
    error = TypeError if any(value is bad for bad in NO_NUMBERS) else ValueError
    before = state_of(fitted)
    with pytest.raises(
        error, match=rf"^{call.split()[0]} .*; pass numbers between 0 and 1"
    ) as told:
        CALLS[call](fitted, value)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 300
    assert state_of(fitted) == before


@pytest.mark.parametrize("call", ["coverage", "alpha"])
def test_a_level_asked_for_twice_is_refused_where_it_names_a_column(fitted, call):
    with pytest.raises(ValueError, match=rf"^{call} holds 0.9 twice"):
        CALLS[call](fitted, [0.9, 0.5, 0.9])


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(
    "value", [(0.5, 0.75), np.array([0.5, 0.75]), pd.Series([0.5, 0.75]), np.float32([0.5, 0.75])]
)
def test_levels_may_come_in_any_sequence(fitted, call, value):
    expected = np.asarray(CALLS[call](fitted, [0.5, 0.75]))
    np.testing.assert_array_equal(np.asarray(CALLS[call](fitted, value)), expected)


@pytest.mark.parametrize("call", ["coverage", "alpha"])
def test_one_level_may_be_any_real_number(fitted, call):
    expected = np.asarray(CALLS[call](fitted, 0.5))
    np.testing.assert_array_equal(np.asarray(CALLS[call](fitted, np.float32(0.5))), expected)


@pytest.mark.parametrize("value", ["x", 1, None, Y])
def test_flags_of_predictions_are_flags(fitted, value):
    with pytest.raises(TypeError, match=r"^cov is .*; pass True or False"):
        fitted.predict_var([1], cov=value)
    with pytest.raises(TypeError, match=r"^marginal is .*; pass True or False"):
        fitted.predict_proba([1], marginal=value)


@pytest.mark.parametrize("y", ["x", None, 3, {"a": [1]}, np.ones((3, 3, 3)), [[1], [1, 2]]])
def test_windows_of_what_is_no_table_are_refused(fitted, y):
    with pytest.raises(TypeError, match=r"^y is .*; pass a pandas Series or DataFrame"):
        fitted.predict_windows(y, [1])


@pytest.mark.parametrize("y", [None, "x", Y])
def test_pretraining_on_what_is_no_panel_is_refused(y):
    forecaster = KLMemoryForecaster(4)
    with pytest.raises(TypeError, match=r"pass a pandas Series or DataFrame|pass panel data"):
        forecaster.pretrain(y)
    assert not forecaster.is_fitted


@pytest.mark.parametrize("n_modes", [0, -1, "x", None, 1.5, True])
def test_pictures_of_no_modes_are_refused(fitted, n_modes):
    with pytest.raises((TypeError, ValueError), match=r"^n_modes is .*at least 1"):
        fitted.plot_modes(n_modes)


@pytest.mark.parametrize("path", [3, 1.5, ["a"]])
def test_files_without_a_name_are_refused(fitted, path):
    with pytest.raises(TypeError, match=r"^path is .*; pass the name of a file"):
        fitted.save(path)
    with pytest.raises(TypeError, match=r"^path is .*; pass the name of a file"):
        KLMemoryForecaster.load(path)


def test_a_pipeline_of_scikit_learn_is_told_which_one_to_use():
    # Its X would be the series, and its y the covariates.
    pipeline = make_pipeline(StandardScaler(), KLMemoryForecaster(4))
    with pytest.raises(TypeError, match="TransformedTargetForecaster"):
        pipeline.fit(Y.to_frame(), Y)


def test_transforms_and_regressions_of_what_is_no_number_are_refused():
    windows = np.random.default_rng(0).normal(size=(20, 6))
    for solver in (Y, None, ["exact"]):
        with pytest.raises(ValueError, match=r"^solver is .*; pass one of 'exact', 'online'"):
            KarhunenLoeve(2, solver=solver).fit(windows)
    dates = pd.DataFrame({"a": pd.date_range("2024", periods=20)})
    for y in (dates, csr_array(windows)):
        with pytest.raises(TypeError, match=r"^y holds .*; pass an array of real numbers"):
            KLMemoryRegressor().fit(windows, y)
