import math

import pytest
import torch
from torch.testing import assert_close

from klforecast.exceptions import KLForecastError, NumericalWarning
from klforecast.ops.linalg import fix_signs, follow_signs, rounding_floor, safe_eigh


def random_psd(*batch, n):
    root = torch.randn(
        *batch, n, n + 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    return root @ root.mT


@pytest.fixture
def stubborn_eigh(monkeypatch):
    """Make torch.linalg.eigh refuse a given number of times, as LAPACK does without convergence."""

    def refuse(times):
        eigh, left = torch.linalg.eigh, [times]

        def stubborn(matrix):
            if left[0]:
                left[0] -= 1
                raise torch.linalg.LinAlgError("failed to converge")
            return eigh(matrix)

        monkeypatch.setattr(torch.linalg, "eigh", stubborn)

    return refuse


def test_brownian_motion_has_its_textbook_spectrum():
    n = 400
    t = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    eigenvalues, _ = safe_eigh(torch.minimum(t[:, None], t[None, :]) / n)
    k = torch.arange(1, 6, dtype=torch.float64)
    assert_close(eigenvalues[:5], 1 / ((k - 0.5) * math.pi) ** 2, rtol=1e-3, atol=0)


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_eigenpairs_rebuild_the_matrix_in_any_batch_shape(batch):
    matrix = random_psd(*batch, n=6)
    eigenvalues, modes = safe_eigh(matrix)
    assert_close(modes * eigenvalues[..., None, :] @ modes.mT, matrix)
    assert_close(modes.mT @ modes, torch.eye(6, dtype=torch.float64).expand_as(matrix))
    assert (eigenvalues.diff(dim=-1) <= 0).all()


def test_a_float32_matrix_is_decomposed_in_float64():
    eigenvalues, modes = safe_eigh(torch.eye(3))
    assert eigenvalues.dtype == modes.dtype == torch.float64


def test_an_empty_matrix_has_an_empty_spectrum():
    eigenvalues, modes = safe_eigh(torch.zeros(4, 0, 0))
    assert eigenvalues.shape == (4, 0)
    assert modes.shape == (4, 0, 0)


def test_the_largest_entry_of_every_mode_is_positive():
    modes = fix_signs(torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(1)))
    largest = modes.gather(-2, modes.abs().argmax(dim=-2, keepdim=True))
    assert (largest > 0).all()


def test_orienting_undoes_a_change_of_sign():
    modes = torch.randn(7, 4, generator=torch.Generator().manual_seed(2))
    flips = torch.tensor([1.0, -1.0, -1.0, 1.0])
    assert_close(fix_signs(modes * flips), fix_signs(modes), rtol=0, atol=0)


@pytest.mark.parametrize("noise", [0.0, 1e-12, -1e-12])
def test_rounding_does_not_decide_the_sign_of_an_antisymmetric_mode(noise):
    mode = torch.tensor([[-1.0], [0.5], [-0.5], [1.0 + noise]], dtype=torch.float64)
    assert fix_signs(mode)[0] > 0


def test_orienting_keeps_zero_columns_and_empty_ones():
    assert_close(fix_signs(torch.zeros(3, 2)), torch.zeros(3, 2))
    assert fix_signs(torch.zeros(0, 2)).shape == (0, 2)


def test_orienting_passes_gradients_with_the_sign():
    modes = torch.tensor([[-2.0, 3.0], [1.0, 1.0]], requires_grad=True)
    fix_signs(modes).sum().backward()
    assert_close(modes.grad, torch.tensor([[-1.0, 1.0], [-1.0, 1.0]]))


def test_a_clean_matrix_needs_no_repair():
    matrix = random_psd(n=20)
    eigenvalues, modes = safe_eigh(matrix)  # a warning of a repair would be an error
    assert_close(modes * eigenvalues @ modes.mT, matrix)


@pytest.mark.parametrize(("refusals", "size"), [(1, "1e-12"), (2, "1e-10"), (4, "1e-06")])
def test_a_repair_says_how_big_it_was_and_leaves_the_spectrum(stubborn_eigh, refusals, size):
    matrix = random_psd(n=8)
    expected, modes = safe_eigh(matrix)
    stubborn_eigh(refusals)
    with pytest.warns(NumericalWarning, match=f"jitter of {size} of the mean eigenvalue"):
        eigenvalues, repaired = safe_eigh(matrix)
    assert_close(eigenvalues, expected)
    assert_close(repaired, modes, rtol=1e-6, atol=1e-6)


def test_the_ladder_ends_with_an_error(stubborn_eigh):
    stubborn_eigh(5)
    with pytest.raises(KLForecastError, match=r"shape \(8, 8\) did not converge"):
        safe_eigh(random_psd(n=8))


def test_negative_eigenvalues_beyond_rounding_are_reported_with_their_size():
    with pytest.warns(NumericalWarning, match="the worst -2.5e-01 of the largest one"):
        eigenvalues, _ = safe_eigh(torch.diag(torch.tensor([4.0, 1.0, -1.0])))
    assert_close(eigenvalues, torch.tensor([4.0, 1.0, 0.0], dtype=torch.float64))


def test_negative_rounding_errors_become_zero_without_a_word():
    ones = torch.full((50, 50), 1 / 3, dtype=torch.float64)
    eigenvalues, _ = safe_eigh(ones)
    assert eigenvalues.min() == 0


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (torch.tensor([[1.0, math.nan], [math.inf, 1.0]]), "1 NaN and 1 infinite entries of 4"),
        (torch.zeros(2, 3), r"shape \(2, 3\); pass a square one"),
        (torch.zeros(3), r"shape \(3,\); pass a square one"),
        (
            torch.tensor([[1.0, 0.5], [0.0, 1.0]]),
            "differs from its transpose by a relative 5.0e-01",
        ),
    ],
)
def test_a_matrix_without_a_symmetric_spectrum_is_refused(matrix, message):
    with pytest.raises(ValueError, match=message):
        safe_eigh(matrix)


def test_the_rounding_floor_scales_with_the_largest_eigenvalue():
    eigenvalues = torch.tensor([4.0, 1.0], dtype=torch.float64)
    assert_close(rounding_floor(eigenvalues, 10).item(), 40 * 2.0**-52)


def test_one_matrix_of_a_batch_that_is_not_symmetric_is_caught_whatever_the_others_are():
    matrices = torch.stack([1e12 * torch.eye(2), torch.tensor([[1.0, 0.9], [0.1, 1.0]])])
    with pytest.raises(ValueError, match=r"differs from its transpose by a relative 8\.0e-01"):
        safe_eigh(matrices)


def test_followed_signs_turn_with_the_mode_and_not_with_its_largest_entry():
    angles = torch.linspace(0, 2 * torch.pi, 200, dtype=torch.float64)
    turning = torch.stack([angles.cos(), -angles.sin()], dim=1)[..., None]
    modes = [turning[0]]
    for mode in turning[1:]:
        modes.append(follow_signs(fix_signs(mode), modes[-1]))
    assert_close(torch.stack(modes), turning)
    assert_close(follow_signs(turning[3], torch.zeros(2, 1)), turning[3])
