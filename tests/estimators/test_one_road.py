"""A fit measures, plans and takes moments once, and an update goes on from there; so does a forecast."""

from collections import Counter

import pytest

from klforecast.core import stream
from klforecast.data.scaling import RowStatistics
from klforecast.estimators import fitting, forecasting, planning, pooling
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.window_reader import WindowReader
from klforecast.local import model


@pytest.fixture
def counts():
    return Counter()


@pytest.fixture
def counted(counts, monkeypatch):
    def replace(owner, name):
        plain = getattr(owner, name)

        def count(*arguments, **options):
            counts[name] += 1
            return plain(*arguments, **options)

        monkeypatch.setattr(owner, name, count)

    return replace


@pytest.fixture
def calls(counts, counted):
    """How often each step of a fit was taken, however it was reached."""
    counted(stream, "window_moments")
    counted(stream, "shorten_moments")
    counted(stream, "extend_moments")
    counted(stream, "solve_from_moments")
    counted(planning, "plan_core")
    counted(fitting, "fill_panel")
    counted(RowStatistics, "of")
    return counts


def test_a_fit_takes_every_step_once(calls, hourly):
    KLMemoryForecaster(6, period=12, local_experts=False).fit(hourly)
    assert calls == {
        "plan_core": 1,
        "of": 1,
        "fill_panel": 1,
        "window_moments": 1,
        "solve_from_moments": 1,
    }


def test_the_core_without_the_newest_rows_takes_no_moments_of_its_own(calls, hourly):
    KLMemoryForecaster(6, period=12).fit(hourly)
    assert calls["window_moments"] == calls["shorten_moments"] == calls["plan_core"] == 1


def test_an_update_extends_what_the_fit_has_started(calls, hourly):
    fitted = KLMemoryForecaster(6, period=12, local_experts=False).fit(hourly[:300])
    calls.clear()
    fitted.update(hourly[300:310])
    # The statistics of the new rows alone are measured, and joined to the known ones.
    assert calls == {"of": 1, "extend_moments": 1, "solve_from_moments": 1}


@pytest.fixture
def parts(counts, counted):
    """How often each part of a forecast was computed, however it was reached."""
    counted(WindowReader, "forecast")
    counted(model, "_mixed")
    counted(forecasting, "offsets")
    counted(pooling, "quantiles")
    return counts


@pytest.mark.parametrize(
    ("ask", "quantiles"),
    [
        (lambda fitted, y: fitted.predict([1, 6]), 0),
        (lambda fitted, y: fitted.predict_interval([1, 6]), 1),
        (lambda fitted, y: fitted.predict_quantiles([1, 6], alpha=[0.1, 0.5]), 1),
        (lambda fitted, y: fitted.predict_var([1, 6]), 1),
        (lambda fitted, y: fitted.predict_windows(y, [300]), 0),
        (lambda fitted, y: fitted.predict_windows(y, [300], alpha=[0.1, 0.5]), 1),
    ],
)
def test_each_part_of_a_forecast_is_computed_once(parts, hourly, ask, quantiles):
    y = hourly["load"].rename(None).cumsum()
    fitted = KLMemoryForecaster(6).fit(y[:300])
    assert fitted._pool.share.any()
    parts.clear()
    ask(fitted, y)
    expected = {"forecast": 1, "_mixed": 1, "offsets": quantiles, "quantiles": quantiles}
    assert {name: parts[name] for name in expected} == expected
