"""One file for a fitted estimator: safetensors for the numbers, JSON for the rest, no code.

    metadata   format, format_version, class, versions, state (JSON), checksum
    tensors    named by their content

A file is written beside its place and then moved there, so a save that is killed leaves the old
file or none. It is read through a closed list of types (`codec`), so loading runs no code, and
checked against a SHA-256 over everything in it.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from klforecast.estimators.saving.codec import decode, encode

FORMAT = "klforecast estimator"
FORMAT_VERSION = 1
_VERSIONS_OF = ("torch", "numpy", "pandas", "scikit-learn", "sktime")


class SavedEstimator:
    """Mixin: `save` and `load` for estimators whose state is in the list of `codec`."""

    def save(self, path: str | os.PathLike) -> None:
        """Write the estimator, fitted or not, into one file.

        Parameters
        ----------
        path : str or path
            The file; one that is there is replaced, in one step, when the new one is complete.

        Raises
        ------
        TypeError
            If a parameter is of a type that a file without code cannot hold, such as a callback.
        OSError
            If the file cannot be written. What was there before is still there.
        """
        save_estimator(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read an estimator that `save` has written; nothing in the file is executed.

        Parameters
        ----------
        path : str or path
            The file.

        Returns
        -------
        estimator
            Predicts the same numbers, bit by bit, and can be updated.

        Raises
        ------
        ValueError
            If the file is damaged, is none of ours, holds an estimator of another class, or was
            written by a newer version.
        OSError
            If the file cannot be read.
        """
        return load_estimator(cls, path)


def save_estimator(estimator: Any, path: str | os.PathLike) -> None:
    """Write an estimator into one file; see `SavedEstimator.save`."""
    parameters = estimator.get_params(deep=False)
    fitted = {name: value for name, value in vars(estimator).items() if name not in parameters}
    tensors: dict[str, Tensor] = {}
    name = type(estimator).__name__
    state = {
        "parameters": {key: encode(value, tensors, key) for key, value in parameters.items()},
        "fitted": {key: encode(value, tensors, f"{name}.{key}") for key, value in fitted.items()},
    }
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "class": name,
        "versions": json.dumps({package: version(package) for package in _VERSIONS_OF}),
        "state": json.dumps(state, allow_nan=False),
    }
    metadata["checksum"] = _checksum(metadata, tensors)
    write_atomically(Path(path), to_bytes(tensors, metadata))


def load_estimator(cls: type, path: str | os.PathLike) -> Any:
    """Read an estimator of a class from a file; see `SavedEstimator.load`."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged or not a file that save has written ({error}); save the estimator "
            "again"
        ) from error
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} holds no {FORMAT}; pass a file that save has written")
    # A newer version may count its checksum otherwise, so it is named before that is asked.
    format_version = metadata.get("format_version", "")
    if format_version.isdecimal() and int(format_version) > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {format_version}, and this version of klforecast reads "
            f"up to {FORMAT_VERSION}; update klforecast to load it"
        )
    if metadata.get("checksum") != _checksum(metadata, tensors):
        raise ValueError(f"{path} is damaged: its checksum does not match; save it again")
    if metadata["class"] != cls.__name__:
        raise ValueError(
            f"{path} holds a {metadata['class']}, not a {cls.__name__}; load it with "
            f"{metadata['class']}.load"
        )
    state = json.loads(metadata["state"])
    estimator = cls(**{key: decode(tree, tensors) for key, tree in state["parameters"].items()})
    vars(estimator).update({key: decode(tree, tensors) for key, tree in state["fitted"].items()})
    return estimator


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any time its place holds the old one or the whole new one.

    Parameters
    ----------
    path : Path
        Where the file belongs; its folder exists.
    content : bytes
        What it holds.
    """
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(unfinished, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _checksum(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> str:
    summary = hashlib.sha256()
    for name in sorted(metadata.keys() - {"checksum"}):
        summary.update(f"{name}={metadata[name]};".encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        summary.update(f"{name}:{tensor.dtype}{tuple(tensor.shape)};".encode())
        summary.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return summary.hexdigest()
