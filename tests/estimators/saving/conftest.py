"""Files as an attacker writes them: any state, under a header and a checksum that are in order."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes

from klforecast.estimators.saving import files


def read_parts(path):
    """State and tensors of a file, and its class."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    return json.loads(metadata["state"]), load_file(path), metadata["class"]


def write_parts(path, state, tensors, name, version=files.FORMAT_VERSION):
    """A file that differs from those of `save` in nothing but its state."""
    metadata = {
        "format": files.FORMAT,
        "format_version": str(version),
        "class": name,
        "versions": "{}",
        "state": state if isinstance(state, str) else json.dumps(state),
    }
    metadata["checksum"] = files._checksum(metadata, tensors)
    Path(path).write_bytes(to_bytes(tensors, metadata))


def as_dict(**items):
    """A dict as `encode` writes it."""
    return {"$": "dict", "keys": list(items), "values": list(items.values())}


def as_record(tag, /, **fields):
    """A record as `encode` writes it."""
    return {"$": tag, **fields}


@pytest.fixture(scope="session")
def crafted():
    """The functions above, by name."""
    return SimpleNamespace(
        read_parts=read_parts, write_parts=write_parts, as_dict=as_dict, as_record=as_record
    )
