"""A fit to the parts of a panel is the fit to the panel."""

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster
from klforecast.distributed import fit_parts, predict_parts
from klforecast.estimators.frames.panel import split_series

LEVELS = [0.1, 0.5, 0.9]


def made_panel(n_series: int, rows: int = 72, unequal: bool = False) -> pd.DataFrame:
    """Monthly series: seasons, walks, counts with many zeros, one with gaps."""
    rng = np.random.default_rng(3)
    frames = {}
    for number in range(n_series):
        length = rows - 5 * (number % 6) if unequal else rows
        months = np.arange(rows)
        kind = number % 3
        if kind == 0:
            y = 50 + 10 * np.sin(2 * np.pi * (months + number) / 12) + rng.normal(size=rows)
        elif kind == 1:
            y = 100 + np.cumsum(rng.normal(size=rows))
        else:
            y = rng.poisson(0.6, size=rows).astype(float)
        if number == 4:
            y[20:24] = np.nan
        stamps = pd.date_range("2015-01-01", periods=rows, freq="MS")
        frames[f"s{number:04d}"] = pd.DataFrame({"y": y[-length:]}, index=stamps[-length:])
    return pd.concat(frames, names=["series", "month"])


def parted(panel: pd.DataFrame, sizes: list[int]) -> list:
    series = split_series(panel)
    keys = list(series)
    assert sum(sizes) == len(keys)
    stops = np.cumsum(sizes)
    return [
        {key: series[key] for key in keys[stop - n : stop]}
        for n, stop in zip(sizes, stops, strict=True)
    ]


def forecasts_of_parts(panel, sizes, forecaster, steps=12):
    parts = parted(panel, sizes)
    model = fit_parts(parts, forecaster)
    answers = list(predict_parts(model, parts, steps, LEVELS))
    point = np.concatenate([part[key] for part, _ in answers for key in part])
    return point, np.concatenate([quantiles for _, quantiles in answers])


def single_fit(panel, forecaster, steps=12):
    fitted = forecaster.fit(panel)
    fh = range(1, steps + 1)
    quantiles = fitted.predict_quantiles(fh, alpha=LEVELS)
    return fitted.predict(fh).to_numpy(), quantiles.to_numpy()[:, None]


@pytest.mark.parametrize("sizes", [[30], [7, 23], [1, 2, 3, 4, 20], [10, 10, 10]])
@pytest.mark.parametrize("local_experts", [True, False])
def test_a_fit_of_parts_forecasts_what_one_fit_of_the_whole_does(sizes, local_experts):
    panel = made_panel(30)
    forecaster = KLMemoryForecaster(horizon=12, local_experts=local_experts)
    point, quantiles = forecasts_of_parts(panel, sizes, forecaster)
    known, known_quantiles = single_fit(panel, forecaster)
    np.testing.assert_allclose(point, known, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(quantiles, known_quantiles, rtol=1e-8, atol=1e-8)


def test_series_of_unequal_length_are_forecast_as_in_one_fit():
    panel = made_panel(24, rows=90, unequal=True)
    forecaster = KLMemoryForecaster(horizon=6)
    point, quantiles = forecasts_of_parts(panel, [5, 1, 18], forecaster, 6)
    known, known_quantiles = single_fit(panel, forecaster, 6)
    np.testing.assert_allclose(point, known, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(quantiles, known_quantiles, rtol=1e-8, atol=1e-8)
