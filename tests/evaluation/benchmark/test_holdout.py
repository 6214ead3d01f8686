from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from klforecast.data.datasets import load
from klforecast.evaluation.benchmark.holdout import (
    hold_out,
    holdout_task,
    mase,
    run_holdout,
    season,
    smape,
)
from klforecast.evaluation.benchmark.models import MODELS
from klforecast.evaluation.benchmark.protocol import Cell


def test_smape_and_mase_by_hand():
    truth, forecast = np.array([10.0, 20.0]), np.array([15.0, 15.0])
    assert smape(truth, forecast) == pytest.approx(100 * (5 / 12.5 + 5 / 17.5) / 2)
    known = np.array([1.0, 2.0, 4.0, 7.0])
    assert mase(truth, forecast, known, 1) == pytest.approx(5 / 2)
    assert mase(truth, forecast, known, 2) == pytest.approx(5 / 4)


def test_zero_forecast_for_zero_is_no_error():
    assert smape(np.array([0.0, 4.0]), np.array([0.0, 4.0])) == 0


def test_a_series_that_repeats_itself_has_no_mase():
    with pytest.raises(ValueError, match="repeat themselves every 2 steps"):
        mase(np.ones(2), np.ones(2), np.array([1.0, 2.0, 1.0, 2.0]), 2)


@pytest.mark.parametrize(
    ("name", "expected"), [("persistence", (9.161, 2.777)), ("seasonal-naive", (9.161, 2.777))]
)
def test_the_naive_forecast_of_m4_weekly_is_the_official_one(load_real, name, expected):
    row = run_holdout(Cell("M4Weekly", name, 13), MODELS[name].make, load_real("M4Weekly"))
    assert row["n_test_windows"] == 359
    assert (round(row["smape"], 3), round(row["mase"], 3)) == expected


def test_only_known_rows_reach_the_model(monkeypatch):
    handed = []
    airline = load("airline")

    class Spy:
        def get_params(self):
            return {}

        def fit(self, y):
            handed.append(y)

        def predict_windows(self, y, cutoffs):
            handed.append(y)
            return np.ones((1, 12, 1))

    run_holdout(Cell("airline", "", 12), lambda task: Spy(), airline)
    assert [len(rows) for rows in handed] == [132, 132]
    assert handed[0].equals(airline.frame.iloc[:-12])


def test_a_panel_forecaster_gets_all_series_at_once():
    airline = load("airline").frame.to_numpy()[:, 0]
    frame = pd.concat(
        {
            "b": pd.DataFrame({"value": airline[20:]}, pd.RangeIndex(124, name="step")),
            "a": pd.DataFrame({"value": 9 * airline}, pd.RangeIndex(144, name="step")),
        },
        names=["series"],
    )
    data = replace(load("airline"), name="two", frame=frame)
    row = run_holdout(Cell("two", "klmemory", 12), MODELS["klmemory"].make, data)
    naive = run_holdout(Cell("two", "persistence", 12), MODELS["persistence"].make, data)
    assert row["n_test_windows"] == naive["n_test_windows"] == 2
    assert row["mase"] < naive["mase"]


def test_the_official_horizon_and_the_free_regime_are_held_to(load_real):
    weekly = load_real("M4Weekly")
    with pytest.raises(ValueError, match="official horizon of 13, got 12"):
        hold_out(weekly, 12)
    with pytest.raises(ValueError, match="has the regime 'free' only"):
        holdout_task(Cell("M4Weekly", "persistence", 13, regime="lookback96"), weekly)
    assert season(weekly) == 1


def test_a_series_no_longer_than_the_horizon_is_refused():
    with pytest.raises(ValueError, match="1 series have no more than 144 rows"):
        hold_out(load("airline"), 144)
