"""
Keep up with a stream
=====================

Take in rows as they come, put the forecaster away, and go on where it was.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster
from klforecast.estimators.plots.plotting import new_figure, plot_forecast

rng = np.random.default_rng(0)
hours = pd.date_range("2024-01-01", periods=24 * 102, freq="h")
day = np.sin(2 * np.pi * hours.hour / 24)
load = (
    5
    + day
    + 0.2 * rng.standard_normal(len(hours))
    + 0.002 * rng.standard_normal(len(hours)).cumsum()
)
y = pd.DataFrame({"load": load}, index=hours)

settings = {"horizon": 24, "memory_depth": 168, "period": 24}
forecaster = KLMemoryForecaster(**settings).fit(y[: 24 * 90])
for start in range(24 * 90, 24 * 100, 24):
    forecaster.update(y[start : start + 24])  # absorbs a day, whatever came before

# %%
# One file holds it: safetensors and JSON, no code.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "load.safetensors"
    forecaster.save(path)
    print(f"{path.stat().st_size / 1e6:.2f} MB")
    awake = KLMemoryForecaster.load(path)

steps = range(1, 25)
assert awake.predict(steps).equals(forecaster.predict(steps))
awake.update(y[24 * 100 : 24 * 101])

# %%
# What was learned day by day is what a fit to all rows gives.

refitted = KLMemoryForecaster(**settings).fit(y[: 24 * 101])
assert np.allclose(awake.predict(steps), refitted.predict(steps), rtol=1e-6)
figure = new_figure((8, 4))
plot_forecast(
    y[: 24 * 101],
    awake.predict(steps),
    intervals=awake.predict_interval(steps, coverage=[0.8, 0.95]),
    actual=y[24 * 101 :],
    history=96,
    unit="GW",
    ax=figure.add_subplot(),
)
