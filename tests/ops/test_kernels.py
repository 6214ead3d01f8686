import math

import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.kernels import KERNELS, kernel_matrix


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_a_kernel_is_a_positive_definite_toeplitz_matrix_of_unit_variance(kernel):
    covariance = kernel_matrix(30, kernel, tau=2.0)
    assert_close(covariance.diagonal(), torch.ones(30, dtype=torch.float64), rtol=0, atol=0)
    assert_close(covariance[1:, 1:], covariance[:-1, :-1], rtol=0, atol=0)
    assert torch.linalg.eigvalsh(covariance).min() > 0


@pytest.mark.parametrize("kernel", sorted(KERNELS))
def test_tau_is_measured_in_steps(kernel):
    assert_close(kernel_matrix(9, kernel, tau=6.0)[::2, ::2], kernel_matrix(5, kernel, tau=3.0))


def test_the_exponential_kernel_is_the_covariance_of_an_autoregression():
    n, rho = 12, 0.8
    covariance = kernel_matrix(n, "exponential", tau=-1 / math.log(rho))
    # x[0] = e[0] and x[t] = rho x[t-1] + sqrt(1 - rho**2) e[t], written as x = B e.
    whitening = torch.eye(n, dtype=torch.float64)
    whitening[1:, :-1] -= rho * torch.eye(n - 1, dtype=torch.float64)
    whitening[1:] /= math.sqrt(1 - rho**2)
    assert_close(whitening @ covariance @ whitening.mT, torch.eye(n, dtype=torch.float64))


def test_smoother_kernels_have_smoother_starts():
    drop = {name: 1 - kernel_matrix(2, name, tau=100.0)[0, 1].item() for name in KERNELS}
    assert drop["gaussian"] < drop["matern32"] < drop["exponential"]
    # 1 - k(r) starts as r, as 3 r**2 / 2, as r**2 / 2 and as r**2 / 2.
    starts = {"exponential": 1e-2, "matern32": 1.5e-4, "matern": 5e-5, "gaussian": 5e-5}
    assert drop == pytest.approx(starts, rel=0.02)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((4, "cubic", 1.0), "kernel='cubic'; pass one of"),
        ((4, "gaussian", 0.0), "tau=0.0; pass a positive number of steps"),
        ((4, "gaussian", math.inf), "tau=inf"),
        ((-1, "gaussian", 1.0), "T=-1"),
    ],
)
def test_impossible_kernels_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        kernel_matrix(*arguments)
