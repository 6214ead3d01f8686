"""
What is odd in a series?
========================

Outliers and a change of level in hourly rows, at a stated rate of false alarms.
"""

import sys

import numpy as np
import pandas as pd

from klforecast import KLMemoryDetector
from klforecast.estimators.plots.detections import plot_detections

rng = np.random.default_rng(0)
hours = pd.date_range("2024-01-01", periods=24 * 60, freq="h", name="hour")
day = 10 * np.sin(np.arange(len(hours)) * 2 * np.pi / 24)
load = pd.Series(50 + day + rng.normal(size=len(hours)), index=hours, name="load")
load.iloc[600] += 9  # a spike, a dip, five missing hours, and a level that rises by six for good
load.iloc[900] -= 9
load.iloc[700:705] = np.nan
load.iloc[1100:] += 6

# %%
# At most two rows in a thousand are called odd where nothing is.

detector = KLMemoryDetector(false_alarm_rate=0.002).fit(load)
found = detector.detections(load)
print(found.to_string(float_format="{:.4f}".format))
figure = plot_detections(detector.verdicts(load), rate=0.002, unit="MW")
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=120)

times = {kind: list(rows["time"]) for kind, rows in found.groupby("kind")}
assert {hours[600], hours[900]} <= set(times["outlier"])
assert any(abs(time - hours[1100]) <= pd.Timedelta(hours=12) for time in times["shift up"])
