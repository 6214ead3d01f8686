"""Arithmetic on time indices: the step of a regular index, missing stamps, steps ahead.

A regular index is one of three kinds: integers that go up by one, a PeriodIndex without holes, or a
DatetimeIndex that equals `pandas.date_range` of its own frequency (business days, months and time
zones included). Everything else is refused with the stamps that are missing, never resampled.
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, LastWeekOfMonth, SemiMonthBegin, SemiMonthEnd
from sktime.forecasting.base import ForecastingHorizon

from klforecast.data.open_days import find_open_days, week_mask

Stamp: TypeAlias = pd.Timestamp | pd.Period | int

_NAMED_STAMPS = 5  # in a message, which is to fit into a few lines
_MOST_FILLED = 2  # times the rows: more missing stamps than rows mean another step, not a hole
_DAYS_OF_HALF_MONTHS = 5  # the ends of months on four days, and one more

# Calendar grids whose steps differ in length, so that the commonest step cannot stand for them.
_CALENDAR_GRIDS = ("D", "B", "MS", "ME", "BMS", "BME", "QS", "QE", "YS", "YE")


def name_stamps(stamps: pd.Index) -> str:
    """Spell out the first few of `stamps` and count the rest."""
    named = ", ".join(str(stamp) for stamp in stamps[:_NAMED_STAMPS])
    rest = len(stamps) - _NAMED_STAMPS
    return f"{named} and {rest} more" if rest > 0 else named


def kind_of_index(index: pd.Index) -> str:
    """Say in a message what kind of time an index holds; indices of one kind can be compared."""
    if isinstance(index, pd.DatetimeIndex):
        return "a DatetimeIndex " + ("without time zone" if index.tz is None else f"in {index.tz}")
    if isinstance(index, pd.PeriodIndex):
        return f"a PeriodIndex of frequency {index.freqstr!r}"
    if is_integer_dtype(index.dtype):
        return "an integer index"
    return f"a {type(index).__name__} of type {index.dtype}"


def find_frequency(index: pd.Index, where: str = "y") -> BaseOffset | None:
    """Find the step between neighbouring rows of a regular index.

    Parameters
    ----------
    index : pd.Index
        Sorted time index without duplicates.
    where : str, default="y"
        What the index belongs to, for the message.

    Returns
    -------
    offset or None
        None for integers, which go up by one.

    Raises
    ------
    ValueError
        If stamps are missing (the message names them), or if the index has no regular step.

    Examples
    --------
    >>> import pandas as pd
    >>> find_frequency(pd.date_range("2020-01-31", periods=4, freq="ME"))
    <MonthEnd>
    """
    if isinstance(index, pd.DatetimeIndex):
        return _frequency_of_stamps(index, where)
    frequency = index.freq if isinstance(index, pd.PeriodIndex) else None
    check_regular(index, frequency, where)
    return frequency


def check_regular(index: pd.Index, frequency: BaseOffset | None, where: str = "y") -> None:
    """Raise a ValueError that names the missing stamps unless `index` is regular."""
    if len(index) < 2:
        return
    grid = stamps_between(index[0], index[-1], frequency)
    if len(grid) == len(index) and (grid == index).all():
        return
    missing, strange = grid.difference(index), index.difference(grid)
    if len(strange):
        raise ValueError(
            f"the index of {where} has stamps that are not on its grid of step "
            f"{_step_name(frequency)}: {name_stamps(strange)}; bring them onto the grid, for "
            "example with y.resample(...)"
        )
    raise ValueError(_gap_message(where, missing, frequency))


def steps_ahead(fh: ForecastingHorizon, cutoff: Stamp, frequency: BaseOffset | None) -> np.ndarray:
    """Count the steps from a cutoff to each entry of a forecasting horizon.

    Parameters
    ----------
    fh : ForecastingHorizon
        Relative or absolute, in any order, all after the cutoff.
    cutoff : Timestamp, Period or int
        Stamp of the last known row.
    frequency : offset or None
        Step of the series' index, None for integers.

    Returns
    -------
    ndarray of int, shape (len(fh),)
        1 for the first step after the cutoff.

    Raises
    ------
    ValueError
        If a stamp does not lie on the grid of the series.

    Examples
    --------
    >>> from sktime.forecasting.base import ForecastingHorizon
    >>> steps_ahead(ForecastingHorizon([10, 12], is_relative=False), 9, None)
    array([1, 3])
    """
    stamps = fh.to_pandas()
    if fh.is_relative and not isinstance(stamps, pd.TimedeltaIndex):
        return stamps.to_numpy(dtype=np.int64)
    if fh.is_relative:
        stamps = pd.DatetimeIndex(cutoff + stamps)
    steps = stamps_between(cutoff, stamps.max(), frequency).get_indexer(stamps)
    if (steps < 0).any():
        raise ValueError(
            f"fh asks for stamps that are not on the grid of y (step {_step_name(frequency)} from "
            f"{cutoff}): {name_stamps(stamps[steps < 0])}; ask for stamps of that grid or pass "
            "whole steps such as fh=[1, 2, 3]"
        )
    return steps


def stamps_ahead(
    cutoff: Stamp,
    steps: np.ndarray,  # (n,) int, 1 for the first step after the cutoff
    frequency: BaseOffset | None,
) -> pd.Index:
    """Find the stamps that lie `steps` after the cutoff, in the order of `steps`."""
    if isinstance(cutoff, pd.Timestamp):
        grid = pd.date_range(cutoff, periods=steps.max() + 1, freq=frequency)
        return grid.as_unit(cutoff.unit)[steps]
    if isinstance(cutoff, pd.Period):
        return pd.period_range(cutoff, periods=steps.max() + 1, freq=frequency)[steps]
    return pd.Index(int(cutoff) + steps)


def stamp_numbers(index: pd.Index, like: pd.Index | None = None) -> np.ndarray:  # (n,) int64
    """Count stamps in the unit of their index, or in that of another one of its kind."""
    if isinstance(index, pd.DatetimeIndex):
        return (index if like is None else index.as_unit(like.unit)).asi8
    return index.asi8 if isinstance(index, pd.PeriodIndex) else index.to_numpy(dtype=np.int64)


def index_from_numbers(
    numbers: np.ndarray,  # (n,) int64, at regular stamps
    like: pd.Index,
) -> pd.Index:
    """Make an index of the kind of another one, without looking at every stamp."""
    if isinstance(like, pd.DatetimeIndex):
        index = pd.DatetimeIndex(numbers.view(f"M8[{like.unit}]"), name=like.name)
        return index if like.tz is None else index.tz_localize("UTC").tz_convert(like.tz)
    if isinstance(like, pd.PeriodIndex):
        return pd.PeriodIndex.from_ordinals(numbers, freq=like.freq, name=like.name)
    return pd.RangeIndex(numbers[0], numbers[-1] + 1, name=like.name)


def step_numbers(
    stamps: pd.Index,
    origin: Stamp,
    frequency: BaseOffset | None,
) -> np.ndarray:  # (n,) int64
    """Count the steps from an origin to each stamp; negative for those before it.

    Raises
    ------
    ValueError
        If a stamp does not lie on the grid of the origin.

    Examples
    --------
    >>> import pandas as pd
    >>> months = pd.date_range("2020-01-31", periods=3, freq="ME")
    >>> step_numbers(months, months[1], months.freq)
    array([-1,  0,  1])
    """
    known = stamps_between(min(stamps.min(), origin), max(stamps.max(), origin), frequency)
    places = known.get_indexer(stamps)
    start = known.get_indexer(pd.Index([origin]).astype(known.dtype))[0]
    if start < 0 or (places < 0).any():
        raise ValueError(
            f"the stamps {name_stamps(stamps[places < 0] if start >= 0 else stamps)} are not on the "
            f"grid of the fitted rows (step {_step_name(frequency)} from {origin}); pass rows of "
            "that grid"
        )
    return places - start


def coarsest_grid(index: pd.DatetimeIndex, where: str = "y") -> tuple[BaseOffset, pd.DatetimeIndex]:
    """Find the coarsest grid that holds all stamps of an index, some of whose own may be missing in it.

    Parameters
    ----------
    index : DatetimeIndex
        Sorted, without duplicates.
    where : str, default="y"
        What the index belongs to, for the message.

    Returns
    -------
    BaseOffset, DatetimeIndex
        Step; all stamps from the first to the last.

    Raises
    ------
    ValueError
        If no regular grid holds them, or only one with more than twice as many stamps.

    Examples
    --------
    >>> import pandas as pd
    >>> days = pd.DatetimeIndex(["2024-01-01", "2024-01-02", "2024-01-04", "2024-01-06"])
    >>> frequency, grid = coarsest_grid(days)
    >>> frequency.freqstr, len(grid)
    ('D', 6)
    """
    if index.freq is not None:
        return index.freq, index
    inferred = pd.infer_freq(index) if len(index) > 2 else None
    if inferred is not None and _is_whole(index, to_offset(inferred)):
        return to_offset(inferred), index
    if len(index) < 3:
        raise ValueError(
            f"{len(index)} dated rows do not tell the step between the rows of {where}; set it, "
            "for example with y.asfreq('D'), or pass a longer series"
        )
    grids = [
        (frequency, grid) for frequency, grid in _candidate_grids(index) if index.isin(grid).all()
    ]
    if not grids:
        raise ValueError(
            f"the index of {where} has no regular step: its first stamps are "
            f"{name_stamps(index)}; bring the rows onto a regular grid, for example with "
            "y.resample('D').mean()"
        )
    frequency, grid = min(grids, key=lambda pair: len(pair[1]))
    if len(grid) > _MOST_FILLED * len(index):
        raise ValueError(
            f"the step of the index of {where} was not found: its first stamps are "
            f"{name_stamps(index)}, and the coarsest grid that holds all of them "
            f"({_step_name(frequency)}) would have {len(grid)} rows in place of {len(index)}; name "
            "the step, for example with y.asfreq('SMS'), or bring the rows onto a coarser grid, for "
            "example with y.resample('W').mean()"
        )
    return frequency, grid


def _frequency_of_stamps(index: pd.DatetimeIndex, where: str) -> BaseOffset:
    frequency, grid = coarsest_grid(index, where)
    if len(grid) == len(index):
        return frequency
    raise ValueError(_gap_message(where, grid.difference(index), frequency))


def _is_whole(index: pd.DatetimeIndex, frequency: BaseOffset) -> bool:
    grid = pd.date_range(index[0], index[-1], freq=frequency)
    return len(grid) == len(index) and bool((grid == index).all())


def _candidate_grids(
    index: pd.DatetimeIndex,
) -> Iterator[tuple[BaseOffset, pd.DatetimeIndex]]:
    steps, counts = np.unique(np.diff(index.to_numpy()), return_counts=True)
    commonest = pd.Timedelta(steps[counts.argmax()])
    day = pd.Timedelta(days=1)
    # Whole days are counted on the clock, where some last 23 or 25 hours.
    frequency = commonest if commonest % day else f"{commonest // day}D"
    # A grid far finer than the rows says nothing, and would not fit into memory.
    if (index[-1] - index[0]) / commonest < 100 * len(index):
        yield to_offset(frequency), pd.date_range(index[0], index[-1], freq=frequency)
    for name in _CALENDAR_GRIDS:
        grid = pd.date_range(index[0], index[-1], freq=name)
        if len(grid) > 1:
            yield to_offset(name), grid
    open_days = find_open_days(index)
    if open_days is not None:
        yield open_days, pd.date_range(index[0], index[-1], freq=open_days)
    for offset in _grids_of_days(index):
        if _is_whole(index, offset):
            yield offset, index


def _grids_of_days(index: pd.DatetimeIndex) -> list[BaseOffset]:
    """Once a month, on one day of it or the last one of the week; twice a month, on the days that occur."""
    grids: list[BaseOffset] = [
        pd.DateOffset(months=1),
        LastWeekOfMonth(weekday=int(index[0].weekday())),
    ]
    days = index.day
    grids += [
        kind(day_of_month=int(day))
        for kind, first, last in ((SemiMonthBegin, 2, 27), (SemiMonthEnd, 1, 27))
        for day in days.unique()
        if first <= day <= last
    ]
    # Some thirty grids would be made of an index with every day.
    return grids if days.nunique() <= _DAYS_OF_HALF_MONTHS else grids[:2]


def stamps_between(
    first: Stamp,
    last: Stamp,
    frequency: BaseOffset | None,
) -> pd.Index:
    """Every stamp from the first one to the last one."""
    if isinstance(first, pd.Timestamp):
        return pd.date_range(first, last, freq=frequency)
    if isinstance(first, pd.Period):
        return pd.period_range(first, last, freq=frequency)
    return pd.RangeIndex(first, last + 1)


def _step_name(frequency: BaseOffset | None) -> str:
    if frequency is None:
        return "1"
    mask = week_mask(frequency)
    return repr(frequency.freqstr) if mask is None else f"CustomBusinessDay(weekmask={mask!r})"


def _gap_message(where: str, missing: pd.Index, frequency: BaseOffset | None) -> str:
    if isinstance(missing, pd.DatetimeIndex):
        remedy = f"y.asfreq({_step_name(frequency)}), whose missing values are filled by fit"
    elif isinstance(missing, pd.PeriodIndex):
        remedy = "y.reindex(pd.period_range(y.index[0], y.index[-1])), whose missing values are filled by fit"
    else:
        remedy = "y.reset_index(drop=True) if the rows do follow each other"
    return (
        f"{where} has no row for {len(missing)} stamps of its grid (step {_step_name(frequency)}): "
        f"{name_stamps(missing)}; add them, for example with {remedy}"
    )
