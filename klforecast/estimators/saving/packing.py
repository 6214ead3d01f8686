"""How each type that is neither a number nor a record is taken apart, and put together again.

The parts are of types that `codec` knows. The way back takes them as keywords: its annotations are
what a file may say, and it refuses parts that do not fit together before it makes anything of them.
"""

import functools
import re
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import torch
from numpy.random import RandomState
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, CustomBusinessDay
from sktime.forecasting.base import ForecastingHorizon

from klforecast.core.linear_core import LinearCore, Mixture
from klforecast.core.plan import CoreOptions
from klforecast.core.solve import solve_linear_core
from klforecast.data.open_days import week_mask
from klforecast.estimators.frames.buffer import RowBuffer
from klforecast.estimators.saving.grammar import Codec, Count, Named, parameters_of

# Those of `solve_linear_core`, except the panel; its options are given one by one.
_SOLVE = {
    **{name: parameters_of(solve_linear_core)[name] for name in ("horizon", "periods")},
    **parameters_of(CoreOptions),
}
_INDEX_TYPES = re.compile(
    r"object|str|string|category|boolean|bool|(u?int|U?Int)(8|16|32|64)|[fF]loat(32|64)"
)
_TEXT = re.compile(r"[<>]U\d{1,4}")
_FIXED_OFFSET = re.compile(r"UTC([+-]\d\d:\d\d)?")
_WEEK_MASK = re.compile(r"C-((?=.*1)[01]{7})")  # days of the week that have rows, from Monday on
_LONGEST_NAME = 64  # letters of a frequency or a time zone
_WORDS = 624  # of the state of a Mersenne twister


def _check(sound: bool, message: str) -> None:
    if not sound:
        raise ValueError(message)


def _pack_stamps(stamps: np.ndarray) -> dict[str, Any]:
    """Evenly spaced stamps as first, step and number; others as they are."""
    steps = np.diff(stamps)
    if len(steps) and (steps == steps[0]).all():
        return {"first": int(stamps[0]), "step": int(steps[0]), "count": len(stamps)}
    return {"stamps": stamps}


def _stamps(
    stamps: np.ndarray | None, first: int, step: int, count: int
) -> np.ndarray:  # (count,) int64
    if stamps is None:
        return first + step * np.arange(count, dtype=np.int64)
    _check(stamps.dtype == np.int64 and stamps.ndim == 1, "stamps are not a row of integers")
    return stamps


def _offset(name: str) -> BaseOffset:
    _check(len(name) <= _LONGEST_NAME, f"a frequency has {len(name)} letters")
    mask = _WEEK_MASK.fullmatch(name)
    return to_offset(name) if mask is None else CustomBusinessDay(weekmask=mask[1])


def _pack_offset(offset: BaseOffset) -> dict[str, Any]:
    mask = week_mask(offset)
    if mask is not None and offset == CustomBusinessDay(weekmask=offset.weekmask):
        return {"name": f"C-{mask}"}
    if to_offset(offset.freqstr) != offset:
        raise TypeError(f"{offset!r} is not what its name says, so a file cannot hold it")
    return {"name": offset.freqstr}


def _zone(name: str) -> Any:
    """A time zone by its name in the IANA data base, or by its fixed offset, never by a path."""
    _check(len(name) <= _LONGEST_NAME, f"a time zone has {len(name)} letters")
    if not _FIXED_OFFSET.fullmatch(name):
        ZoneInfo(name)  # refuses paths
    return pd.DatetimeIndex([]).tz_localize(name).tz


def _pack_dates(index: pd.DatetimeIndex) -> dict[str, Any]:
    zone = None if index.tz is None else str(index.tz)
    if zone is not None and _zone(zone) != index.tz:
        raise TypeError(f"{index.tz!r} is not what its name says, so a file cannot hold it")
    return {
        "unit": index.unit,
        "tz": zone,
        "freq": index.freq,
        "label": index.name,
        **_pack_stamps(index.asi8),
    }


