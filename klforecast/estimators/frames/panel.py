"""Between sktime's data frames and plain arrays, one array per series.

A series is named by the tuple of its index levels before time: `()` for a single series, one label
in a panel, several in a hierarchy. Its index is regular, so rows are found by counting.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.estimators.frames.buffer import RowBuffer
from klforecast.estimators.frames.indices import (
    Stamp,
    check_regular,
    index_from_numbers,
    kind_of_index,
    stamp_numbers,
)

Key = tuple  # the labels of one series; empty for a single series


class TimeSeries(NamedTuple):
    """The rows of one series and their stamps."""

    values: np.ndarray  # (time, channels), float64, in the units of the data
    index: pd.Index  # (time,)
    revision: int = 0  # how often known rows were replaced, rather than new ones appended
    buffer: RowBuffer | None = None  # room for the rows to come

    def check_parts(self) -> None:
        """Raise a ValueError unless there is a stamp for every row; for rows read from a file."""
        shape, dtype = self.values.shape, self.values.dtype
        if dtype != np.float64 or len(shape) != 2 or shape[0] != len(self.index):
            raise ValueError(f"{len(self.index)} stamps and rows of the shape {shape}, {dtype}")


def is_row_frame(y: object) -> bool:
    """Tell whether `y` is a pandas object with one row per time, rather than one per series."""
    if isinstance(y, pd.DataFrame):
        return y.size == 0 or not isinstance(y.iloc[0, 0], pd.Series)
    return isinstance(y, pd.Series)


def split_series(y: pd.DataFrame) -> dict[Key, TimeSeries]:
    """Take a frame apart into its series, in the order of their first rows.

    Parameters
    ----------
    y : DataFrame, (time, channels) or with further index levels before time
        Rows of one series, a panel or a hierarchy.

    Returns
    -------
    dict of tuple to TimeSeries

    Examples
    --------
    >>> import pandas as pd
    >>> index = pd.MultiIndex.from_product([["a", "b"], [0, 1, 2]])
    >>> panel = split_series(pd.DataFrame({"load": range(6)}, index=index))
    >>> list(panel), panel["b",].values.ravel()
    ([('a',), ('b',)], array([3., 4., 5.]))
    """
    # In one layout, so that equal rows give equal bits however their frame was made.
    values = np.ascontiguousarray(y.to_numpy(dtype=np.float64, na_value=np.nan))
    if not isinstance(y.index, pd.MultiIndex):
        return {(): TimeSeries(values, y.index)}
    times = y.index.get_level_values(-1)
    codes, _ = pd.factorize(_series_numbers(y.index))
    order = np.argsort(codes, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(codes)))[:-1]  # the last part is empty
    keys = y.index[[rows[0] for rows in rows_of]].droplevel(-1)
    return {
        key if isinstance(key, tuple) else (key,): TimeSeries(values[rows], times[rows])
        for key, rows in zip(keys, rows_of, strict=True)
    }


def _series_numbers(index: pd.MultiIndex) -> np.ndarray:  # (rows,) int64
    """A number for each row that is the same for rows of one series; no tuple of labels is made."""
    numbers = np.zeros(len(index), dtype=np.int64)
    for codes, labels in zip(index.codes[:-1], index.levels[:-1], strict=True):
        numbers = numbers * (len(labels) + 1) + codes + 1  # the code of a missing label is -1
    return numbers


def name_series(key: Key, of: str = "y") -> str:
    """Name a series in a message."""
    return of if not key else f"series {key[0] if len(key) == 1 else key!r} of {of}"


def series_label(key: Key) -> object:
    """What names a series in a tidy frame: its label, a tuple of labels, or "y" for a single one."""
    if not key:
        return "y"
    return key[0] if len(key) == 1 else key


def join_rows(
    known: TimeSeries, new: TimeSeries, frequency: BaseOffset | None, where: str
) -> TimeSeries:
    """Join new rows to the known ones; at a stamp that both have, the new row counts.

    Raises
    ------
    TypeError
        If the two indices are not of one kind.
    ValueError
        If stamps are missing between the two; the message names them.

    Notes
    -----
    Rows that follow the known ones cost O(1) each on average. Where known rows change, the series is
    written anew.
    """
    if kind_of_index(new.index) != kind_of_index(known.index):
        raise TypeError(
            f"the new rows of {where} have {kind_of_index(new.index)}, the known rows "
            f"{kind_of_index(known.index)}; pass rows with the kind of index that fit was given"
        )
    where = f"{where}, known and new rows together,"
    n_known = int(new.index.searchsorted(known.index[-1], side="right"))
    if _holds(known, new.values[:n_known], new.index[:n_known]):
        check_regular(known.index[-1:].append(new.index[n_known:]), frequency, where)
        return _append(known, new.values[n_known:], new.index[n_known:])
    index = known.index.union(new.index)
    check_regular(index, frequency, where)
    values = np.empty((len(index), known.values.shape[1]))
    values[index.get_indexer(known.index)] = known.values
    values[index.get_indexer(new.index)] = new.values
    return TimeSeries(values, index, known.revision + 1)


def _holds(known: TimeSeries, values: np.ndarray, index: pd.Index) -> bool:
    """Tell whether a series has these rows at these stamps already."""
    if not len(index):
        return True
    start = int(known.index.searchsorted(index[0]))
    rows = slice(start, start + len(index))
    return index.equals(known.index[rows]) and np.array_equal(
        values, known.values[rows], equal_nan=True
    )


def _append(known: TimeSeries, values: np.ndarray, index: pd.Index) -> TimeSeries:
    """Put rows behind those of a series, which stays as it is."""
    if not len(index):
        return known
    buffer = known.buffer
    if buffer is None or not buffer.has_room(known.values, len(values)):
        buffer = RowBuffer(
            known.values, stamp_numbers(known.index), len(known.values) + len(values)
        )
    rows, numbers = buffer.append(values, stamp_numbers(index, like=known.index))
    return TimeSeries(rows, index_from_numbers(numbers, known.index), known.revision, buffer)


def last_stamps(panel: Mapping[Key, TimeSeries]) -> dict[Key, Stamp]:
    """Last stamp of each series."""
    return {key: series.index[-1] for key, series in panel.items()}


def first_rows(series: TimeSeries, n_rows: int) -> TimeSeries:
    """Take the first rows of a series."""
    return TimeSeries(series.values[:n_rows], series.index[:n_rows])


def rows_until(series: TimeSeries, cutoff: Stamp) -> TimeSeries:
    """Rows of a series up to and including the cutoff."""
    return first_rows(series, int(series.index.searchsorted(cutoff, side="right")))


def shift_rows(y: pd.DataFrame, by: int) -> pd.DataFrame:
    """Move rows with integer stamps later by `by` steps."""
    if not isinstance(y.index, pd.MultiIndex):
        return y.set_axis(y.index + by)
    return y.set_axis(y.index.set_levels(y.index.levels[-1] + by, level=-1))


def join_series(
    forecasts: Mapping[Key, np.ndarray],  # (steps, channels) each
    stamps: Sequence[pd.Index],  # (steps,) each, in the order of `forecasts`
    columns: pd.Index,
    names: Sequence,
) -> pd.DataFrame:
    """Put the forecasts of all series into one frame with the index levels of the data."""
    values = np.concatenate(list(forecasts.values()))
    times = stamps[0].append(list(stamps[1:]))
    keys = list(forecasts)
    if keys == [()]:
        return pd.DataFrame(values, index=stamps[0].rename(names[-1]), columns=columns)
    repeats = [len(index) for index in stamps]
    levels = [np.repeat(pd.Index(level), repeats) for level in zip(*keys, strict=True)]
    index = pd.MultiIndex.from_arrays([*levels, times], names=names)
    return pd.DataFrame(values, index=index, columns=columns)
