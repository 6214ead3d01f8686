"""Fitted state as JSON and tensors, and back, through a closed list of types.

    encode     any object of the list -> what JSON can say, and the tensors that it cannot
    decode     the way back; a type that is not in the list cannot be made, so no file runs code

A new kind of fitted state takes one line: its class in `RECORDS` if it is a NamedTuple or a
dataclass, else a `Codec` in `packing.CODECS`. What is not listed is refused by name when it is saved.
"""

import dataclasses
import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from sktime.datatypes._dtypekind import DtypeKind
from torch import Tensor

from klforecast.core.covariate_effect import CovariateEffect
from klforecast.core.covariate_terms import CovariateBasis
from klforecast.core.experts import EXPERTS, Fold
from klforecast.core.gram import WindowMoments
from klforecast.core.linear_core import Mixture
from klforecast.core.plan import CorePlan
from klforecast.core.stream import SeriesStream, Stream
from klforecast.data.scaling import ChangeStatistics, RowStatistics, Standardizer
from klforecast.estimators.covariates.effects import Effects
from klforecast.estimators.covariates.table import Covariates
from klforecast.estimators.fitting import OpenStream
from klforecast.estimators.frames.known_rows import KnownRows
from klforecast.estimators.frames.panel import TimeSeries
from klforecast.estimators.intervals import FollowedLevels
from klforecast.estimators.saving.packing import CODECS
from klforecast.ops.conformal import Calibration
from klforecast.ops.online import KLState
from klforecast.ops.volatility import ScaleModel

RECORDS: tuple[type, ...] = (
    Calibration,
    ChangeStatistics,
    CorePlan,
    CovariateBasis,
    CovariateEffect,
    Covariates,
    Effects,
    Fold,
    FollowedLevels,
    KLState,
    KnownRows,
    Mixture,
    OpenStream,
    RowStatistics,
    ScaleModel,
    SeriesStream,
    Standardizer,
    Stream,
    TimeSeries,
    WindowMoments,
)
"""NamedTuples and dataclasses: written field by field."""


def encode(value: Any, tensors: dict[str, Tensor], where: str) -> Any:
    """Turn an object into what JSON can say; put its tensors aside.

    Parameters
    ----------
    value : object
        None, numbers, strings, lists, tuples, dicts, tensors, arrays, and the types listed here.
    tensors : dict of str to Tensor
        Receives the tensors by name. Equal ones are kept once.
    where : str
        What the object is, for the message.

    Returns
    -------
    object
        Of None, bool, int, float, str, list and dict.

    Raises
    ------
    TypeError
        If an object is of a type that is not listed.

    Examples
    --------
    >>> tensors = {}
    >>> encode({"a": (1, slice(2, 3))}, tensors, "example") == {
    ...     "$": "dict", "keys": ["a"],
    ...     "values": [{"$": "tuple", "items": [1, {"$": "slice", "start": 2, "stop": 3}]}],
    ... }
    True
    """

    def inner(part: Any, name: object) -> Any:
        return encode(part, tensors, f"{where}{name}")

    if isinstance(value, DtypeKind):
        return {"$": "DtypeKind", "value": int(value)}
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "float", "value": repr(value)}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Tensor | np.ndarray) and (plain := _as_tensor(value)) is not None:
        kind = "tensor" if isinstance(value, Tensor) else "array"
        return {"$": kind, "name": _put_aside(plain, tensors)}
    for record in (*RECORDS, *EXPERTS.values()):
        if type(value) is record:
            fields = {name: inner(getattr(value, name), f".{name}") for name in _fields(record)}
            return {"$": record.__name__, **fields}
    for codec in CODECS:
        if isinstance(value, codec.type):
            parts = codec.pack(value).items()
            return {
                "$": codec.type.__name__,
                **{name: inner(part, f".{name}") for name, part in parts},
            }
    if isinstance(value, dict):
        keys = [inner(key, f" key {key!r}") for key in value]
        return {
            "$": "dict",
            "keys": keys,
            "values": [inner(part, f"[{key!r}]") for key, part in value.items()],
        }
    # Not a NamedTuple: it would come back without its names.
    if type(value) in (list, tuple):
        items = [inner(part, f"[{place}]") for place, part in enumerate(value)]
        return {"$": "tuple", "items": items} if isinstance(value, tuple) else items
    raise TypeError(
        f"{where} is of type {type(value).__name__}, which a file without code cannot hold; set it "
        "to None before saving, or pickle the estimator"
    )


def decode(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Make the object again that `encode` has turned into JSON and tensors."""
    if isinstance(tree, list):
        return [decode(part, tensors) for part in tree]
    if not isinstance(tree, dict):
        return tree
    parts = {name: decode(part, tensors) for name, part in tree.items() if name != "$"}
    return _makers()[tree["$"]](tensors, parts)


def _fields(record: Any) -> tuple[str, ...]:
    if dataclasses.is_dataclass(record):
        return tuple(field.name for field in dataclasses.fields(record))
    return record._fields


def _as_tensor(value: Tensor | np.ndarray) -> Tensor | None:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    return torch.from_numpy(np.array(value)) if value.dtype.kind in "biuf" else None


def _put_aside(tensor: Tensor, tensors: dict[str, Tensor]) -> str:
    content = tensor.clone(memory_format=torch.contiguous_format)
    summary = hashlib.sha256(f"{content.dtype}{tuple(content.shape)}".encode())
    summary.update(content.reshape(-1).view(torch.uint8).numpy().tobytes())
    name = summary.hexdigest()[:32]
    tensors[name] = content
    return name


def _makers() -> dict[str, Callable[[Mapping[str, Tensor], dict[str, Any]], Any]]:
    makers: dict[str, Callable] = {
        "float": lambda _, parts: float(parts["value"]),
        "tuple": lambda _, parts: tuple(parts["items"]),
        "dict": lambda _, parts: dict(zip(parts["keys"], parts["values"], strict=True)),
        "tensor": lambda tensors, parts: tensors[parts["name"]].clone(),
        "array": lambda tensors, parts: tensors[parts["name"]].numpy().copy(),
        "DtypeKind": lambda _, parts: DtypeKind(parts["value"]),
    }
    for record in (*RECORDS, *EXPERTS.values()):
        makers[record.__name__] = lambda _, parts, make=record: make(**parts)
    for codec in CODECS:
        makers[codec.type.__name__] = lambda _, parts, make=codec.unpack: make(**parts)
    return makers
