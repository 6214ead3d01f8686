import math

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.kl import components, empirical_kl, feature_covariance_kl, kernel_kl
from klforecast.ops.linalg import safe_eigh


def random_history(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def covariance_over_time(history):
    centred = history - history.mean(dim=-2, keepdim=True)
    return centred @ centred.mT / history.shape[-2]


def projector(modes):
    return modes @ modes.mT


# The definition, and the smaller of the two problems


@pytest.mark.parametrize(("T", "d"), [(40, 3), (3, 40), (12, 12), (13, 12), (12, 13), (2, 1)])
def test_the_smaller_problem_gives_what_the_covariance_over_time_gives(T, d):
    history = random_history(T, d)
    rank = min(T - 1, d)
    eigenvalues, modes = safe_eigh(covariance_over_time(history))
    fast = empirical_kl(history, rank)
    assert_close(fast.eigenvalues, eigenvalues[:rank])
    assert_close(fast.modes, modes[:, :rank])


@pytest.mark.parametrize("decompose", [empirical_kl, feature_covariance_kl])
def test_modes_stay_orthonormal_over_twelve_orders_of_magnitude(decompose):
    # Rotated, so that the small directions are differences of large entries.
    scales = 10.0 ** torch.arange(0, -7, -1)
    history = random_history(200, 7) * scales @ torch.linalg.qr(random_history(7, 7, seed=1)).Q
    modes = decompose(history, 7).modes
    assert_close(modes.mT @ modes, torch.eye(7, dtype=torch.float64), rtol=0, atol=1e-12)


def test_eigenvalues_share_out_the_variance_of_the_features():
    history = random_history(50, 4)
    assert_close(empirical_kl(history, 4).eigenvalues.sum(), history.var(dim=0, correction=0).sum())


@pytest.mark.parametrize("batch", [(1,), (5,), (2, 3)])
@pytest.mark.parametrize("decompose", [empirical_kl, feature_covariance_kl])
def test_a_batch_is_its_members_one_by_one(decompose, batch):
    histories = random_history(*batch, 20, 4)
    together = decompose(histories, 3)
    read = components(histories, together)
    for history, eigenvalues, modes, tokens in zip(
        histories.flatten(0, -3),
        together.eigenvalues.flatten(0, -2),
        together.modes.flatten(0, -3),
        read.flatten(0, -3),
        strict=True,
    ):
        alone = decompose(history, 3)
        assert_close(alone.eigenvalues, eigenvalues)
        assert_close(alone.modes, modes)
        assert_close(components(history, alone), tokens)


def test_a_change_of_unit_changes_eigenvalues_by_its_square_and_modes_not_at_all():
    history = random_history(30, 4)
    plain, scaled = empirical_kl(history, 4), empirical_kl(-1000 * history + 7, 4)
    assert_close(scaled.eigenvalues, 1e6 * plain.eigenvalues)
    assert_close(scaled.modes, plain.modes)


# Kernels


@pytest.mark.parametrize("kernel", ["exponential", "gaussian", "matern32"])
def test_kernel_eigenvalues_do_not_depend_on_the_resolution(kernel):
    coarse = kernel_kl(200, 4, kernel=kernel, tau=40.0).eigenvalues
    fine = kernel_kl(400, 4, kernel=kernel, tau=80.0).eigenvalues
    assert_close(coarse, fine, rtol=5e-3, atol=0)


def test_the_measure_weighs_the_steps():
    weights = torch.linspace(0.1, 1.0, 30, dtype=torch.float64)
    eigenvalues, modes = kernel_kl(30, 4, "matern32", tau=5.0, measure=weights)
    # Nystrom: sum_j K_ij w_j phi_j = lambda phi_i with phi = u / sqrt(w).
    covariance = kernel_kl(30, 30, "matern32", tau=5.0, measure=1.0)
    covariance = covariance.modes * covariance.eigenvalues @ covariance.modes.mT
    phi = modes / weights.sqrt()[:, None]
    assert_close(covariance @ (weights[:, None] * phi), eigenvalues * phi)


def test_a_constant_measure_scales_the_eigenvalues_only():
    plain, scaled = kernel_kl(20, 3, tau=5.0), kernel_kl(20, 3, tau=5.0, measure=0.25)
    assert_close(scaled.eigenvalues, 5 * plain.eigenvalues)
    assert_close(scaled.modes, plain.modes)


def test_the_sign_of_antisymmetric_kernel_modes_is_the_same_at_every_length():
    for T in (16, 17, 63, 64):
        assert kernel_kl(T, 2, tau=20.0).modes[0, 1] > 0


# Order of the rows


def test_the_order_of_the_rows_does_not_matter_to_feature_covariance_components():
    history = random_history(40, 5) * torch.rand(40, 1, generator=torch.Generator().manual_seed(4))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(5))
    plain, shuffled = feature_covariance_kl(history, 5), feature_covariance_kl(history[order], 5)
    assert_close(shuffled.eigenvalues, plain.eigenvalues)
    assert_close(shuffled.modes, plain.modes[order])
    for center in (True, False):
        assert_close(
            components(history[order], shuffled, center=center),
            components(history, plain, center=center),
        )


