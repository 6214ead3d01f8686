import numpy as np
import pytest
from numpy.testing import assert_allclose

from klforecast.local import kinds
from klforecast.local.experts import Bank, count_experts
from klforecast.local.fitting import fit_local
from klforecast.local.kinds import ExpertKinds, expert_kinds, tempered_by_kind

BANK = expert_kinds(Bank((12,), (3, 13), with_log=True), positive=True)


def shares(weights, of):
    return np.array([weights[..., np.array(of) == kind].sum(-1) for kind in dict.fromkeys(of)])


def random_weights(seed=0):
    weights = np.random.default_rng(seed).gamma(0.3, size=(4, 2, len(BANK.copies)))
    return weights / weights.sum(axis=-1, keepdims=True)


def test_odds_of_two_copies_are_taken_to_their_power_and_weights_sum_to_one():
    alike = ("flat", "flat", "flat", "flat")
    weights = np.array([[0.5, 0.2, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
    made = tempered_by_kind(weights, ExpertKinds(("a", "a", "b", "b"), alike))
    odds = weights[:, :2].sum(axis=1) / weights[:, 2:].sum(axis=1)
    assert_allclose(made.sum(axis=1), 1)
    assert_allclose(made[:, :2].sum(axis=1) / made[:, 2:].sum(axis=1), odds**kinds._OF_COPIES)


def test_experts_of_one_copy_and_one_slope_keep_the_ratio_of_their_weights():
    weights = random_weights()
    made = tempered_by_kind(weights, BANK)
    for both in set(zip(*BANK, strict=True)):
        alike = [kind == both for kind in zip(*BANK, strict=True)]
        ratio = made[..., alike] / weights[..., alike]
        assert_allclose(ratio, np.broadcast_to(ratio[..., :1], ratio.shape))


def test_weights_come_nearer_to_one_another_between_kinds():
    weights = random_weights()
    made = tempered_by_kind(weights, BANK)
    assert (shares(made, BANK.copies).max(axis=0) < shares(weights, BANK.copies).max(axis=0)).all()


def test_a_kind_without_a_share_does_not_come_back():
    weights = np.array([1 - 1e-13, 1e-13])
    made = tempered_by_kind(weights, ExpertKinds(("a", "b"), ("flat", "sloping")))
    assert made[1] < 1e-10


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("with_log", [False, True])
def test_every_expert_has_its_kinds_and_further_ones_their_own(positive, with_log):
    bank = Bank((4, 12), (3, 6), with_log)
    made = expert_kinds(bank, positive, others=2)
    wanted = count_experts(bank) + 2
    assert len(made.copies) == len(made.slopes) == wanted
    assert made.copies[-2:] == made.slopes[-2:] == ("further 0", "further 1")


def test_a_series_that_is_not_positive_has_no_kind_of_the_logarithm():
    copies = expert_kinds(Bank((12,), (), with_log=True), positive=False).copies
    assert set(copies) == {"as it is", "less its season", "last cycles"}


def test_a_trend_and_a_level_that_did_alike_share_more_evenly_than_their_records_say(monkeypatch):
    rng = np.random.default_rng(3)
    panel = list(rng.normal(size=(20, 40)).cumsum(axis=1) + 0.3 * np.arange(40))
    tempered = fit_local(panel, 6)
    monkeypatch.setattr(kinds, "_OF_COPIES", 1.0)
    monkeypatch.setattr(kinds, "_OF_SLOPES", 1.0)
    plain = fit_local(panel, 6)
    slopes = expert_kinds(plain.bank(), False).slopes
    largest = [shares(model.weights, slopes).max(axis=0).mean() for model in (tempered, plain)]
    assert largest[0] < largest[1]
