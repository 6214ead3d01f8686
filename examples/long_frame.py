"""
Many series in one long frame
=============================

One row for each series and day: forecasts and cross-validation with the words of statsforecast.
"""

import sys

import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster, LongForecaster
from klforecast.estimators.plots.plotting import new_figure, plot_forecast

rng = np.random.default_rng(0)
days = pd.date_range("2024-01-01", periods=300, freq="D")
parts = []
for number, name in enumerate(["tea", "coffee", "cake"]):
    week = 10 + 4 * np.sin(2 * np.pi * (days.dayofweek + number) / 7)
    promo = rng.random(len(days)) < 0.1
    sold = week * (1 + 0.5 * promo) + rng.normal(size=len(days))
    parts.append(pd.DataFrame({"unique_id": name, "ds": days, "y": sold, "promo": promo * 1.0}))
df = pd.concat(parts, ignore_index=True)

# %%
# Promotions are planned, so they are known ahead: ``X_df`` has them.

known, future = df[df["ds"] < "2024-10-01"], df[df["ds"] >= "2024-10-01"]
h = future["ds"].nunique()
model = LongForecaster(KLMemoryForecaster(horizon=h), freq="D")
forecast = model.forecast(known, h, X_df=future.drop(columns="y"), level=[80, 95])
print(forecast.iloc[:3, :3])

# %%
# Four windows of fourteen days, as they would have been forecast.

crossed = model.cross_validation(df, h=14, n_windows=4, step_size=14)
errors = (crossed["y"] - crossed["KLMemoryForecaster"]).abs().groupby(crossed["unique_id"]).mean()
print(errors.round(2))

# %%
# Each series with its forecast, and what was sold.

figure = new_figure((9, 6.5))
for ax, (name, rows) in zip(
    figure.subplots(3), forecast.groupby("unique_id", sort=False), strict=True
):
    rows = rows.set_index("ds")
    intervals = pd.DataFrame(
        {
            ("y", level / 100, end): rows[f"KLMemoryForecaster-{short}-{level}"]
            for level in (80, 95)
            for short, end in (("lo", "lower"), ("hi", "upper"))
        }
    )
    plot_forecast(
        known[known["unique_id"] == name].set_index("ds")["y"].rename(name),
        rows["KLMemoryForecaster"],
        intervals=intervals,
        actual=future[future["unique_id"] == name].set_index("ds")["y"],
        history=60,
        unit="cups",
        ax=ax,
    )
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)

assert len(forecast) == 3 * h
assert errors.max() < 1.5
