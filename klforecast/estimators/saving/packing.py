"""How each type that is neither a number nor a record is taken apart, and put together again.

The parts are of types that `codec` knows; the way back takes them as keywords.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.random import RandomState
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset
from sktime.forecasting.base import ForecastingHorizon

from klforecast.core.linear_core import LinearCore
from klforecast.core.solve import solve_linear_core
from klforecast.estimators.frames.buffer import RowBuffer
from klforecast.estimators.saving.nets import pack_net, unpack_net
from klforecast.training.nets import EncoderNet, LinearNet

FUNCTIONS = {"solve_linear_core": solve_linear_core}
"""Functions that a saved net may call, bound to keywords."""


class Codec(NamedTuple):
    """How one type becomes a mapping of encodable parts, and is made of them again."""

    type: type
    pack: Callable[[Any], Mapping[str, Any]]
    unpack: Callable[..., Any]  # takes the parts as keywords


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
