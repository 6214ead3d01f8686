"""Everything that an object holds, as numbers that can be compared: its deep state.

    leaves        every array, tensor, number, text and generator reached from an object, by path
    state_of      path -> digest of the leaf
    state_hash    one digest of the whole state

The comparison in sktime's and scikit-learn's own suites is of a shallow copy of `__dict__`, which
misses a tensor written in place and everything below the first level.

Left out  what lives outside the object and its functions: other modules, files; and what cannot be read: locks,
          open files, objects of C code that do not pickle (their type is the leaf).
"""

import hashlib
import logging
import random
import re
import sys
import types
from collections import deque
from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from sktime.forecasting.base import ForecastingHorizon

STAMPS = (pd.Index, pd.Period, pd.Timestamp, pd.Timedelta, pd.offsets.BaseOffset)
HUNG = "@"
"""Stands in a path before what hangs on an index, a horizon or a frame; copies lose it."""

_PLAIN = (str, bytes, int, float, complex, bool, types.NoneType, np.generic, *STAMPS)
_NAMED = (type, types.ModuleType, types.BuiltinFunctionType)
_INSTALLED = re.compile(r"[/\\](site|dist)-packages[/\\]")
_CONTAINERS = (dict, list, set, deque, np.ndarray, torch.Tensor, pd.DataFrame, pd.Series)
# What pandas itself keeps in an index; all else was hung on it.
_OF_PANDAS = {
    "_range",
    "_data",
    "_name",
    "_names",
    "_cache",
    "_id",
    "_references",
    "_reset_identity",
}
_OF_PANDAS |= {"_levels", "_codes", "_freq", "sortorder", "_no_setting_name", "_comparables"}
_OF_FRAME = {"_mgr", "_attrs", "_flags", "_item_cache", "_name", "_hidden_attrs", "_metadata"}
# What sktime's horizon is made of. That of the last forecast is kept by the forecaster, and is no
# state of the model; what hangs on it is.
_OF_HORIZON = {"_values", "_is_relative", "_freq"}


def state_hash(obj: Any) -> str:
    """Return one digest of all that `obj` holds, at any depth; a write in place changes it.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> before = state_hash(layer)
    >>> with torch.no_grad():
    ...     _ = layer.weight.add_(1)
    >>> state_hash(layer) == before
    False
    """
    digest = hashlib.blake2b(digest_size=16)
    for path, part in sorted(state_of(obj).items()):
        digest.update(f"{path}={part};".encode())
    return digest.hexdigest()


def state_of(obj: Any) -> dict[str, str]:
    """Return a digest of each part of `obj`, by the path that leads to it.

    Examples
    --------
    >>> sorted(state_of({"weights": [1.0, 2.0]}))
    ["['weights'][0]", "['weights'][1]"]
    """
    return {path: _digest(leaf) for path, leaf in leaves(obj)}


