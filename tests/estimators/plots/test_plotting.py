import sys

import numpy as np
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
