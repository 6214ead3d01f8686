import pytest
import torch

from klforecast.modules.ssm.mask import ModeMask


@pytest.mark.parametrize(
    ("n_modes", "ratio", "kept"),
    [(10, 0.7, 7), (100, 0.07, 7), (10, 0.01, 1), (16, 0.26, 5), (3, 1.0, 3)],
)
def test_the_ratio_keeps_its_share_of_the_modes_rounded_up(n_modes, ratio, kept):
    assert ModeMask(n_modes, ratio)().tolist() == [1.0] * kept + [0.0] * (n_modes - kept)


@pytest.mark.parametrize("ratio", [0.0, -0.5, 1.5])
def test_a_ratio_outside_its_range_is_refused(ratio):
    with pytest.raises(ValueError, match="compression_ratio"):
        ModeMask(8, ratio)


def test_the_adaptive_mask_starts_as_a_low_pass():
    assert ModeMask(8, 0.5, adaptive=True).indices().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("training", [True, False])
def test_the_adaptive_mask_is_exactly_zero_or_one_in_training_too(training):
    mask = ModeMask(9, 0.4, adaptive=True).train(training)
    torch.nn.init.normal_(mask.logits)
    gate = mask()
    assert sorted(gate.tolist()) == [0.0] * 5 + [1.0] * 4
    assert gate.nonzero()[:, 0].tolist() == mask.indices().tolist()


def test_modes_that_are_switched_off_still_have_a_gradient():
    mask = ModeMask(6, 0.5, adaptive=True)
    (mask() * torch.arange(1.0, 7.0)).sum().backward()
    assert (mask.logits.grad > 0).all()


def test_a_lower_temperature_narrows_the_gradient():
    def slope(temperature: float) -> float:
        mask = ModeMask(6, 0.5, adaptive=True)
        mask.temperature = temperature
        mask()[5].backward()
        return mask.logits.grad[5].item()

    assert slope(0.05) < 0.01 * slope(1.0)


def test_a_frozen_mask_keeps_what_it_had_learned():
    mask = ModeMask(6, 0.5, adaptive=True)
    with torch.no_grad():
        mask.logits.copy_(torch.tensor([0.0, 5.0, 1.0, 4.0, -1.0, 2.0]))
    before = mask().detach()
    mask.freeze()
    assert torch.equal(mask(), before)
    assert list(mask.parameters()) == []
