"""
Why is this forecast what it is?
================================

Rows of the past, cycles, covariates and experts, each with what it adds; together they are the forecast.
"""

import sys

import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster

rng = np.random.default_rng(0)
hours = pd.date_range("2023-01-01", periods=24 * 200, freq="h")
weather = np.convolve(rng.standard_normal(len(hours) + 71), np.ones(72) / 6, "valid")
temperature = 15 + 4 * np.sin(2 * np.pi * (hours.hour - 9) / 24) + 4 * weather
holiday = np.isin(hours.dayofyear, rng.choice(366, 25, replace=False)).astype(float)
noise = rng.standard_normal(len(hours))
X = pd.DataFrame({"temperature": temperature, "holiday": holiday, "noise": noise}, index=hours)

# People heat below 12 degrees and cool above 22, and factories rest on holidays.
demand = 50 + 10 * np.sin(2 * np.pi * (hours.hour - 8) / 24)
demand = demand + np.maximum(0, 12 - temperature) + 1.5 * np.maximum(0, temperature - 22)
y = pd.Series(demand - 12 * holiday + rng.standard_normal(len(hours)), index=hours, name="demand")

known = 24 * 190
forecaster = KLMemoryForecaster(horizon=48).fit(y[:known], X=X[:known])
forecast = forecaster.predict(X=X[known:])
explanation = forecaster.explain(X=X[known:], by="cycle")

afternoon = explanation[explanation["step"] == 15]
largest = afternoon.sort_values("value", key=abs, ascending=False).head(6)
print(f"forecast of {forecast.index[14]}: {forecast.iloc[14]:.2f}")
print(largest[["part", "name", "value"]].round(2).to_string(index=False))

# %%
# The share of each kind of part, the coefficients of the newest rows, and a picture.

by_expert = forecaster.explain(X=X[known:], by="expert")
print(by_expert.groupby("part", observed=True)["value"].agg(lambda values: values.abs().mean()))
print(forecaster.coefficients_.iloc[[0, 23], :3].round(3))
figure = forecaster.plot_explanation(X=X[known:], unit="MW")
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=100)

total = explanation.groupby("step")["value"].sum()
np.testing.assert_allclose(total, forecast, rtol=1e-10)
assert (explanation.loc[explanation["name"] == "noise", "value"] == 0).all()
