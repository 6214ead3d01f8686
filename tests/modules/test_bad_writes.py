"""What cannot be remembered is refused, and leaves a memory as it was."""

import copy

import pytest
import torch
from torch.testing import assert_close

from klforecast.modules import KLActivation
from tests.modules.conftest import STATEFUL

MEMORIES = [name for name in STATEFUL if name.startswith("memory-")]
WRITTEN = [*MEMORIES, "activation", "olinear"]


# Spectra and directions have no squares to overflow, and a kernel over histories reads no data.
WITHOUT_SQUARES = [
    STATEFUL[name]
    for name in (
        "memory-history-feature-exact",
        "memory-history-feature-online",
        "memory-history-kernel-exact",
    )
]


def spoiled(x, value):
    x = x.clone()
    x[1, ..., 0][::2] = value
    x[1, ..., 0][1::2] = -value  # neither centring nor a writer that chooses takes both away
    return x


BAD = {
    "nan": lambda x: spoiled(x, torch.nan),
    "infinite": lambda x: spoiled(x, torch.inf),
    "overflowing": lambda x: spoiled(x.double(), 1e200),
}


@pytest.mark.parametrize("stateful", WRITTEN, indirect=True)
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("empty", [True, False])
def test_one_bad_write_changes_nothing(stateful, written, draw, bad, empty):
    module = written() if not empty else stateful.build().eval()
    before, twin = copy.deepcopy(module.state_dict()), copy.deepcopy(module)
    if bad == "overflowing" and stateful in WITHOUT_SQUARES:
        stateful.write(module, BAD[bad](draw(5)))
        assert all(state.isfinite().all() for state in module.state_dict().values())
        return
    with pytest.raises(ValueError, match=r"^(the |got rows as large as)"):
        stateful.write(module, BAD[bad](draw(5)))
    assert_close(module.state_dict(), before, rtol=0, atol=0)
    for seed in range(6, 31):
        stateful.write(module, draw(seed))
        stateful.write(twin, draw(seed))
    assert_close(module.state_dict(), twin.state_dict(), rtol=0, atol=0)
    assert stateful.read(module, draw(9)).isfinite().all()


@pytest.mark.parametrize("stateful", WRITTEN, indirect=True)
@pytest.mark.parametrize("empty", [True, False])
def test_a_batch_of_nothing_writes_nothing(stateful, written, draw, empty):
    module = written() if not empty else stateful.build().eval()
    before, twin = copy.deepcopy(module.state_dict()), copy.deepcopy(module)
    stateful.write(module, draw(5)[:0])
    assert_close(module.state_dict(), before, rtol=0, atol=0)
    stateful.write(module, draw(6))
    stateful.write(twin, draw(6))
    assert_close(module.state_dict(), twin.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("stateful", MEMORIES, indirect=True)
@pytest.mark.parametrize("shape", [(6, 12, 4), (6, 12), (12, 5), (6, 1, 12, 5), (6, 0, 5)])
def test_states_of_another_shape_are_not_written(stateful, written, shape):
    memory = written()
    before = copy.deepcopy(memory.state_dict())
    with pytest.raises(ValueError, match=r"got (states|histories|sequences) of (shape|length)"):
        memory.append(torch.randn(shape))
    assert_close(memory.state_dict(), before, rtol=0, atol=0)


def test_a_history_of_another_depth_is_not_written():
    memory = STATEFUL["memory-history-empirical-exact"].build()
    with pytest.raises(ValueError, match=r"shape \(6, 11, 5\); pass \(n, 12, features\)"):
        memory.append(torch.randn(6, 11, 5))


def test_training_on_nan_leaves_the_activation_as_it_was():
    activation = KLActivation(4, 2).train()
    activation(torch.randn(20, 4))
    before = copy.deepcopy(activation.state_dict())
    with pytest.raises(ValueError, match="the new rows has 4 NaN"):
        activation(torch.full((1, 4), torch.nan))
    assert_close(activation.state_dict(), before, rtol=0, atol=0)
