import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.kernels import kernel_matrix
from klforecast.ops.matched_bases import (
    FIXED_BASES,
    fixed_basis_modes,
    matched_basis,
    symmetry_residuals,
)

T = 16


def circulant():
    steps = torch.arange(T)
    lag = (steps[:, None] - steps).abs()
    return torch.exp(-torch.minimum(lag, T - lag).double() / 3)


def of_a_tree():
    """Covariance 1, 1/2, 1/4, ... by the width of the least dyadic interval that holds both steps."""
    covariance = torch.zeros(T, T, dtype=torch.float64)
    width = T
    while width:
        blocks = [torch.ones(width, width, dtype=torch.float64)] * (T // width)
        covariance += torch.block_diag(*blocks) / width
        width //= 2
    return covariance


def sample(covariance, n=400):
    draws = torch.randn(n, T, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    rows = draws @ torch.linalg.cholesky(covariance).T
    return rows.T @ rows / n


COVARIANCES = {
    "dct": kernel_matrix(T, "exponential", tau=20.0),
    "dft": circulant(),
    "haar": of_a_tree(),
}


@pytest.mark.parametrize("name", COVARIANCES)
def test_the_symmetry_of_a_covariance_is_found(name):
    residuals = symmetry_residuals(COVARIANCES[name])
    assert residuals[name] < 1e-12
    assert matched_basis(residuals) == name


@pytest.mark.parametrize("name", COVARIANCES)
def test_it_is_found_in_a_sample_too(name):
    residuals = symmetry_residuals(sample(COVARIANCES[name]))
    assert residuals[name] > 1e-3
    assert matched_basis(residuals) == name


@pytest.mark.parametrize("name", ["dft", "haar"])
def test_the_basis_of_an_exact_symmetry_diagonalises(name):
    basis = FIXED_BASES[name](T)
    rotated = basis.T @ COVARIANCES[name] @ basis
    assert_close(rotated, torch.diag(rotated.diagonal()), rtol=0, atol=1e-12)


def test_a_residual_is_the_commutator_with_the_group():
    covariance = sample(COVARIANCES["dct"])
    eye = torch.eye(T, dtype=torch.float64)
    groups = {"dct": [eye, eye.flip(0)], "dft": [eye.roll(k, 0) for k in range(T)]}
    for name, group in groups.items():
        squares = [float((covariance @ g - g @ covariance).square().sum()) for g in group]
        mean = sum(squares) / len(squares)
        expected = (mean / 2 / float(covariance.square().sum())) ** 0.5
        assert symmetry_residuals(covariance)[name] == pytest.approx(expected)


def test_swaps_of_halves_keep_what_the_haar_residual_calls_symmetric():
    steps = torch.arange(T)
    for width in (2, 4, 8, 16):
        for start in range(0, T, width):
            middle, end = start + width // 2, start + width
            swapped = torch.cat(
                [steps[:start], steps[middle:end], steps[start:middle], steps[end:]]
            )
            covariance = of_a_tree()
            assert torch.equal(covariance[swapped][:, swapped], covariance)


def test_without_a_power_of_two_steps_there_are_no_dyadic_intervals():
    assert set(symmetry_residuals(torch.eye(12, dtype=torch.float64))) == {"dct", "dft"}


def test_nothing_has_every_symmetry():
    assert set(symmetry_residuals(torch.zeros(4, 4)).values()) == {0.0}


@pytest.mark.parametrize("name", FIXED_BASES)
def test_vectors_come_in_the_order_of_their_variance(name):
    covariance = sample(COVARIANCES["dct"])
    variances, vectors = fixed_basis_modes(covariance, name, 5)
    assert_close(variances, (vectors.T @ covariance @ vectors).diagonal())
    assert (variances[:-1] >= variances[1:]).all()
    every = (FIXED_BASES[name](T).T @ covariance @ FIXED_BASES[name](T)).diagonal()
    assert_close(variances, every.sort(descending=True).values[:5])
