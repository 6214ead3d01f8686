"""What a forecasting horizon may be: steps, or stamps of the grid of y, all after the cutoff and not too far.

sktime counts stamps in periods, which many grids do not have: business month ends, the second Thursday of a month.
Here they are counted on the grid itself, so that dated steps give what counted ones give on every regular index.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_integer, is_integer_dtype
from pandas.tseries.offsets import BaseOffset
from sktime.forecasting.base import ForecastingHorizon

from klforecast.estimators.frames.indices import (
    Stamp,
    kind_of_index,
    name_stamps,
    stamps_ahead,
    steps_ahead,
)
from klforecast.estimators.frames.panel import Key, join_series

_STEPS_PER_ROW = 100  # what lies a hundred times the known past ahead, no past can tell
_LEAST_STEPS = 10_000  # that may always be asked for, since they cost next to nothing
_LAST_INTEGER = 2**63 - 1  # of an index
_WANTED = "pass steps such as fh=[1, 2, 3], or stamps after the last row of y"


class StepsAhead(NamedTuple):
    """A forecasting horizon as each series of a panel sees it from its own cutoff.

    Attributes
    ----------
    steps : dict of tuple to ndarray of int, shape (n,)
        From 1 for the first step after the cutoff.
    stamps : dict of tuple to Index, (n,)
    """

    steps: dict[Key, np.ndarray]
    stamps: dict[Key, pd.Index]

    @classmethod
    def of(
        cls, fh: ForecastingHorizon, cutoffs: Mapping[Key, Stamp], frequency: BaseOffset | None
    ) -> "StepsAhead":
        """Count the steps from each cutoff, once for all series that share it.

        Raises
        ------
        ValueError
            If a stamp does not lie on the grid of the series.
        """
        ahead = {at: steps_ahead(fh, at, frequency) for at in set(cutoffs.values())}
        stamps = {at: stamps_ahead(at, steps, frequency) for at, steps in ahead.items()}
        return cls(
            {key: ahead[at] for key, at in cutoffs.items()},
            {key: stamps[at] for key, at in cutoffs.items()},
        )

    def join(
        self, forecasts: Mapping[Key, np.ndarray], columns: pd.Index, names: Sequence
    ) -> pd.DataFrame:
        """Put forecasts at these steps, (n, channels) each, into one frame."""
        return join_series(forecasts, [self.stamps[key] for key in forecasts], columns, names)


def read_horizon(
    fh: Any, cutoffs: Mapping[Key, Stamp], frequency: BaseOffset | None, rows: int
) -> ForecastingHorizon:
    """Take over a forecasting horizon that every series can be forecast at.

    Parameters
    ----------
    fh : int, sequence, Index or ForecastingHorizon
        Steps ahead, differences of time, or stamps.
    cutoffs : mapping of tuple to stamp
        Last stamp of each series.
    frequency : offset or None
        Step of their index, None for integers.
    rows : int
        Rows of the longest series.

    Returns
    -------
    ForecastingHorizon

    Raises
    ------
    TypeError
        If it is nothing of these, or stamps of another kind than those of y.
    ValueError
        If it is empty, off the grid of y, or further ahead than 10,000 steps and 100 times the rows.
    NotImplementedError
        If it asks for steps up to the cutoff.
    """
    values, is_relative = _read(fh)
    if len(values) == 0:
        raise ValueError(f"fh is empty; {_WANTED}")
    if values.hasnans:
        raise ValueError(f"fh holds {values.isna().sum()} missing values; {_WANTED}")
    if not values.is_unique:
        raise ValueError(f"fh holds {name_stamps(values[values.duplicated()])} twice; {_WANTED}")
    _check_kind(values, is_relative, max(cutoffs.values()))
    most = max(_LEAST_STEPS, _STEPS_PER_ROW * rows)
    ahead = _rough_steps(values.max(), is_relative, min(cutoffs.values()), frequency)
    if ahead > most:
        raise ValueError(
            f"fh reaches some {ahead:.0f} steps ahead, and {rows} rows of y are known; ask for at "
            f"most {most} steps"
        )
    read = ForecastingHorizon(values, is_relative=is_relative)
    for cutoff in set(cutoffs.values()):
        early = values <= _start(values, is_relative, cutoff)
        if early.any():
            raise NotImplementedError(
                f"fh asks for {name_stamps(values[early])}, at or before the last row of y "
                f"({cutoff}), in-sample; forecasts of known rows, by fits that have not seen them, are "
                f"those of fitted_values(). For a forecast {_WANTED}"
            )
        steps = steps_ahead(read, cutoff, frequency)
        _check_stamps(cutoff, int(steps.max()), frequency)
    return read


def _read(fh: Any) -> tuple[pd.Index, bool]:
    """Sorted values of a horizon, and whether they are counted from the cutoff."""
    if isinstance(fh, ForecastingHorizon):
        return fh.to_pandas(), bool(fh.is_relative)
    if is_integer(fh):
        return (pd.RangeIndex(1, fh + 1) if fh > 0 else pd.Index([fh])), True
    if isinstance(fh, range):
        index: pd.Index = pd.RangeIndex(fh)
    elif isinstance(fh, pd.Index):
        index = fh
    elif isinstance(fh, str | bytes | Mapping) or not isinstance(fh, Iterable):
        index = pd.Index([fh])
    else:
        index = pd.Index(list(fh))
    if len(index) == 0 or isinstance(index, pd.TimedeltaIndex) or is_integer_dtype(index.dtype):
        return index.sort_values(), True
    if isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        return index.sort_values(), False
    raise TypeError(f"fh holds values of the type {index.dtype} ({name_stamps(index)}); {_WANTED}")


def _check_kind(values: pd.Index, is_relative: bool, cutoff: Stamp) -> None:
    """Raise a TypeError if values and cutoff cannot be compared."""
    known = pd.Index([cutoff])
    if is_relative:
        if isinstance(values, pd.TimedeltaIndex) and not isinstance(known, pd.DatetimeIndex):
            raise TypeError(
                f"fh holds differences of time, but y has {kind_of_index(known)}; {_WANTED}"
            )
    elif kind_of_index(values) != kind_of_index(known):
        raise TypeError(
            f"fh is {kind_of_index(values)}, but y has {kind_of_index(known)}; {_WANTED}"
        )


def _start(values: pd.Index, is_relative: bool, cutoff: Stamp) -> Any:
    """The value of a horizon that stands for the cutoff."""
    if not is_relative:
        return cutoff
    return pd.Timedelta(0) if isinstance(values, pd.TimedeltaIndex) else 0


def _rough_steps(
    last: Any, is_relative: bool, cutoff: Stamp, frequency: BaseOffset | None
) -> float:
    """About how many steps the last value is ahead, before anything of that size is made."""
    if is_relative and not isinstance(last, pd.Timedelta):
        return float(last)
    if isinstance(cutoff, pd.Period):
        return float(last.ordinal - cutoff.ordinal)
    if frequency is None:
        return float(last - cutoff)
    # A few steps, since those of business hours and days are not alike.
    few = 8
    span = cutoff + few * frequency - cutoff
    return few * ((last if is_relative else last - cutoff) / span)


def _check_stamps(cutoff: Stamp, steps: int, frequency: BaseOffset | None) -> None:
    """Raise a ValueError if the last stamp is none that an index can hold."""
    try:
        beyond = frequency is None and int(cutoff) + steps > _LAST_INTEGER
        if not beyond:
            stamps_ahead(cutoff, np.array([steps]), frequency)
    except (OverflowError, ValueError) as error:  # an out-of-bounds date is a ValueError
        raise ValueError(
            f"fh reaches {steps} steps after {cutoff}, beyond the dates that an index can hold; "
            "ask for fewer steps"
        ) from error
    if beyond:
        raise ValueError(
            f"fh reaches {steps} steps after {cutoff}, beyond the integers that an index can hold; "
            "ask for fewer steps"
        )