def changed_parts(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the paths that are in one of two states only, or have another digest in the other."""
    return sorted(
        path for path in before.keys() | after.keys() if before.get(path) != after.get(path)
    )


def leaves(root: Any) -> Iterator[tuple[str, Any]]:
    """Walk over everything reached from `root` and yield (path, leaf); each object once.

    A leaf is an ndarray, an Index, or something whose `repr` says what it is. What instances share is
    walked too: mutable attributes of classes, and the attributes, defaults and global containers of
    functions that are no installed package's.
    """
    seen: dict[int, Any] = {}  # keeps what was walked alive, so that no id is used twice
    stack: list[tuple[str, Any]] = [("", root)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, pd.Index):
            hung = {name: item for name, item in vars(value).items() if name not in _OF_PANDAS}
            stack.extend((f"{path}{HUNG}{name}", item) for name, item in hung.items())
        if isinstance(value, _PLAIN):
            yield path, value
            continue
        if id(value) in seen:
            continue
        seen[id(value)] = value
        leaf = _as_leaf(value)
        if leaf is not None:
            yield path, leaf
            if isinstance(value, type) and not _is_of_library(value):
                stack.extend(_kept_by_class(path, value))
            continue
        children = list(_children(path, value))
        if not children:
            yield path, type(value).__qualname__
        stack.extend(reversed(children))


def _as_leaf(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        dense = value.detach().cpu()
        dense = dense.to_dense() if dense.layout is not torch.strided else dense
        return dense.float().numpy() if dense.dtype is torch.bfloat16 else dense.numpy()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value
    if isinstance(value, torch.Generator):
        return value.get_state().numpy()
    if isinstance(value, _NAMED):
        return f"{type(value).__name__}:{getattr(value, '__qualname__', None) or value.__name__}"
    if isinstance(value, logging.Logger):  # leads to every logger of the process
        return value.name
    return None


def _children(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{path}[{key!r}]", item
    elif isinstance(value, list | tuple | deque):
        for position, item in enumerate(value):
            yield f"{path}[{position}]", item
    elif isinstance(value, set | frozenset):
        yield f"{path}{{}}", repr(sorted(map(repr, value)))
    elif isinstance(value, np.ndarray):
        for position, item in enumerate(value.ravel()):
            yield f"{path}[{position}]", item
    elif isinstance(value, pd.Series | pd.DataFrame):
        if value.attrs:
            yield f"{path}.attrs", value.attrs
        for name, item in vars(value).items():
            if name not in _OF_FRAME:
                yield f"{path}{HUNG}{name}", item
        yield f"{path}.index", value.index
        yield f"{path}.values", value.to_numpy()
        if isinstance(value, pd.DataFrame):
            yield f"{path}.columns", value.columns
    elif isinstance(value, np.random.RandomState):
        yield f"{path}.state", value.get_state()
    elif isinstance(value, random.Random):
        yield f"{path}.state", value.getstate()
    elif isinstance(value, partial):
        yield f"{path}.func", value.func
        yield f"{path}.args", (value.args, value.keywords)
    elif isinstance(value, types.MethodType):
        yield f"{path}.function", value.__func__
        yield f"{path}.self", value.__self__
    elif isinstance(value, types.FunctionType):
        yield f"{path}.name", f"{value.__module__}.{value.__qualname__}"
        for position, cell in enumerate(value.__closure__ or ()):
            yield f"{path}.closure[{position}]", cell.cell_contents
        yield from _kept_by(path, value)
    elif isinstance(value, ForecastingHorizon):
        for name, item in vars(value).items():
            if name not in _OF_HORIZON:
                yield f"{path}{HUNG}{name}", item
    else:
        yield from _attributes(path, value)


def _attributes(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    kind = type(value)
    slots = [name for cls in kind.__mro__ for name in _slots_of(cls)]
    held = dict(getattr(value, "__dict__", {}))
    held |= {name: getattr(value, name) for name in slots if hasattr(value, name)}
    for name, item in held.items():
        yield f"{path}.{name}", item
    for cls in kind.__mro__:
        yield f"{path}.<{cls.__name__}>", cls
    if not held:
        yield from _pickled(path, value)


def _kept_by_class(path: str, cls: type) -> Iterator[tuple[str, Any]]:
    """What a class keeps for all instances, in its attributes and in those of its functions."""
    for name, item in vars(cls).items():
        where = f"{path}.{name}"
        if isinstance(item, _CONTAINERS) and not name.startswith("__"):
            yield where, item
        function = getattr(item, "__func__", getattr(item, "fget", item))
        if isinstance(function, types.FunctionType):
            yield from _kept_by(where, function)


def _kept_by(path: str, function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function keeps from call to call: attributes, defaults, and globals that it names."""
    for name, item in vars(function).items():
        if name != "__wrapped__":
            yield f"{path}.{name}", item
    for position, item in enumerate(function.__defaults__ or ()):
        if isinstance(item, _CONTAINERS):
            yield f"{path}.default[{position}]", item
    for name in function.__code__.co_names:
        item = function.__globals__.get(name)
        named = isinstance(item, type | types.FunctionType)
        if isinstance(item, _CONTAINERS) or not _is_of_library(item if named else type(item)):
            yield f"<{function.__module__}>.{name}", item


def _is_of_library(item: Any) -> bool:
    """Whether a class or function is Python's own or of an installed package."""
    top = (item.__module__ or "builtins").partition(".")[0]
    return top != "__main__" and _is_library(top)


@cache
def _is_library(top: str) -> bool:
    file = getattr(sys.modules.get(top), "__file__", None)
    return top in sys.stdlib_module_names or (
        file is not None and _INSTALLED.search(file) is not None
    )


def _slots_of(cls: type) -> tuple[str, ...]:
    slots = vars(cls).get("__slots__", ())
    names = (slots,) if isinstance(slots, str) else tuple(slots)
    return tuple(name for name in names if name not in ("__dict__", "__weakref__"))


def _pickled(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    try:
        reduced = value.__reduce_ex__(4)
    except TypeError:  # a lock, an open file: nothing that could be read
        reduced = None
    if isinstance(reduced, tuple):
        yield f"{path}.<pickle>", [part for part in reduced if not isinstance(part, Iterator)]


def _digest(leaf: Any) -> str:
    digest = hashlib.blake2b(digest_size=8)
    if isinstance(leaf, np.ndarray):
        digest.update(f"{leaf.dtype}{leaf.shape}".encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    elif isinstance(leaf, pd.Index):
        digest.update(f"{type(leaf).__name__}{leaf.names}".encode())
        digest.update(pd.util.hash_pandas_object(leaf, index=False).to_numpy().tobytes())
    else:
        digest.update(f"{type(leaf).__name__}:{leaf!r}".encode())
    return digest.hexdigest()
