import copy

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from klforecast.modules import DualLane, KLMemory

D, DEPTH = 4, 12


def histories(n=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, DEPTH, 1, generator=generator).cumsum(dim=1)


def sequences(n=5):
    return torch.randn(n, 6, D, generator=torch.Generator().manual_seed(1))


def build(source="history", *, learned=True):
    torch.manual_seed(0)
    options = {"memory_depth": DEPTH, "n_components": 3, "memory_tokens": 2, "dropout": 0.0}
    memory = KLMemory(D, source=source, state_size=1 if source == "history" else D, **options)
    attention = nn.TransformerEncoderLayer(D, 2, 8, dropout=0.0, batch_first=True)
    model = DualLane(nn.GRU(D, D, batch_first=True), attention, memory)
    if source == "history":
        memory.append(histories(40))
    else:
        memory.append(model(sequences()))
        memory.append(model(2 * sequences()))
    if learned:
        nn.init.normal_(model.to_weights.weight)
    return model


def outputs(model, x):
    return model.lanes[0](x)[0], model.lanes[1](x)


def test_at_first_the_mixture_is_the_mean_of_the_lanes():
    model, x = build(learned=False), sequences()
    first, second = outputs(model, x)
    assert_close(model(x, histories()), (first + second) / 2)


@pytest.mark.parametrize(("source", "past"), [("history", histories()), ("trajectory", None)])
def test_an_empty_memory_weighs_the_lanes_equally(source, past):
    model, x = build(source), sequences()
    assert not torch.allclose(model.lane_weights(x, past), torch.tensor(0.5))
    model.memory.reset()
    if source == "history":
        model.memory.append(torch.ones_like(past))
    first, second = outputs(model, x)
    assert_close(model(x, past), (first + second) / 2)


def test_the_mixture_lies_between_its_lanes():
    model, x = build(), sequences()
    first, second = outputs(model, x)
    y = model(x, histories())
    assert (y <= torch.maximum(first, second) + 1e-6).all()
    assert (y >= torch.minimum(first, second) - 1e-6).all()
    assert_close(model.lane_weights(x, histories()).sum(dim=1), torch.ones(5))


def test_the_weights_are_those_of_each_sequence_whatever_the_batch():
    model, x, past, order = build(), sequences(), histories(), torch.randperm(5)
    weights = model.lane_weights(x, past)
    assert weights[:, 0].std() > 1e-3
    assert_close(model.lane_weights(x[order], past[order]), weights[order])
    assert_close(model(x[:2], past[:2]), model(x, past)[:2])


@pytest.mark.parametrize(("source", "past"), [("history", histories()), ("trajectory", None)])
def test_gradients_reach_both_lanes_the_mixer_and_the_weights(source, past):
    model = build(source)
    model(sequences(), past).square().sum().backward()
    for part in (model.lanes[0], model.lanes[1], model.memory.token_mixer, model.to_weights):
        assert all(weights.grad.isfinite().all() for weights in part.parameters())
        assert any(weights.grad.any() for weights in part.parameters())


def test_equal_lanes_learn_nothing_of_the_weights():
    lane = nn.Linear(D, D)
    model = DualLane(lane, lane, build().memory)
    model(sequences(), histories()).square().sum().backward()
    assert_close(
        model.to_weights.weight.grad, torch.zeros_like(model.to_weights.weight), rtol=0, atol=1e-5
    )


def test_reading_writes_nothing_and_a_copy_from_the_state_is_the_same():
    model, x = build(), sequences()
    before = copy.deepcopy(model.state_dict())
    y = model(x, histories())
    assert_close(model.state_dict(), before, rtol=0, atol=0)
    other = build(learned=False)
    other.memory.reset()
    other.load_state_dict(before)
    assert torch.equal(other(x, histories()), y)


def test_a_memory_of_histories_without_one_is_refused():
    with pytest.raises(ValueError, match="pass history"):
        build()(sequences())


def test_histories_of_another_number_of_sequences_are_refused():
    with pytest.raises(ValueError, match="got 5 sequences and 1 histories; pass one"):
        build()(sequences(), histories()[:1])
