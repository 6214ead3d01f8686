"""Panels in Parquet: the forecasts of one fit, and a run that goes on where it was killed."""

import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from klforecast import KLMemoryForecaster, LongForecaster
from klforecast.distributed.parquet import _Reader, forecast_parquet, parts_of
from klforecast.estimators.long_frames.columns import Columns

pytest.importorskip("pyarrow", reason="Parquet needs pyarrow: pip install 'klforecast[parquet]'")

COLUMNS = Columns("unique_id", "ds", "y")


def written(path, n_series=10, rows=48):
    rng = np.random.default_rng(2)
    months = pd.date_range("2018-01-01", periods=rows, freq="MS")
    season = np.sin(2 * np.pi * np.arange(rows) / 12)
    frame = pd.concat(
        pd.DataFrame(
            {"unique_id": f"s{n:02d}", "ds": months, "y": 20 + n * season + rng.normal(size=rows)}
        )
        for n in range(n_series)
    )
    frame.to_parquet(path, index=False, row_group_size=70)
    return frame


def test_parts_hold_whole_series_each_once_whatever_the_row_groups(tmp_path):
    frame = written(tmp_path / "sales.parquet")
    parts = parts_of(tmp_path, COLUMNS, rows_per_part=100)
    assert len(parts) == 4
    reader = _Reader(COLUMNS, None, tmp_path)
    held = [reader.series(part) for part in parts]
    assert [key[0] for part in held for key in part] == frame["unique_id"].unique().tolist()
    assert all(len(series.values) == 48 for part in held for series in part.values())


def test_files_are_forecast_as_their_rows_in_memory(tmp_path):
    frame = written(tmp_path / "sales.parquet")
    seen = []
    files = forecast_parquet(
        tmp_path / "sales.parquet",
        tmp_path / "out",
        6,
        [80],
        rows_per_part=100,
        on_progress=seen.append,
    )
    found = pd.concat(map(pd.read_parquet, files), ignore_index=True)
    known = LongForecaster(KLMemoryForecaster(horizon=6)).forecast(frame, h=6, level=[80])
    assert list(found) == list(known)
    assert found["unique_id"].tolist() == known["unique_id"].tolist()
    np.testing.assert_allclose(found.iloc[:, 2:], known.iloc[:, 2:], rtol=1e-8, atol=1e-8)
    assert [step.stage for step in seen if step.n_done == step.n_parts] == [
        "survey",
        "moments",
        "forecast",
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="is killed by a signal")
@pytest.mark.parametrize("stage", ["moments", "forecast"])
def test_a_killed_run_goes_on_with_what_was_done(tmp_path, stage):
    written(tmp_path / "sales.parquet")
    arguments = (tmp_path / "sales.parquet", tmp_path / "out", 6)
    program = f"""
import os, signal
from klforecast.distributed.parquet import forecast_parquet

def stop(step):
    if step.stage == {stage!r} and step.n_done == 2:
        os.kill(os.getpid(), signal.SIGKILL)

forecast_parquet({str(arguments[0])!r}, {str(arguments[1])!r}, 6, rows_per_part=100, on_progress=stop)
"""
    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert len([path for path in done if path.name.startswith(stage)]) >= 2
    files = forecast_parquet(*arguments, rows_per_part=100)
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    whole = forecast_parquet(arguments[0], tmp_path / "fresh", 6, rows_per_part=100)
    for one, two in zip(files, whole, strict=True):
        pd.testing.assert_frame_equal(pd.read_parquet(one), pd.read_parquet(two))


def test_another_run_does_not_mix_with_the_parts_of_a_folder(tmp_path):
    written(tmp_path / "sales.parquet", n_series=3)
    forecast_parquet(tmp_path / "sales.parquet", tmp_path / "out", 3)
    with pytest.raises(ValueError, match="another folder"):
        forecast_parquet(tmp_path / "sales.parquet", tmp_path / "out", 4)


def test_rows_that_are_not_ordered_by_series_are_refused(tmp_path):
    frame = written(tmp_path / "sales.parquet")
    frame.sort_values("ds").to_parquet(tmp_path / "sales.parquet", index=False, row_group_size=70)
    with pytest.raises(ValueError, match="order the rows by unique_id"):
        forecast_parquet(tmp_path / "sales.parquet", tmp_path / "out", 6)


def test_a_source_without_files_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder with files"):
        forecast_parquet(tmp_path, tmp_path / "out", 6)
