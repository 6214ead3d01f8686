"""Modules with states, built, written and read in one way, for tests that hold for all of them."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from klforecast.modules import DualLane, ForecastModule, KLActivation, KLMemory, with_memory
from klforecast.modules.encoders import Sizes, build_encoder

D, DEPTH, STATE = 8, 12, 5


class Stateful(NamedTuple):
    """A module that gathers states, and how it is written and read with one batch."""

    build: Callable[[], nn.Module]
    write: Callable[[nn.Module, Tensor], object]
    read: Callable[[nn.Module, Tensor], Tensor]
    shape: tuple[int, ...]  # of a batch


def _memory(**options):
    sizes = {"memory_depth": DEPTH, "n_components": 3, "memory_tokens": 2, "state_size": STATE}
    return Stateful(
        lambda: KLMemory(D, **sizes, **options),
        lambda memory, states: memory.append(states),
        lambda memory, states: memory(states),
        (6, DEPTH, STATE),
    )


def _encoder(name):
    return Stateful(
        lambda: build_encoder(name, Sizes(7, 2, 24, d_model=D, n_layers=1)),
        lambda encoder, window: encoder.absorb(window, window[..., -7:]),
        lambda encoder, window: encoder(window).forecast,
        (6, 2, 24),
    )


def _forecast(memory):
    def write(module, past):
        module.absorb(past, past[:, -7:])
        states = module.histories(past) if module.history_length else module.parts(past).encoded
        module.memory.append(states)

    return Stateful(
        lambda: ForecastModule(
            7, 2, input_length=24, memory=memory, memory_depth=72, row_length=12, d_model=D
        ),
        write,
        lambda module, past: module(past),
        (6, 72, 2),
    )


def _backbone(how):
    return Stateful(
        lambda: with_memory(
            nn.GRU(D, D, batch_first=True), D, how=how, memory_depth=DEPTH, n_components=3
        ),
        lambda model, x: model.memory.append(x),
        lambda model, x: model(x, x),
        (6, DEPTH, D),
    )


STATEFUL = {
    **{
        f"memory-{source}-{strategy}-{solver}": _memory(
            source=source, strategy=strategy, solver=solver
        )
        for source in ("history", "trajectory")
        for strategy in ("empirical", "feature", "kernel")
        for solver in ("exact", "online")
        if solver == "exact"
        or (source, strategy)
        in {
            ("history", "empirical"),
            ("history", "feature"),
            ("trajectory", "empirical"),
        }
    },
    **{
        f"memory-history-empirical-exact-{mixer}": _memory(token_mixer=mixer)
        for mixer in ("dense", "bottleneck")
    },
    "activation": Stateful(
        lambda: KLActivation(D, 3),
        lambda activation, x: activation.append(x),
        lambda activation, x: activation(x),
        (6, 4, D),
    ),
    **{f"backbone-{how}": _backbone(how) for how in ("prepend", "add", "cross-attend")},
    "dual-lane": Stateful(
        lambda: DualLane(
            nn.GRU(D, D, batch_first=True),
            nn.GRU(D, D, batch_first=True),
            KLMemory(D, source="trajectory", memory_depth=DEPTH, n_components=3),
        ),
        lambda model, x: model.memory.append(x),
        lambda model, x: model(x),
        (6, DEPTH, D),
    ),
    "olinear": _encoder("olinear"),
    "forecast-history": _forecast("history"),
    "forecast-trajectory": _forecast("trajectory"),
}


@pytest.fixture(params=STATEFUL)
def stateful(request) -> Stateful:
    return STATEFUL[request.param]


@pytest.fixture
def draw(stateful) -> Callable[..., Tensor]:
    """A batch for the module of `stateful`."""

    def drawn(seed: int = 0, n: int | None = None) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        shape = stateful.shape if n is None else (n, *stateful.shape[1:])
        return torch.randn(shape, generator=generator, dtype=torch.float64).float()

    return drawn


@pytest.fixture
def written(stateful, draw) -> Callable[[], nn.Module]:
    """The module of `stateful` with learned weights and three batches of states, in evaluation."""

    def build() -> nn.Module:
        torch.manual_seed(0)
        module = stateful.build().eval()
        for weights in module.parameters():
            weights.data += 0.1 * torch.randn_like(weights)
        for seed in range(3):
            stateful.write(module, draw(seed))
        return module

    return build
