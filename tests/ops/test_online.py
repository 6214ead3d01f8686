import math
from functools import partial, reduce

import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.kl import components, empirical_kl
from klforecast.ops.linalg import fix_signs, safe_eigh
from klforecast.ops.online import KLState, absorb, empty_state, feature_modes, state_components


def low_rank_rows(T, d, rank, seed=0):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(T, rank, generator=generator, dtype=torch.float64)
    return 3 + scores @ torch.randn(rank, d, generator=generator, dtype=torch.float64)


@pytest.fixture
def rows():
    """200 rows of 8 features whose centred rank is 4."""
    return low_rank_rows(200, 8, 4)


def weighted_scatter(rows, forgetting):
    weights = forgetting ** torch.arange(len(rows) - 1, -1, -1, dtype=torch.float64)
    mean = weights @ rows / weights.sum()
    return mean, (rows - mean).mT @ (weights[:, None] * (rows - mean)), weights.sum().item()


def assert_same_state(state, other):
    assert_close(state.mean, other.mean)
    assert_close(state.root, other.root)
    assert state.weight == pytest.approx(other.weight)
    assert state.discarded == pytest.approx(other.discarded, abs=1e-9)


@pytest.mark.parametrize("forgetting", [1.0, 0.99, 0.5])
@pytest.mark.parametrize("chunk", [1, 7, 32, 64, 200])
def test_the_size_of_the_chunks_does_not_matter(chunk, forgetting, rows):
    grow = partial(absorb, rank=4, forgetting=forgetting)
    state = reduce(grow, rows.split(chunk), empty_state(8))
    assert_same_state(state, grow(empty_state(8), rows))


@pytest.mark.parametrize("block_length", [1, 5, 200, 1000])
def test_the_size_of_the_blocks_does_not_matter(block_length, rows):
    assert_same_state(
        absorb(empty_state(8), rows, rank=4, block_length=block_length),
        absorb(empty_state(8), rows, rank=4),
    )


@pytest.mark.parametrize("forgetting", [1.0, 0.99, 0.5])
@pytest.mark.parametrize("rank", [4, 8, 11])
def test_the_root_is_the_explicitly_weighted_scatter(rank, forgetting, rows):
    state = absorb(
        absorb(empty_state(8), rows[:150], rank, forgetting), rows[150:], rank, forgetting
    )
    mean, scatter, weight = weighted_scatter(rows, forgetting)
    assert_close(state.mean, mean)
    assert_close(state.root.mT @ state.root, scatter)
    assert state.weight == pytest.approx(weight)
    assert state.discarded == pytest.approx(0, abs=1e-9)


