"""
Totals that are the sums of their parts
=======================================

Trips by state, region and purpose: forecasts, intervals and paths of all nodes that add up.
"""

import sys

import numpy as np
import pandas as pd

from klforecast import KLMemoryForecaster, ReconciledForecaster
from klforecast.estimators.plots.plotting import new_figure, plot_forecast

# Four states of two to four regions, each with a level of its own that wanders.
rng = np.random.default_rng(0)
months = pd.period_range("2012-01", periods=108, freq="M")
turn = 2 * np.pi * np.arange(108) / 12
trips = {}
for state, n_regions in {"NSW": 4, "QLD": 3, "SA": 2, "VIC": 3}.items():
    of_state = 0.02 * rng.standard_normal(108).cumsum()
    for region in range(n_regions):
        for purpose, peak in {"business": 8, "holiday": 0}.items():
            level = 1 + of_state + 0.01 * rng.standard_normal(108).cumsum()
            season = 0.3 * np.cos(turn - 2 * np.pi * peak / 12)
            values = rng.lognormal(4, 0.7) * (level + season + 0.1 * rng.standard_normal(108))
            trips[state, f"{state}{region + 1}", purpose] = pd.DataFrame({"trips": values}, months)
y = pd.concat(trips, names=["state", "region", "purpose", "month"])
month = y.index.get_level_values("month")
known, came = y[month < "2020-01"], y[month >= "2020-01"]

forecaster = ReconciledForecaster(KLMemoryForecaster(horizon=12), random_state=0).fit(known)
forecast = forecaster.predict()
total = forecast.loc[("__total", "__total", "__total"), "trips"]
print(forecast.xs("2020-01", level="month").head(6).round(0))

# %%
# What may the whole year be, in all and in one state? Each path adds up, so that sums of it may be taken.

paths = forecaster.simulate(n_paths=500, random_state=1)["trips"]
year = paths.groupby(level=["path", "state", "region", "purpose"]).sum().unstack("path")
nodes = [("__total",) * 3, ("NSW", "__total", "__total")]
print(year.loc[nodes].quantile([0.1, 0.5, 0.9], axis=1).T.round(0))

# %%
# The total and one state, with 80 % of what they may be.

intervals = forecaster.predict_interval(coverage=0.8)
truth = came.groupby(level="month").sum()
figure = new_figure((9, 6))
top, bottom = figure.subplots(2, 1)
for ax, node in ((top, nodes[0]), (bottom, nodes[1])):
    own = known if node[0] == "__total" else known.loc[[node[0]]]
    later = came if node[0] == "__total" else came.loc[[node[0]]]
    plot_forecast(
        own.groupby(level="month").sum(),
        forecast.loc[node],
        intervals=intervals.loc[node],
        actual=later.groupby(level="month").sum(),
        history=48,
        unit="thousands",
        ax=ax,
    )
    ax.set_title("all trips" if node[0] == "__total" else node[0], loc="right", fontsize=10)
if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=100)

bottom_sum = forecast.drop("__total", level="purpose").groupby(level="month").sum()["trips"]
np.testing.assert_allclose(total, bottom_sum, rtol=1e-12)
inside = (truth["trips"] >= intervals.loc[nodes[0]].iloc[:, 0]) & (
    truth["trips"] <= intervals.loc[nodes[0]].iloc[:, 1]
)
print(f"{inside.sum()} of 12 months of the total lie in their 80 % interval")
assert inside.sum() >= 6
