import pytest
import torch
from torch.testing import assert_close

from klforecast.ops import pooling
from klforecast.ops.filter_bank import Blocks, draw_bank, filter_blocks, to_blocks
from klforecast.ops.pooling import draw_biases, pool_contest, pool_peak, pool_sides
from tests.ops.blocks import from_blocks

LENGTHS = (5, 32, 47)


@pytest.fixture
def pooled_by_hand():
    """Responses in blocks, and the same without padding, (groups, modes, length) each."""
    generator = torch.Generator().manual_seed(0)
    series = [torch.randn(1, n, generator=generator, dtype=torch.float64) for n in LENGTHS]
    blocks = to_blocks(series, 16)
    responses = filter_blocks(blocks, draw_bank(3, 4, 1, 40, generator))
    rows = from_blocks(responses)
    return responses, blocks, [rows[:, :, i, :n] for i, n in enumerate(LENGTHS)]


def test_sides_are_shares_of_steps_above_their_bias(pooled_by_hand):
    responses, blocks, plain = pooled_by_hand
    biases = torch.linspace(-0.5, 0.5, 24, dtype=torch.float64).view(3, 4, 2)
    sides = pool_sides(responses, blocks, biases).view(3, 2, 4, len(LENGTHS))
    for number, y in enumerate(plain):
        above = (y[..., None] > biases[:, :, None]).double().mean(2)
        assert_close(sides[..., number].mT, above)


def test_the_peak_ignores_what_is_padded(pooled_by_hand):
    responses, blocks, plain = pooled_by_hand
    peaks = pool_peak(responses - 100, blocks)
    for number, y in enumerate(plain):
        assert_close(peaks[..., number], (y - 100).amax(2))


def test_the_contest_counts_wins_and_adds_their_strength(pooled_by_hand):
    responses, blocks, plain = pooled_by_hand
    contest = pool_contest(responses, blocks).view(3, 4, 4, len(LENGTHS))
    for number, y in enumerate(plain):
        for first, signed in ((0, y), (2, -y)):
            best = signed.amax(1, keepdim=True)
            wins = (signed == best).double()
            assert_close(contest[:, first, :, number], wins.mean(2).sqrt())
            strength = (wins * best.clamp(min=0)).mean(2).sqrt()
            assert_close(contest[:, first + 1, :, number], strength)


def test_biases_are_spread_over_the_responses(pooled_by_hand):
    responses, blocks, plain = pooled_by_hand
    biases = draw_biases(responses, blocks, 4, torch.Generator().manual_seed(0))
    seen = torch.cat(plain, dim=2)
    share = (seen[:, :, None] < biases[..., None]).double().mean(3).sort(dim=2).values
    gaps = share.diff(dim=2)
    assert ((gaps - 0.25).abs() < 2 / seen.shape[2] + 1e-9).all()
    # Rounding cannot decide on which side of its bias a response lies.
    assert (seen[:, :, None] - biases[..., None]).abs().min() > 1e-9


def test_biases_of_many_responses_come_from_some_of_them(pooled_by_hand, monkeypatch):
    responses, blocks, _ = pooled_by_hand
    monkeypatch.setattr(pooling, "_SORTED", 41)
    biases = draw_biases(responses, blocks, 4, torch.Generator().manual_seed(0))
    seen = responses[:, :, blocks.observed][..., ::3]
    assert seen.shape[2] == 28
    share = (seen[:, :, None] < biases[..., None]).double().mean(3).sort(dim=2).values
    assert ((share.diff(dim=2) - 0.25).abs() < 2 / 28 + 1e-9).all()


def test_a_constant_response_has_finite_features():
    blocks = Blocks(
        torch.zeros(1, 4, 2, 1), torch.ones(4, 2, 1, dtype=torch.bool), torch.tensor([4, 4])
    )
    responses = torch.zeros(2, 3, 4, 2, 1)
    biases = draw_biases(responses, blocks, 2, torch.Generator().manual_seed(0))
    for features in (
        pool_sides(responses, blocks, biases),
        pool_peak(responses, blocks),
        pool_contest(responses, blocks),
    ):
        assert features.isfinite().all()
