"""What holds for every module is asked of every module: a new one joins the lists, or fails here."""

import copy
import importlib
import inspect
import pkgutil

import pytest
from torch import nn
from torch.testing import assert_close

import klforecast
from klforecast.classify.solved_net import FeaturesAndHead
from klforecast.modules.affine_forecast import AffineForecast
from klforecast.modules.encoders import ENCODERS, Sizes, build_encoder
from klforecast.modules.states import StatefulModule
from tests.modules.conftest import STATEFUL
from tests.modules.test_bad_writes import WRITTEN
from tests.modules.test_lengths_and_batches import ON_SEQUENCES, ON_TOKENS, ON_WINDOWS, solved_head
from tests.modules.test_mixed_precision import MODULES


def of_the_package() -> set[type[nn.Module]]:
    """Every module class of all layers, but for what is measured beside them."""
    found = set()
    for place in pkgutil.walk_packages(klforecast.__path__, "klforecast."):
        if place.name.startswith(("klforecast.evaluation", "klforecast.commands")):
            continue
        for thing in vars(importlib.import_module(place.name)).values():
            if inspect.isclass(thing) and issubclass(thing, nn.Module):
                found.add(thing)
    return {kind for kind in found if kind.__module__.startswith("klforecast.")}


def within(modules) -> set[type[nn.Module]]:
    """Classes of modules and of all their parts, with the bases that these stand for."""
    return {
        base
        for module in modules
        for part in module.modules()
        for base in type(part).__mro__
        if issubclass(base, nn.Module)
    }


def encoders():
    options = {"memory_tokens": 2, "d_model": 8, "n_layers": 1, "n_heads": 2, "patch_length": 4}
    return [build_encoder(name, Sizes(7, 3, 24, period=6, **options)) for name in ENCODERS]


def stateful():
    return [case.build() for case in STATEFUL.values()]


def test_every_module_with_states_is_written_and_read_by_the_tests_of_states():
    states = {kind for kind in of_the_package() if issubclass(kind, StatefulModule)}
    assert len(states) > 4
    assert states <= within(stateful())


def test_every_module_with_states_meets_bad_writes():
    states = {kind for kind in of_the_package() if issubclass(kind, StatefulModule)}
    assert states <= within([STATEFUL[name].build() for name in WRITTEN])


@pytest.mark.parametrize("stateful", [n for n in STATEFUL if n != "activation"], indirect=True)
def test_no_module_but_the_activation_writes_in_a_forward_pass(stateful, written, draw):
    # So that a pass that is run once more, as under activation checkpointing, reads the same.
    module = written().train()
    before = copy.deepcopy(module.state_dict())
    stateful.read(module, draw(9))
    assert_close(module.state_dict(), before, rtol=0, atol=0)


def test_only_modules_with_states_write_their_buffers():
    # Rates of forgetting, which modes are kept, and those of a solved core.
    constant = {"log_keep", "kept", "modes"}
    for module in [*stateful(), *(build() for build, _ in MODULES.values())]:
        for part in module.modules():
            own = set(part._buffers) - set(getattr(part, "_states", ()))
            if type(part).__module__.startswith("klforecast."):
                assert own <= constant, type(part)


def test_every_module_is_cast_by_the_tests_of_precision():
    cast = within([*stateful(), *(build() for build, _ in MODULES.values())])
    # Written to files in float64, and never trained; fixed features under a head in float64.
    assert of_the_package() - cast == {AffineForecast, FeaturesAndHead}


def test_every_module_meets_an_empty_batch_and_a_length_of_zero():
    built = [build() for build, _ in ON_SEQUENCES.values()]
    met = within([*built, *ON_TOKENS, *ON_WINDOWS, solved_head(), *stateful(), *encoders()])
    assert of_the_package() - met == set()


MASKED = {
    *("SpectralSSM", "SpectralBlock", "SpectralLayer", "Resolutions", "RotaryAttention"),
    *("SequencePredictor", "LanguageModel", "PairPredictor"),
}
"""Modules with a mask, all of them in `tests/modules/ssm/test_padding.py`."""


def test_every_module_with_a_mask_is_known():
    with_mask = {
        kind.__name__
        for kind in of_the_package()
        if "mask" in inspect.signature(kind.forward).parameters
    }
    assert with_mask == MASKED
