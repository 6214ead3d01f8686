"""
Look into the memory
====================

What a fitted forecaster remembers: its modes, and the experts that its forecast is made of.
"""

import sys

import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster
from klforecast.estimators.plots.plotting import new_figure, plot_forecast, plot_modes

rng = np.random.default_rng(0)
hours = pd.date_range("2024-01-01", periods=24 * 200, freq="h")
day = np.sin(2 * np.pi * hours.hour / 24)
working = (hours.dayofweek < 5).astype(float)
load = 5 + day * (1 + working) + 0.1 * rng.standard_normal(len(hours)).cumsum() / 10
y = pd.Series(load + 0.2 * rng.standard_normal(len(hours)), index=hours, name="load")
train, test = y[:-48], y[-48:]

forecaster = KLMemoryForecaster(horizon=48).fit(train)
core = forecaster.net_.module_
print(f"period {forecaster.period_}, window {forecaster.input_length_} steps,", end=" ")
print(f"memory {forecaster.memory_depth_} steps in {forecaster.n_components_} components")
share = core.mixture.weights.mean(dim=(0, 1))
for weight, expert in sorted(zip(share.tolist(), core.mixture.experts, strict=True), reverse=True)[
    :5
]:
    print(f"{weight:6.1%}  {expert}")

# %%
# The forecast, and the leading modes of the history that it reads.

figure = new_figure((8, 6))
above, below = figure.subplots(2, 1)
forecast = forecaster.predict(fh=range(1, 49))
plot_forecast(train[-240:], forecast, actual=test, unit="GW", ax=above)
plot_modes(core.modes[-240:, :4].numpy(), ax=below)
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=150)

modes = core.modes.numpy()
assert np.allclose(modes.T @ modes, np.eye(modes.shape[1]), atol=1e-5)
assert np.mean((forecast - test) ** 2) < np.mean((test.to_numpy() - train[-48:].to_numpy()) ** 2)
