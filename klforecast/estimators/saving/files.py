"""One file for a fitted estimator: safetensors for the numbers, JSON for the rest, no code.

    metadata   format, format_version, class, versions, state (JSON), checksum
    tensors    named by their content

A file is written beside its place and then moved there, so a save that is killed leaves the old
file or none. It is read by a closed grammar (`grammar`): an estimator takes from it the arguments of
its constructor and its own attributes, each of its declared type, and a file names nothing that is
called. The SHA-256 over all of it finds damage; it does not say who wrote the file.

Versions 1 and 2 had the same form, with some parts under other names (`earlier_versions`).
"""

import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from klforecast.estimators.arguments import check_path
from klforecast.estimators.saving.earlier_versions import (
    from_version_1,
    from_version_2,
    with_learned_later,
)
from klforecast.estimators.saving.grammar import BROKEN, Field, attributes_of, parameters_of

FORMAT = "klforecast estimator"
FORMAT_VERSION = (
    3  # one more with every change of what is written; older ones are read by `earlier_versions`
)
_VERSIONS_OF = ("torch", "numpy", "pandas", "scikit-learn", "sktime")
_ZIP = b"PK\x03\x04"  # how a zip file starts
_LENGTH = 8  # bytes at the start of a file, the length of its header
_MOST_HEADER = 100_000_000  # bytes; safetensors reads no more, and so no more JSON and tensors
_NUMBERS = {"BOOL", "U8", "U16", "U32", "U64", "I8", "I16", "I32", "I64", "F16", "F32", "F64"}


class SavedEstimator:
    """Mixin: `save` and `load` for estimators that annotate what a fit leaves in them.

    A subclass annotates its fitted attributes in its class body: their names and types are what its
    files may hold. What must fit together it checks in `_check_state`.
    """

    def _check_state(self) -> None:
        """Raise a ValueError unless the attributes, as read from a file, fit together."""

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
        ValueError
            If the estimator has more series than one file can hold, some 25,000.
        OSError
            If the file cannot be written. What was there before is still there.
        """
        save_estimator(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike) -> Self:
        """Read an estimator that `save` has written; nothing in the file is executed.

        So a file from a stranger is safe to load: what it says is data of declared types, within
        bounds of size. Whether its numbers are good ones is another matter.

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
            If the file is damaged, is none of ours, holds an estimator of another class or
            anything that this class does not save, was written by a newer version, or is a zip file
            of sktime, which is a pickle: loading that executes code.
        OSError
            If the file cannot be read.
        """
        return load_estimator(cls, path)


def save_estimator(estimator: Any, path: str | os.PathLike) -> None:
    """Write an estimator into one file; see `SavedEstimator.save`."""
    # It knows every estimator, and with them sktime and skorch, which only a file needs.
    from klforecast.estimators.saving.codec import encode

    check_path(path)
    parts = parts_of(estimator)
    tensors: dict[str, Tensor] = {}
    name = type(estimator).__name__
    places = {"parameters": "", "fitted": f"{name}."}
    state = {
        part: {key: encode(value, tensors, places[part] + key) for key, value in values.items()}
        for part, values in parts.items()
    }
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "class": name,
        "versions": json.dumps({package: version(package) for package in _VERSIONS_OF}),
        "state": json.dumps(state, allow_nan=False),
    }
    metadata["checksum"] = _checksum(metadata, tensors)
    content = to_bytes(tensors, metadata)
    header = int.from_bytes(content[:_LENGTH], "little")
    if header > _MOST_HEADER:
        raise ValueError(
            f"this {name} takes {header} bytes of names and settings, and a file holds "
            f"{_MOST_HEADER}; fit fewer series at a time"
        )
    try:
        _made_of(type(estimator), state, tensors, len(content))
    except ValueError as error:
        raise TypeError(
            f"a file without code cannot hold this {name}, since it could not be loaded: {error}"
        ) from error
    write_atomically(Path(path), content)


def load_estimator(cls: type["SavedEstimator"], path: str | os.PathLike) -> Any:
    """Read an estimator of a class from a file; see `SavedEstimator.load`."""
    check_path(path)
    _refuse_pickle(path)
    metadata, tensors = _read_file(path)
    if metadata.get("format") != FORMAT:
        raise ValueError(f"{path} holds no {FORMAT}; pass a file that save has written")
    # A newer version may count its checksum otherwise, so it is named before that is asked.
    format_version = metadata.get("format_version", "")
    if re.fullmatch(r"\d{1,9}", format_version) and int(format_version) > FORMAT_VERSION:
        raise ValueError(
            f"{path} has format version {format_version}, and this version of klforecast reads "
            f"up to {FORMAT_VERSION}; update klforecast to load it"
        )
    if metadata.get("checksum") != _checksum(metadata, tensors):
        raise ValueError(f"{path} is damaged: its checksum does not match; save it again")
    if metadata.get("class") != cls.__name__:
        raise ValueError(
            f"{path} holds a {metadata.get('class')}, not a {cls.__name__}; load it with "
            f"{metadata.get('class')}.load"
        )
    try:
        state = _parsed(metadata.get("state", ""))
        if format_version == "1":
            state = from_version_1(state)
        if format_version in ("1", "2"):
            state = from_version_2(state)
        state = with_learned_later(state)
        return _made_of(cls, state, tensors, os.path.getsize(path))
    except ValueError as error:
        raise ValueError(
            f"{path} (format version {format_version}) is refused, because no saved "
            f"{cls.__name__} is like this: {error}. Nothing of it was used"
        ) from error


def _refuse_pickle(path: str | os.PathLike) -> None:
    """Raise for the zip files of sktime, and name one where a file is missed."""
    beside = Path(f"{os.fspath(path)}.zip")
    if not os.path.exists(path) and beside.exists():
        raise FileNotFoundError(
            f"there is no {path}, but {beside}: a name without an ending has made save write sktime's "
            "own zip, a pickle. Save under a name with an ending, such as .safetensors, for load"
        )
    with open(path, "rb") as file:
        start = file.read(_LENGTH)
    # The second half of a length that safetensors reads is zero.
    if not start.startswith(_ZIP) or start[len(_ZIP) :] == bytes(len(_ZIP)):
        return
    raise ValueError(
        f"{path} is a zip file, as sktime writes it: a pickle, which executes code when it is "
        "loaded. If you trust who wrote it, pass its path to sktime.base.load; for load, save under "
        "a name with another ending, such as .safetensors"
    )


def _read_file(path: str | os.PathLike) -> tuple[dict[str, str], dict[str, Tensor]]:
    """Metadata and tensors of a file, of no more than it holds."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata, names = file.metadata() or {}, list(file.keys())
            strange = {file.get_slice(name).get_dtype() for name in names} - _NUMBERS
            if strange:
                raise ValueError(f"{path} holds numbers of the types {strange}; save writes none")
            return metadata, {name: file.get_tensor(name) for name in names}
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged or not a file that save has written ({error}); save the estimator "
            "again"
        ) from error


