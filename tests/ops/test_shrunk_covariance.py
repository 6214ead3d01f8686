import numpy as np
import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.shrunk_covariance import best_shrinkage, diagonal_covariance, shrunk_covariance


def draw(m, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    common = torch.randn(m, 1, generator=generator, dtype=torch.float64)
    own = torch.randn(m, n, generator=generator, dtype=torch.float64)
    return (own + common) * torch.logspace(-2, 3, n, dtype=torch.float64)


def whole(covariance):
    return covariance.own.diag() + covariance.common.T @ covariance.common


def shrinkage_by_pairs(errors):
    """Schafer & Strimmer 2005, appendix A, pair by pair."""
    e = errors.numpy()
    m = len(e)
    x = (e - e.mean(axis=0)) / e.std(axis=0, ddof=1)
    noise = squares = 0.0
    for i in range(x.shape[1]):
        for j in range(x.shape[1]):
            if i != j:
                w = x[:, i] * x[:, j]
                noise += m / (m - 1) ** 3 * ((w - w.mean()) ** 2).sum()
                squares += (m / (m - 1) * w.mean()) ** 2
    return min(1.0, noise / squares)


@pytest.mark.parametrize(("m", "n"), [(10, 4), (8, 30), (60, 7)])
def test_the_shrinkage_is_that_of_its_definition(m, n):
    errors = draw(m, n)
    assert 0 < best_shrinkage(errors) < 1
    np.testing.assert_allclose(best_shrinkage(errors), shrinkage_by_pairs(errors), rtol=1e-10)


def test_the_covariance_is_that_of_the_rows_off_the_diagonal_shrunk():
    errors, share = draw(12, 5), torch.tensor(0.3)
    plain = torch.cov(errors.T)
    expected = torch.where(torch.eye(5) > 0, plain, 0.7 * plain)
    assert_close(whole(shrunk_covariance(errors, share)), expected)
    assert_close(shrunk_covariance(errors).variance, plain.diag())


def test_without_shrinkage_it_is_the_covariance_of_the_rows():
    errors = draw(12, 5)
    assert_close(whole(shrunk_covariance(errors, torch.tensor(0.0))), torch.cov(errors.T))


def test_missing_errors_leave_the_variance_of_those_that_are_known():
    errors = draw(20, 3)
    errors[:5, 1] = torch.nan
    found = shrunk_covariance(errors)
    assert_close(found.variance[1], errors[5:, 1].var())
    assert (found.own > 0).all()


def test_a_series_without_errors_has_a_variance_all_the_same():
    errors = draw(20, 3)
    errors[:, 1] = 0.0
    found = shrunk_covariance(errors)
    assert 0 < found.variance[1] < 1e-9 * found.variance.mean()


def test_one_row_of_errors_is_refused():
    with pytest.raises(ValueError, match="1 rows of errors; pass two at least"):
        shrunk_covariance(draw(1, 3))


def test_parts_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"pass \(N,\) and \(m, N\)"):
        diagonal_covariance(torch.ones(3))._replace(common=torch.ones(2, 4)).check_parts()
