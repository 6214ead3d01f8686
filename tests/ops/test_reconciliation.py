import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.reconciliation import Hierarchy, fit_projection, reconcile, share_out
from klforecast.ops.shrunk_covariance import diagonal_covariance, shrunk_covariance

# Nine series in three regions, one of them a total of its own at one level only, and of two kinds across.
NESTED = Hierarchy(torch.tensor([[0] * 9, [1, 1, 1, 2, 2, 2, 2, 3, 3]]))
CROSSED = Hierarchy(
    torch.tensor([[0] * 9, [1, 1, 1, 2, 2, 2, 2, 3, -1], [4, 5, 4, 5, 4, 5, 4, 5, 4]])
)
TREES = {"nested": NESTED, "crossed": CROSSED, "single": Hierarchy(torch.zeros(0, 4).long())}


def summing(tree):
    return tree.whole(torch.eye(tree.n_bottom, dtype=torch.float64))


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def covariances(tree):
    n = tree.n_totals + tree.n_bottom
    scale = tree.sizes() * torch.linspace(1, 3, n, dtype=torch.float64)
    return {
        "ols": diagonal_covariance(torch.ones(n, dtype=torch.float64)),
        "wls": diagonal_covariance(scale),
        "mint": shrunk_covariance((draw(6, n) + draw(6, 1, seed=1)) * scale),
    }


def by_definition(tree, covariance, base):
    """S (S' W^-1 S)^-1 S' W^-1 y."""
    S = summing(tree)
    W = covariance.own.diag() + covariance.common.T @ covariance.common
    weighed = torch.linalg.solve(W, S)
    return S @ torch.linalg.solve(S.T @ weighed, weighed.T @ base)


def test_the_summing_matrix_is_that_of_the_labels():
    S = summing(CROSSED)
    assert S.shape == (15, 9)
    assert_close(S[1], torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0, 0]).double())
    assert_close(S[3], torch.tensor([0.0, 0, 0, 0, 0, 0, 0, 1, 0]).double())
    assert_close(CROSSED.handed_down(draw(6, 2)), S[:6].T @ draw(6, 2))


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("method", ["ols", "wls", "mint"])
def test_the_projection_is_that_of_its_definition(name, method):
    tree = TREES[name]
    covariance = covariances(tree)[method]
    base = 10 * draw(tree.n_totals + tree.n_bottom, 3, 2, seed=2)
    made = reconcile(fit_projection(tree, covariance), tree, base)
    expected = by_definition(tree, covariance, base.flatten(1)).reshape(base.shape)
    assert_close(made, expected, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("method", ["ols", "wls", "mint"])
def test_what_adds_up_stays_as_it_is_and_the_rest_comes_to_add_up(method):
    projection = fit_projection(CROSSED, covariances(CROSSED)[method])
    coherent = CROSSED.whole(draw(9, 2))
    assert_close(reconcile(projection, CROSSED, coherent), coherent)
    made = reconcile(projection, CROSSED, draw(15, 2, seed=3))
    assert torch.equal(made, CROSSED.whole(made[6:]))


def test_bottom_series_without_errors_are_believed():
    own = torch.cat([torch.ones(4), torch.zeros(9)]).double()
    base = draw(13)
    made = reconcile(fit_projection(NESTED, diagonal_covariance(own)), NESTED, base)
    assert torch.equal(made, NESTED.whole(base[4:]))


def test_units_of_1e12_and_1e_12_in_one_tree_are_projected():
    scale = torch.logspace(-12, 12, 9, dtype=torch.float64)
    covariance = diagonal_covariance(NESTED.whole(scale**2))
    base = NESTED.whole(scale) * (1 + 0.01 * draw(13))
    made = reconcile(fit_projection(NESTED, covariance), NESTED, base)
    assert_close(made[4:], base[4:], rtol=0.1, atol=0)


def test_equal_errors_everywhere_do_not_stop_it():
    errors = draw(20, 1).expand(20, 13)
    covariance = shrunk_covariance(errors, torch.tensor(0.0))
    made = reconcile(fit_projection(NESTED, covariance), NESTED, draw(13))
    assert made.isfinite().all()


def test_shares_hand_the_first_total_down():
    shares = torch.full((9,), 1 / 9, dtype=torch.float64)
    base = draw(13, 2)
    made = share_out(NESTED, shares, base)
    assert_close(made[0], base[0])
    assert_close(made[1], base[0] / 3)


def test_totals_that_are_not_numbered_are_refused():
    with pytest.raises(ValueError, match="from 0 on"):
        Hierarchy(torch.tensor([[0, 2]])).check_parts()
