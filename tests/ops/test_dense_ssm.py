import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.dense_ssm import dense_ssm, dense_ssm_loop, hippo_legs, hippo_poles, krylov

BATCH, CHANNELS, N = 2, 3, 4


def terms(length):
    torch.manual_seed(0)
    u = torch.randn(BATCH, length, CHANNELS, dtype=torch.float64)
    A = 0.4 * torch.randn(CHANNELS, N, N, dtype=torch.float64)
    B, C = torch.randn(2, CHANNELS, N, dtype=torch.float64)
    return [u, A, B, C]


@pytest.mark.parametrize("length", [1, 2, 7, 33])
@pytest.mark.parametrize("with_state", [False, True])
def test_the_convolution_is_the_loop(length, with_state):
    leaves = [term.requires_grad_() for term in terms(length)]
    if with_state:
        leaves.append(torch.randn(BATCH, CHANNELS, N, dtype=torch.float64, requires_grad=True))
    results = []
    for function in (dense_ssm, dense_ssm_loop):
        y, state = function(*leaves)
        gradients = torch.autograd.grad(y.square().sum() + state.sin().sum(), leaves)
        results.append((y, state, gradients))
    assert_close(*results)


def test_krylov_columns_are_powers():
    _, A, B, _ = terms(1)
    columns = krylov(A, B, 6)
    assert_close(columns[..., 5], (torch.linalg.matrix_power(A, 5) @ B[..., None])[..., 0])


def test_hippo_legs_forgets_no_polynomial():
    # h' = (A h + B u) / t on u = 1 has the Legendre coefficients of a constant: A h + B = 0.
    A, B = hippo_legs(6)
    constant = torch.zeros(6, dtype=torch.float64)
    constant[0] = 1
    assert_close(A @ constant, -B)


def test_hippo_poles_share_their_decay_and_are_those_of_the_normal_part():
    poles = hippo_poles(4)
    A, B = hippo_legs(8)
    expected = torch.linalg.eigvals(A + 0.5 * B[:, None] * B)
    expected = expected[expected.imag > 0]
    assert_close(poles, expected[expected.imag.argsort()])
    assert_close(poles.real, torch.full_like(poles.real, -0.5))
