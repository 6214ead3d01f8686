import numpy as np
import pandas as pd
import pytest

from klforecast.data.datasets import Dataset
from klforecast.data.splits import Borders
from klforecast.evaluation.studies.covariate_gain import Case, covariates_of, score_case, table


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    warmth = np.convolve(rng.standard_normal(1509), np.ones(10) / 3, "valid")
    demand = np.sin(np.arange(1500) * np.pi / 12) + np.abs(warmth)
    index = pd.date_range("2024-01-01", periods=1500, freq="h")
    frame = pd.DataFrame({"Demand": demand, "Temperature": warmth}, index)
    return Dataset(
        "made", frame, "0" * 64, (24,), Borders(1000, 1200, 1500), "Demand", "none", "none"
    )


def test_known_covariates_are_scored_below_none(data):
    cases = (Case("none"), Case("known", ("Temperature",)), Case("noise", ("noise",)))
    rows = [score_case(data, case, 12, 10) for case in cases]
    assert rows[1]["mse"] < 0.7 * rows[0]["mse"]
    assert rows[2]["mse"] == rows[0]["mse"]
    assert {row["n_windows"] for row in rows} == {29}
    assert table(rows).row_count == 3


def test_no_columns_are_no_X(data):
    assert covariates_of(data, ()) is None
    assert covariates_of(data, ("Temperature",)).columns.tolist() == ["Temperature"]
    assert covariates_of(data, ("noise",)).shape == (1500, 3)
