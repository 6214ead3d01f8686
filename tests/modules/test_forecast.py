import copy

import pytest
import torch
from torch.testing import assert_close

from klforecast.core.linear_core import LinearCore
from klforecast.modules.encoders import ENCODERS
from klforecast.modules.forecast import MEMORIES, ForecastModule
from klforecast.modules.memory.presets import PRESETS

SMALL = {
    "input_length": 12,
    "memory_depth": 32,
    "row_length": 5,
    "n_components": 3,
    "memory_tokens": 2,
    "d_model": 8,
    "n_layers": 1,
    "n_heads": 2,
    "patch_length": 4,
}


def random_core(depth=20, horizon=6, maps=1):
    generator = torch.Generator().manual_seed(3)
    weight = torch.randn(maps, horizon, depth, generator=generator) / depth
    return LinearCore(torch.zeros(0, 0), weight, torch.zeros(maps, horizon))


def build(memory="history", core=None, gate=None, **options):
    torch.manual_seed(0)
    module = ForecastModule(6, 2, core, **{**SMALL, "memory": memory, **options}).eval()
    if module.memory is not None:
        states = module.histories(random_past(30)) if memory == "history" else torch.randn(4, 3, 8)
        module.memory.append(states)
        module.memory.append(2 * states)
    if gate is not None:
        torch.nn.init.constant_(module.gate, gate)
    return module


def random_past(n=5, time=32, seed=1):
    return torch.randn(n, time, 2, generator=torch.Generator().manual_seed(seed)).cumsum(dim=1)


@pytest.fixture(params=MEMORIES)
def memory(request):
    return request.param


@pytest.mark.parametrize("maps", [1, 2])
def test_before_training_the_module_is_its_core_bit_for_bit(memory, maps):
    core = random_core(maps=maps)
    past = random_past()
    assert torch.equal(build(memory, core)(past), core(past[:, -20:]))


def test_the_plain_encoder_corrects_the_level_of_the_window(memory):
    module = build(memory, gate=0.0)
    past = random_past()
    assert_close(module(past), past[:, -12:].mean(dim=1, keepdim=True).expand(-1, 6, -1))


def test_forecasting_never_writes(memory):
    module = build(memory, random_core(), gate=0.5)
    for training in (True, False):
        module.train(training)
        before = copy.deepcopy(module.state_dict())
        module(random_past())
        assert_close(module.state_dict(), before, rtol=0, atol=0)


def test_a_forecast_depends_on_neither_order_nor_size_of_the_batch(memory):
    module = build(memory, random_core(), gate=0.5).double()
    past = random_past(9).double()
    forecast = module(past)
    order = torch.randperm(9)
    assert_close(module(past[order]), forecast[order])
    assert_close(torch.cat([module(part) for part in past.split(4)]), forecast)


def test_only_the_last_depth_steps_count(memory):
    module = build(memory, random_core(), gate=0.5)
    past = random_past(time=module.depth)
    longer = torch.cat([torch.full((5, 7, 2), 9.0), past], dim=1)
    assert torch.equal(module(longer), module(past))


@pytest.mark.parametrize(
    ("row_length", "depth"), [(1, 32), (5, 32), (0, 32), (6, 30), (20, 32), (19, 31)]
)
def test_the_depth_holds_whole_rows_of_history_and_the_window(row_length, depth):
    assert ForecastModule(6, 2, None, **{**SMALL, "row_length": row_length}).depth == depth


def test_the_depth_is_that_of_the_core_where_it_looks_further_back():
    assert build(core=random_core(depth=50)).depth == 50


@pytest.mark.parametrize(("row_length", "shape"), [(1, (20, 1)), (5, (4, 5)), (0, (5, 8))])
def test_the_history_ends_where_the_window_begins(row_length, shape):
    module = ForecastModule(6, 2, None, **{**SMALL, "row_length": row_length}).eval()
    past = random_past(3)
    changed = past.clone()
    changed[:, :-12] += 1
    rows = module.histories(past)
    assert rows.shape == (3 * 2, *shape)
    assert (module.histories(changed) != rows).flatten(1).any(dim=1).all()
    if row_length == 1:
        window = past[0, -12:, 1]
        scale = (window.var(correction=0) + 1e-5).sqrt()
        assert_close(rows[1, :, 0], (past[0, :20, 1] - window.mean()) / scale)


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.parametrize("horizon", [1, 12, 96])
def test_every_encoder_embeds_one_row_for_each_patch_of_the_history(encoder, horizon):
    options = {**SMALL, "row_length": 0, "encoder": encoder}
    module = ForecastModule(horizon, 2, None, **options).eval()
    past = random_past(3)
    rows = module.histories(past)
    assert rows.shape == (3 * 2, module.memory.memory_depth, module.memory.state_size)
    changed = past.clone()
    changed[:, 8:12] += 1  # the third patch of five
    moved = (module.histories(changed) != rows).any(dim=2)
    assert torch.equal(moved, torch.tensor([False, False, True, False, False]).expand(6, -1))
    module.memory.append(rows)
    assert module(past).shape == (3, horizon, 2)


def test_the_history_changes_the_forecast_beyond_the_core():
    core = random_core(depth=12)
    module, without = build("history", core, gate=0.5), build("none", core, gate=0.5)
    past = random_past()
    changed = past.clone()
    changed[:, :20] *= 2
    assert not torch.allclose(module(past), module(changed))
    assert torch.equal(without(past), without(changed))


def test_a_channel_is_forecast_from_itself_alone(memory):
    module = build(memory, random_core(), gate=0.5).double()
    past = random_past().double()
    changed = past.clone()
    changed[..., 1] += torch.randn(5, 32, dtype=torch.float64)
    assert_close(module(changed)[..., 0], module(past)[..., 0])


@pytest.mark.parametrize("row_length", [0, 5])
@pytest.mark.parametrize("detach", [True, False])
def test_detach_decides_whether_tokens_train_the_embedding_of_the_history(row_length, detach):
    options = {"row_length": row_length, "memory_options": {"detach": detach}}
    module = build(gate=1.0, **options)
    past = random_past()
    with_window = module.encoder.embed(past.mT.flatten(0, 1)[:, -12:]).detach()
    tokens = module.memory(module.histories(past))
    module.encoder.patches(with_window, tokens).square().sum().backward()
    reached = module.encoder.patches.embedding.linear.weight.grad is not None
    assert reached == (row_length == 0 and not detach)


def test_constant_series_have_a_finite_forecast(memory):
    past = torch.full((2, 32, 2), 3.0)
    assert build(memory, random_core(), gate=1.0)(past).isfinite().all()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_published_variants_fit_into_the_module(preset):
    options = {**PRESETS[preset], "memory_depth": 10}
    module = build("trajectory", random_core(), gate=0.5, memory_options=options)
    assert module(random_past()).shape == (5, 6, 2)


def test_a_past_that_is_too_short_is_refused_with_both_lengths():
    with pytest.raises(ValueError, match="31 steps; pass the 32"):
        build()(random_past(time=31))


def test_a_depth_without_room_for_a_history_is_refused():
    with pytest.raises(ValueError, match=r"memory_depth=16.*at least 17"):
        ForecastModule(6, 2, **{**SMALL, "memory_depth": 16})


def test_an_unknown_memory_is_refused_by_name():
    with pytest.raises(ValueError, match="memory='all'"):
        ForecastModule(6, 2, memory="all")
