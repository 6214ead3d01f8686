import math

import numpy as np
import pytest
import torch
from scipy.fft import dct
from torch.testing import assert_close

from klforecast.ops.fixed_bases import dct_basis, dft_basis, haar_basis, random_basis
from klforecast.ops.kernels import kernel_matrix
from klforecast.ops.kl import covariance_kl


def seeded(T):
    return random_basis(T, torch.Generator().manual_seed(3))


@pytest.mark.parametrize("T", [1, 2, 3, 7, 8, 624])
@pytest.mark.parametrize("make", [dct_basis, dft_basis, haar_basis, seeded])
def test_a_basis_is_orthonormal_and_whole(make, T):
    basis = make(T)
    assert_close(basis.T @ basis, torch.eye(T, dtype=torch.float64), rtol=0, atol=1e-11)


@pytest.mark.parametrize("T", [5, 8])
def test_the_cosine_basis_is_the_orthonormal_transform_of_scipy(T):
    series = np.random.default_rng(0).standard_normal(T)
    ours = dct_basis(T).numpy().T @ series
    np.testing.assert_allclose(ours, dct(series, type=2, norm="ortho"), atol=1e-12)


@pytest.mark.parametrize("T", [5, 8])
def test_the_fourier_basis_holds_the_real_and_the_imaginary_parts_of_the_transform(T):
    series = np.random.default_rng(0).standard_normal(T)
    ours, theirs = dft_basis(T).numpy().T @ series, np.fft.fft(series) / math.sqrt(T)
    assert ours[0] == pytest.approx(theirs[0].real)
    for column in range(1, T):
        frequency = (column + 1) // 2
        part = theirs[frequency].real if column % 2 else -theirs[frequency].imag
        alone = 2 * frequency == T
        assert ours[column] == pytest.approx(part if alone else math.sqrt(2) * part)


def test_the_haar_basis_of_eight_steps_is_haars():
    h = [
        [1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, -1, -1, -1, -1],
        [1, 1, -1, -1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 1, -1, -1],
        [1, -1, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, -1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, -1, 0, 0],
        [0, 0, 0, 0, 0, 0, 1, -1],
    ]
    plain = torch.tensor(h, dtype=torch.float64).T
    assert_close(haar_basis(8), plain / plain.norm(dim=0))


def test_a_haar_wavelet_of_an_odd_interval_has_two_levels_and_sums_to_zero():
    wavelets = haar_basis(7)[:, 1:]
    assert wavelets.sum(0).abs().max() < 1e-12
    assert all(len(set(column[column != 0].tolist())) == 2 for column in wavelets.T)


def test_the_cosine_basis_is_the_limit_of_the_modes_of_a_slow_autoregression():
    modes = covariance_kl(kernel_matrix(16, "exponential", tau=1e6), n_components=4).modes
    overlap = (modes.T @ dct_basis(16)[:, :4]).diagonal().abs()
    assert overlap.min() > 0.9999


def test_a_random_basis_is_a_function_of_its_seed():
    assert torch.equal(seeded(6), seeded(6))
    assert not torch.equal(seeded(6), random_basis(6, torch.Generator().manual_seed(4)))


@pytest.mark.parametrize("make", [dct_basis, dft_basis, haar_basis, seeded])
def test_no_steps_have_no_basis(make):
    with pytest.raises(ValueError, match="got T=0; pass a number of steps"):
        make(0)
