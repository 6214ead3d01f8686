"""Rows of a long frame on a regular grid of time, one for all series; what is missing becomes NaN."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset, BusinessDay, CustomBusinessDay, Day

from klforecast.data.open_days import find_open_days
from klforecast.estimators.counts import counted, step_code
from klforecast.estimators.frames.indices import coarsest_grid, name_stamps

_MOST_FILLED = 2  # times the rows; numbers further apart count something else than steps


class Regular(NamedTuple):
    """Rows on a grid.

    Attributes
    ----------
    panel : DataFrame, indexed by series and time
        In the order of the first rows of the series.
    frequency : offset or None
        Step of the grid; None for integers, which go up by one.
    filled : dict of str to Index
        By series, the stamps that were missing; series without any are left out.
    """

    panel: pd.DataFrame
    frequency: BaseOffset | None
    filled: dict[object, pd.Index]


def on_grid(panel: pd.DataFrame, freq: str | BaseOffset | int | None = None) -> Regular:
    """Bring rows onto the grid of their longest series, of open days onto that of all of them.

    Parameters
    ----------
    panel : DataFrame, indexed by series and time
        Rows in any order, times without duplicates within a series.
    freq : str, offset, int or None, default=None
        Step of the grid; None: found from the longest series.

    Raises
    ------
    ValueError
        If the step cannot be found or read, or stamps do not lie on the grid; the message names them.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product([["a"], pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-04"])])
    >>> regular = on_grid(pd.DataFrame({"y": [1.0, 2.0, 4.0]}, index))
    >>> regular.panel["y"].tolist(), regular.frequency.freqstr
    ([1.0, 2.0, nan, 4.0], 'D')
    """
    series = {
        label: rows.droplevel(0).sort_index()
        for label, rows in panel.groupby(level=0, sort=False, observed=True)
    }
    longest = max(series, key=lambda label: len(series[label]))
    frequency = _frequency(series[longest].index, freq, longest)
    if freq is None and isinstance(frequency, BusinessDay | CustomBusinessDay):
        frequency = _open_days_of_all(frequency, [rows.index for rows in series.values()])
    grids = {label: _grid(rows.index, frequency, label) for label, rows in series.items()}
    filled = {
        label: grid.difference(series[label].index)
        for label, grid in grids.items()
        if len(grid) > len(series[label])
    }
    whole = {label: rows.reindex(grids[label]) for label, rows in series.items()}
    joined = pd.concat(whole, names=panel.index.names)
    return Regular(joined, frequency, filled)


def interpolated(panel: pd.DataFrame) -> pd.DataFrame:
    """Fill missing values of each series by straight lines in its rows, level beyond its ends.

    Examples
    --------
    >>> index = pd.MultiIndex.from_product([["a"], range(4)])
    >>> interpolated(pd.DataFrame({"x": [1.0, None, 3.0, None]}, index))["x"].tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    series = panel.groupby(level=0, sort=False, observed=True)
    return series.transform(lambda values: values.interpolate().ffill().bfill())


def name_gaps(filled: Mapping[object, pd.Index], frequency: BaseOffset | None) -> str:
    """Say how many rows were missing, of which step, and the first of them.

    Examples
    --------
    >>> name_gaps({"north": pd.Index([4, 5])}, None)
    '2 rows missing in 1 series (step 1), the first at 4 of north'
    """
    n_rows = sum(map(len, filled.values()))
    label, stamps = next(iter(filled.items()))
    first = str(stamps[0]).removesuffix(" 00:00:00")
    return (
        f"{counted(n_rows, 'row')} missing in {len(filled)} series (step {step_code(frequency)}), the first at "
        f"{first} of {label}"
    )


def _frequency(
    times: pd.Index, freq: str | BaseOffset | int | None, label: object
) -> BaseOffset | None:
    if not isinstance(times, pd.DatetimeIndex):
        if freq not in (None, 1):
            raise ValueError(f"freq={freq!r}, but times are whole numbers, which go up by one")
        return None
    if freq is None:
        return coarsest_grid(times, f"series {label}")[0]
    try:
        return to_offset(freq)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"freq={freq!r} is no step that pandas knows; pass one such as 'h', 'D', 'W-SUN' or 'MS'"
        ) from error


def _open_days_of_all(frequency: BaseOffset, times: list[pd.DatetimeIndex]) -> BaseOffset:
    """The days of the week on which any of the series has rows, where the longest has none on some of them."""
    all_times = times[0].append(times[1:]).unique().sort_values()
    if all_times.isin(pd.date_range(all_times[0], all_times[-1], freq=frequency)).all():
        return frequency
    return find_open_days(all_times) or Day()


def _grid(times: pd.Index, frequency: BaseOffset | None, label: object) -> pd.Index:
    first, last = times[0], times[-1]
    if isinstance(times, pd.DatetimeIndex):
        grid: pd.Index = pd.date_range(first, last, freq=frequency)
    else:
        if last - first + 1 > _MOST_FILLED * len(times):
            raise ValueError(
                f"the times of series {label} are numbers with gaps ({name_stamps(times)}); "
                "numbers count steps and go up by one: renumber them, or write dates"
            )
        grid = pd.RangeIndex(first, last + 1)
    strange = times.difference(grid)
    if len(strange):
        raise ValueError(
            f"series {label} has times that are not on the grid of step "
            f"{frequency.freqstr if frequency is not None else 1} from {first}: "
            f"{name_stamps(strange)}; correct them, or name another step"
        )
    return grid
