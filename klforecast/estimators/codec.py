"""Fitted state as JSON and tensors, and back, through a closed list of types.

    encode     any object of the list -> what JSON can say, and the tensors that it cannot
    decode     the way back; a type that is not in the list cannot be made, so no file runs code

A new kind of fitted state takes one line: its class in `RECORDS` if it is a NamedTuple or a
dataclass, else a `Codec` in `CODECS`. What is not listed is refused by name when it is saved.
"""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.random import RandomState
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset
from sktime.datatypes._dtypekind import DtypeKind
from sktime.forecasting.base import ForecastingHorizon
from torch import Tensor

from klforecast.data.scaling import ChangeStatistics, RowStatistics, Standardizer
from klforecast.estimators.buffer import RowBuffer
from klforecast.estimators.covariates import Covariates
from klforecast.estimators.effects import Effects
from klforecast.estimators.following import Following
from klforecast.estimators.panel import TimeSeries
from klforecast.estimators.saved_nets import pack_net, unpack_net
from klforecast.modules.linear_core import LinearCore, Mixture
from klforecast.ops.conformal import Calibration
from klforecast.ops.covariate_terms import CovariateBasis
from klforecast.ops.experts import (
    DriftExpert,
    Fold,
    FoldedExpert,
    GrowthExpert,
    LevelExpert,
    RidgeExpert,
    SeasonalExpert,
)
from klforecast.ops.gram import WindowMoments
from klforecast.ops.online import KLState
from klforecast.ops.volatility import ScaleModel
from klforecast.training.covariate_effect import CovariateEffect
from klforecast.training.nets import EncoderNet, LinearNet
from klforecast.training.plan import CorePlan
from klforecast.training.solve import solve_linear_core
from klforecast.training.stream import SeriesStream, Stream

RECORDS: tuple[type, ...] = (
    Calibration,
    ChangeStatistics,
    CorePlan,
    CovariateBasis,
    CovariateEffect,
    Covariates,
    DriftExpert,
    Effects,
    Fold,
    FoldedExpert,
    Following,
    GrowthExpert,
    KLState,
    LevelExpert,
    Mixture,
    RidgeExpert,
    RowStatistics,
    ScaleModel,
    SeasonalExpert,
    SeriesStream,
    Standardizer,
    Stream,
    TimeSeries,
    WindowMoments,
)
"""NamedTuples and dataclasses: written field by field."""

FUNCTIONS = {"solve_linear_core": solve_linear_core}
"""Functions that a saved net may call, bound to keywords."""


class Codec(NamedTuple):
    """How one type becomes a mapping of encodable parts, and is made of them again."""

    type: type
    pack: Callable[[Any], Mapping[str, Any]]
    unpack: Callable[..., Any]  # takes the parts as keywords


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
    for record in RECORDS:
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
    return _MAKERS[tree["$"]](tensors, parts)


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


def _unchanged(text: Any, made: Any, given: Any) -> Any:
    if made != given:
        raise TypeError(f"{given!r} is not what its name {text!r} says, so a file cannot hold it")
    return text


def _pack_stamps(stamps: np.ndarray) -> dict[str, Any]:
    """Evenly spaced stamps as first, step and number; others as they are."""
    steps = np.diff(stamps)
    if len(steps) and (steps == steps[0]).all():
        return {"first": int(stamps[0]), "step": int(steps[0]), "count": len(stamps)}
    return {"stamps": stamps}


def _unpack_stamps(
    stamps: np.ndarray | None = None, first: int = 0, step: int = 1, count: int = 0
) -> np.ndarray:
    return first + step * np.arange(count, dtype=np.int64) if stamps is None else stamps


def _pack_dates(index: pd.DatetimeIndex) -> dict[str, Any]:
    return {
        "unit": index.unit,
        "tz": None
        if index.tz is None
        else _unchanged(str(index.tz), index.tz_convert(str(index.tz)).tz, index.tz),
        "freq": index.freq,
        "label": index.name,
        **_pack_stamps(index.asi8),
    }


def _unpack_dates(
    unit: str, tz: str | None, freq: BaseOffset | None, label: Any, **stamps: Any
) -> pd.DatetimeIndex:
    index = pd.DatetimeIndex(_unpack_stamps(**stamps).view(f"M8[{unit}]"), name=label)
    if tz is not None:
        index = index.tz_localize("UTC").tz_convert(tz)
    index.freq = freq
    return index


def _pack_index(index: pd.Index) -> dict[str, Any]:
    return {"items": index.tolist(), "dtype": str(index.dtype), "label": index.name}


def _pack_frame(frame: pd.DataFrame) -> dict[str, Any]:
    columns = [frame.iloc[:, place].to_numpy() for place in range(frame.shape[1])]
    return {"index": frame.index, "columns": frame.columns, "data": columns}


def _unpack_frame(index: pd.Index, columns: pd.Index, data: list[np.ndarray]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(enumerate(data)), index=index)
    return frame.set_axis(columns, axis=1)


def _unpack_partial(function: str, keywords: dict[str, Any]) -> functools.partial:
    return functools.partial(FUNCTIONS[function], **keywords)


