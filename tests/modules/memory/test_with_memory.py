import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from klforecast.modules import with_memory
from klforecast.modules.memory.with_memory import WAYS

D, DEPTH, STATE = 8, 20, 3


class LinearOverTime(nn.Module):
    def __init__(self, length):
        super().__init__()
        self.map = nn.Linear(length, length)

    def forward(self, x):
        return self.map(x.mT).mT


def transformer():
    layer = nn.TransformerEncoderLayer(D, 2, 16, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 1)


BACKBONES = {
    "attention": (transformer, WAYS),
    "gru": (lambda: nn.GRU(D, D, batch_first=True), WAYS),
    "linear": (lambda: LinearOverTime(6), ("add", "cross-attend")),
}
CASES = [(name, how) for name, (_, ways) in BACKBONES.items() for how in ways]


def histories(n, seed=0):
    return torch.randn(n, DEPTH, STATE, generator=torch.Generator().manual_seed(seed)).cumsum(dim=1)


def build(name="gru", how="prepend", **options):
    torch.manual_seed(0)
    options = {"memory_depth": DEPTH, "n_components": 4, "memory_tokens": 2, **options}
    if options.get("source") != "trajectory":
        options["state_size"] = STATE
    model = with_memory(BACKBONES[name][0](), D, how=how, dropout=0.0, **options)
    written = histories(40) if model.memory.source == "history" else torch.randn(4, 5, D)
    model.memory.append(written)
    model.memory.append(2 * written)
    return model


def sequences(n=5):
    return torch.randn(n, 6, D, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("name", "how"), CASES)
def test_the_shape_stays_and_the_history_counts(name, how):
    model, x = build(name, how).eval(), sequences()
    y = model(x, histories(5))
    assert y.shape == x.shape
    assert not torch.allclose(y, model(x, histories(5, seed=7)))


@pytest.mark.parametrize(("name", "how"), CASES)
def test_order_and_size_of_the_batch_do_not_matter(name, how):
    model, x, past = build(name, how).eval().double(), sequences(9).double(), histories(9).double()
    y, order = model(x, past), torch.randperm(9)
    assert_close(model(x[order], past[order]), y[order])
    parts = [model(a, b) for a, b in zip(x.split(4), past.split(4), strict=True)]
    assert_close(torch.cat(parts), y)


@pytest.mark.parametrize(("name", "how"), CASES)
@pytest.mark.parametrize("training", [True, False])
def test_reading_writes_nothing(name, how, training):
    model = build(name, how).train(training)
    before = copy.deepcopy(model.state_dict())
    model(sequences(), histories(5))
    assert_close(model.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(("name", "how"), CASES)
def test_gradients_reach_the_backbone_the_mixer_and_the_way_in(name, how):
    model = build(name, how)
    model(sequences(), histories(5)).square().sum().backward()
    for part, weights in model.named_parameters():
        assert weights.grad is not None, part
        assert weights.grad.isfinite().all(), part
    # Under a softmax or a normalisation some single gradients are zero, never all of a part.
    assert any(weights.grad.any() for weights in model.memory.token_mixer.parameters())


def test_gradients_reach_the_history_where_they_are_not_detached():
    past = histories(5).requires_grad_()
    build(detach=False)(sequences(), past).square().sum().backward()
    assert past.grad.any()
    past.grad = None
    build()(sequences(), past).square().sum().backward()
    assert past.grad is None


def test_prepending_to_a_recurrence_is_its_initial_state():
    model, x, past = build(), sequences(), histories(5)
    _, state = model.backbone(model.memory(past))
    assert_close(model(x, past), model.backbone(x, state)[0])


@pytest.mark.parametrize("how", ["add", "cross-attend"])
def test_an_empty_memory_adds_nothing(how):
    model, x = build("attention", how, source="trajectory").eval(), sequences()
    model.memory.reset()
    assert_close(model(x), model.backbone(x))


@pytest.mark.parametrize("how", WAYS)
def test_a_trajectory_needs_no_history(how):
    model, x = build("attention", how, source="trajectory").eval(), sequences()
    y = model(x)
    model.memory.reset()
    assert not torch.allclose(model(x), y)


def test_a_memory_of_histories_without_one_is_refused():
    with pytest.raises(ValueError, match="pass history"):
        build()(sequences())


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("n", [1, 4])
def test_histories_of_another_number_of_sequences_are_refused(how, n):
    with pytest.raises(ValueError, match=f"got 5 sequences and {n} histories; pass one"):
        build("attention", how)(sequences(), histories(n))


def test_an_unknown_way_is_refused_by_name():
    with pytest.raises(ValueError, match=r"how='append'.*'cross-attend'"):
        with_memory(transformer(), D, how="append")


def test_an_output_of_another_kind_is_refused():
    class Named(nn.Module):
        def forward(self, x):
            return {"hidden": x}

    model = with_memory(Named(), D, memory_depth=DEPTH, state_size=STATE)
    with pytest.raises(TypeError, match=r"returned a dict; wrap it"):
        model(sequences(), histories(5))
