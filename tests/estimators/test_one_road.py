"""A fit measures, plans and takes moments once, and an update goes on from there."""

from collections import Counter

import pytest

from klforecast.core import stream
from klforecast.data.scaling import RowStatistics
from klforecast.estimators import fitting, stages
from klforecast.estimators.forecaster import KLMemoryForecaster


@pytest.fixture
def calls(monkeypatch):
    """How often each step was taken, however it was reached."""
    counts = Counter()

    def counted(owner, name):
        plain = getattr(owner, name)

        def count(*arguments, **options):
            counts[name] += 1
            return plain(*arguments, **options)

        monkeypatch.setattr(owner, name, count)

    counted(stream, "window_moments")
    counted(stream, "shorten_moments")
    counted(stream, "extend_moments")
    counted(stream, "solve_from_moments")
    counted(stages, "plan_core")
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
