"""Activation checkpointing: a forward pass that is run once more reads what it read and writes nothing."""

import copy
from functools import partial

import pytest
import torch
from torch import nn
from torch.testing import assert_close
from torch.utils.checkpoint import checkpoint

from klforecast.exceptions import KLForecastError
from klforecast.modules import KLActivation

D = 6


def plain(part, x):
    return part(x)


WAYS = {
    "plain": plain,
    "checkpoint": partial(checkpoint, use_reentrant=False),
    "reentrant": partial(checkpoint, use_reentrant=True),
}


def network():
    """Two blocks, of which the second sees what the first did, with memories that are not empty."""
    torch.manual_seed(0)
    blocks = nn.Sequential(
        *(nn.Sequential(nn.Linear(D, D), KLActivation(D, 3), nn.Dropout(0.1)) for _ in range(2))
    )
    for weights in blocks.parameters():
        nn.init.normal_(weights)
    for _ in range(3):
        blocks(5 * torch.randn(20, D))
    return blocks


def step(network, run, batches):
    """Gradients of the sum over batches, the states after it, and the input's gradient."""
    torch.manual_seed(1)
    batches = [batch.clone().requires_grad_() for batch in batches]
    loss = sum(run(network, batch).square().mean() for batch in batches)
    loss.backward()
    gradients = [weights.grad for weights in network.parameters()]
    return gradients, [batch.grad for batch in batches], network.state_dict()


@pytest.mark.parametrize("way", ["checkpoint", "reentrant"])
@pytest.mark.parametrize("n_batches", [1, 3])
def test_gradients_and_counts_are_those_without_checkpointing(way, n_batches):
    batches = torch.randn(3 * n_batches, 10, D).split(3)
    ours, theirs = network(), network()
    assert_close(step(ours, WAYS[way], batches), step(theirs, plain, batches))
    assert ours[0][1].weight == theirs[0][1].weight


@pytest.mark.parametrize("way", ["checkpoint", "reentrant"])
def test_training_goes_the_same_way(way):
    ours, theirs = network(), network()
    optimizers = [torch.optim.SGD(part.parameters(), lr=1e-5) for part in (ours, theirs)]
    for seed in range(5):
        x = torch.randn(30, D, generator=torch.Generator().manual_seed(seed))
        for part, run, optimizer in zip(
            (ours, theirs), (WAYS[way], plain), optimizers, strict=True
        ):
            optimizer.zero_grad()
            step(part, run, [x])
            optimizer.step()
    assert_close(ours.state_dict(), theirs.state_dict(), rtol=1e-4, atol=1e-5)


def test_each_block_may_be_checkpointed_by_itself():
    x = torch.randn(30, D)

    def by_block(blocks, x):
        for block in blocks:
            x = checkpoint(block, x, use_reentrant=False)
        return x

    assert_close(step(network(), by_block, [x]), step(network(), plain, [x]))


def test_what_is_written_after_a_forward_pass_does_not_reach_into_its_gradient():
    early, late = network(), network()
    x = torch.randn(30, D)
    torch.manual_seed(1)
    expected = torch.autograd.grad(early(x).sum(), list(early.parameters()))
    torch.manual_seed(1)
    y = late(x).sum()
    for part in late.modules():
        if isinstance(part, KLActivation):
            part.append(100 * torch.randn(50, D))
    assert_close(torch.autograd.grad(y, list(late.parameters())), expected)


def test_activations_that_were_never_there_are_refused():
    activation = copy.deepcopy(network()[0][1])
    activation._recent.clear()
    hidden = torch.randn(20, D, requires_grad=True)

    class Again(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, slope):
            activation(hidden)
            return slope

    with pytest.raises(KLForecastError, match="none of the last 64 forward passes"):
        Again.apply(hidden).sum().backward()
