import numpy as np
import pandas as pd
import pytest

from klforecast.data.collections import Collection
from klforecast.evaluation.suites.forecasters import SeasonalNaive
from klforecast.evaluation.suites.scores import Forecast
from klforecast.evaluation.suites.task import SuiteTask, score_task


def make_task(n_windows: int, lengths=(60, 47), horizon: int = 6) -> SuiteTask:
    rng = np.random.default_rng(3)
    series = {
        f"s{i}": pd.DataFrame({"a": rng.normal(size=n), "b": rng.normal(size=n)})
        for i, n in enumerate(lengths)
    }
    return SuiteTask(
        "made", "none", Collection("made", series, "0" * 64, ""), horizon, 4, n_windows
    )


class Recorder:
    """Forecast zeros, and remember which rows came, by the calls that brought them."""

    def __init__(self, horizon: int = 6):
        self.horizon, self.calls = horizon, []

    def fit(self, past):
        self.calls.append(("fit", {name: len(rows) for name, rows in past.items()}))
        self.known = {name: rows.to_numpy() for name, rows in past.items()}

    def update(self, rows):
        self.calls.append(("update", {name: len(part) for name, part in rows.items()}))
        self.known = {
            name: np.concatenate([known, rows[name].to_numpy()])
            for name, known in self.known.items()
        }

    def forecast(self):
        self.calls.append(("forecast", {name: len(rows) for name, rows in self.known.items()}))
        return {name: Forecast(np.zeros((self.horizon, 2)), None) for name in self.known}


def test_a_model_is_fitted_once_and_sees_a_window_only_after_its_forecast():
    task, model = make_task(n_windows=3), Recorder()
    score_task(task, model)
    assert model.calls == [
        ("fit", {"s0": 42, "s1": 29}),
        ("forecast", {"s0": 42, "s1": 29}),
        ("update", {"s0": 6, "s1": 6}),
        ("forecast", {"s0": 48, "s1": 35}),
        ("update", {"s0": 6, "s1": 6}),
        ("forecast", {"s0": 54, "s1": 41}),
    ]
    for name, rows in task.collection.series.items():
        np.testing.assert_array_equal(model.known[name], rows.to_numpy()[:-6])


def test_updating_is_the_same_as_fitting_later_for_a_model_that_learns_nothing():
    task = make_task(n_windows=3)
    whole = score_task(task, SeasonalNaive(6, 4))["nd"]
    absolute = size = 0.0
    for left in (18, 12, 6):
        for rows in task.collection.series.values():
            values = rows.to_numpy()
            cutoff = len(values) - left
            model = SeasonalNaive(6, 4)
            model.fit({"s": pd.DataFrame(values[:cutoff])})
            truth = values[cutoff : cutoff + 6]
            absolute += np.abs(truth - model.forecast()["s"].point).sum()
            size += np.abs(truth).sum()
    assert whole == pytest.approx(absolute / size)


def test_a_series_that_lies_in_the_test_part_altogether_is_refused():
    with pytest.raises(ValueError, match="a series of 18 rows, and the last 18 of each"):
        score_task(make_task(n_windows=3, lengths=(60, 18)), Recorder())
