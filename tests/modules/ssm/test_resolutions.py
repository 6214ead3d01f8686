"""Layers at several resolutions."""

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules import SpectralSSM
from klforecast.modules.ssm.cost import flops
from klforecast.modules.ssm.resolutions import Resolutions, block_means


def network(n_branches, **options):
    torch.manual_seed(0)
    options = {"d_model": 8, "n_modes": 4, "n_heads": 2, "max_length": 40, **options}
    return SpectralSSM(3, n_branches=n_branches, **options).double().eval()


def draw(length=21):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, length, 3, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_branch_is_its_layer_on_means_spread_over_their_steps(bidirectional):
    mixer = network(3, bidirectional=bidirectional).blocks[0].mixer
    with torch.no_grad():
        mixer.shares.copy_(torch.tensor([0.3, -0.2, 0.1]))
    x = torch.randn(2, 21, 8, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for share, branch, size in zip(mixer.shares.softmax(0), mixer.branches, (1, 2, 4), strict=True):
        blocks = x.split(size, dim=1)
        y = branch(torch.stack([block.mean(dim=1) for block in blocks], dim=1))
        for t in range(21):
            block = t // size if bidirectional else (t + 1) // size - 1
            if block >= 0:
                expected[:, t] += share * y[:, block]
    assert_close(mixer(x), expected)


@pytest.mark.parametrize("selective", [False, True])
def test_a_causal_network_with_branches_sees_nothing_later(selective):
    net, x = network(3, selective=selective), draw()
    changed = x.clone()
    changed[:, 13:] += 1
    assert_close(net(changed)[:, :13], net(x)[:, :13], rtol=0, atol=1e-12)
    assert not torch.allclose(net(changed)[:, 13:], net(x)[:, 13:])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_padding_changes_nothing_whatever_it_is(bidirectional):
    net, x = network(3, bidirectional=bidirectional), draw()
    padded = torch.cat([x, torch.full((2, 6, 3), torch.nan, dtype=torch.float64)], dim=1)
    mask = (torch.arange(27) < 21).expand(2, -1)
    assert_close(net(padded, mask)[:, :21], net(x))


def test_means_are_over_what_is_observed():
    x = torch.tensor([[[1.0], [torch.nan], [4.0], [6.0], [torch.nan]]])
    means, observed = block_means(x, ~x[..., 0].isnan(), 2)
    assert means.flatten().tolist() == [1, 5, 0]
    assert observed.tolist() == [[True, True, False]]


def test_branches_cost_less_than_a_second_layer_and_compress_like_one():
    x = draw(64)
    one, three = network(1, selective=True), network(3, selective=True)
    assert isinstance(three.blocks[0].mixer, Resolutions)
    assert flops(one, x) < flops(three, x) < 2 * flops(one, x)
    halved = network(3, compression_ratio=0.5)
    before = halved(x)
    assert_close(halved.compress()(x), before)
    assert all(layer.core.n_modes == 2 for layer in halved.spectral_layers)
    assert len(halved.spectral_layers) == 6


def test_what_branches_cannot_do_is_refused():
    with pytest.raises(ValueError, match="n_branches=1"):
        network(2).initial_states(1)
    with pytest.raises(ValueError, match="gaps are for n_branches=1"):
        network(2)(draw(), gaps=torch.ones(2, 21))