def _unpack_dates(
    unit: Literal["s", "ms", "us", "ns"],
    tz: str | None,
    freq: BaseOffset | None,
    label: Any,
    stamps: np.ndarray | None = None,
    first: int = 0,
    step: int = 1,
    count: Count = 0,
) -> pd.DatetimeIndex:
    numbers = _stamps(stamps, first, step, count)
    index = pd.DatetimeIndex(numbers.view(f"M8[{unit}]"), name=label)
    if tz is not None:
        index = index.tz_localize("UTC").tz_convert(_zone(tz))
    index.freq = freq
    return index


def _unpack_periods(
    freq: BaseOffset,
    label: Any,
    stamps: np.ndarray | None = None,
    first: int = 0,
    step: int = 1,
    count: Count = 0,
) -> pd.PeriodIndex:
    numbers = _stamps(stamps, first, step, count)
    return pd.PeriodIndex.from_ordinals(numbers, freq=freq, name=label)


def _unpack_durations(
    unit: Literal["s", "ms", "us", "ns"],
    label: Any,
    stamps: np.ndarray | None = None,
    first: int = 0,
    step: int = 1,
    count: Count = 0,
) -> pd.TimedeltaIndex:
    numbers = _stamps(stamps, first, step, count)
    return pd.TimedeltaIndex(numbers.view(f"m8[{unit}]"), name=label)


def _pack_range(index: pd.RangeIndex) -> dict[str, Any]:
    return {"start": index.start, "stop": index.stop, "step": index.step, "label": index.name}


def _unpack_range(start: int, stop: int, step: int, label: Any) -> pd.RangeIndex:
    return pd.RangeIndex(start, stop, step, name=label)


def _pack_index(index: pd.Index) -> dict[str, Any]:
    return {"items": index.tolist(), "dtype": str(index.dtype), "label": index.name}


def _unpack_index(items: list, dtype: str, label: Any) -> pd.Index:
    _check(_INDEX_TYPES.fullmatch(dtype) is not None, f"{dtype[:40]!r} is no type of labels")
    return pd.Index(items, dtype=dtype, name=label)


def _unpack_levels(tuples: list[tuple], names: list) -> pd.MultiIndex:
    return pd.MultiIndex.from_tuples(tuples, names=names)


def _unpack_stamp(index: pd.DatetimeIndex) -> pd.Timestamp:
    _check(len(index) == 1, f"a stamp has {len(index)} values")
    return index[0]


def _unpack_period(ordinal: int, freq: BaseOffset) -> pd.Period:
    return pd.Period(ordinal=ordinal, freq=freq)


def _pack_frame(frame: pd.DataFrame) -> dict[str, Any]:
    columns = [frame.iloc[:, place].to_numpy() for place in range(frame.shape[1])]
    return {"index": frame.index, "columns": frame.columns, "data": columns}


def _unpack_frame(index: pd.Index, columns: pd.Index, data: list[np.ndarray]) -> pd.DataFrame:
    _check(
        len(columns) == len(data) and all(column.shape == (len(index),) for column in data),
        "columns, labels and index of a table differ in length",
    )
    return pd.DataFrame(dict(enumerate(data)), index=index).set_axis(columns, axis=1)


def _unpack_texts(items: list, dtype: str) -> np.ndarray:
    texts = _TEXT.fullmatch(dtype) is not None and all(isinstance(item, str) for item in items)
    _check(texts or dtype == "object", f"{dtype[:40]!r} is no type of an array of its items")
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.astype(dtype)


def _unpack_partial(
    function: Literal["solve_linear_core"], keywords: Annotated[dict, Named(_SOLVE)]
) -> functools.partial:
    return functools.partial(solve_linear_core, **keywords)


def _pack_core(core: LinearCore) -> dict[str, Any]:
    return {
        "modes": core.modes,
        "weight": core.weight,
        "bias": core.bias,
        "blocks": core.blocks,
        "mixture": core.mixture,
        "trained": core.weight.requires_grad,
    }


