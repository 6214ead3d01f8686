import threading
from functools import partial
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
import torch

from klforecast.evaluation.leakage.state import changed_parts, state_hash, state_of


class Held:
    __slots__ = ("slot",)
    shared: ClassVar[list] = [0.0]

    def __init__(self):
        self.slot = np.zeros(2)


def counter():
    seen = []
    return lambda: seen.append(1)


def closure():
    call = counter()
    return SimpleNamespace(call=call), call


def holder():
    held = Held()
    return held, lambda: held.slot.__setitem__(0, 1.0)


def class_attribute():
    held = Held()
    return held, lambda: Held.shared.append(1.0)


def module():
    layer = torch.nn.BatchNorm1d(2).train()
    return {"net": [layer]}, lambda: layer(torch.randn(8, 2))


def unregistered_buffer():
    layer = torch.nn.Linear(2, 2)
    layer.register_buffer("memory", torch.zeros(3), persistent=False)
    return layer, lambda: layer.memory.add_(1)


def frame():
    frame = pd.DataFrame({"a": [1.0, 2.0]})
    return (frame,), lambda: frame.__setitem__("a", [1.0, 3.0])


def index():
    series = pd.Series([1.0], [0])
    return series, lambda: setattr(series, "index", pd.Index([1]))


def generator():
    rng = np.random.default_rng(0)
    return partial(print, rng), rng.random


def torch_generator():
    rng = torch.Generator()
    return [rng], lambda: torch.rand(1, generator=rng)


def legacy_generator():
    rng = np.random.RandomState(0)
    return {"rng": rng}, rng.rand


def objects():
    array = np.array([{1, 2}, None], dtype=object)
    return array, lambda: array[0].add(3)


@pytest.mark.parametrize(
    "make",
    [
        closure, holder, class_attribute, module, unregistered_buffer, frame, index, generator,
        torch_generator, legacy_generator, objects,
    ],
)  # fmt: skip
def test_a_write_anywhere_changes_the_hash(make):
    held, write = make()
    before = state_hash(held)
    assert state_hash(held) == before
    write()
    assert state_hash(held) != before


def test_the_part_that_changed_is_named():
    held = {"net": SimpleNamespace(memory=torch.zeros(2), weight=torch.ones(2))}
    before = state_of(held)
    held["net"].memory += 1
    assert changed_parts(before, state_of(held)) == ["['net'].memory"]


def test_cycles_and_things_that_cannot_be_read_are_walked_past():
    held = {"lock": threading.Lock(), "module": np}
    held["self"] = held
    assert state_hash(held) == state_hash(held)


def test_shape_and_type_belong_to_the_state():
    zeros = [np.zeros(4), np.zeros((2, 2)), np.zeros(4, dtype=np.int64), torch.zeros(4)]
    assert len({state_hash(array) for array in zeros}) == len(zeros)
