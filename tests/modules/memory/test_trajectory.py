import copy
import math

import pytest
import torch
from torch.testing import assert_close

from klforecast.exceptions import KLForecastError
from klforecast.modules.memory import trajectory
from klforecast.modules.memory.trajectory import TrajectoryComponents
from klforecast.ops.kl import (
    KLDecomposition,
    components,
    empirical_kl,
    feature_covariance_kl,
    kernel_kl,
)


def random_rows(n, d=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, d, generator=generator, dtype=torch.float64)


def written(store, rows):
    for row in rows.split(1):
        store.append(row)
    return store


def up_to_sign(components):
    return components.abs()


@pytest.mark.parametrize("strategy", ["empirical", "feature", "kernel"])
@pytest.mark.parametrize("center", [True, False])
def test_a_frozen_trajectory_reads_the_components_of_its_last_rows(strategy, center):
    rows = random_rows(50)
    decompose = {
        "empirical": lambda last: empirical_kl(last, 4),
        "feature": lambda last: feature_covariance_kl(last, 4),
        "kernel": lambda last: kernel_kl(len(last), 4, "matern32", 9.0),
    }[strategy]
    options = {"kernel": "matern32", "tau": 9.0, "measure": "unit", "center": center}
    store = TrajectoryComponents(6, 30, 4, strategy, **options).double()
    written(store, rows).freeze()
    centered = strategy == "empirical" or (strategy == "kernel" and center)
    plain = components(rows[-30:], decompose(rows[-30:]), center=centered)
    assert_close(up_to_sign(store.components), up_to_sign(plain))


def test_only_the_last_rows_are_kept():
    rows = random_rows(45)
    long, short = (TrajectoryComponents(6, 20, 4).double() for _ in range(2))
    written(long, rows).freeze()
    written(short, rows[-20:]).freeze()
    assert_close(long.components, short.components)


def test_the_lag_of_the_exact_solver_is_at_most_a_quarter_of_the_rows_held():
    store = TrajectoryComponents(6, 40, 4)
    for row in random_rows(120).split(1):
        store.append(row)
        assert store.new_rows < max(1, 0.25 * len(store.rows))


def test_filling_a_trajectory_takes_logarithmically_many_decompositions(monkeypatch):
    calls = []
    monkeypatch.setattr(
        trajectory, "empirical_kl", lambda rows, k: calls.append(1) or empirical_kl(rows, k)
    )
    written(TrajectoryComponents(6, 3000, 4), random_rows(1000))
    assert len(calls) <= 4.5 * math.log(1000)


def test_the_online_solver_keeps_no_rows_and_agrees_where_nothing_is_cut_or_forgotten():
    rows = random_rows(60)
    exact = TrajectoryComponents(6, 60, 6).double()
    online = TrajectoryComponents(6, 10**12, 6, solver="online").double()
    written(exact, rows).freeze()
    written(online, rows)
    assert all(60 not in buffer.shape for buffer in online.buffers())
    assert_close(online.components, exact.components, rtol=1e-6, atol=1e-6)


def test_the_online_solver_forgets_at_the_rate_of_the_depth():
    store = TrajectoryComponents(6, 50, 6, solver="online")
    written(store, random_rows(500))
    assert store.weight.item() == pytest.approx(50, rel=1e-3)


def test_components_keep_their_sign_while_rows_come_and_go():
    rows = random_rows(300) * torch.tensor([5.0, 3.0, 1.0, 1.0, 1.0, 1.0])
    store = TrajectoryComponents(6, 40, 2).double()
    for row in rows[:40].split(1):
        store.append(row)
    before = store.components.clone()
    for row in rows[40:].split(1):
        store.append(row)
        assert ((store.components * before).sum(dim=1) > 0).all()
        before = store.components.clone()


@pytest.mark.parametrize("strategy", ["empirical", "feature", "kernel"])
def test_slopes_are_the_derivatives_of_the_components_by_the_rows(strategy):
    rows = random_rows(20)
    store = TrajectoryComponents(6, 20, 3, strategy, tau=5.0)
    store.append(rows)
    moved = rows.clone()
    moved[-2, 1] += 1.0
    change = store.slopes.T @ (moved - rows)
    eigenvalues, modes = store._modes(rows)
    options = (store.scale_by_eigenvalue, store.centered)
    decomposition = KLDecomposition(eigenvalues, modes)
    before, after = (components(part, decomposition, *options) for part in (rows, moved))
    sign = torch.where((before * store.components).sum(dim=1, keepdim=True) < 0, -1.0, 1.0)
    assert_close(change, sign * (after - before))


@pytest.mark.parametrize("solver", ["exact", "online"])
def test_reset_empties_and_thaws(solver):
    store = TrajectoryComponents(6, 20, 4, solver=solver)
    empty = copy.deepcopy(store.state_dict())
    written(store, random_rows(30)).freeze()
    with pytest.raises(KLForecastError, match="reset"):
        store.append(random_rows(1))
    store.reset()
    assert store.empty
    assert_close(store.state_dict(), empty, rtol=0, atol=0)
    written(store, random_rows(3))
    assert not store.empty


@pytest.mark.parametrize("n", [0, 1])
def test_too_few_rows_to_differ_read_as_zero(n):
    store = TrajectoryComponents(6, 20, 4)
    store.append(random_rows(n))
    store.freeze()
    assert store.empty
    assert not store(torch.zeros(3, 1, 6)).any()


@pytest.mark.parametrize("frozen", [False, True])
def test_a_state_dict_carries_the_rows_into_a_new_store(frozen):
    store = written(TrajectoryComponents(6, 20, 4), random_rows(12))
    if frozen:
        store.freeze()
    other = TrajectoryComponents(6, 20, 4)
    other.load_state_dict(store.state_dict())
    assert_close(other.state_dict(), store.state_dict(), rtol=0, atol=0)
    assert len(other.rows) == (0 if frozen else 12)


def test_the_online_solver_is_refused_for_a_kernel():
    with pytest.raises(ValueError, match=r"online.*'kernel'"):
        TrajectoryComponents(6, 20, 4, strategy="kernel", solver="online")
