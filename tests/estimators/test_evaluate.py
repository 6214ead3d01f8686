"""sktime's own ways to follow a series: evaluate and update_predict, with every strategy."""

import numpy as np
import pandas as pd
import pytest
from sktime.forecasting.model_evaluation import evaluate
from sktime.split import ExpandingWindowSplitter

from klforecast import KLMemoryForecaster
from klforecast.evaluation.benchmark.adapter import HarnessForecaster

LINEAR = {"horizon": 6, "input_length": 12, "memory_depth": 36, "period": 12}
FORECASTERS = {
    "linear": KLMemoryForecaster(**LINEAR),
    "linear, forgetting": KLMemoryForecaster(**LINEAR, forgetting=0.99),
    "transformer": KLMemoryForecaster(
        **LINEAR, encoder="transformer", d_model=4, n_heads=1, max_epochs=1, random_state=0
    ),
    "harness": HarnessForecaster("nlinear", params={"max_epochs": 1, "lookback": 24}),
}


def forecasts(forecaster, y, strategy):
    cv = ExpandingWindowSplitter(fh=range(1, 7), initial_window=300, step_length=25)
    table = evaluate(forecaster.clone(), cv, y, strategy=strategy, return_data=True)
    return pd.concat(list(table["y_pred"]))


@pytest.mark.parametrize("name", FORECASTERS)
def test_updating_is_refitting(name, hourly):
    refitted = forecasts(FORECASTERS[name], hourly, "refit")
    updated = forecasts(FORECASTERS[name], hourly, "update")
    assert updated.index.equals(refitted.index)
    np.testing.assert_allclose(updated, refitted, rtol=1e-8)


@pytest.mark.parametrize("name", FORECASTERS)
def test_without_update_of_weights_the_forecasts_move_on_alone(name, hourly):
    forecaster = FORECASTERS[name]
    moved = forecasts(forecaster, hourly, "no-update_params")
    # sktime's strategy neither updates nor fits: each fold is forecast from the first cutoff.
    first = forecaster.clone().fit(hourly[:300], fh=range(1, 7))
    for start in range(300, 395, 25):
        expected = first.update(hourly[300:start], update_params=False) if start > 300 else first
        rows = moved.loc[hourly.index[start : start + 6]]
        np.testing.assert_allclose(rows, expected.predict(), rtol=1e-9)


@pytest.mark.parametrize("update_params", [False, True])
def test_update_predict_forecasts_from_every_cutoff(update_params, hourly):
    forecaster = KLMemoryForecaster(**LINEAR).fit(hourly[:300], fh=[1])
    cv = ExpandingWindowSplitter(fh=[1], initial_window=10, step_length=10)
    moved = forecaster.update_predict(hourly[300:360], cv, update_params=update_params)
    cutoffs = hourly.index.get_indexer(moved.index)
    assert list(cutoffs) == [310, 320, 330, 340, 350]
    for cutoff, forecast in zip(cutoffs, moved.to_numpy(), strict=True):
        known = hourly[:cutoff] if update_params else hourly[:300]
        anew = KLMemoryForecaster(**LINEAR).fit(known).predict_windows(hourly, [cutoff])
        np.testing.assert_allclose(forecast, anew[0, 0], rtol=1e-8)
    assert forecaster.cutoff[0] == hourly.index[299]  # the default leaves the forecaster as it was
