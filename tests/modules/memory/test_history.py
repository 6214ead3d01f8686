import pytest
import torch
from torch.testing import assert_close

from klforecast.modules.memory.history import HistoryComponents
from klforecast.ops.kl import components, empirical_kl, kernel_kl


def random_histories(n, T, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, T, d, generator=generator, dtype=torch.float64).cumsum(dim=1)


@pytest.mark.parametrize("solver", ["exact", "online"])
def test_one_history_is_read_as_its_own_decomposition_says(solver):
    history = random_histories(1, T=12, d=3)
    store = HistoryComponents(12, n_components=3, solver=solver)
    store.append(history)
    assert_close(store.eigenvalues, empirical_kl(history[0], 3).eigenvalues)
    assert_close(store(history)[0], components(history[0], empirical_kl(history[0], 3)))


@pytest.mark.parametrize("center", [True, False])
def test_the_covariance_is_the_mean_over_the_histories(center):
    histories = random_histories(40, T=6, d=5)
    store = HistoryComponents(6, n_components=6, center=center)
    store.append(histories)
    rows = histories - histories.mean(dim=1, keepdim=True) if center else histories
    assert_close(store.covariance, (rows @ rows.mT / 6).mean(dim=0))


@pytest.mark.parametrize("strategy", ["empirical", "feature"])
def test_the_online_solver_agrees_with_the_exact_one_where_nothing_is_cut(strategy):
    histories = random_histories(700, T=8, d=3)
    exact = HistoryComponents(8, 8, strategy)
    online = HistoryComponents(8, 8, strategy, solver="online")
    exact.append(histories)
    for part in histories.split(300):
        online.append(part)
    assert_close(online.eigenvalues, exact.eigenvalues, rtol=1e-9, atol=1e-9)
    assert_close(online(histories), exact(histories), rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("solver", ["exact", "online"])
def test_writing_in_parts_is_writing_at_once(solver):
    histories = random_histories(90, T=5, d=2)
    once, parts = (HistoryComponents(5, 5, solver=solver) for _ in range(2))
    once.append(histories)
    for part in histories.split(17):
        parts.append(part)
    assert_close(parts.eigenvalues, once.eigenvalues)
    assert_close(parts.modes.abs(), once.modes.abs())


@pytest.mark.parametrize("center", [True, False])
def test_a_kernel_needs_no_data_and_keeps_the_level_if_asked_to(center):
    options = {"strategy": "kernel", "kernel": "gaussian", "tau": 5.0, "measure": "unit"}
    store = HistoryComponents(10, 3, center=center, **options)
    level = torch.ones(1, 10, 1, dtype=torch.float64)
    store.append(random_histories(4, T=10, d=2))
    assert_close(store.modes, kernel_kl(10, 3, "gaussian", 5.0).modes)
    assert (store(level)[0, 0].abs() > 1) == (not center)


@pytest.mark.parametrize("strategy", ["empirical", "feature"])
@pytest.mark.parametrize("center", [True, False])
def test_before_any_write_each_history_is_decomposed_by_itself(strategy, center):
    histories = random_histories(4, T=9, d=3)
    store = HistoryComponents(50, 3, strategy, center=center)
    read = store(histories)
    for history, its_own in zip(histories, read, strict=True):
        alone = HistoryComponents(9, 3, strategy, center=center)
        alone.append(history[None])
        assert_close(its_own.abs(), alone(history[None])[0].abs())
    assert_close(
        HistoryComponents(5, 3, strategy, center=center)(histories)[0].abs(),
        store(histories[:1, -5:])[0].abs(),
    )


def test_feature_similarity_does_not_see_the_size_of_a_row():
    histories = random_histories(20, T=6, d=4)
    sizes = torch.rand(20, 6, 1, dtype=torch.float64) + 0.1
    plain, scaled = (HistoryComponents(6, 4, strategy="feature") for _ in range(2))
    plain.append(histories)
    scaled.append(sizes * histories)
    assert_close(scaled.modes, plain.modes)


def test_modes_that_the_histories_do_not_have_read_as_zero():
    store = HistoryComponents(4, n_components=7, scale_by_eigenvalue=False)
    histories = random_histories(30, T=4, d=2)
    store.append(histories)
    read = store(histories)
    assert read.shape == (30, 7, 2)
    assert not read[:, 3:].any()  # centred rows have rank T - 1


@pytest.mark.parametrize("strategy", ["empirical", "kernel", "feature"])
def test_reset_goes_back_to_the_beginning(strategy):
    new, used = (HistoryComponents(6, 3, strategy) for _ in range(2))
    used.append(random_histories(9, T=6, d=2))
    used.reset()
    assert_close(used.state_dict(), new.state_dict(), rtol=0, atol=0)


def test_constant_histories_leave_the_store_empty():
    store = HistoryComponents(6, 3)
    store.append(torch.full((5, 6, 2), 3.7))
    assert store.empty
