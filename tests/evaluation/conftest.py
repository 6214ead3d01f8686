import numpy as np
import pandas as pd
import pytest

from klforecast.data.datasets import Dataset
from klforecast.data.splits import Borders
from klforecast.evaluation.benchmark.protocol import Task
from klforecast.evaluation.benchmark.rows import complete


@pytest.fixture
def waves() -> Dataset:
    """Three noisy daily waves whose level and size change after the training part."""
    steps = np.arange(700)
    rng = np.random.default_rng(7)
    values = np.stack(
        [np.sin(2 * np.pi * steps / 24 + phase) for phase in range(3)], axis=1
    ) + 0.1 * rng.standard_normal((len(steps), 3))
    values[450:] = 3 * values[450:] + 5
    index = pd.date_range("2020-01-01", periods=len(steps), freq="h")
    return Dataset(
        name="waves",
        frame=pd.DataFrame(values, index, ["a", "b", "c"]),
        sha256="0" * 64,
        periods=(24,),
        borders=Borders(400, 500, 650),
        target="c",
        source="made here",
        licence="none",
    )


@pytest.fixture
def task() -> Task:
    return Task("waves", horizon=12, period=24, past_limit=None, validation_rows=100, seed=0)


@pytest.fixture
def make_row():
    """Rows as `benchmark` writes them, from the few fields that a test is about."""

    def make(**fields):
        row = {
            "dataset": "ETTh1",
            "dataset_sha256": "f" * 64,
            "borders": [8640, 11520, 14400],
            "n_test_windows": 2785,
            "regime": "free",
            "fit_on": "train+validation",
            "memory_depth": 336,
            "horizon": 96,
            "model": "nlinear",
            "params": {"lookback": 336},
            "changed_params": {},
            "seed": 0,
            "fit_seconds": 2.0,
            "predict_seconds": 1.0,
            "cpu_seconds": 3.0,
            "peak_memory_mb": 500.0,
            "n_parameters": 32352,
            "versions": {"klforecast": "0.1.0", "torch": "2.13.0"},
            "machine": {"cores": 2},
        }
        return complete(row | fields)

    return make