def _pack_core(core: LinearCore) -> dict[str, Any]:
    return {
        "modes": core.modes,
        "weight": core.weight,
        "bias": core.bias,
        "blocks": core.blocks,
        "mixture": core.mixture,
        "trained": core.weight.requires_grad,
    }


def _unpack_core(trained: bool, **parts: Any) -> LinearCore:
    return LinearCore(**parts).requires_grad_(trained)


def _pack_horizon(fh: ForecastingHorizon) -> dict[str, Any]:
    return {"values": fh.to_pandas(), "is_relative": fh.is_relative, "freq": fh.freq}


def _unpack_random_state(
    words: np.ndarray, place: int, has_gauss: int, gauss: float
) -> RandomState:
    state = RandomState()
    state.set_state(("MT19937", words, place, has_gauss, gauss))
    return state


CODECS: tuple[Codec, ...] = (
    Codec(LinearNet, pack_net, functools.partial(unpack_net, LinearNet)),
    Codec(EncoderNet, pack_net, functools.partial(unpack_net, EncoderNet)),
    Codec(LinearCore, _pack_core, _unpack_core),
    Codec(
        functools.partial,
        lambda bound: {"function": bound.func.__name__, "keywords": bound.keywords},
        _unpack_partial,
    ),
    Codec(pd.DataFrame, _pack_frame, _unpack_frame),
    Codec(
        pd.RangeIndex,
        lambda index: {
            "start": index.start,
            "stop": index.stop,
            "step": index.step,
            "label": index.name,
        },
        lambda label, **ends: pd.RangeIndex(**ends, name=label),
    ),
    Codec(pd.DatetimeIndex, _pack_dates, _unpack_dates),
    Codec(
        pd.PeriodIndex,
        lambda index: {"freq": index.freq, "label": index.name, **_pack_stamps(index.asi8)},
        lambda freq, label, **stamps: pd.PeriodIndex.from_ordinals(
            _unpack_stamps(**stamps), freq=freq, name=label
        ),
    ),
    Codec(
        pd.TimedeltaIndex,
        lambda index: {"unit": index.unit, "label": index.name, **_pack_stamps(index.asi8)},
        lambda unit, label, **stamps: pd.TimedeltaIndex(
            _unpack_stamps(**stamps).view(f"m8[{unit}]"), name=label
        ),
    ),
    Codec(
        pd.MultiIndex,
        lambda index: {"tuples": index.tolist(), "names": list(index.names)},
        lambda tuples, names: pd.MultiIndex.from_tuples(tuples, names=names),
    ),
    Codec(
        pd.Index,
        _pack_index,
        lambda items, dtype, label: pd.Index(items, dtype=dtype, name=label),
    ),
    Codec(
        pd.Timestamp,
        lambda stamp: {"index": pd.DatetimeIndex([stamp])},
        lambda index: index[0],
    ),
    Codec(
        pd.Period,
        lambda period: {"ordinal": period.ordinal, "freq": period.freq},
        lambda ordinal, freq: pd.Period(ordinal=ordinal, freq=freq),
    ),
    Codec(
        BaseOffset,
        lambda offset: {"name": _unchanged(offset.freqstr, to_offset(offset.freqstr), offset)},
        lambda name: to_offset(name),
    ),
    Codec(RowBuffer, lambda _: {}, lambda: None),
    Codec(ForecastingHorizon, _pack_horizon, ForecastingHorizon),
    Codec(
        RandomState,
        lambda state: dict(
            zip(("words", "place", "has_gauss", "gauss"), state.get_state()[1:], strict=True)
        ),
        _unpack_random_state,
    ),
    Codec(
        slice,
        lambda part: {"start": part.start, "stop": part.stop},
        lambda start, stop: slice(start, stop),
    ),
    Codec(
        np.ndarray,  # of strings; those of numbers are tensors
        lambda array: {"items": array.tolist(), "dtype": str(array.dtype)},
        lambda items, dtype: np.array(items, dtype=dtype),
    ),
    Codec(
        torch.dtype,
        lambda dtype: {"name": str(dtype).removeprefix("torch.")},
        lambda name: getattr(torch, name),
    ),
)
"""Types that are not records; the first one that fits is taken."""


def _makers() -> dict[str, Callable[[Mapping[str, Tensor], dict[str, Any]], Any]]:
    makers: dict[str, Callable] = {
        "float": lambda _, parts: float(parts["value"]),
        "tuple": lambda _, parts: tuple(parts["items"]),
        "dict": lambda _, parts: dict(zip(parts["keys"], parts["values"], strict=True)),
        "tensor": lambda tensors, parts: tensors[parts["name"]].clone(),
        "array": lambda tensors, parts: tensors[parts["name"]].numpy().copy(),
        "DtypeKind": lambda _, parts: DtypeKind(parts["value"]),
    }
    for record in RECORDS:
        makers[record.__name__] = lambda _, parts, make=record: make(**parts)
    for codec in CODECS:
        makers[codec.type.__name__] = lambda _, parts, make=codec.unpack: make(**parts)
    return makers


_MAKERS = _makers()
