from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from klforecast.evaluation.suites import world_rules
from klforecast.evaluation.suites.models import SUITE_MODELS, SuiteModel
from klforecast.evaluation.suites.scores import LEVELS, Forecast
from klforecast.evaluation.suites.world_rules import (
    MOST_WORSE,
    REFERENCES,
    allowed_range,
    score_world,
    world_tasks,
)
from klforecast.evaluation.suites.worlds import WORLDS, draw_world


class Told:
    """Forecast what `say(past)` returns, with quantiles `width` apart around it."""

    def __init__(self, task, say, width):
        self.task, self.say, self.width = task, say, width

    def fit(self, past):
        self.past = past

    def forecast(self):
        forecasts = {}
        for name, rows in self.past.items():
            whole = self.task.collection.series[name]["value"].to_numpy()
            point = self.say(whole, len(rows))[:, None]
            quantiles = point[..., None] + self.width * (LEVELS - 0.5)
            forecasts[name] = Forecast(point, quantiles)
        return forecasts


def told(say, width=0.0) -> SuiteModel:
    return SuiteModel(lambda task, seed, params: Told(task, say, width), "")


def broken(world: str, say, width=0.0) -> list[str]:
    return score_world(world, told(say, width), 0, {})["world"]["broken"]


def truth(whole, n_past):
    return whole[n_past:]


@pytest.fixture
def few_draws(monkeypatch):
    drawn_twice = {name: replace(world, draws=2) for name, world in WORLDS.items()}
    monkeypatch.setattr(world_rules, "WORLDS", drawn_twice)


@pytest.mark.parametrize("name", WORLDS)
def test_a_world_is_the_same_for_its_seed_within_its_bounds_and_has_a_past(name):
    world = WORLDS[name]
    drawn, again = draw_world(name, 0), draw_world(name, 0)
    for key, rows in drawn.items():
        pd.testing.assert_frame_equal(rows, again[key])
        values = rows["value"].to_numpy()
        known = values[np.isfinite(values)]
        assert known.min() >= world.bounds[0]
        assert known.max() <= world.bounds[1]
        assert np.isfinite(values[-world.horizon :]).all()
        assert len(values) > world.horizon + world.season
    if not world.is_exact:
        other = draw_world(name, 1)
        assert any(not drawn[key].equals(other[key]) for key in drawn)


@pytest.mark.parametrize("name", [n for n, w in WORLDS.items() if not w.is_shift])
def test_the_truth_breaks_no_rule(name, few_draws):
    # Jumps, spikes and demand may take the truth itself far from the last two cycles.
    assert set(broken(name, truth)) <= {"outside"}


@pytest.mark.parametrize("name", [n for n, w in WORLDS.items() if w.is_shift])
def test_the_truth_breaks_no_rule_of_a_shift_and_the_old_level_breaks_them_all(name, few_draws):
    assert broken(name, truth) == []

    def old_level(whole, n_past):
        return np.full(len(whole) - n_past, whole[:300].mean())

    assert {"worse", "truth", "coverage"} <= set(broken(name, old_level))


def test_a_forecast_far_outside_the_last_cycles_is_found(few_draws):
    def far(whole, n_past):
        forecast = truth(whole, n_past).copy()
        forecast[0] = 1000.0
        return forecast

    assert "outside" in broken("regime/phase", far)
    assert broken("regime/phase", truth) == []


def test_a_quantile_that_cannot_be_is_found(few_draws):
    assert broken("counts/week", truth, width=0.0) == []
    assert broken("counts/week", truth, width=30.0) == ["bounds"]


def test_the_line_must_be_continued_exactly(few_draws):
    assert broken("simple/line", lambda whole, n: whole[n:] + 0.05) == []
    assert broken("simple/line", lambda whole, n: whole[n:] + 0.5) == ["exact"]


def test_a_reference_is_never_worse_than_the_best_by_more_than_its_own_ratio(few_draws):
    found = {
        name: score_world("noise/100", SUITE_MODELS[name], 0, {})["world"] for name in REFERENCES
    }
    for name, world in found.items():
        assert world["error"] == pytest.approx(world["references"][name])
        assert ("worse" in world["broken"]) == (world["ratio"] > MOST_WORSE)
    assert found["mean"]["best"] == "mean"
    assert found["mean"]["ratio"] == 1.0


def test_a_past_that_grew_fast_may_go_on():
    growing = np.arange(100.0)
    assert allowed_range(growing, horizon=20, season=7)[1] >= 99 + 3 * 20
    # A level that was reached in one step has not grown fast: most of the past did not move.
    stepped = np.r_[np.zeros(400), np.full(28, 900.0)] + np.tile([0.0, 1.0], 214)
    low, high = allowed_range(stepped, horizon=28, season=7)
    assert (low, high) == pytest.approx((897, 904), abs=0.1)


def test_rare_demand_may_be_forecast_after_two_cycles_of_zeros():
    rare = np.r_[np.tile([0.0, 0.0, 0.0, 0.0, 4.0], 40), np.zeros(30)]
    assert allowed_range(rare, horizon=28, season=7) == pytest.approx((-12, 16), abs=0.1)
    assert allowed_range(np.zeros(50), horizon=28, season=7) == (0, 0)


def test_draws_of_a_world_have_their_own_checksums():
    checksums = {task.collection.sha256 for task in world_tasks("noise/60")}
    assert len(checksums) == WORLDS["noise/60"].draws
