import sys

import numpy as np
import pandas as pd
import pytest

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.plots.plotting import plot_forecast, plot_modes


@pytest.fixture
def forecast(hourly):
    return KLMemoryForecaster(horizon=6, memory_depth=24).fit(hourly[:300]).predict(fh=range(1, 7))


def test_the_lines_of_a_plot_are_the_rows(hourly, forecast):
    ax = plot_forecast(hourly[250:300], forecast, actual=hourly[300:306], channel="heat")
    drawn = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(drawn["forecast"].get_ydata(), forecast["heat"])
    np.testing.assert_array_equal(drawn["known"].get_ydata(), hourly["heat"][250:300])
    np.testing.assert_array_equal(drawn["actual"].get_ydata(), hourly["heat"][300:306])
    assert ax.get_ylabel() == "heat"


def test_outliers_have_rings_where_the_drawn_series_has_them():
    rng = np.random.default_rng(3)
    index = pd.date_range("2024-01-01", periods=200)
    calm = 50 + 5 * np.sin(np.arange(200) * 2 * np.pi / 7) + rng.normal(size=200)
    spoiled = calm.copy()
    spoiled[[120, 150]] = 400.0
    y = pd.concat(
        {"calm": pd.DataFrame({"y": calm}, index), "other": pd.DataFrame({"y": spoiled}, index)}
    )
    forecaster = KLMemoryForecaster(horizon=7).fit(y)
    found = forecaster.outliers()
    for series, expected in (("other", [150]), ("calm", [])):
        ax = plot_forecast(y, forecaster.predict(), outliers=found, series=series, history=60)
        rings = [line for line in ax.lines if line.get_label() == "outliers"]
        drawn = [stamp for line in rings for stamp in line.get_xdata()]
        assert drawn == [index[place].to_numpy() for place in expected]
    single = KLMemoryForecaster(horizon=7).fit(y.loc["other", "y"])
    ax = plot_forecast(y.loc["other", "y"], single.predict(), outliers=single.outliers())
    assert dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))[
        "outliers"
    ].get_ydata().tolist() == [400.0, 400.0]


def test_one_step_is_seen(hourly):
    forecaster = KLMemoryForecaster(horizon=1, memory_depth=24).fit(hourly["load"][:300])
    limits = forecaster.predict_interval(coverage=[0.8, 0.95])
    ax = plot_forecast(hourly["load"][:300], forecaster.predict(), intervals=limits)
    forecast = {line.get_label(): line for line in ax.lines}["forecast"]
    assert forecast.get_marker() == "o"
    bars = {bar.get_label(): bar.get_segments()[0][:, 1] for bar in ax.collections}
    np.testing.assert_allclose(bars["80 %"], limits.to_numpy()[0, :2])
    rows = forecaster.plot_explanation().axes[1].collections[0]
    assert rows.get_coordinates()[..., 1].max() == 1.5
    by_step = forecaster.plot_residuals().axes[2]
    assert by_step.lines[1].get_marker() == "o"


def test_periods_are_drawn_at_their_start(hourly, forecast):
    y = hourly["load"][250:300].to_period("h")
    ax = plot_forecast(y, forecast["load"].to_period("h"))
    assert len(ax.lines) == 3


def test_modes_are_drawn_with_their_shares():
    ax = plot_modes(np.eye(4)[:, :2], np.array([3.0, 1.0]))
    assert [line.get_label() for line in ax.lines] == ["mode 1 (75 %)", "mode 2 (25 %)"]
    assert ax.lines[0].get_xdata().tolist() == [-3, -2, -1, 0]
    assert plot_modes(np.eye(2)).lines[0].get_label() == "mode 1"


def test_a_plot_can_be_drawn_into_given_axes_and_saved(hourly, forecast, tmp_path):
    ax = plot_forecast(hourly[250:300], forecast)
    assert plot_modes(np.eye(3), np.ones(3), ax=ax) is ax
    ax.figure.savefig(tmp_path / "forecast.png")
    assert (tmp_path / "forecast.png").stat().st_size > 1000


def test_without_matplotlib_the_message_says_what_to_install(hourly, forecast, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'klforecast\[plot\]'"):
        plot_forecast(hourly, forecast)
