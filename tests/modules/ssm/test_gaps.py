"""Sequences at uneven times: what goes by between two steps is what regular steps would let go by."""

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules import SpectralSSM
from klforecast.modules.ssm.core import ModalCore, SelectiveCore
from klforecast.modules.ssm.heads import SequencePredictor

KEPT = torch.tensor([0, 1, 4, 5, 11, 12, 19])
GAPS = torch.tensor([1.0, 1, 3, 1, 6, 1, 7], dtype=torch.float64)


def sparse(*shape):
    """A sequence of 20 steps that is zero except at those kept."""
    x = torch.zeros(2, 20, *shape, dtype=torch.float64)
    x[:, KEPT] = torch.randn(2, len(KEPT), *shape, dtype=torch.float64)
    return x


def core(selective):
    torch.manual_seed(0)
    if selective:
        built = SelectiveCore(6, 2, 4, 2, 20)
        torch.nn.init.normal_(built.raw_step_slope)  # steps that follow the input
    else:
        built = ModalCore(2, 3, 4, 2, 20, bounded=False)
    return built.double()


@pytest.mark.parametrize("selective", [False, True])
@pytest.mark.parametrize("both", [False, True])
def test_a_thinned_sequence_is_the_dense_run_at_the_steps_that_are_left(selective, both):
    forward, backward, gate = core(selective), core(selective) if both else None, torch.ones(4)
    u, drive = sparse(2, 3), sparse(6)
    dense = forward(u, drive, gate, backward)[:, KEPT]
    thinned = forward(u[:, KEPT], drive[:, KEPT], gate, backward, GAPS.expand(2, -1))
    assert_close(thinned, dense)
    leaves = list(forward.parameters())
    assert_close(*(torch.autograd.grad(y.sin().sum(), leaves) for y in (thinned, dense)))


@pytest.mark.parametrize("selective", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("attention_layers", [(), (1,)])
def test_leaving_out_what_is_not_observed_changes_nothing(
    selective, bidirectional, attention_layers
):
    torch.manual_seed(0)
    net = SpectralSSM(
        3,
        d_model=8,
        n_modes=4,
        n_heads=2,
        selective=selective,
        bidirectional=bidirectional,
        attention_layers=attention_layers,
    ).double()
    x, mask = torch.randn(2, 20, 3, dtype=torch.float64), torch.zeros(2, 20, dtype=torch.bool)
    mask[:, KEPT] = True
    thinned = net(x[:, KEPT], gaps=GAPS.expand(2, -1))
    assert_close(thinned, net(x, mask)[:, KEPT])
    assert not torch.allclose(thinned, net(x[:, KEPT]))


@pytest.mark.parametrize("selective", [False, True])
def test_gaps_of_one_are_a_regular_sequence(selective):
    torch.manual_seed(0)
    net = SequencePredictor(2, n_channels=3, d_model=8, n_modes=4, selective=selective).double()
    x = torch.randn(2, 40, 3, dtype=torch.float64)
    assert_close(net(x, gaps=torch.ones(2, 40)), net(x))


@pytest.mark.parametrize("selective", [False, True])
def test_steps_at_uneven_times_are_the_whole_sequence(selective):
    torch.manual_seed(0)
    net = SpectralSSM(3, d_model=8, n_modes=4, selective=selective).double()
    x, gaps = torch.randn(2, 9, 3, dtype=torch.float64), 3 * torch.rand(2, 9)
    states, rows = net.initial_states(2), []
    for t in range(9):
        row, states = net.step(x[:, t], states, gaps[:, t])
        rows.append(row)
    assert_close(torch.stack(rows, dim=1), net(x, gaps=gaps))


@pytest.mark.parametrize("wrong", [-0.5, torch.nan, torch.inf])
def test_gaps_that_are_no_times_are_refused(wrong):
    gaps = torch.ones(2, 9)
    gaps[1, 3] = wrong
    with pytest.raises(ValueError, match="1 of 18 gaps are negative or not finite"):
        SpectralSSM(3, d_model=8)(torch.zeros(2, 9, 3), gaps=gaps)
