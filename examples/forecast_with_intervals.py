"""
How sure is a forecast?
=======================

Intervals of 80 % and 95 %, and how they follow the rows that come in.
"""

import sys

import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster
from klforecast.estimators.plots import style
from klforecast.estimators.plots.plotting import new_figure

rng = np.random.default_rng(0)
hours = pd.date_range("2024-01-01", periods=24 * 90, freq="h")
day = np.sin(2 * np.pi * hours.hour / 24)
# The noise comes in spells of two weeks, so the width of an honest interval does too.
spell = np.where(np.arange(len(hours)) // (14 * 24) % 2 == 0, 0.1, 0.6)
y = pd.Series(5 + 2 * day + spell * rng.standard_normal(len(hours)), index=hours, name="load")
train, test = y[: -24 * 20], y[-24 * 20 :]

# %%
# Twenty days, each forecast from the rows before it.

forecaster = KLMemoryForecaster(horizon=24).fit(train)
covered, intervals = [], []
for start in range(0, len(test), 24):
    interval = forecaster.predict_interval(fh=range(1, 25), coverage=[0.8, 0.95])["load"]
    intervals.append(interval)
    truth = test[start : start + 24]
    covered.append((interval[0.8, "lower"] <= truth) & (truth <= interval[0.8, "upper"]))
    # The day enters the fit: what it was like moves the intervals.
    forecaster.update(truth)

share = pd.concat(covered).mean()
print(
    f"80 % intervals of {len(intervals)} days, one day ahead, held {100 * share:.0f} % of the hours"
)

# %%
# The width follows the spells.

shown = pd.concat(intervals)
figure = new_figure((9, 3.5))
axes = figure.add_subplot()
for coverage, strength in ((0.95, 0.35), (0.8, 0.6)):
    axes.fill_between(
        shown.index,
        shown[coverage, "lower"],
        shown[coverage, "upper"],
        color=style.BAND,
        alpha=strength,
        linewidth=0,
        label=f"{100 * coverage:.0f} %",
    )
axes.plot(test, color=style.INK, linewidth=0.8, label="actual")
axes.set(xlabel="hour", ylabel="load (GW)")
style.legend_above(axes)
style.tidy_axes(axes)
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=150)

assert abs(share - 0.8) < 0.08
