"""How far forecasts of local experts may lie beyond the known rows."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster
from klforecast.local.experts import Bank, expert_forecasts

MONTHS = np.arange(372)


@pytest.mark.parametrize("known", [1, 2])
@pytest.mark.parametrize("gap", [24, 60])
def test_one_row_after_a_gap_says_little_of_the_range(gap, known):
    rng = np.random.default_rng(gap)
    truth = 50 + 10 * np.sin(2 * np.pi * MONTHS / 12) + rng.normal(size=len(MONTHS))
    y = pd.Series(truth[:360].copy())
    y[360 - known - gap : 360 - known] = np.nan
    forecast = KLMemoryForecaster(horizon=12).fit(y).predict()
    assert np.abs(forecast.to_numpy() - truth[360:]).mean() < 2


def test_steady_growth_goes_on_with_intervals_of_its_noise():
    rng = np.random.default_rng(0)
    truth = np.exp(0.05 * np.arange(260) + 0.02 * rng.normal(size=260))
    forecaster = KLMemoryForecaster(horizon=60).fit(pd.Series(truth[:200]))
    assert np.abs(np.log(forecaster.predict().to_numpy() / truth[200:])).max() < 0.15
    limits = forecaster.predict_interval(coverage=0.9).to_numpy()
    assert ((limits[:, 1] - limits[:, 0]) / truth[200:]).min() > 0.02
    assert np.mean((truth[200:] >= limits[:, 0]) & (truth[200:] <= limits[:, 1])) > 0.6


@pytest.mark.parametrize("kind", ["shift", "spike", "noise"])
def test_what_did_not_grow_steadily_is_held_to_three_ranges(kind):
    rng = np.random.default_rng(1)
    rows = 10 + rng.random(60)
    if kind == "shift":
        rows[40:] += 100.0
    if kind == "spike":
        rows[-1] = 500.0
    steps = np.arange(1, 61)
    forecasts = expert_forecasts(
        rows[None], Bank((), (), True, horizon=60), steps, np.array([True])
    )
    assert forecasts.max() <= rows.max() + 3 * np.ptp(rows)