def _parsed(text: str) -> Any:
    def refuse(number: str) -> NoReturn:
        raise ValueError(f"its JSON has the number {number}")

    try:
        state = json.loads(text, parse_constant=refuse)
    except RecursionError as error:
        raise ValueError("its JSON has too many values inside each other") from error
    parts = ("parameters", "fitted")
    if not isinstance(state, dict) or state.keys() != set(parts):
        raise ValueError(f"its JSON does not consist of {' and '.join(parts)}")
    if not all(isinstance(state[part], dict) for part in parts):
        raise ValueError(f"its {' and '.join(parts)} are not both given by name")
    return state


def _made_of(cls: Any, state: Mapping[str, Any], tensors: Mapping[str, Tensor], size: int) -> Any:
    """The estimator that a state describes; a ValueError if it is no state of that class."""
    # It knows every estimator, and with them sktime and skorch, which only a file needs.
    from klforecast.estimators.saving.codec import reader

    read = reader(tensors, size)
    parts = {
        part: read.read_parts(fields, state[part], cls.__name__)
        for part, fields in fields_of(cls).items()
    }
    try:
        return assemble(cls, **parts)
    except BROKEN as error:
        raise ValueError(f"its parts do not fit together: {error}") from error


def fields_of(cls: Any) -> dict[str, dict[str, Field]]:
    """What a file may hold of a class: arguments of its constructor, and attributes beside them."""
    parameters = parameters_of(cls.__init__)
    attributes = attributes_of(cls).items()
    return {
        "parameters": parameters,
        "fitted": {name: field for name, field in attributes if name not in parameters},
    }


def parts_of(estimator: Any) -> dict[str, dict[str, Any]]:
    """Arguments of an estimator and its attributes beside them, as `fields_of` its class declares."""
    names = parameters_of(type(estimator).__init__)
    held = vars(estimator).items()
    return {
        "parameters": {name: getattr(estimator, name) for name in names},
        "fitted": {name: value for name, value in held if name not in names},
    }


def assemble(cls: Any, parameters: Mapping[str, Any], fitted: Mapping[str, Any]) -> Any:
    """The estimator of such parts; raises if they do not fit together."""
    estimator = cls(**parameters)
    vars(estimator).update(fitted)
    estimator._check_state()
    return estimator


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file so that at any time its place holds the old one or the whole new one.

    Parameters
    ----------
    path : Path
        Where the file belongs; its folder exists.
    content : bytes
        What it holds.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"there is no folder {str(path.parent)!r} for {path.name}; make it, or name another one"
        )
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
