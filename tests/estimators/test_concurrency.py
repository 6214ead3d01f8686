"""Forecasters that work at the same time do not meet, and leave nothing behind."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from klforecast import KLMemoryForecaster

LINEAR = {"horizon": 6, "input_length": 12, "memory_depth": 36, "period": 12}
TRANSFORMER = LINEAR | {"encoder": "transformer", "d_model": 4, "n_heads": 1, "max_epochs": 1}


@pytest.mark.parametrize("settings", [LINEAR, TRANSFORMER], ids=["linear", "transformer"])
def test_threads_that_share_a_forecaster_forecast_what_one_would(settings, hourly, state_of):
    forecaster = KLMemoryForecaster(**settings).fit(hourly[:300])
    horizons = [range(1, n) for n in range(2, 22)]
    alone = [forecaster.predict(fh).to_numpy() for fh in horizons]
    windows = forecaster.predict_windows(hourly, [200, 250])
    before = state_of(forecaster)
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(lambda fh: forecaster.predict(fh).to_numpy(), horizons))
        moved = list(
            threads.map(lambda _: forecaster.predict_windows(hourly, [200, 250]), range(4))
        )
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)
    for other in moved:
        np.testing.assert_array_equal(windows, other)
    forecaster.predict(horizons[-1])  # sktime notes the last fh, and any thread may be the last one
    assert state_of(forecaster) == before


FIT = """
import numpy as np
from klforecast import KLMemoryForecaster
y = np.sin(np.arange(200) / 3)
forecaster = KLMemoryForecaster(horizon=6).fit(y).update(y[:20])
print(forecaster.predict(fh=[1, 2, 3]).ravel().tolist())
"""


def test_two_processes_that_fit_at_once_agree_and_write_nothing(tmp_path):
    folders = {name: tmp_path / name for name in ("work", "home", "temporary")}
    for folder in folders.values():
        folder.mkdir()
    environment = {
        **os.environ,
        "HOME": str(folders["home"]),
        "TMPDIR": str(folders["temporary"]),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    running = [
        subprocess.Popen(
            [sys.executable, "-c", FIT],
            cwd=folders["work"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    done = [process.communicate() for process in running]
    assert [process.returncode for process in running] == [0, 0], done
    assert done[0] == done[1]
    assert [path for folder in folders.values() for path in folder.rglob("*")] == []
