import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from klforecast.modules.ssm.core import ModalCore, SelectiveCore, time_constants
from klforecast.ops.scan import modal_filter, modal_state, spectral_scan


def modal_core(**changes) -> ModalCore:
    options = {"n_heads": 4, "width": 2, "n_modes": 5, "n_scales": 2, "max_length": 400}
    return ModalCore(**({"bounded": False} | options | changes))


def test_time_constants_run_from_two_steps_to_half_the_length():
    assert_close(time_constants(6, 3, 400), torch.tensor([2.0, 2, 20, 20, 200, 200]))


def test_one_scale_is_the_geometric_mean():
    assert_close(time_constants(3, 1, 400), torch.full((3,), 20.0))


def test_more_scales_than_heads_are_refused():
    with pytest.raises(ValueError, match="n_scales is 5"):
        time_constants(4, 5, 100)


@pytest.mark.parametrize("n_scales", [1, 2, 4])
def test_the_half_life_of_every_scale_is_its_own(n_scales):
    core = modal_core(n_scales=n_scales, n_modes=1)
    impulse = torch.zeros(1, 4, 2)
    response = modal_state(impulse[:, None] + 1, core.log_pole()).abs()[0, :, 0, 0]
    constants = time_constants(4, n_scales, 400)
    assert_close(response, torch.ones(4))
    half_life = math.log(0.5) / core.log_pole().real[:, 0]
    assert_close(half_life, math.log(2) * constants, rtol=0.1, atol=0)


def test_no_mode_starts_above_the_highest_frequency_of_sampled_data():
    for core in (modal_core(n_modes=64), SelectiveCore(8, 4, 64, 2, 400)):
        angle = core.frequency * F.softplus(core.raw_step)[:, None]
        assert angle.max() <= math.pi + 1e-5


def test_poles_stay_inside_the_unit_circle_for_any_parameters():
    core = modal_core()
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter, std=3)
    assert (core.log_pole().exp().abs() < 1).all()


def test_the_bounded_recurrence_is_never_larger_than_its_input():
    core = modal_core(bounded=True)
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter, std=3)
    u = torch.sign(torch.randn(1, 5000, 4, 2))
    assert core(u, None, torch.ones(5)).abs().max() <= 1 + 1e-4


def test_the_state_of_the_selective_recurrence_is_bounded_on_long_input():
    core = SelectiveCore(3, 2, 4, 1, 1000).double()
    drive = 10 * torch.randn(1, 100_000, 3, dtype=torch.float64)
    u = 10 * torch.sign(torch.randn(1, 100_000, 2, 1, dtype=torch.float64))
    with torch.no_grad():
        step, write, read = core._terms(drive, torch.ones(4))
        y, state = spectral_scan(u, step, core.decay, core.frequency, write, read)
    assert y.isfinite().all()
    assert (state.abs().amax(dim=(0, 1, 3)) <= 10 * write.abs().amax(dim=(0, 1)) + 1e-9).all()


def test_dropping_modes_changes_the_output_by_at_most_their_gain():
    core = modal_core(n_modes=8)
    u = torch.randn(1, 500, 4, 2)
    gate = (torch.arange(8) < 3).float()
    pruned = core.reading(1 - gate).abs() / (1 - core.log_pole().exp().abs())[:, None, :]
    with torch.no_grad():
        change = (core(u, None, torch.ones(8)) - core(u, None, gate)).norm(dim=1)[0]
        assert (change <= u.norm(dim=1)[0] * pruned.sum(dim=2)).all()


@pytest.mark.parametrize("n_scales", [1, 3])
def test_keeping_modes_equals_masking_the_others(n_scales):
    for core in (
        modal_core(n_heads=3, n_scales=n_scales),
        SelectiveCore(8, 3, 5, n_scales, 100),
    ):
        u, drive = torch.randn(2, 40, 3, 2), torch.randn(2, 40, 8)
        masked = core(u, drive, torch.tensor([0.0, 1, 0, 1, 1]))
        core.keep_modes(torch.tensor([1, 3, 4]))
        assert_close(core(u, drive, torch.ones(3)), masked)


def test_several_time_constants_fit_a_short_and_a_long_memory_better_than_one():
    def error(n_scales: int) -> float:
        torch.manual_seed(1)
        core = modal_core(n_heads=6, width=1, n_modes=4, n_scales=n_scales)
        signal = torch.randn(8, 400, 1, 1)
        poles = torch.tensor([[-1 / 2], [-1 / 200]]) + 0j
        reading = torch.tensor([[[0.4]], [[0.05]]]) + 0j
        target = modal_filter(signal.expand(-1, -1, 2, -1), poles, reading).sum(dim=(2, 3))
        optimizer = torch.optim.Adam(core.parameters(), lr=2e-2)
        for _ in range(60):
            fitted = core(signal.expand(-1, -1, 6, -1), None, torch.ones(4)).sum(dim=(2, 3))
            loss = (fitted - target).square().mean() / target.var()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    assert error(3) < 0.7 * error(1)


def test_both_directions_at_once_are_the_sum_of_one_and_the_other():
    for kind in (modal_core, lambda: SelectiveCore(8, 4, 5, 2, 400)):
        there, back = kind(), kind()
        u, drive, gate = torch.randn(2, 40, 4, 2), torch.randn(2, 40, 8), torch.ones(5)
        alone = there(u, drive, gate) + back(u.flip(1), drive.flip(1), gate).flip(1)
        assert_close(there(u, drive, gate, back), alone, rtol=0, atol=1e-5)
