"""
How good would the forecasts have been?
=======================================

Forty cutoffs of one series, a month apart, beside Theta and the last season repeated.
"""

import sys

from sktime.datasets import load_airline

from klforecast import KLMemoryForecaster, backtest
from klforecast.estimators.plots.backtests import plot_backtest
from klforecast.estimators.plots.residuals import plot_residuals

y = load_airline()
models = {
    "klforecast": KLMemoryForecaster(horizon=12),
    "seasonal naive": "seasonal-naive",
    "Theta": "theta",
}
tested = {
    name: backtest(forecaster, y, horizon=12, n_windows=40, step=1)
    for name, forecaster in models.items()
}
for name, result in tested.items():
    scores = result.scores().iloc[0]
    print(f"{name:15} MASE {scores['mase']:.3f}   sMAPE {scores['smape']:.2f} %")

# %%
# By month ahead, and in two pictures.

ours = tested["klforecast"]
print(ours.scores(by="step")[["mae", "mase", "coverage_80"]].round(2))
rows = {name: result.forecasts for name, result in tested.items()}
windows = plot_backtest(rows, unit="thousands")
residuals = plot_residuals(ours.forecasts, unit="thousands")
if len(sys.argv) > 2:
    windows.savefig(sys.argv[1], dpi=120)
    residuals.savefig(sys.argv[2], dpi=120)

assert ours.scores()["mase"][0] < tested["seasonal naive"].scores()["mase"][0]
assert len(ours.forecasts) == 40 * 12
