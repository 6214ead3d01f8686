import math

import pytest
import torch
from torch.nn import functional as F

from klforecast.evaluation.lra.compression import compressed_copy, compression_curve, rank_modes
from klforecast.modules.ssm.heads import SequencePredictor

LENGTH = 96


def tones(n: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=generator)
    angle = torch.tensor([0.2, 0.5, 0.9])[labels][:, None] * torch.arange(LENGTH)
    noise = 0.5 * torch.randn(n, LENGTH, generator=generator)
    phase = 2 * math.pi * torch.rand(n, 1, generator=generator)
    return (torch.cos(angle + phase) + noise)[..., None], labels


@pytest.fixture(scope="module")
def trained() -> SequencePredictor:
    torch.manual_seed(0)
    model = SequencePredictor(
        3, n_channels=1, d_model=16, n_layers=1, n_modes=16, max_length=LENGTH, adaptive_mask=True
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    x, labels = tones(128, seed=0)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(model(x), labels).backward()
        optimizer.step()
    return model.eval()


def accuracy(model: SequencePredictor) -> float:
    x, labels = tones(256, seed=1)
    with torch.no_grad():
        return (model(x).argmax(dim=1) == labels).float().mean().item()


def test_modes_kept_by_their_energy_lose_less_than_random_ones(trained):
    x, _ = tones(64, seed=2)
    curve = compression_curve(trained, x, accuracy, ratios=(0.1, 0.25, 0.5, 1.0))
    mean = curve[curve.ratio < 1].groupby("mask").score.mean()
    assert mean["energy"] > mean["random"]
    assert accuracy(trained) > 0.9


def test_all_modes_give_the_uncompressed_score_and_fewer_cost_less(trained):
    x, _ = tones(16, seed=2)
    curve = compression_curve(trained, x, accuracy, ratios=(1.0, 0.5), masks=["learned"])
    assert curve.score[0] == accuracy(trained)
    assert curve.n_parameters[1] < curve.n_parameters[0]
    assert curve.flops_per_token[1] < curve.flops_per_token[0]
    assert (curve.tokens_per_second > 0).all()


def test_the_trained_model_is_left_as_it_is(trained):
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    x, _ = tones(4, seed=2)
    small = compressed_copy(trained, 0.25, "energy", x, torch.Generator())
    assert small.backbone.spectral_layers[0].core.n_modes == 4
    assert not trained.training
    assert before.keys() == trained.state_dict().keys()
    for name, value in trained.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_the_low_pass_keeps_the_slowest_modes(trained):
    layer = trained.backbone.spectral_layers[0]
    order = rank_modes(layer, "low_pass", torch.zeros(1, 2, 16), torch.Generator())
    angles = layer.core.turning()[order]
    assert (angles.diff() >= 0).all()


def test_an_unknown_or_unlearned_mask_is_refused():
    layer = SequencePredictor(3, n_channels=1, d_model=16).backbone.spectral_layers[0]
    with pytest.raises(ValueError, match="has learned no mask"):
        rank_modes(layer, "learned", torch.zeros(1, 2, 16), torch.Generator())
    with pytest.raises(ValueError, match="mask is 'best'"):
        rank_modes(layer, "best", torch.zeros(1, 2, 16), torch.Generator())


def test_energy_does_not_depend_on_what_stands_in_the_padding(trained):
    layer = trained.backbone.spectral_layers[0]
    torch.manual_seed(0)
    x = torch.randn(4, 60, 16)
    observed = (torch.arange(60) < 40).expand(4, -1)
    other = torch.where(observed[..., None], x, 100 * torch.randn(4, 1, 16))

    def order(inputs, seen):
        return rank_modes(layer, "energy", inputs, torch.Generator(), seen).tolist()

    assert order(x, observed) == order(other, observed)
    assert order(x, None) != order(other, None)
