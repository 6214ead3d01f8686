"""Forecast three years of a monthly series and compare with the seasonal naive forecast."""

from sktime.datasets import load_airline
from sktime.performance_metrics.forecasting import mean_absolute_percentage_error

from klforecast import KLMemoryForecaster

y = load_airline()
train, test = y[:-36], y[-36:]
forecaster = KLMemoryForecaster(horizon=36).fit(train)
error = mean_absolute_percentage_error(test, forecaster.predict(fh=range(1, 37)))
naive = mean_absolute_percentage_error(test, [*train[-12:]] * 3)

print(f"mean absolute percentage error {error:.3f}, seasonal naive {naive:.3f}")
assert error < naive
