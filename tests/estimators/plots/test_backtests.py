import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster, backtest
from klforecast.estimators.plots import style
from klforecast.estimators.plots.backtests import plot_backtest, windows_apart
from klforecast.estimators.plots.plotting import plot_forecast
from klforecast.estimators.plots.residuals import autocorrelation, plot_residuals


@pytest.fixture(scope="module")
def tested(panel):
    return backtest(KLMemoryForecaster(horizon=6), panel, horizon=6, n_windows=4, step=3)


def labelled(ax):
    handles, labels = ax.get_legend_handles_labels()
    return dict(zip(labels, handles, strict=True))


def test_bands_of_a_forecast_are_its_intervals(hourly):
    forecaster = KLMemoryForecaster(horizon=6).fit(hourly[:300])
    intervals = forecaster.predict_interval(coverage=[0.8, 0.95])
    ax = plot_forecast(
        hourly[:300],
        forecaster.predict(),
        intervals=intervals,
        channel="heat",
        history=20,
        unit="W",
    )
    drawn = labelled(ax)
    assert list(drawn) == ["known", "95 %", "80 %", "forecast"]
    assert len(drawn["known"].get_ydata()) == 20
    edges = drawn["80 %"].get_paths()[0].vertices[:, 1]
    assert edges.min() == intervals["heat", 0.8, "lower"].min()
    assert edges.max() == intervals["heat", 0.8, "upper"].max()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("hour", "heat (W)")


def test_one_series_of_a_panel_is_drawn(panel):
    forecast = KLMemoryForecaster(horizon=6).fit(panel).predict()
    ax = plot_forecast(panel, forecast, series="b")
    np.testing.assert_array_equal(labelled(ax)["known"].get_ydata(), panel.loc["b", "load"])
    np.testing.assert_array_equal(labelled(ax)["forecast"].get_ydata(), forecast.loc["b", "load"])


def test_windows_that_are_drawn_do_not_overlap_and_the_newest_is_among_them(tested):
    rows = tested.forecasts.query("series == 'b' and channel == 'heat'")
    windows = windows_apart(rows)
    cutoffs = [window["cutoff"].iloc[0] for window in windows]
    assert cutoffs == sorted(rows["cutoff"].unique())[1::2]


def test_a_picture_of_a_backtest_shows_truth_forecasts_and_errors_by_step(tested, panel):
    naive = backtest("seasonal-naive", panel, horizon=6, n_windows=4, step=3)
    models = {"ours": tested.forecasts, "seasonal naive": naive.forecasts}
    figure = plot_backtest(models, series="b", channel="heat", unit="W")
    above, below = figure.axes
    assert list(labelled(above)) == ["actual", "80 %", "ours", "seasonal naive"]
    np.testing.assert_array_equal(
        labelled(above)["actual"].get_ydata(), panel.loc["b", "heat"][-12:]
    )
    rows = tested.forecasts.query("series == 'b' and channel == 'heat'")
    wanted = (rows["truth"] - rows["forecast"]).abs().groupby(rows["step"]).mean()
    np.testing.assert_allclose(below.lines[0].get_ydata(), wanted)
    assert (above.get_ylabel(), below.get_xlabel()) == ("heat (W)", "hours ahead")
    assert tested.plot(series="a").axes[0].get_ylabel() == "load"


def test_residuals_are_truth_less_forecast_in_every_picture(tested):
    figure = plot_residuals(tested.forecasts, series="c", channel="load", unit="kW")
    over_time, sizes, by_step, reliability = figure.axes
    rows = tested.forecasts.query("series == 'c' and channel == 'load'")
    errors = rows["truth"] - rows["forecast"]
    last = rows["cutoff"] == rows["cutoff"].max()
    np.testing.assert_array_equal(over_time.lines[1].get_ydata()[-6:], errors[last])
    assert sum(bar.get_height() for bar in sizes.patches) == len(rows)
    median = errors.groupby(rows["step"]).median()
    np.testing.assert_allclose(labelled(by_step)["median"].get_ydata(), median)
    shares = [(rows["truth"] <= rows[f"q{level:g}"]).mean() for level in tested.levels]
    np.testing.assert_allclose(labelled(reliability)["found"].get_ydata(), shares)
    assert over_time.get_ylabel() == "error (kW)"


def test_without_quantiles_the_autocorrelation_of_the_errors_is_drawn(panel):
    rows = backtest("theta", panel.loc["a"], horizon=6, n_windows=4).forecasts
    figure = plot_residuals(rows)
    assert figure.axes[3].get_ylabel() == "autocorrelation"
    errors = np.random.default_rng(0).normal(size=50)
    plain = [
        np.sum((errors[k:] - errors.mean()) * (errors[:-k] - errors.mean())) for k in (1, 2, 3)
    ] / np.sum((errors - errors.mean()) ** 2)
    np.testing.assert_allclose(autocorrelation(errors, 3), plain)


def test_a_series_that_is_not_there_is_named(tested):
    with pytest.raises(ValueError, match=r"no series 'z' .* it has the series"):
        plot_backtest(tested.forecasts, series="z")
    with pytest.raises(ValueError, match="a channel 'cold'"):
        plot_residuals(tested.forecasts, channel="cold")


@pytest.mark.parametrize(
    ("index", "name"),
    [
        (pd.date_range("2024", periods=4, freq="15min"), "15 minutes"),
        (pd.date_range("2024", periods=4, freq="MS"), "month"),
        (pd.DatetimeIndex(["2024-01-07", "2024-01-14", "2024-01-21"]), "week"),
        (pd.date_range("2024", periods=4, freq="B"), "business day"),
        (pd.date_range("2024", periods=4, freq="QE"), "quarter"),
        (pd.DatetimeIndex(["2024-01-07", "2024-01-09"]), "step"),
        (pd.RangeIndex(4), "step"),
    ],
)
def test_axes_of_time_are_named_by_what_a_step_is(index, name):
    assert style.step_name(index) == name
