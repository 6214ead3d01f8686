"""
How many components?
====================

Choose the number of Karhunen-Loeve components by cross-validation, in scikit-learn and in sktime.
"""

import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.performance_metrics.forecasting import MeanSquaredError
from sktime.split import ExpandingWindowSplitter

from klforecast import KLMemoryForecaster, KLMemoryRegressor
from klforecast.estimators.plots import style
from klforecast.estimators.plots.plotting import new_axes

rng = np.random.default_rng(0)
time = np.arange(1500)
y = np.sin(2 * np.pi * time / 24) + 0.5 * np.sin(2 * np.pi * time / 168)
y += 0.3 * rng.standard_normal(len(time))

windows = np.lib.stride_tricks.sliding_window_view(y, 192 + 24)
regression = GridSearchCV(
    KLMemoryRegressor(), {"n_components": [1, 4, 16, 64]}, cv=TimeSeriesSplit(3, gap=216)
).fit(windows[:, :192], windows[:, 192:])
print("windows:", regression.best_params_, f"R2 {regression.best_score_:.3f}")

# %%
# The same question asked of the forecaster, with the search of sktime.

series = pd.Series(y, index=pd.date_range("2024-01-01", periods=len(y), freq="h"))
forecasting = ForecastingGridSearchCV(
    KLMemoryForecaster(horizon=24, memory_depth=192, input_length=48),
    cv=ExpandingWindowSplitter(initial_window=1200, step_length=100, fh=range(1, 25)),
    param_grid={"n_components": [1, 4, 16]},
    scoring=MeanSquaredError(),
).fit(series)
print("series: ", forecasting.best_params_, f"MSE {forecasting.best_score_:.3f}")

found = regression.cv_results_
axes = new_axes()
axes.errorbar(
    found["param_n_components"].astype(int),
    found["mean_test_score"],
    found["std_test_score"] / 3**0.5,
    color=style.MODELS[0][0],
    marker="o",
    capsize=3,
)
axes.set(xscale="log", xlabel="components", ylabel="R2 of windows held out")
axes.set_xticks([1, 4, 16, 64], ["1", "4", "16", "64"], minor=False)
axes.minorticks_off()
style.tidy_axes(axes)
figure = axes.figure

assert regression.best_params_["n_components"] > 1
assert regression.best_score_ > 0.8
assert forecasting.best_params_["n_components"] in (1, 4, 16)
