from itertools import product

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules.ssm.layer import SpectralLayer

KINDS = [
    pytest.param(
        {"selective": selective, "bidirectional": bidirectional},
        id=f"{'selective' if selective else 'invariant'}-{'both' if bidirectional else 'causal'}",
    )
    for selective, bidirectional in product([False, True], repeat=2)
]


def layer(**options) -> SpectralLayer:
    torch.manual_seed(0)
    return SpectralLayer(16, n_modes=6, **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.75])
def test_compressing_keeps_the_outputs_and_removes_the_modes(kind, ratio):
    model = layer(compression_ratio=ratio, spectral_norm=True, **kind).eval()
    x = torch.randn(2, 50, 16)
    before, n_kept = model(x), model.mask.n_kept
    model.compress()
    assert_close(model(x), before, rtol=0, atol=1e-5)
    assert model.core.n_modes == n_kept
    assert model.initial_state(1).shape == (1, 4, n_kept, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_ratio_of_one_is_the_plain_layer_bit_for_bit(kind):
    x = torch.randn(2, 50, 16)
    masked, plain = layer(compression_ratio=1.0, adaptive_mask=True, **kind), layer(**kind)
    assert torch.equal(masked(x), plain(x))


@pytest.mark.parametrize("selective", [False, True])
def test_one_scale_is_the_base_layer_bit_for_bit(selective):
    x = torch.randn(2, 50, 16)
    assert torch.equal(layer(n_scales=1, selective=selective)(x), layer(selective=selective)(x))


@pytest.mark.parametrize("selective", [False, True])
def test_the_loss_reaches_the_logits_of_the_adaptive_mask(selective):
    model = layer(compression_ratio=0.5, adaptive_mask=True, selective=selective)
    model(torch.randn(2, 50, 16)).square().sum().backward()
    assert (model.mask.logits.grad != 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_padded_changes_nothing_elsewhere(kind):
    model = layer(**kind)
    x = torch.randn(2, 50, 16)
    mask = torch.arange(50) < torch.tensor([50, 30])[:, None]
    garbage = torch.where(mask[..., None], x, 100.0)
    assert_close(model(x, mask)[mask], model(garbage, mask)[mask])
    assert_close(model(x, mask)[1, :30], model(x[1:, :30])[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize("selective", [False, True])
def test_the_causal_layer_does_not_see_the_future(selective):
    model = layer(selective=selective)
    x = torch.randn(2, 50, 16)
    changed = torch.cat([x[:, :25], torch.randn(2, 25, 16)], dim=1)
    assert_close(model(changed)[:, :25], model(x)[:, :25], rtol=0, atol=1e-5)


@pytest.mark.parametrize("selective", [False, True])
def test_the_bidirectional_layer_sees_the_future(selective):
    model = layer(selective=selective, bidirectional=True)
    x = torch.randn(2, 50, 16)
    changed = torch.cat([x[:, :25], torch.randn(2, 25, 16)], dim=1)
    assert not torch.allclose(model(changed)[:, :25], model(x)[:, :25], atol=1e-3)


@pytest.mark.parametrize("selective", [False, True])
def test_stepping_equals_the_whole_sequence(selective):
    model = layer(selective=selective, compression_ratio=0.5)
    x = torch.randn(2, 40, 16)
    whole, state = model(x), model.initial_state(2)
    for t in range(40):
        y, state = model.step(x[:, t], state)
        assert_close(y, whole[:, t], rtol=0, atol=1e-5)


@pytest.mark.parametrize("selective", [False, True])
def test_spectral_norm_bounds_every_projection_during_training(selective):
    model = layer(selective=selective, spectral_norm=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(30):
        optimizer.zero_grad()
        (-model(torch.randn(2, 20, 16)).square().mean()).backward()
        optimizer.step()
    for _ in range(20):
        model(torch.randn(2, 20, 16))
    model.eval()
    weights = [model.into.weight, model.out.weight]
    if selective:
        weights.append(model.core.write_read.weight)
    for weight in weights:
        assert torch.linalg.matrix_norm(weight, ord=2) <= 1 + 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_sequence_does_not_depend_on_its_batch_mates(kind):
    model = layer(spectral_norm=True, **kind).eval()
    x = torch.randn(3, 50, 16)
    mates = torch.cat([x[:1], 1e3 * torch.randn(2, 50, 16)])
    assert_close(model(x)[0], model(mates)[0], rtol=0, atol=1e-5)


def test_the_energy_of_a_mode_is_what_is_lost_without_the_others():
    model = layer()
    x = torch.randn(2, 50, 16)
    only_third = torch.zeros(6).index_fill(0, torch.tensor([2]), 1)
    u = model.into(x)[..., :16].unflatten(-1, (4, 4))
    assert_close(model.mode_energy(x)[2], model.mix(u, x, only_third).square().mean())


def test_a_width_that_heads_do_not_divide_is_refused():
    with pytest.raises(ValueError, match="d_model is 10"):
        SpectralLayer(10, n_heads=4)