def test_the_order_of_the_rows_does_not_decide_the_sign_when_a_mode_has_ties():
    # The second mode is (1, -1) / sqrt(2): whichever row comes first would orient it.
    history = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    read = [components(h, feature_covariance_kl(h, 2)) for h in (history, history.flip(0))]
    assert_close(read[0], read[1])


def test_the_size_of_a_row_does_not_matter_to_feature_covariance_modes():
    history = random_history(12, 4)
    sizes = 1 + torch.rand(12, 1, generator=torch.Generator().manual_seed(6))
    assert_close(
        feature_covariance_kl(history, 4).modes, feature_covariance_kl(history * sizes, 4).modes
    )


@pytest.mark.parametrize(("T", "d"), [(30, 4), (4, 30)])
def test_feature_covariance_is_the_gram_matrix_of_the_directions(T, d):
    history = random_history(T, d)
    directions = history / history.norm(dim=1, keepdim=True)
    eigenvalues, modes = safe_eigh(directions @ directions.mT / T)
    fast = feature_covariance_kl(history, 4)
    assert_close(fast.eigenvalues, eigenvalues[:4])
    assert_close(projector(fast.modes), projector(modes[:, :4]))
    assert_close(fast.eigenvalues.sum(), torch.tensor(1.0, dtype=torch.float64))


# What is not there is zero


@pytest.mark.parametrize("decompose", [empirical_kl, feature_covariance_kl])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0, 3), (4, 0), (1, 3)])
def test_a_history_without_anything_to_decompose_has_zero_components(decompose, shape):
    history = torch.zeros(*shape)
    decomposition = decompose(history, 4)
    assert decomposition.modes.shape == (*shape[:-1], 4)
    assert_close(decomposition.eigenvalues, torch.zeros(*shape[:-2], 4, dtype=torch.float64))
    assert_close(components(history, decomposition), torch.zeros(*shape[:-2], 4, shape[-1]))


def test_an_empty_history_under_a_kernel_has_zero_components():
    decomposition = kernel_kl(0, 4)
    assert_close(components(torch.zeros(0, 3), decomposition), torch.zeros(4, 3))


@pytest.mark.parametrize("level", [0.0, 0.1, 1e4 / 3, -1e12])
@pytest.mark.parametrize("T", [1, 2, 97])
def test_a_constant_series_has_exactly_zero_components(level, T):
    history = torch.full((T, 2), level, dtype=torch.float64)
    decomposition = empirical_kl(history, 3)
    assert not decomposition.eigenvalues.any()
    assert not decomposition.modes.any()
    assert not components(history, kernel_kl(T, 3)).any()


def test_the_last_digit_of_a_constant_is_not_a_mode():
    history = torch.tensor([[0.3], [0.1 + 0.2]], dtype=torch.float64).repeat(50, 1)
    assert history.unique().numel() == 2
    assert not empirical_kl(history, 1).eigenvalues.any()


def test_a_constant_feature_leaves_the_others_alone():
    history = random_history(30, 2)
    padded = torch.cat([history, torch.full((30, 1), 1e6 / 3, dtype=torch.float64)], dim=1)
    plain, with_constant = empirical_kl(history, 3), empirical_kl(padded, 3)
    assert_close(with_constant.eigenvalues, plain.eigenvalues)
    assert_close(with_constant.modes, plain.modes)


@pytest.mark.parametrize(("T", "d"), [(3, 8), (8, 3), (40, 3)])
def test_missing_modes_are_zeros_and_the_rest_is_unchanged(T, d):
    history = random_history(T, d)
    rank = min(T - 1, d)
    few, many = empirical_kl(history, rank), empirical_kl(history, 12)
    assert_close(many.eigenvalues[:rank], few.eigenvalues)
    assert_close(many.modes[:, :rank], few.modes)
    assert not many.eigenvalues[rank:].any()
    assert not many.modes[:, rank:].any()


@pytest.mark.parametrize(("T", "d"), [(40, 9), (9, 40)])
def test_a_rank_deficient_history_has_as_many_modes_as_its_rank(T, d):
    history = random_history(T, 2) @ random_history(2, d, seed=1)
    eigenvalues, modes = empirical_kl(history, 5)
    assert (eigenvalues[:2] > 0).all()
    assert not eigenvalues[2:].any()
    assert not modes[:, 2:].any()
    # The two modes hold all of the history.
    centred = history - history.mean(dim=0)
    assert_close(projector(modes) @ centred, centred)


