"""Fitted state as JSON and tensors, and back.

    encode     a value -> what JSON can say, and the tensors that it cannot
    Reader     the way back, through the declared types (`grammar`)

A NamedTuple or a dataclass is written field by field and needs nothing here. Another new kind of
fitted state takes one line: a `Codec` in `packing.CODECS`, or its class in `ATTRIBUTE_CLASSES`.
"""

import dataclasses
import hashlib
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from klforecast.classify.closed_form import ClosedFormClassifier
from klforecast.classify.closed_form_regressor import ClosedFormRegressor
from klforecast.classify.filter_features import FilterFeatures
from klforecast.classify.interval_features import IntervalFeatures
from klforecast.classify.kinds_ridge import KindsRidge
from klforecast.classify.sequence_ensemble import SequenceEnsemble
from klforecast.core.experts import EXPERTS, Expert
from klforecast.estimators.saving.grammar import Reader
from klforecast.estimators.saving.nested import NESTED
from klforecast.estimators.saving.nets import NETS
from klforecast.estimators.saving.packing import CODECS

ATTRIBUTE_CLASSES = (
    ClosedFormClassifier,
    ClosedFormRegressor,
    FilterFeatures,
    IntervalFeatures,
    KindsRidge,
    SequenceEnsemble,
)
"""Classes that are written attribute by attribute, as their annotations declare them."""

FAMILIES = {Expert: EXPERTS}
"""Registries of records: what is written there may be in a file where the base class is declared."""

_CODECS = (*NESTED, *NETS, *CODECS)


def reader(tensors: Mapping[str, Tensor], size: int) -> Reader:
    """Reader of a file of so many bytes, with these tensors."""
    return Reader(tensors, _CODECS, ATTRIBUTE_CLASSES, FAMILIES, size)


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

    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"$": "float", "value": repr(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Tensor | np.ndarray) and (plain := _as_tensor(value)) is not None:
        kind = "tensor" if isinstance(value, Tensor) else "array"
        return {"$": kind, "name": _put_aside(plain, tensors)}
    if (names := _names_of_parts(value)) is not None:
        fields = {name: inner(getattr(value, name), f".{name}") for name in names}
        return {"$": type(value).__name__, **fields}
    for codec in _CODECS:
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
    if type(value) in (list, tuple):
        items = [inner(part, f"[{place}]") for place, part in enumerate(value)]
        return {"$": "tuple", "items": items} if isinstance(value, tuple) else items
    for plain_type in (int, float, str):
        if isinstance(value, plain_type):
            return plain_type(value)
    raise TypeError(
        f"{where} is of type {type(value).__name__}, which a file without code cannot hold; set it "
        "to None before saving, or pickle the estimator"
    )


def _names_of_parts(value: Any) -> tuple[str, ...] | None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return tuple(field.name for field in dataclasses.fields(value))
    if isinstance(value, ATTRIBUTE_CLASSES):
        return tuple(vars(value))
    return getattr(value, "_fields", None) if isinstance(value, tuple) else None


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
