"""Frames of engines: the same forecasts as from one frame of pandas."""

import os
import signal
import sys
from shutil import which

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config

from klforecast import KLMemoryForecaster, LongForecaster
from klforecast.distributed import cross_validation, fit, fit_parts, predict
from klforecast.distributed.frames import series_of
from klforecast.estimators.long_frames.columns import Columns

pytest.importorskip("fugue", reason="frames of engines need Fugue: pip install 'klforecast[dask]'")

# Of Ray, about defaults of its own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")
FORECASTER = KLMemoryForecaster(horizon=6)


@pytest.fixture(autouse=True)
def main_module_with_a_file(monkeypatch):
    """PySpark takes the main module of a worker of the tests, which has no file, for doctests of its own, and exits."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", __file__, raising=False)


KEYS = ["unique_id", "ds"]


def long_frame(n_series=9, rows=48):
    rng = np.random.default_rng(1)
    months = pd.date_range("2018-01-01", periods=rows, freq="MS")
    season = np.sin(2 * np.pi * np.arange(rows) / 12)
    return pd.concat(
        pd.DataFrame(
            {
                "unique_id": f"s{number}",
                "ds": months,
                "y": 20 + number * season + rng.normal(size=rows),
            }
        )
        for number in range(n_series)
    ).sample(frac=1, random_state=0, ignore_index=True)


def sorted_rows(frame, keys=KEYS):
    return frame.sort_values(keys).reset_index(drop=True)


def known_forecast(frame):
    """Of one fit to the series in the order of their labels, in which parts have them too."""
    forecast = LongForecaster(FORECASTER).forecast(sorted_rows(frame), h=6, level=[80])
    return sorted_rows(forecast)


def assert_same(found, known, keys=KEYS):
    found = sorted_rows(found, keys)
    assert list(found) == list(known)
    assert (found["unique_id"].astype(str) == known["unique_id"]).all()
    for name in known.columns[2:]:
        if name != "cutoff":
            np.testing.assert_allclose(found[name], known[name], rtol=1e-8, atol=1e-8)


def test_a_frame_of_pandas_goes_through_the_native_engine():
    frame = long_frame()
    model = fit(frame, FORECASTER, n_parts=3)
    assert_same(predict(model, frame, h=6, level=[80], n_parts=2), known_forecast(frame))


def test_windows_are_forecast_by_a_fit_to_the_rows_before_them():
    frame = long_frame(4)
    found = cross_validation(frame, 6, 2, 3, [80], forecaster=FORECASTER, n_parts=2)
    assert len(found) == 2 * 4 * 6
    for spared in (9, 6):
        last = pd.Timestamp("2021-12-01") - pd.DateOffset(months=spared)
        window = found[found["cutoff"] == last].drop(columns=["cutoff", "y"])
        assert_same(window, known_forecast(frame[frame["ds"] <= last]))
    joined = found.merge(frame, on=KEYS, suffixes=("", "_known"))
    assert (joined["y"] == joined["y_known"]).all()


@pytest.fixture(scope="module")
def dask():
    """Client of Dask with two processes on this machine, whose imports take longer than a test."""
    distributed = pytest.importorskip("distributed", reason="needs pip install 'klforecast[dask]'")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def test_a_frame_of_dask_is_forecast_by_two_processes(dask):
    from dask import dataframe as dd

    frame = long_frame()
    with dask.as_current():
        on_cluster = dd.from_pandas(frame, npartitions=3)
        model = fit(on_cluster, FORECASTER, n_parts=4)
        found = predict(model, on_cluster, h=6, level=[80], n_parts=4)
        assert isinstance(found, dd.DataFrame)
        assert_same(found.compute(), known_forecast(frame))


@pytest.fixture(scope="module")
def ray():
    """Ray on this machine, with two processes."""
    pytest.importorskip("fugue_ray", reason="needs pip install 'klforecast[ray]'")
    # Ray puts a print of its own in place of Python's, for all tests that follow in this process.
    os.environ["RAY_TQDM_PATCH_PRINT"] = "0"
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    # Of 200 that Ray takes by itself, each is a process to start.
    ray.data.DataContext.get_current().default_hash_shuffle_parallelism = 2
    yield ray
    ray.shutdown()


def test_a_frame_of_ray_is_forecast_by_two_processes(ray):
    import pyarrow as pa

    frame = long_frame()
    # Pandas' own text is large_string in Arrow, which Fugue does not know.
    columns = {
        "unique_id": pa.array(frame["unique_id"].to_list()),
        "ds": frame["ds"],
        "y": frame["y"],
    }
    on_cluster = ray.data.from_arrow(pa.table(columns))
    model = fit(on_cluster, FORECASTER, n_parts=2)
    found = predict(model, on_cluster, h=6, level=[80], n_parts=2)
    assert isinstance(found, ray.data.Dataset)
    assert_same(found.to_pandas(), known_forecast(frame))


# PySpark's own, of a newer pandas than it was made for.
@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")
def test_a_frame_of_spark_is_forecast_by_two_threads():
    sql = pytest.importorskip("pyspark.sql", reason="needs pip install 'klforecast[spark]'")
    if which("java") is None:
        pytest.skip("Spark needs a Java virtual machine")
    frame = long_frame()
    spark = sql.SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    session = spark.config("spark.sql.shuffle.partitions", "4").getOrCreate()
    try:
        on_cluster = session.createDataFrame(frame)
        model = fit(on_cluster, FORECASTER, n_parts=2)
        found = predict(model, on_cluster, h=6, level=[80], n_parts=2)
        assert isinstance(found, sql.DataFrame)
        assert_same(found.toPandas(), known_forecast(frame))
    finally:
        session.stop()


@pytest.fixture
def parts():
    series = series_of(long_frame(), Columns(*KEYS, "y"))
    keys = list(series)
    return [{key: series[key] for key in keys[start::3]} for start in range(3)]


@pytest.fixture
def joblib_on_dask(dask):
    with dask.as_current(), parallel_config(backend="dask"):
        yield


def assert_same_core(found, known):
    for name, values in known.core.state_dict().items():
        assert torch.equal(found.core.state_dict()[name], values), name


def test_parts_are_mapped_by_the_processes_of_a_cluster_of_dask(parts, joblib_on_dask):
    known = fit_parts(parts, FORECASTER, n_jobs=1)
    assert_same_core(fit_parts(parts, FORECASTER), known)


def test_parts_are_mapped_by_the_processes_of_ray(parts, ray):
    from ray.util.joblib import register_ray

    register_ray()
    known = fit_parts(parts, FORECASTER, n_jobs=1)
    with parallel_config(backend="ray"):
        found = fit_parts(parts, FORECASTER, n_jobs=2)
    assert_same_core(found, known)


@pytest.mark.skipif(sys.platform == "win32", reason="is killed by a signal")
def test_a_process_of_dask_that_is_killed_loses_nothing(parts, joblib_on_dask, tmp_path):
    test_process, surveyed, killed = os.getpid(), tmp_path / "surveyed", tmp_path / "killed"

    def part():
        if os.getpid() != test_process and not killed.exists():
            if surveyed.exists():
                killed.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            surveyed.touch()
        return parts[1]

    known = fit_parts(parts, FORECASTER, n_jobs=1)
    found = fit_parts([parts[0], part, parts[2]], FORECASTER)
    assert killed.exists()
    assert_same_core(found, known)


def test_a_column_that_is_missing_is_named():
    with pytest.raises(ValueError, match="no column 'value'"):
        fit(long_frame(2), target_col="value")