def test_a_full_rank_state_is_exact_on_any_data():
    rows = torch.randn(300, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    state = reduce(partial(absorb, rank=5), rows.split(13), empty_state(5))
    _, scatter, _ = weighted_scatter(rows, 1.0)
    assert_close(state.root.mT @ state.root, scatter)


def test_a_jump_of_the_mean_between_two_chunks_is_variance():
    state = absorb(absorb(empty_state(1), torch.zeros(30, 1), 1), torch.ones(10, 1), 1)
    assert_close(feature_modes(state)[0].item(), 0.25 * 0.75)


def test_the_state_shares_its_spectrum_with_the_decomposition_over_time(rows):
    exact = empirical_kl(rows, 4)
    eigenvalues, modes = feature_modes(absorb(empty_state(8), rows, rank=4))
    assert_close(eigenvalues, exact.eigenvalues)
    over_time = (rows - rows.mean(dim=0)) @ modes / (len(rows) * eigenvalues).sqrt()
    assert_close(fix_signs(over_time), exact.modes)


@pytest.mark.parametrize("scale", [True, False])
def test_components_are_read_from_the_state_without_the_rows(scale, rows):
    exact = components(rows, empirical_kl(rows, 6), scale)
    read = state_components(absorb(empty_state(8), rows, rank=6), scale)
    assert_close(read, fix_signs(exact.mT).mT)


def test_forgotten_rows_leave_the_components_of_the_faded_history(rows):
    f = 0.9
    state = absorb(empty_state(8), rows, rank=4, forgetting=f)
    mean, _, _ = weighted_scatter(rows, f)
    faded = (rows - mean) * f ** (torch.arange(199, -1, -1).double()[:, None] / 2)
    read = state_components(state, scale_by_eigenvalue=False)
    assert_close(read.mT @ read, faded.mT @ faded)


def test_cutting_the_rank_keeps_the_books():
    rows = torch.randn(400, 10, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for forgetting in (1.0, 0.98):
        state = absorb(empty_state(10), rows, rank=3, forgetting=forgetting)
        _, scatter, _ = weighted_scatter(rows, forgetting)
        assert state.discarded > 0
        assert (state.root**2).sum().item() + state.discarded == pytest.approx(
            scatter.trace().item()
        )


def test_one_block_is_the_best_approximation_of_its_rank():
    rows = torch.randn(400, 10, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    state = absorb(empty_state(10), rows, rank=3, block_length=400)
    _, scatter, _ = weighted_scatter(rows, 1.0)
    eigenvalues, modes = safe_eigh(scatter)
    assert_close((state.root**2).sum(dim=1), eigenvalues[:3])
    assert_close(fix_signs(state.root.mT / state.root.norm(dim=1)), modes[:, :3])
    assert state.discarded == pytest.approx(eigenvalues[3:].sum().item())


def test_old_directions_are_forgotten():
    first, second = torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.tensor([[0.0, 1.0], [0.0, -1.0]])
    state = absorb(empty_state(2), first.repeat(50, 1), rank=1, forgetting=0.9)
    state = absorb(state, second.repeat(100, 1), rank=1, forgetting=0.9)
    assert_close(feature_modes(state)[1], torch.tensor([[0.0], [1.0]], dtype=torch.float64))


def test_absorbing_leaves_the_old_state_and_the_rows_alone(rows):
    state = absorb(empty_state(8), rows[:50], rank=4)
    kept = KLState(state.mean.clone(), state.root.clone(), state.weight, state.discarded)
    rows_before = rows.clone()
    absorb(state, rows[50:], rank=4)
    assert_close(tuple(state), tuple(kept), rtol=0, atol=0)
    assert_close(rows, rows_before, rtol=0, atol=0)


def test_absorbing_is_a_write_without_gradient(rows):
    state = absorb(empty_state(8), rows.float().requires_grad_(), rank=4)
    assert not state.mean.requires_grad
    assert not state.root.requires_grad
    assert state.root.dtype == torch.float64


def test_no_rows_change_nothing(rows):
    state = absorb(empty_state(8), rows, rank=4)
    assert absorb(state, rows[:0], rank=4, forgetting=0.5) is state


def test_the_shape_of_the_state_does_not_depend_on_how_much_was_seen(rows):
    states = [absorb(empty_state(8), rows[:n], rank=11) for n in (1, 2, 200)]
    states.append(empty_state(8, rank=11))
    assert {state.root.shape for state in states} == {(11, 8)}


def test_nothing_seen_means_zero_components_and_no_nan():
    for rank in (0, 3):
        state = empty_state(4, rank=rank)
        eigenvalues, modes = feature_modes(state)
        assert_close(eigenvalues, torch.zeros(rank, dtype=torch.float64))
        assert_close(modes, torch.zeros(4, rank, dtype=torch.float64))
        assert_close(state_components(state), torch.zeros(rank, 4, dtype=torch.float64))


@pytest.mark.parametrize("level", [0.0, 0.1, 1e4 / 3, -1e12])
@pytest.mark.parametrize("block_length", [None, 5000])
def test_a_constant_series_has_no_modes_however_long_it_is(level, block_length):
    rows = torch.full((5000, 2), level, dtype=torch.float64)
    state = absorb(empty_state(2), rows, rank=2, block_length=block_length)
    eigenvalues, modes = feature_modes(state)
    assert not eigenvalues.any()
    assert not modes.any()


def test_the_last_digit_of_a_constant_is_not_a_mode():
    rows = torch.tensor([[0.3], [0.1 + 0.2]], dtype=torch.float64).repeat(50, 1)
    assert rows.unique().numel() == 2
    assert not feature_modes(absorb(empty_state(1), rows, rank=1))[0].any()


def test_directions_that_are_not_there_have_zero_modes(rows):
    eigenvalues, modes = feature_modes(absorb(empty_state(8), rows, rank=8))
    assert (eigenvalues[:4] > 0).all()
    assert not eigenvalues[4:].any()
    assert not modes[:, 4:].any()
    assert_close(modes.mT @ modes, torch.diag((eigenvalues > 0).double()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": torch.zeros(3, 5)}, r"rows of shape \(3, 5\); pass \(m, 4\)"),
        ({"rows": torch.zeros(4)}, r"rows of shape \(4,\); pass \(m, 4\)"),
        ({"rows": torch.full((1, 4), math.nan)}, "4 NaN and 0 infinite entries of 4"),
        ({"rank": 0}, "rank=0 and block_length=None; pass at least 1"),
        ({"block_length": 0}, "rank=2 and block_length=0"),
        ({"forgetting": 0.0}, r"forgetting=0.0; pass a number in \(0, 1\]"),
        ({"forgetting": 1.1}, "forgetting=1.1"),
    ],
)
def test_rows_and_options_that_make_no_sense_are_refused(change, message):
    arguments = {"rows": torch.zeros(3, 4), "rank": 2} | change
    with pytest.raises(ValueError, match=message):
        absorb(empty_state(4), **arguments)


def test_a_direction_of_a_hundred_millionth_of_the_largest_is_there():
    rows = torch.tensor([[1e8, 1], [-1e8, 1], [1e8, -1], [-1e8, -1]], dtype=torch.float64)
    eigenvalues, modes = feature_modes(absorb(empty_state(2), rows, rank=2))
    assert_close(eigenvalues, torch.tensor([1e16, 1.0], dtype=torch.float64))
    assert_close(modes, torch.eye(2, dtype=torch.float64))


@pytest.mark.parametrize("ratio", [1e5, 1e7, 1e10])
@pytest.mark.parametrize("chunk", [1, 50, 400])
def test_every_direction_above_rounding_is_kept(ratio, chunk):
    generator = torch.Generator().manual_seed(4)
    left = torch.randn(400, 50, generator=generator, dtype=torch.float64)
    left = torch.linalg.qr(left - left.mean(dim=0)).Q
    right = torch.linalg.qr(torch.randn(50, 50, generator=generator, dtype=torch.float64)).Q
    deviations = torch.logspace(0, -math.log10(ratio), 50, dtype=torch.float64)
    rows = left * deviations @ right
    state = reduce(partial(absorb, rank=50), rows.split(chunk), empty_state(50))
    expected = deviations**2 / 400
    assert_close(feature_modes(state)[0], expected, rtol=1e-3, atol=0)


@pytest.mark.parametrize("chunk", [1, 7, 2000])
def test_a_rank_is_found_however_long_the_stream_is(chunk):
    rows = low_rank_rows(2000, 8, 3) * torch.logspace(0, 6, 8, dtype=torch.float64)
    state = reduce(partial(absorb, rank=8), rows.split(chunk), empty_state(8))
    assert int((feature_modes(state)[0] > 0).sum()) == 3
