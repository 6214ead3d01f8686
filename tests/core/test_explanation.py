"""A forecast of the linear core is the sum of what lags, components and experts add."""

import copy

import pytest
import torch

from klforecast.core.explanation import (
    component_parts,
    expert_part,
    lag_weights,
    windows_of_rounds,
)
from klforecast.core.linear_core import LinearCore
from klforecast.core.moments import window_moments
from klforecast.core.plan import plan_core
from klforecast.core.solve import expert_maps, solve_from_plan

HORIZON, STEPS = 8, 21  # two rounds and a part of the third


@pytest.fixture(scope="module")
def panel():
    torch.manual_seed(0)
    step = torch.arange(700, dtype=torch.float64)
    waves = torch.stack([(step * 0.5).sin(), (step * 0.3).cos()], dim=1)
    return [waves + 0.3 * torch.randn(700, 2, dtype=torch.float64)]


@pytest.fixture(scope="module")
def solved(panel):
    plan = plan_core(
        [700], channels=2, horizon=HORIZON, periods=[12], input_length=24, memory_depth=80
    )
    core = solve_from_plan(panel, plan).core
    with torch.no_grad():
        core.bias.uniform_(-1, 1)
    return plan, core


def forecast(core: LinearCore, past: torch.Tensor) -> torch.Tensor:
    rows = past
    with torch.no_grad():
        while len(rows) < len(past) + STEPS:
            rows = torch.cat([rows, core(rows[None, -len(past) :])[0]])
    return rows[len(past) : len(past) + STEPS]


@pytest.fixture(scope="module")
def known(panel, solved):
    core = copy.deepcopy(solved[1]).double()
    past = panel[0][-core.depth :]
    return core, past, forecast(core, past)


def test_lags_and_a_constant_are_the_forecast_of_any_length(known):
    core, past, expected = known
    assert core.modes.shape[1] > 0
    for channel in range(2):
        weights, constant = lag_weights(core, channel, STEPS)
        assert torch.allclose(weights @ past[:, channel] + constant, expected[:, channel])


def test_weights_of_lags_are_derivatives_of_the_forecast(known):
    core, past, _ = known
    slopes = torch.autograd.functional.jacobian(lambda rows: core(rows[None])[0, :, 1], past)
    assert torch.allclose(lag_weights(core, 1, HORIZON).weights, slopes[:, :, 1])


def test_lags_of_a_horizon_longer_than_the_depth():
    core = LinearCore(torch.zeros(0, 0), torch.rand(1, 5, 3), torch.rand(1, 5)).double()
    past = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64)
    weights, constant = lag_weights(core, 0, STEPS)
    assert torch.allclose(weights @ past[:, 0] + constant, forecast(core, past)[:, 0])


def test_recent_steps_and_components_add_up_in_every_round(known):
    core, past, expected = known
    recent, components = component_parts(core, past, STEPS)
    rounds = -(-STEPS // HORIZON)
    bias = core.bias.detach().T.repeat(rounds, 1)[:STEPS]
    assert components.shape == (STEPS, 2, core.modes.shape[1])
    assert torch.allclose(recent + components.sum(dim=-1) + bias, expected)


def test_maps_of_the_experts_melt_into_the_core(panel, solved, known):
    plan, core = solved
    moments = [window_moments(series, plan.length) for series in panel]
    double, past, expected = known
    windows = windows_of_rounds(double, past, STEPS)
    for channel, maps in enumerate(expert_maps(moments, plan, core.mixture.weights)):
        of_each = list(maps)
        assert len(of_each) == len(plan.experts)
        assert torch.allclose(sum(of_each).float(), core.weight[channel], atol=1e-7)
        parts = [expert_part(double, weighted, windows, channel) for weighted in of_each]
        total = sum(parts) + core.bias[channel].repeat(len(windows))
        assert torch.allclose(total[:STEPS], expected[:, channel], atol=1e-5)
