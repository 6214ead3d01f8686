import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline

from klforecast import KLMemoryForecaster, backtest

LEVELS = [0.1, 0.9]


@pytest.fixture(scope="module")
def fitted():
    return KLMemoryForecaster(12, local_experts=False).fit(load_airline()[:120])


def test_labelled_windows_are_those_of_a_backtest(fitted):
    y = load_airline()
    tested = backtest(
        KLMemoryForecaster(12, local_experts=False), y, horizon=12, n_windows=2, levels=LEVELS
    )
    found = fitted.predict_windows(y, [120, 132], alpha=LEVELS, as_frame=True)
    pd.testing.assert_frame_equal(found, tested.forecasts)


def test_steps_after_the_last_row_have_stamps_and_no_truth(fitted):
    found = fitted.predict_windows(load_airline(), [144], as_frame=True)
    assert [str(month) for month in found["time"].iloc[[0, -1]]] == ["1961-01", "1961-12"]
    assert str(found["cutoff"].iloc[0]) == "1960-12"
    assert found["truth"].isna().all()
    np.testing.assert_array_equal(
        found["forecast"], fitted.predict_windows(load_airline(), [144]).ravel()
    )


def test_no_cutoff_is_a_frame_without_rows(fitted):
    found = fitted.predict_windows(load_airline(), [], as_frame=True)
    assert len(found) == 0
    assert "forecast" in found


def test_a_flag_that_is_none_is_refused(fitted):
    with pytest.raises(TypeError, match="as_frame"):
        fitted.predict_windows(load_airline(), [144], as_frame="yes")
