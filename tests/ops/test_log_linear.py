import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from klforecast.ops.log_linear import log_linear_weights

FLOORS = (0.1, 0.0, 0.0)
FREE = (0.0,) * 3


def problem(heads=3, n=200, classes=4):
    """Scores that know the class to a different degree, and classes as sure as one row more allows."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % classes
    truth = F.one_hot(labels, classes).double()
    noise = torch.randn(heads, n, classes, generator=generator, dtype=torch.float64)
    strength = torch.linspace(1.5, 0, heads)[:, None, None]
    return strength * truth + noise, (n * truth + 1 / classes) / (n + 1)


def loss(weights, scores, targets, rows):
    return float(
        rows @ F.cross_entropy(torch.tensordot(weights, scores, 1), targets, reduction="none")
    )


def test_no_other_weights_are_more_likely():
    scores, targets = problem()
    rows = torch.rand(200, generator=torch.Generator().manual_seed(1)).double()
    found = log_linear_weights(scores, targets, rows, FLOORS, FREE)
    least = loss(found, scores, targets, rows)
    for head in range(3):
        for step in (-1e-3, 1e-3):
            moved = found.clone()
            moved[head] = max(FLOORS[head], moved[head] + step)
            assert loss(moved, scores, targets, rows) >= least


def test_a_score_that_errs_gets_its_floor():
    scores, targets = problem(2)
    found = log_linear_weights(
        torch.stack([scores[0], -scores[0]]), targets, torch.ones(200), (0.1, 0.2), (0.0, 0.0)
    )
    assert found[0] > 0.5
    assert found[1] == 0.2


def test_a_row_of_twice_the_weight_counts_as_two():
    scores, targets = problem()
    twice = torch.cat([torch.arange(200), torch.arange(50)])
    rows = torch.ones(200)
    rows[:50] = 2
    assert_close(
        log_linear_weights(scores, targets, rows, FLOORS, FREE),
        log_linear_weights(scores[:, twice], targets[twice], torch.ones(250), FLOORS, FREE),
        rtol=1e-4,
        atol=1e-4,
    )


@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_the_unit_of_a_score_does_not_matter(scale):
    scores, targets = problem(1)
    weights = log_linear_weights(scale * scores, targets, torch.ones(200), (0.0,), (0.0,))
    assert_close(
        scale * weights,
        log_linear_weights(scores, targets, torch.ones(200), (0.0,), (0.0,)),
        rtol=1e-3,
        atol=0,
    )


def test_two_scores_that_agree_share_what_one_would_get():
    scores, targets = problem(1)
    alone = log_linear_weights(scores, targets, torch.ones(200), (0.0,), (0.0,))
    both = log_linear_weights(
        scores.expand(2, -1, -1), targets, torch.ones(200), (0.0, 0.0), (0.0, 0.0)
    )
    assert_close(both.sum(), alone[0], rtol=1e-3, atol=0)


def test_scores_that_are_all_alike_get_finite_weights():
    _, targets = problem()
    assert torch.isfinite(
        log_linear_weights(torch.zeros(2, 200, 4), targets, torch.ones(200), (0.1, 0), (0, 0))
    ).all()


def test_a_pull_adds_the_square_of_its_weight_to_the_loss():
    scores, targets = problem()
    rows = torch.ones(200) / 200
    pulls = torch.tensor([0.0, 0.3, 0.1]).double()
    found = log_linear_weights(scores, targets, rows, FLOORS, pulls.tolist())

    def penalised(weights):
        return loss(weights, scores, targets, rows.double()) + float(pulls @ weights.square())

    for step in 1e-3 * torch.eye(3).double():
        assert penalised(found) <= min(penalised(found + step), penalised((found - step).clamp(0)))
