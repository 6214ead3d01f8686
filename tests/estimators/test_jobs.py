"""`n_jobs` of the forecaster: the same numbers by any number of threads, and what it counts."""

import threading

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed, parallel_config, register_parallel_backend
from joblib._parallel_backends import LokyBackend

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.jobs import count_workers, one_thread
from klforecast.local import model as local_model
from klforecast.ops import workers


def wide(channels=40, rows=220):
    rng = np.random.default_rng(0)
    phases = rng.uniform(0, 6, channels)
    waves = np.sin(np.arange(rows)[:, None] * np.pi / 6 + phases)
    return pd.DataFrame(10 + waves + 0.2 * rng.normal(size=(rows, channels)))


def panel(series=30, rows=60):
    each = {f"s{i}": pd.DataFrame({"y": wide(1, rows).iloc[:, 0] * (i + 1)}) for i in range(series)}
    return pd.concat(each, names=["id", "step"])


@pytest.fixture
def small_chunks(monkeypatch):
    """Of series whose local experts are asked at once, so that workers have something to share."""
    monkeypatch.setattr(local_model, "_MOST_AT_ONCE", 8)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("y", [wide(), wide(3), panel()], ids=["wide", "narrow", "panel"])
def test_forecasts_and_intervals_are_the_same_for_any_number_of_threads(y):
    def forecasts(n_jobs):
        fitted = KLMemoryForecaster(6, n_jobs=n_jobs).fit(y)
        return fitted.predict().to_numpy(), fitted.predict_interval(coverage=0.8).to_numpy()

    alone = forecasts(None)
    for n_jobs in (2, 3, -1):
        for one, other in zip(alone, forecasts(n_jobs), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.usefixtures("small_chunks")
def test_an_update_and_windows_are_the_same_for_any_number_of_threads():
    y = wide()
    alone, shared = (KLMemoryForecaster(6, n_jobs=n).fit(y[:200]) for n in (1, 2))
    for one in (alone, shared):
        one.update(y[200:210])
    cutoffs = [150, 205, 210]
    np.testing.assert_array_equal(
        *(one.predict_windows(y, cutoffs, alpha=[0.1, 0.9]) for one in (alone, shared))
    )


@pytest.fixture
def counts(monkeypatch):
    """How many workers each call had."""
    seen = []
    pool = workers.ThreadPoolExecutor

    def counted(count):
        seen.append(count)
        return pool(count)

    monkeypatch.setattr(workers, "ThreadPoolExecutor", counted)
    return seen


def test_none_is_one_thread_or_what_joblib_is_told(counts):
    y = wide(3, 120)
    KLMemoryForecaster(6).fit(y)
    assert not counts
    with parallel_config(n_jobs=2):
        KLMemoryForecaster(6).fit(y)
    assert set(counts) == {2}
    counts.clear()
    KLMemoryForecaster(6, n_jobs=3).fit(y).predict()
    assert set(counts) == {3}


def pools_of_a_fit():
    """Sizes of the pools that a fit opens."""
    seen, pool = [], workers.ThreadPoolExecutor
    workers.ThreadPoolExecutor = lambda count: seen.append(count) or pool(count)
    try:
        KLMemoryForecaster(6).fit(wide(3, 120))
    finally:
        workers.ThreadPoolExecutor = pool
    return seen


def test_a_fit_in_a_process_of_joblib_has_one_worker():
    assert Parallel(n_jobs=2)(delayed(pools_of_a_fit)() for _ in range(2)) == [[], []]


class Cluster(LokyBackend):
    """A backend that is not joblib's own."""


def test_a_fit_beside_a_cluster_has_one_worker():
    register_parallel_backend("cluster", Cluster)
    with parallel_config(backend="cluster", n_jobs=7):
        assert count_workers(None) == 1
        assert count_workers(3) == 3


def test_the_threads_of_torch_are_as_before_after_a_call():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        KLMemoryForecaster(6, n_jobs=2).fit(wide(3, 120))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_calls_that_overlap_give_the_threads_of_torch_back():
    inside, leave, seen = threading.Event(), threading.Event(), []

    def first():
        with one_thread():
            inside.set()
            assert leave.wait(timeout=60)
        seen.append(torch.get_num_threads())

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        thread = threading.Thread(target=first)
        thread.start()
        assert inside.wait(timeout=60)
        with one_thread():
            leave.set()
            thread.join()
            assert torch.get_num_threads() == 1
        assert [*seen, torch.get_num_threads()] == [3, 3]
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("n_jobs", "error"), [(0, ValueError), (-2, ValueError), ("2", TypeError)])
def test_what_is_no_number_of_jobs_is_named(n_jobs, error):
    with pytest.raises(error, match=r"n_jobs is .*; pass a number of processors, -1 or None"):
        KLMemoryForecaster(6, n_jobs=n_jobs).fit(wide(3, 120))
