"""States keep float64 through every cast; where a device has none, nothing there needs it."""

import copy

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.testing import assert_close

from klforecast.modules import KLActivation
from klforecast.modules.states import StatefulModule
from tests.modules.conftest import STATEFUL
from tests.modules.no_float64 import DEVICE, device_without_float64, move, to_device, unwrapped

CASTS = {
    "float": lambda module: module.float(),
    "double": lambda module: module.double(),
    "bfloat16": lambda module: module.bfloat16(),
    "half": lambda module: module.half(),
    "to": lambda module: module.to(torch.bfloat16),
    "to-device": lambda module: module.to("cpu", torch.float16),
    "there-and-back": lambda module: module.half().float(),
}
# What a read in the precision of a dtype may be off, relative to the largest number read.
OFF = {torch.float64: 1e-5, torch.float32: 1e-5, torch.float16: 2e-2, torch.bfloat16: 1e-1}


def states(module):
    return {
        f"{name}.{state}": getattr(part, state)
        for name, part in module.named_modules()
        if isinstance(part, StatefulModule)
        for state in part._states
    }


def assert_near(read, reference):
    off = (read.double() - reference.double()).abs().max() / reference.abs().max()
    assert off <= OFF[read.dtype], f"{read.dtype}: off by {off:.1e}"


@pytest.mark.parametrize("name", CASTS)
def test_casts_leave_states_alone(stateful, written, name):
    module, cast = written(), CASTS[name]
    before = copy.deepcopy(states(module))
    assert before
    assert_close(states(cast(module)), before, rtol=0, atol=0)
    assert {state.dtype for state in states(module).values()} == {torch.float64}


@pytest.mark.parametrize("name", [name for name in CASTS if name != "there-and-back"])
def test_what_is_read_after_a_cast_is_what_was_read_before(stateful, written, draw, name):
    x, reference = draw(9), written()
    module = CASTS[name](written())
    dtype = next(module.parameters()).dtype
    read = stateful.read(module, x.to(dtype))
    assert read.dtype == dtype
    assert_near(read, stateful.read(reference, x))


def test_what_is_written_after_a_cast_is_what_would_have_been_written(stateful, written, draw):
    x = draw(9)
    reference, module = written(), written().bfloat16()
    stateful.write(module, x.bfloat16())
    # The batch itself, and what encodes it, are rounded; the states before are not.
    stateful.write(reference, x.bfloat16().float())
    for name, state in states(module).items():
        assert_close(state, states(reference)[name], rtol=5e-2, atol=5e-2, msg=name)


def test_under_autocast_states_are_written_and_read(stateful, written, draw):
    x, reference, module = draw(9), written(), written()
    with torch.autocast("cpu", torch.bfloat16):
        stateful.write(module, x)
        read = stateful.read(module, x)
    stateful.write(reference, x)
    assert {state.dtype for state in states(module).values()} == {torch.float64}
    off = (read.float() - stateful.read(reference, x)).abs().max()
    assert off <= 0.1 * read.abs().max()


def test_a_float64_default_makes_a_module_of_float64(stateful, draw):
    torch.set_default_dtype(torch.float64)
    try:
        module, x = stateful.build().train(), draw().double()
        for seed in range(3):
            stateful.write(module, draw(seed).double())
        read = stateful.read(module, x)
        read.square().sum().backward()
    finally:
        torch.set_default_dtype(torch.float32)
    assert read.dtype == torch.float64
    assert all(p.dtype == torch.float64 for p in module.parameters())


# Where a graph is cut, torch looks at the gradients of what lies between its parts.
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize(
    "stateful",
    [name for name in STATEFUL if not {"feature", "kernel", "add"} & set(name.split("-"))],
    indirect=True,
)
def test_training_compiles_and_gives_the_gradients_of_plain_training(stateful, written, draw):
    plain, compiled = written().train(), written().train()
    x = draw(9)
    torch._dynamo.reset()
    run = torch.compile(lambda x: stateful.read(compiled, x), backend="aot_eager")
    outputs = []
    for module, read in ((plain, lambda x: stateful.read(plain, x)), (compiled, run)):
        for part in module.modules():
            if isinstance(part, torch.nn.Dropout):
                part.p = 0.0
        torch.manual_seed(0)
        outputs.append(read(x))
        outputs[-1].square().sum().backward()
    assert_close(outputs[1], outputs[0])
    for ours, theirs in zip(compiled.parameters(), plain.parameters(), strict=True):
        assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5)
    assert_close(states(compiled), states(plain))


@pytest.mark.parametrize("average", [get_ema_multi_avg_fn(0.9), None], ids=["ema", "swa"])
@pytest.mark.parametrize("use_buffers", [True, False])
def test_averages_over_models_take_the_states_in(stateful, written, draw, average, use_buffers):
    module = written()
    averaged = AveragedModel(module, multi_avg_fn=average, use_buffers=use_buffers)
    for _ in range(3):
        averaged.update_parameters(module)
    assert_close(states(averaged.module), states(module))
    assert_close(stateful.read(averaged.module, draw(9)), stateful.read(module, draw(9)))
    stateful.write(module, draw(10))
    averaged.update_parameters(module)


def test_a_bfloat16_activation_counts_every_row():
    activation = KLActivation(4, 2, forgetting=1.0).bfloat16().train()
    for _ in range(40):
        activation(torch.randn(3200, 4, dtype=torch.bfloat16))
    assert activation.weight == 40 * 3200


@torch.no_grad()
def test_a_device_without_float64_never_needs_it(stateful, written, draw):
    x, reference, module = draw(9), written(), written()
    stateful.write(reference, x)
    with device_without_float64():
        move(module)
        assert {state.device.type for state in states(module).values()} == {"cpu"}
        stateful.write(module, to_device(x))
        read = stateful.read(module, to_device(x))
    assert read.device == DEVICE
    for name, state in states(module).items():
        assert_close(state, states(reference)[name], rtol=1e-5, atol=1e-6, msg=name)
    assert_near(unwrapped(read), stateful.read(reference, x))
