"""P-values among references, against their definitions, and alarms that come no sooner than stated."""

import pytest
import torch

from klforecast.ops.surprise import bet, sequential_alarms, surprise, surprise_among


def draws(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_below_the_tail_a_p_value_is_a_rank():
    references = draws(200)
    scores = references.sort().values[[20, 100, 150]] + 1e-9
    counted = [(1 + (references >= score).sum().item()) / 201 for score in scores]
    assert surprise(scores, references).tolist() == pytest.approx(counted)


@pytest.mark.parametrize("heavy", [True, False])
def test_each_score_is_set_beside_all_others(heavy):
    scores = draws(60) + 0.1
    scores[7] = torch.nan
    found = surprise_among(scores, heavy=heavy)
    for place in range(60):
        others = torch.cat([scores[:place], scores[place + 1 :]])
        one = surprise(scores[place : place + 1], others, heavy=heavy)[0]
        assert found[place].item() == pytest.approx(one.item(), nan_ok=True)


@pytest.mark.parametrize("heavy", [True, False])
def test_p_values_of_the_law_of_the_tail_are_uniform(heavy):
    # Exact for a Pareto and an exponential law: the share below a is a, far beyond the ranks.
    laws = -(1 - draws(20_000, 101)).log()
    laws = laws.exp() if heavy else laws
    p = torch.stack([surprise(row[:1], row[1:], heavy=heavy)[0] for row in laws[:4_000]])
    for level in (0.002, 0.01, 0.05):
        limit = 4 * (level / 4_000) ** 0.5
        assert abs((p <= level).double().mean().item() - level) < limit


def test_outliers_among_the_references_do_not_hide_another_one():
    references = draws(200)
    references[:3] = 50.0
    assert surprise(torch.tensor([50.0]), references)[0] < 1e-6


def test_equal_scores_are_not_surprising():
    assert (surprise_among(torch.zeros(50)) == 1).all()


def test_a_bet_is_worth_one_on_average():
    p = (torch.arange(4_000_000, dtype=torch.float64) + 0.5) / 4_000_000
    assert bet(p).mean().item() == pytest.approx(1, abs=0.1)
    assert bet(p).mean() <= 1


def test_false_alarms_are_apart_by_the_run_length_or_more():
    alarms = sequential_alarms(draws(100_000, 2), run_length=50)
    assert (alarms >= 0).sum() <= 100_000 / 50


def test_the_first_alarm_names_the_kind():
    p = torch.full((30, 2), 0.5)
    p[10:, 1] = 0.01
    alarms = sequential_alarms(p, run_length=50)
    assert (alarms[:10] == -1).all()
    assert set(alarms.tolist()) == {-1, 1}
