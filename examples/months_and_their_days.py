"""
Months and their days
=====================

An office works five days a week, so a month of 23 working days does more than one of 20. Which months these are is in
the dates, and the default looks there.
"""

import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster
from klforecast.estimators.plots.plotting import new_figure, plot_forecast

rng = np.random.default_rng(0)
days = pd.date_range("2010-01-01", "2020-12-31")
parcels = np.where(days.dayofweek < 5, 40.0, 3.0) * np.exp(0.05 * rng.standard_normal(len(days)))
y = pd.Series(parcels, days.to_period("M"), name="parcels").groupby(level=0).sum()
known, truth = y[:-12], y[-12:]

# %%
# ``period=12`` names the year as the only season, and leaves the days out.

forecasts = {
    "with the days of each month": KLMemoryForecaster(12).fit(known),
    "without": KLMemoryForecaster(12, period=12).fit(known),
}
errors = {}
for name, forecaster in forecasts.items():
    errors[name] = float((forecaster.predict() - truth).abs().mean())
    print(f"{name:30s} mean absolute error {errors[name]:5.1f} parcels")

# %%
# The summary says what is in use, and the explanation how much of a forecast it is.

forecaster = forecasts["with the days of each month"]
print(forecaster.summary())
parts = forecaster.explain()
added = parts[parts["part"] == "trading days"].set_index("time")["value"]
print(added.round(1).to_string())

# %%
# What was delivered, and both forecasts with intervals that hold four months in five.

figure = new_figure((8, 6))
upper, lower = figure.subplots(2, sharex=True)
for ax, (name, fitted) in zip((upper, lower), forecasts.items(), strict=True):
    limits = fitted.predict_interval(coverage=0.8)
    plot_forecast(known, fitted.predict(), intervals=limits, actual=truth, history=36, ax=ax)
    ax.set_ylabel(f"parcels,\n{name}")
lower.get_legend().remove()

assert errors["with the days of each month"] < 0.7 * errors["without"]