@pytest.mark.parametrize("zero_features", [0, 40])
def test_degenerate_eigenvalues_have_a_defined_space(zero_features):
    # Three orthonormal columns of mean zero: one eigenvalue, three times.
    rows = random_history(8, 3)
    basis = torch.linalg.qr(rows - rows.mean(dim=0)).Q
    history = torch.cat([basis, torch.zeros(8, zero_features)], dim=1)
    eigenvalues, modes = decomposition = empirical_kl(history, 3)
    assert_close(eigenvalues, torch.full((3,), 1 / 8, dtype=torch.float64))
    assert_close(projector(modes), projector(basis))
    # Whatever the basis, the components have the energy of the history.
    read = components(history, decomposition, scale_by_eigenvalue=False)
    assert_close(read.mT @ read, history.mT @ history)


# Components


def test_components_are_the_scaled_projections():
    history = random_history(25, 4)
    eigenvalues, modes = decomposition = empirical_kl(history, 3)
    centred = history - history.mean(dim=0)
    assert_close(components(history, decomposition), eigenvalues.sqrt().diag() @ modes.mT @ centred)
    assert_close(components(history, decomposition, False), modes.mT @ centred)
    assert_close(
        components(history, decomposition, center=False), components(history, decomposition)
    )


def test_centring_removes_the_level_from_kernel_components():
    history, decomposition = random_history(25, 4), kernel_kl(25, 3, tau=10.0)
    assert_close(components(history + 5, decomposition), components(history, decomposition))
    level = components(history + 5, decomposition, center=False) - components(
        history, decomposition, center=False
    )
    assert level[0].abs().min() > 1


def test_components_keep_the_precision_of_the_history():
    history = random_history(2, 25, 4).float()
    tokens = components(history, kernel_kl(25, 3, tau=10.0))
    assert tokens.shape == (2, 3, 4)
    assert tokens.dtype == torch.float32
    assert_close(tokens.double(), components(history.double(), kernel_kl(25, 3, tau=10.0)))


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("scale", [True, False])
def test_components_are_differentiable_with_the_modes_held_fixed(scale, center):
    history = random_history(2, 6, 3).requires_grad_()
    decomposition = empirical_kl(random_history(6, 3, seed=1), 2)
    assert torch.autograd.gradcheck(
        lambda h: components(h, decomposition, scale, center), (history,)
    )


def test_decompositions_are_constants_to_autograd():
    history = random_history(6, 3).requires_grad_()
    for decompose in (empirical_kl, feature_covariance_kl):
        assert not any(part.requires_grad for part in decompose(history, 2))


def test_components_of_a_degenerate_history_have_finite_gradients():
    history = torch.ones(6, 3, dtype=torch.float64, requires_grad=True)
    components(history, empirical_kl(history, 2)).sum().backward()
    assert history.grad.isfinite().all()


# Bad input


@pytest.mark.parametrize("n_components", [0, -1, 2.0, True, None])
@pytest.mark.parametrize(
    "decompose",
    [
        lambda n: empirical_kl(torch.zeros(4, 2), n),
        lambda n: feature_covariance_kl(torch.zeros(4, 2), n),
        lambda n: kernel_kl(4, n),
    ],
)
def test_the_number_of_components_must_be_a_positive_integer(decompose, n_components):
    with pytest.raises(ValueError, match=f"n_components={n_components!r}; pass a positive integer"):
        decompose(n_components)


def test_a_numpy_integer_is_a_number_of_components():
    assert kernel_kl(4, np.int64(2)).eigenvalues.shape == (2,)


@pytest.mark.parametrize(
    ("history", "message"),
    [
        (torch.zeros(5), r"shape \(5,\)"),
        (torch.zeros(5, 2, dtype=torch.int64), "dtype torch.int64"),
        (torch.tensor([[math.nan, 1.0], [math.inf, 2.0]]), "1 NaN and 1 infinite entries of 4"),
    ],
)
def test_a_history_that_is_not_one_is_refused(history, message):
    for use in (empirical_kl, feature_covariance_kl):
        with pytest.raises(ValueError, match=message):
            use(history, 1)
    with pytest.raises(ValueError, match=message):
        components(history, kernel_kl(5, 1))


def test_a_history_of_another_length_is_refused():
    with pytest.raises(ValueError, match="history has 5 steps and the modes have 4"):
        components(torch.zeros(5, 2), kernel_kl(4, 1))


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (torch.ones(3), r"shape \(3,\); pass one weight, or one for each of the 4 steps"),
        (-1.0, "negative or non-finite"),
        (math.nan, "negative or non-finite"),
    ],
)
def test_an_impossible_measure_is_refused(measure, message):
    with pytest.raises(ValueError, match=message):
        kernel_kl(4, 2, measure=measure)
