import pytest
import torch
from torch.testing import assert_close

from klforecast.core.ridge import reduced_rank, ridge_from_gram
from klforecast.exceptions import NumericalWarning


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(50, 6, generator=generator, dtype=torch.float64)
    mixing = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    targets = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    return inputs @ mixing, targets + inputs[:, :4]


@pytest.mark.parametrize("strength", [1e-6, 0.1, 10.0])
def test_ridge_from_second_moments_is_least_squares_with_penalty_rows(data, strength):
    inputs, targets = data
    penalty = (strength * torch.linalg.eigvalsh(inputs.T @ inputs).mean()).sqrt()
    augmented = torch.cat([inputs, penalty * torch.eye(6, dtype=torch.float64)])
    padded = torch.cat([targets, torch.zeros(6, 4, dtype=torch.float64)])
    plain = torch.linalg.lstsq(augmented, padded).solution
    found = ridge_from_gram(inputs.T @ inputs, inputs.T @ targets, strength)
    assert_close(found, plain, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_strength_means_the_same_in_every_unit(data, scale):
    inputs, targets = data
    found = ridge_from_gram(scale * inputs.T @ inputs, scale * inputs.T @ targets, 0.1)
    assert_close(found, ridge_from_gram(inputs.T @ inputs, inputs.T @ targets, 0.1))


def test_repeating_every_window_changes_nothing(data):
    inputs, targets = data
    once = ridge_from_gram(inputs.T @ inputs, inputs.T @ targets, 0.1)
    assert_close(ridge_from_gram(7 * inputs.T @ inputs, 7 * inputs.T @ targets, 0.1), once)


def test_inputs_without_variance_explain_nothing():
    assert not ridge_from_gram(torch.zeros(3, 3), torch.zeros(3, 2), 0.1).any()


def test_one_window_is_enough(data):
    inputs, targets = data[0][:1], data[1][:1]
    found = ridge_from_gram(inputs.T @ inputs, inputs.T @ targets, 1e-6)
    assert_close(inputs @ found, targets, rtol=1e-4, atol=0)


def test_a_batch_of_problems_is_solved_one_by_one(data):
    inputs, targets = data
    grams = torch.stack([part.T @ part for part in inputs.split(25)])
    crosses = torch.stack(
        [x.T @ z for x, z in zip(inputs.split(25), targets.split(25), strict=True)]
    )
    together = ridge_from_gram(grams, crosses, 0.1)
    for i in range(2):
        assert_close(together[i], ridge_from_gram(grams[i], crosses[i], 0.1))


@pytest.mark.parametrize("strength", [0.0, -1.0, float("nan")])
def test_a_strength_that_is_not_positive_is_refused(strength):
    with pytest.raises(ValueError, match="must be above 0"):
        ridge_from_gram(torch.eye(2), torch.ones(2, 1), strength)


def test_reduced_rank_loses_no_more_of_the_fit_than_its_singular_values_say(data):
    inputs, targets = data
    gram = inputs.T @ inputs
    full = ridge_from_gram(gram, inputs.T @ targets, 0.01)
    for rank in (1, 2, 3):
        reduced = reduced_rank(full, gram, rank)
        assert torch.linalg.matrix_rank(reduced) == rank
        # Eckart & Young 1936: no map of this rank is nearer to the fitted values.
        lost = torch.linalg.svdvals(inputs @ full)[rank:].square().sum()
        assert_close((inputs @ (full - reduced)).square().sum(), lost)


def test_reduced_rank_at_full_rank_changes_nothing(data):
    inputs, targets = data
    full = ridge_from_gram(inputs.T @ inputs, inputs.T @ targets, 0.01)
    assert reduced_rank(full, inputs.T @ inputs, 4) is full


def test_a_matrix_of_rounding_errors_explains_nothing():
    noise = torch.diag(torch.tensor([-1e-16, 3e-16, 0.0], dtype=torch.float64))
    cross = torch.full((3, 2), 1e-16, dtype=torch.float64)
    with pytest.warns(NumericalWarning, match=r"eigenvalue -1\.0e-16 beside a largest one of 3"):
        assert not ridge_from_gram(noise, cross, 0.01).any()


def test_rounding_in_one_direction_leaves_the_others_their_solution():
    gram = torch.diag(torch.tensor([4.0, 2.0, -1.0], dtype=torch.float64))
    gram[2, 2] = -0.1
    cross = torch.ones(3, 1, dtype=torch.float64)
    with pytest.warns(NumericalWarning):
        weight = ridge_from_gram(gram, cross, 0.01)
    penalty = 0.01 * 5.9 / 3
    expected = torch.tensor([[1 / (4 + penalty)], [1 / (2 + penalty)], [0.0]], dtype=torch.float64)
    torch.testing.assert_close(weight, expected)
