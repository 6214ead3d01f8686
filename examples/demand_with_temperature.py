"""
Demand with temperature and holidays
====================================

Covariates that are known ahead, or only up to the cutoff, beside rows with gaps.
"""

import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster
from klforecast.estimators.plots.plotting import new_figure, plot_forecast

rng = np.random.default_rng(0)
hours = pd.date_range("2023-01-01", periods=24 * 400, freq="h")
weather = np.convolve(rng.standard_normal(len(hours) + 71), np.ones(72) / 6, "valid")
season = -np.cos(2 * np.pi * hours.dayofyear / 365.25)
temperature = 15 + 10 * season + 4 * np.sin(2 * np.pi * (hours.hour - 9) / 24) + 4 * weather
holiday = np.isin(hours.dayofyear, rng.choice(366, 25, replace=False)).astype(float)
X = pd.DataFrame({"temperature": temperature, "holiday": holiday}, index=hours)

# %%
# People heat below 12 degrees and cool above 22, and factories rest on holidays.
demand = 50 + 10 * np.sin(2 * np.pi * (hours.hour - 8) / 24)
demand = demand + np.maximum(0, 12 - temperature) + 1.5 * np.maximum(0, temperature - 22)
y = pd.Series(demand - 12 * holiday + rng.standard_normal(len(hours)), index=hours, name="demand")
gappy = y.mask(rng.random(len(y)) < 0.05)

# %%
# Two days ahead from 68 cutoffs, each time from what is known there. ``past_covariates`` names what is not
# known ahead.

train, cutoffs = 24 * 330, np.arange(24 * 330, 24 * 398, 24)
truth = y.to_numpy()[cutoffs[:, None] + np.arange(48), None]
errors = {}
for name, columns, past in (
    ("no covariates", [], None),
    ("temperature up to the cutoff, holidays", ["temperature", "holiday"], ["temperature"]),
    ("temperature and holidays ahead", ["temperature", "holiday"], None),
):
    known = X[columns] if columns else None
    forecaster = KLMemoryForecaster(horizon=48, memory_depth=336, past_covariates=past)
    forecaster.fit(gappy[:train], X=None if known is None else known[:train])
    forecasts = forecaster.predict_windows(gappy, cutoffs, X=known)
    errors[name] = np.abs(forecasts - truth).mean()
    print(f"{name:40s} mean absolute error {errors[name]:.2f}")

# %%
# The last forecaster knows the weather of both days.

last = cutoffs[-1]
ahead = pd.Series(forecasts[-1, :, 0], index=hours[last : last + 48], name="demand")
figure = new_figure((8, 4))
plot_forecast(
    y[:last], ahead, actual=y[last : last + 48], history=168, unit="MW", ax=figure.add_subplot()
)

assert errors["temperature and holidays ahead"] < 0.6 * errors["no covariates"]
