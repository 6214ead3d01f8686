"""
Forecast in ten lines
=====================

Three years of a monthly series, compared with the last season repeated.
"""

from sktime.datasets import load_airline
from sktime.performance_metrics.forecasting import mean_absolute_percentage_error

from klforecast import KLMemoryForecaster
from klforecast.estimators.plots.plotting import new_figure, plot_forecast

y = load_airline()
train, test = y[:-36], y[-36:]
forecaster = KLMemoryForecaster(horizon=36).fit(train)
forecast = forecaster.predict(fh=range(1, 37))
error = mean_absolute_percentage_error(test, forecast)
naive = mean_absolute_percentage_error(test, [*train[-12:]] * 3)

print(f"mean absolute percentage error {error:.3f}, seasonal naive {naive:.3f}")

# %%
# The same forecast with its intervals, beside what came.

intervals = forecaster.predict_interval(fh=range(1, 37), coverage=[0.8, 0.95])
figure = new_figure((8, 4))
plot_forecast(
    train,
    forecast,
    intervals=intervals,
    actual=test,
    history=72,
    unit="thousands",
    ax=figure.add_subplot(),
)

assert error < naive
