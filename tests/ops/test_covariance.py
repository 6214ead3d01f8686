import pytest
import torch
from torch.testing import assert_close

from klforecast.ops.covariance import RunningCovariance, absorb_block


def nothing(d):
    zeros = torch.zeros(d + 1, d, dtype=torch.float64)
    return RunningCovariance(zeros[0], zeros[1:], zeros.new_zeros(()))


def draw(n, d=4):
    generator = torch.Generator().manual_seed(n)
    return 5 + torch.randn(n, d, generator=generator, dtype=torch.float64).cumsum(dim=1)


@pytest.mark.parametrize("lengths", [[30], [1, 29], [7, 0, 3, 20]])
def test_without_forgetting_the_statistics_are_those_of_all_rows_however_cut(lengths):
    rows, state = draw(30), nothing(4)
    for block in rows.split(lengths):
        state = absorb_block(state, block)
    assert_close(state.mean, rows.mean(dim=0))
    assert_close(state.covariance, torch.cov(rows.mT, correction=0))
    assert state.weight == 30


def test_with_forgetting_a_block_counts_f_times_the_next():
    old, new = draw(5), draw(8)
    state = absorb_block(absorb_block(nothing(4), old), new, forgetting=0.5)
    weights = torch.cat([torch.full((5,), 0.5), torch.ones(8)]).double()
    rows = torch.cat([old, new])
    assert_close(state.covariance, torch.cov(rows.mT, aweights=weights, correction=0))
    assert_close(state.mean, weights @ rows / weights.sum())


def test_no_row_changes_nothing_and_a_missing_one_is_refused():
    state = absorb_block(nothing(4), draw(5))
    assert absorb_block(state, draw(5)[:0]) is state
    with pytest.raises(ValueError, match="1 NaN"):
        absorb_block(state, torch.tensor([[1.0, torch.nan, 0.0, 0.0]]))
