import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.loo_ridge import center_gram, gram_modes, loo_ridge
from klforecast.ops.streamed_ridge import streamed_ridge


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(12, 2, generator=generator, dtype=torch.float64)
    weights = torch.rand(12, generator=generator, dtype=torch.float64) + 0.2
    return x, y, weights / weights.sum()


def modes_of(x, weights):
    return gram_modes(center_gram(x @ x.T, weights), weights)


def weighted_ridge(x, y, weights, penalty):
    """Coefficients and means by the normal equations, with an intercept that is not penalised."""
    x_mean, y_mean = weights @ x / weights.sum(), weights @ y / weights.sum()
    z = x - x_mean
    normal = z.T @ (weights[:, None] * z) + penalty * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(normal, z.T @ (weights[:, None] * (y - y_mean))), x_mean, y_mean


@pytest.mark.parametrize("strength", [1e-3, 0.1, 10.0])
def test_rows_left_out_are_predicted_as_by_fitting_without_them(problem, strength):
    x, y, weights = problem
    rows = x - weights @ x
    modes = modes_of(x, weights)
    fit = loo_ridge(*modes, y, weights, [strength])
    penalty = strength * modes[0].sum() / len(x)
    full, x_mean, y_mean = weighted_ridge(x, y, weights, penalty)
    assert_close(rows.T @ fit.dual, full)
    assert_close(fit.intercept, y_mean)
    for i in range(len(x)):
        others = torch.arange(len(x)) != i
        coef, x_mean, y_mean = weighted_ridge(x[others], y[others], weights[others], penalty)
        assert_close(fit.left_out[i], (x[i] - x_mean) @ coef + y_mean)
    wanted = (weights[:, None] * (y - fit.left_out).square()).sum(0).mean()
    assert fit.error == pytest.approx(float(wanted))


def test_the_strength_of_least_error_is_taken(problem):
    x, y, weights = problem
    modes = modes_of(x, weights)
    errors = {s: loo_ridge(*modes, y, weights, [s]).error for s in (1e-3, 0.1, 1.0, 100.0)}
    best = loo_ridge(*modes, y, weights, list(errors))
    assert best.strength == min(errors, key=errors.get)


def test_the_rows_that_judge_decide_alone(problem):
    x, y, weights = problem
    modes = modes_of(x, weights)
    for judging in torch.eye(12, dtype=torch.bool):
        errors = {}
        for strength in (1e-3, 1.0, 100.0):
            one = loo_ridge(*modes, y, weights, [strength], judging)
            errors[strength] = float((y - one.left_out)[judging].square().mean())
            assert one.error == pytest.approx(errors[strength])
        best = loo_ridge(*modes, y, weights, list(errors), judging)
        assert best.strength == min(errors, key=errors.get)


def test_rows_without_variance_predict_the_mean(problem):
    _, y, weights = problem
    fit = loo_ridge(*gram_modes(torch.zeros(12, 12, dtype=torch.float64), weights), y, weights)
    assert_close(fit.intercept, weights @ y)
    assert fit.left_out.isfinite().all()


@pytest.mark.parametrize("size", [1, 5, 12])
@pytest.mark.parametrize("judges", [None, torch.arange(12) > 3])
def test_rows_that_come_in_blocks_give_the_same_ridge(problem, size, judges):
    x, y, weights = problem
    strengths = (1e-3, 0.1, 1.0, 100.0)
    whole = loo_ridge(*modes_of(x, weights), y, weights, strengths, judges)
    fit = streamed_ridge(lambda: x.split(size), y, weights, strengths, judges)
    assert fit.strength == pytest.approx(whole.strength)
    assert_close(fit.coef, (x - weights @ x).T @ whole.dual)
    assert_close(fit.intercept, whole.intercept - weights @ x @ fit.coef)
    assert_close(fit.left_out, whole.left_out)


def test_blocks_without_variance_predict_the_mean(problem):
    _, y, weights = problem
    fit = streamed_ridge(lambda: torch.ones(12, 5).double().split(5), y, weights)
    assert_close(fit.coef, torch.zeros(5, 2).double())
    assert_close(fit.intercept, weights @ y)


def test_a_basis_of_blocks_is_multiplied_before(problem):
    x, y, weights = problem
    basis = torch.randn(x.shape[1], 4, generator=torch.Generator().manual_seed(0)).double()
    wanted = streamed_ridge(lambda: (x @ basis).split(5), y, weights)
    fit = streamed_ridge(lambda: x.split(5), y, weights, basis=basis)
    for found, expected in zip(fit, wanted, strict=True):
        assert_close(found, expected)
    single = streamed_ridge(lambda: x.float().split(5), y, weights, basis=basis.float())
    assert single.coef.dtype == torch.float64
    assert_close(single.left_out, wanted.left_out, rtol=1e-4, atol=1e-4)
