"""
How sure is a forecast?
=======================

Intervals of 80 % and 95 %, and how they follow the rows that come in.
"""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster

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
print(f"80 % intervals of {len(intervals)} days, one day ahead, held {share:.0%} of the hours")

# %%
# The width follows the spells.

shown = pd.concat(intervals)
figure, axes = plt.subplots(figsize=(9, 3.5), layout="constrained")
for coverage, strength in ((0.95, 0.2), (0.8, 0.4)):
    lower, upper = shown[coverage, "lower"], shown[coverage, "upper"]
    axes.fill_between(shown.index, lower, upper, alpha=strength, lw=0, label=f"{coverage:.0%}")
axes.plot(test, color="black", lw=0.8, label="load")
axes.legend(ncols=3, loc="upper left")
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=150)

assert abs(share - 0.8) < 0.08
