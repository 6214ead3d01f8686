"""A file with names and options of an attacker's choosing is refused before anything is called."""

import pickle
import re
from pathlib import Path

import pytest
import torch

from klforecast import KarhunenLoeve, KLMemoryDetector, KLMemoryForecaster

TINY = {"horizon": 2, "input_length": 4, "memory_depth": 8, "period": 1, "n_components": 2}


class Touch:
    """A pickle that writes a file when it is loaded."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def net_of(crafted, module, **arguments):
    """An encoder net whose module is any attribute of torch, with arguments for it."""
    options = crafted.as_dict(
        module=crafted.as_record("dtype", name=module),
        device="cpu",
        **{f"module__{name}": value for name, value in arguments.items()},
    )
    return crafted.as_record(
        "EncoderNet", options=options, core=None, weights=crafted.as_dict(), history=[]
    )


@pytest.fixture
def attacks(crafted, tmp_path):
    """Nets that run a command and overwrite a file, and what tells whether they did."""
    marker, victim, poison = (tmp_path / name for name in ("marker", "victim", "poison"))
    victim.write_bytes(b"precious")
    poison.write_bytes(b"")
    torch.save(Touch(marker), poison)
    assert pickle.loads(pickle.dumps(Touch(tmp_path / "works"))) is None
    assert (tmp_path / "works").exists()
    nets = {
        "command": net_of(crafted, "load", f=str(poison), weights_only=False),
        "overwriting": net_of(crafted, "save", obj=1, f=str(victim)),
    }
    return nets, lambda: not marker.exists() and victim.read_bytes() == b"precious"


@pytest.fixture
def forecaster_parts(crafted, tmp_path, hourly):
    path = tmp_path / "model.safetensors"
    KLMemoryForecaster(**TINY).fit(hourly[:60]).save(path)
    return path, *crafted.read_parts(path)


@pytest.mark.parametrize("kind", ["command", "overwriting"])
def test_a_net_of_the_files_own_choosing_is_not_made(kind, attacks, forecaster_parts, crafted):
    nets, unharmed = attacks
    path, state, tensors, name = forecaster_parts
    state["fitted"]["net_"] = nets[kind]
    crafted.write_parts(path, state, tensors, name)
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        KLMemoryForecaster.load(path)
    assert unharmed()
    assert re.search("options", str(refusal.value))


@pytest.mark.parametrize("kind", ["command", "overwriting"])
def test_an_estimator_without_a_net_takes_none_from_a_file(kind, attacks, tmp_path, crafted):
    nets, unharmed = attacks
    for part in ("fitted", "parameters"):
        state = {"parameters": {}, "fitted": {}}
        state[part] = {"net_" if part == "fitted" else "n_components": nets[kind]}
        crafted.write_parts(tmp_path / "modes", state, {}, "KarhunenLoeve")
        with pytest.raises(ValueError) as refusal:  # noqa: PT011
            KarhunenLoeve.load(tmp_path / "modes")
        assert unharmed()
        assert re.search("net_|n_components", str(refusal.value))


@pytest.mark.parametrize("kind", ["command", "overwriting"])
@pytest.mark.parametrize(
    "place", ["in a list", "in a dict", "in a record", "in an index", "in a net"]
)
def test_a_net_inside_another_value_is_not_made(kind, place, attacks, forecaster_parts, crafted):
    nets, unharmed = attacks
    path, state, tensors, name = forecaster_parts
    fitted, net = state["fitted"], nets[kind]
    if place == "in a list":
        fitted["_rows"]["index_names"] = [net]
    elif place == "in a dict":
        fitted["_y_metadata"] = crafted.as_dict(mtype=net)
    elif place == "in a record":
        fitted["_rows"]["series"]["values"][0]["revision"] = net
    elif place == "in an index":
        fitted["_rows"]["columns"] = crafted.as_record(
            "Index", items=[net], dtype="object", label=None
        )
    else:
        fitted["net_"]["history"] = [crafted.as_dict(epoch=net)]
    crafted.write_parts(path, state, tensors, name)
    with pytest.raises(ValueError) as refusal:  # noqa: PT011
        KLMemoryForecaster.load(path)
    assert unharmed()
    assert re.search("EncoderNet", str(refusal.value))


@pytest.mark.parametrize("kind", ["command", "overwriting"])
def test_a_forecaster_inside_another_estimator_has_no_net_of_the_files_own_choosing(
    kind, attacks, forecaster_parts, crafted, tmp_path
):
    nets, unharmed = attacks
    _, state, tensors, _ = forecaster_parts
    parameters, fitted = (crafted.as_dict(**state[part]) for part in ("parameters", "fitted"))
    place = fitted["keys"].index("net_")
    inside = crafted.as_record("KLMemoryForecaster", parameters=parameters, fitted=fitted)
    whole = {"parameters": {"forecaster": inside}, "fitted": {}}
    crafted.write_parts(tmp_path / "d", whole, tensors, "KLMemoryDetector")
    assert KLMemoryDetector.load(tmp_path / "d").forecaster.is_fitted
    fitted["values"][place] = nets[kind]
    crafted.write_parts(tmp_path / "d", whole, tensors, "KLMemoryDetector")
    with pytest.raises(ValueError, match=re.escape("net_.options")):
        KLMemoryDetector.load(tmp_path / "d")
    assert unharmed()