def _unpack_core(
    modes: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    blocks: list[tuple[slice, slice]],
    mixture: Mixture | None,
    trained: bool,
) -> LinearCore:
    floats = {part.dtype for part in (modes, weight, bias)}
    _check(floats in ({torch.float32}, {torch.float64}), f"weights are of the types {floats}")
    _check(
        (modes.ndim, weight.ndim) == (2, 3)
        and weight.shape[:2] == bias.shape
        and weight.shape[2] >= modes.shape[1],
        f"modes {tuple(modes.shape)}, weight {tuple(weight.shape)} and bias {tuple(bias.shape)}",
    )
    widths = [len(range(modes.shape[1])[columns]) for _, columns in blocks]
    _check(sum(widths) == modes.shape[1], f"blocks of {widths} of {modes.shape[1]} modes")
    return LinearCore(modes, weight, bias, blocks, mixture).requires_grad_(trained)


def _pack_horizon(fh: ForecastingHorizon) -> dict[str, Any]:
    return {"values": fh.to_pandas(), "is_relative": fh.is_relative, "freq": fh.freq}


def _unpack_horizon(
    values: pd.Index, is_relative: bool, freq: BaseOffset | str | None
) -> ForecastingHorizon:
    if isinstance(freq, str):
        freq = _offset(freq)
    return ForecastingHorizon(values, is_relative, freq)


def _pack_random_state(state: RandomState) -> dict[str, Any]:
    _, words, place, has_gauss, gauss = state.get_state()
    return {"words": words, "place": place, "has_gauss": has_gauss, "gauss": gauss}


def _unpack_random_state(
    words: np.ndarray, place: int, has_gauss: Literal[0, 1], gauss: float
) -> RandomState:
    # numpy believes the place and would read beyond the words.
    _check(
        words.shape == (_WORDS,) and words.dtype == np.uint32 and 0 <= place <= _WORDS,
        f"the state of a generator has {words.shape} words and the place {place}",
    )
    state = RandomState()
    state.set_state(("MT19937", words, place, has_gauss, gauss))
    return state


def _unpack_slice(start: int | None, stop: int | None) -> slice:
    return slice(start, stop)


def _unpack_dtype(name: Literal["float32", "float64"]) -> torch.dtype:
    return {"float32": torch.float32, "float64": torch.float64}[name]


def _unpack_buffer() -> None:
    return None


CODECS: tuple[Codec, ...] = (
    Codec(LinearCore, _pack_core, _unpack_core, plain=False),
    Codec(
        functools.partial,
        lambda bound: {"function": bound.func.__name__, "keywords": bound.keywords},
        _unpack_partial,
        plain=False,
    ),
    Codec(pd.DataFrame, _pack_frame, _unpack_frame),
    Codec(pd.RangeIndex, _pack_range, _unpack_range),
    Codec(pd.DatetimeIndex, _pack_dates, _unpack_dates),
    Codec(
        pd.PeriodIndex,
        lambda index: {"freq": index.freq, "label": index.name, **_pack_stamps(index.asi8)},
        _unpack_periods,
    ),
    Codec(
        pd.TimedeltaIndex,
        lambda index: {"unit": index.unit, "label": index.name, **_pack_stamps(index.asi8)},
        _unpack_durations,
    ),
    Codec(
        pd.MultiIndex,
        lambda index: {"tuples": index.tolist(), "names": list(index.names)},
        _unpack_levels,
    ),
    Codec(pd.Index, _pack_index, _unpack_index),
    Codec(pd.Timestamp, lambda stamp: {"index": pd.DatetimeIndex([stamp])}, _unpack_stamp),
    Codec(
        pd.Period,
        lambda period: {"ordinal": period.ordinal, "freq": period.freq},
        _unpack_period,
    ),
    Codec(BaseOffset, _pack_offset, _offset),
    Codec(RowBuffer, lambda _: {}, _unpack_buffer, plain=False),
    Codec(ForecastingHorizon, _pack_horizon, _unpack_horizon, plain=False),
    Codec(RandomState, _pack_random_state, _unpack_random_state, plain=False),
    Codec(slice, lambda part: {"start": part.start, "stop": part.stop}, _unpack_slice, plain=False),
    Codec(
        np.ndarray,  # of strings; those of numbers are tensors
        lambda array: {"items": array.tolist(), "dtype": str(array.dtype)},
        _unpack_texts,
    ),
    Codec(
        torch.dtype,
        lambda dtype: {"name": str(dtype).removeprefix("torch.")},
        _unpack_dtype,
        plain=False,
    ),
)
"""Types that are not records; of several that fit a value, the first one is taken."""
