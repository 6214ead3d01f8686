import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.kl_regression import kl_regression


@pytest.fixture
def walk():
    """Windows of a random walk, (40, 6), and the two steps after each."""
    generator = torch.Generator().manual_seed(0)
    series = torch.randn(47, generator=generator, dtype=torch.float64).cumsum(0)
    windows = series.unfold(0, 8, 1)
    return windows[:, :6], windows[:, 6:]


@pytest.mark.parametrize("center", [0, 1, 4])
@pytest.mark.parametrize("ridge", [1e-3, 1.0])
def test_all_components_are_the_ridge_of_the_normal_equations(walk, ridge, center):
    windows, future = walk
    level = (
        windows[:, 6 - center :].mean(1, keepdim=True) if center else torch.zeros(40, 1).double()
    )
    z, y = windows - level, future - level
    centred = z - z.mean(0)
    gram = centred.T @ centred / 40
    penalty = ridge * gram.diagonal().mean() * torch.eye(6, dtype=torch.float64)
    weight = torch.linalg.solve(gram + penalty, centred.T @ (y - y.mean(0)) / 40)
    forecast = level + y.mean(0) + (z - z.mean(0)) @ weight
    found = kl_regression(windows, future, ridge=ridge, center=center)
    assert_close(windows @ found.coef + found.intercept, forecast)


def test_few_components_are_a_regression_on_their_scores(walk):
    windows, future = walk
    found = kl_regression(windows, future, n_components=2)
    centred = windows - windows.mean(0)
    scores = centred @ found.modes
    assert_close(scores.T @ scores / 40, torch.diag(found.eigenvalues))
    wanted = torch.linalg.lstsq(scores, future - future.mean(0)).solution
    assert_close(windows @ found.coef + found.intercept, future.mean(0) + scores @ wanted)
