"""How a model is judged in a generated world: beside the plain references, by rules.

    worse     its error is more than 1.1 times that of the best of mean, last value, seasonal naive
              and Theta, and 0.2 % of the range of the last 2 h rows
    outside   a forecast leaves [min - a, max + a] of the last two cycles,
              a = max(3 (max - min), 3 median_t |y_{t+h} - y_t|): three times their range, or three
              times what the whole past typically changes over a horizon
    bounds    a forecast or a quantile is a value that the quantity cannot have
    exact     its error is more than 0.2 % of that range      (worlds whose past tells all)
    truth     a forecast leaves the range of the truth     (worlds with a known shift)
    coverage  the 90 % interval holds less than 75 % of the truth (worlds with a known shift)

The error is the mean absolute one, or the root of the mean squared one where the world says so, over
steps and series, averaged over seeds. A cycle is the season, or the horizon where there is none. Where two
cycles are all zero they reach back to the newest demand: zeros alone do not say what demand is like, and
the mean of the past would be "outside".
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from klforecast.data.collections import Collection
from klforecast.evaluation.suites.models import SUITE_MODELS, SuiteModel
from klforecast.evaluation.suites.scores import Forecast
from klforecast.evaluation.suites.task import SuiteTask, rows_between
from klforecast.evaluation.suites.worlds import WORLDS, World, draw_world

REFERENCES = ("mean", "persistence", "seasonal-naive", "theta")
"""The plain models that a default must not lose to."""

MOST_WORSE = 1.1
"""Times the error of the best reference that a model may have: a tenth is what a choice costs."""

_EXACT = 2e-3  # of the range of the last 2 h rows: not to be seen in a picture
_RANGES = 3.0  # a trend that goes on for h steps takes half of the range of 2 h rows: six times that is no trend
_LEAST_COVERAGE = 0.75  # of an interval that says 90 %
_ROUNDING = 1e-6  # of the largest value: float32 of a net


def world_tasks(name: str) -> list[SuiteTask]:
    """Return a world as tasks, one for each seed."""
    world = WORLDS[name]
    return [
        SuiteTask(name, "generated", _collection(name, seed), world.horizon, world.season, 1)
        for seed in range(world.draws)
    ]


def _collection(name: str, seed: int) -> Collection:
    series = draw_world(name, seed)
    digest = hashlib.sha256()
    for rows in series.values():
        digest.update(np.ascontiguousarray(rows.to_numpy(), dtype="<f8").tobytes())
    return Collection(name, series, digest.hexdigest(), "klforecast.evaluation.suites.worlds")


@dataclass
class _Findings:
    """What the forecasts of one model did over the seeds of a world."""

    errors: list[float] = field(default_factory=list)
    n_outside: int = 0
    n_beyond_bounds: int = 0
    n_off_truth: int = 0
    n_inside_90: int = 0
    n_values: int = 0
    has_quantiles: bool = True

    @property
    def error(self) -> float:
        return float(np.mean(self.errors))

    @property
    def coverage_90(self) -> float | None:
        return self.n_inside_90 / self.n_values if self.has_quantiles else None


def score_world(name: str, model: SuiteModel, seed: int, params: Mapping[str, Any]) -> dict:
    """Fit and judge a model in all draws of a world, beside the plain references.

    Returns
    -------
    dict
        Fields of the row: coverage, seconds of the model alone, and `world` with its error, those
        of the references, and the rules that it broke.
    """
    world, tasks = WORLDS[name], world_tasks(name)
    references = {
        reference: _judge(world, tasks, SUITE_MODELS[reference], 0, {}).error
        for reference in REFERENCES
    }
    begun, cpu_begun = time.perf_counter(), time.process_time()
    found = _judge(world, tasks, model, seed, params)
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
    best = min(references, key=lambda reference: references[reference])
    span = _typical_range(tasks)
    is_exact = references[best] <= _EXACT * span  # nothing to compare with
    return {
        "coverage_90": found.coverage_90,
        "fit_seconds": seconds,
        "predict_seconds": 0.0,
        "cpu_seconds": cpu_seconds,
        "world": {
            "error": found.error,
            "errors": found.errors,
            "metric": "rmse" if world.squared else "mae",
            "references": references,
            "best": best,
            "ratio": None if is_exact else found.error / references[best],
            "broken": broken_rules(world, found, references[best], span),
        },
    }


def broken_rules(world: World, found: _Findings, best_error: float, span: float) -> list[str]:
    """Return the names of the rules that a model broke."""
    coverage = found.coverage_90
    verdicts = {
        "worse": not found.error <= MOST_WORSE * best_error + _EXACT * span,
        "outside": found.n_outside > 0,
        "bounds": found.n_beyond_bounds > 0,
        "exact": world.is_exact and not found.error <= _EXACT * span,
        "truth": world.is_shift and found.n_off_truth > 0,
        "coverage": world.is_shift and coverage is not None and coverage < _LEAST_COVERAGE,
    }
    return [rule for rule, is_broken in verdicts.items() if is_broken]


def allowed_range(past: np.ndarray, horizon: int, season: int) -> tuple[float, float]:
    """Return the lowest and the highest value that a forecast may have; see the rule "outside".

    Examples
    --------
    >>> low, high = allowed_range(np.array([1.0, 2.0] * 10), horizon=4, season=2)
    >>> round(low, 3), round(high, 3)
    (-2.0, 5.0)
    """
    known = past[np.isfinite(past)]
    last = known[-2 * (season if season > 1 else horizon) :]
    demand = np.flatnonzero(known)
    if len(demand) and not last.any():
        last = known[demand[-1] :]
    changes = np.abs(known[horizon:] - known[:-horizon])
    usual_change = float(np.median(changes)) if len(changes) else 0.0
    room = _RANGES * max(float(np.ptp(last)), usual_change) + _ROUNDING * float(np.abs(last).max())
    return float(last.min()) - room, float(last.max()) + room


def _judge(
    world: World, tasks: list[SuiteTask], model: SuiteModel, seed: int, params: Mapping[str, Any]
) -> _Findings:
    found = _Findings()
    for task in tasks:
        past = rows_between(task.collection.series, None, world.horizon)
        forecaster = model.make(task, seed, params)
        forecaster.fit(past)
        forecasts = forecaster.forecast()
        errors = []
        for key, rows in task.collection.series.items():
            truth = rows.to_numpy()[-world.horizon :, 0]
            errors.append(truth - forecasts[key].point[:, 0])
            _compare(found, world, past[key], truth, forecasts[key])
        gaps = np.abs(np.stack(errors))
        found.errors.append(
            float(np.sqrt(np.mean(gaps**2))) if world.squared else float(gaps.mean())
        )
    return found


def _compare(
    found: _Findings, world: World, past: pd.DataFrame, truth: np.ndarray, forecast: Forecast
) -> None:
    known = past.to_numpy()[:, 0]
    point = forecast.point[:, 0]
    low, high = allowed_range(known, world.horizon, world.season)
    rounding = _ROUNDING * max(1.0, float(np.nanmax(np.abs(known))))
    found.n_outside += int(((point < low) | (point > high)).sum())
    found.n_off_truth += int(((point < truth.min()) | (point > truth.max())).sum())
    found.n_values += len(truth)
    least, most = world.bounds[0] - rounding, world.bounds[1] + rounding
    said = point
    if forecast.quantiles is None:
        found.has_quantiles = False
    else:
        quantiles = forecast.quantiles[:, 0]
        inside = (truth >= quantiles[:, 0] - rounding) & (truth <= quantiles[:, -1] + rounding)
        found.n_inside_90 += int(inside.sum())
        said = np.concatenate([point, quantiles.ravel()])
    found.n_beyond_bounds += int(((said < least) | (said > most)).sum())


def _typical_range(tasks: list[SuiteTask]) -> float:
    ranges = [
        np.ptp(last[np.isfinite(last)])
        for task in tasks
        for rows in task.collection.series.values()
        for last in [rows.to_numpy()[-3 * task.horizon : -task.horizon, 0]]
    ]
    return float(np.mean(ranges))
