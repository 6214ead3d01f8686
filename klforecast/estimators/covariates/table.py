"""Rows of X by their stamps: what is known, what a forecast asks for, and what the calendar adds.

X may hold more rows than y, in the past and in the future; rows are found by their stamps. Columns
named in `past_covariates` are read up to the cutoff only. Calendar features are made from stamps and
are always known.
"""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_integer
from pandas.tseries.offsets import BaseOffset

from klforecast.core.season import season_waves
from klforecast.estimators.arguments import show
from klforecast.estimators.checks import check_covariate_rows
from klforecast.estimators.covariates.holidays import PREFIX, holiday_columns
from klforecast.estimators.frames.indices import Stamp, kind_of_index, name_stamps, step_numbers
from klforecast.estimators.frames.known_rows import KnownRows
from klforecast.estimators.frames.panel import Key, TimeSeries, name_series, split_series

_DAY = 24 * 3600.0  # seconds
_LONGEST_DAY = pd.Timedelta(hours=25)  # when clocks go back


def _cycle(share: pd.Index | np.ndarray, harmonics: int) -> np.ndarray:  # (n,) -> (n, 2 harmonics)
    angle = 2 * math.pi * np.asarray(share, dtype=np.float64)[:, None] * np.arange(1, harmonics + 1)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)


def _one_of(values: pd.Index, choices: Sequence[int]) -> np.ndarray:  # (n,) -> (n, choices)
    return (np.asarray(values)[:, None] == np.asarray(choices)).astype(np.float64)


def _share_of_day(stamps: pd.DatetimeIndex) -> np.ndarray:
    return np.asarray(stamps.hour * 3600 + stamps.minute * 60 + stamps.second) / _DAY


CALENDAR: dict[str, Callable[[pd.DatetimeIndex], np.ndarray]] = {
    "hour": lambda stamps: _cycle(_share_of_day(stamps), 4),
    "dayofweek": lambda stamps: _one_of(stamps.dayofweek, range(7)),
    "day": lambda stamps: _cycle((stamps.day - 1) / stamps.days_in_month, 3),
    "month": lambda stamps: _one_of(stamps.month, range(1, 13)),
    "quarter": lambda stamps: _one_of(stamps.quarter, range(1, 5)),
    "dayofyear": lambda stamps: _cycle(
        (np.asarray(stamps.dayofyear) - 1 + _share_of_day(stamps)) / 365.25, 3
    ),
}
"""Calendar features: indicators, or smooth cycles where neighbouring values act alike."""


def calendar_columns(name: str, stamps: pd.DatetimeIndex) -> np.ndarray:  # (n, columns)
    """Columns of a calendar feature: one of `CALENDAR`, or the holidays of a country."""
    if name.startswith(PREFIX):
        return holiday_columns(name.removeprefix(PREFIX), stamps)
    return CALENDAR[name](stamps)


class Covariates(NamedTuple):
    """The covariates of all series and how they are read.

    Attributes
    ----------
    columns : Index
        Columns of X; empty if only the calendar is used.
    past : tuple of str
        Columns of X whose future is not known.
    calendar : tuple of str
        Names of `calendar_columns`.
    origin : Timestamp, Period or int
        Stamp from which steps are counted.
    frequency : offset or None
        Step of the index.
    rows : dict of tuple to TimeSeries
        Known rows of X of each series.
    season : int
        Steps of a long cycle whose harmonics are further columns; 1 for none.
    """

    columns: pd.Index
    past: tuple[Hashable, ...]
    calendar: tuple[str, ...]
    origin: Stamp
    frequency: BaseOffset | None
    rows: dict[Key, TimeSeries]
    season: int = 1

    @property
    def groups(self) -> list[list[int]]:
        """Columns of a table that belong together: each of X, and those of each calendar feature."""
        groups = [[column] for column in range(len(self.columns))]
        for name in self.calendar:
            start = sum(map(len, groups))
            width = calendar_columns(name, pd.DatetimeIndex(["2000-01-01"])).shape[1]
            groups.append(list(range(start, start + width)))
        return groups

    @property
    def is_season(self) -> np.ndarray:  # (k,) bool
        """Columns of a table that are the harmonics of a long cycle, the last ones."""
        own = sum(map(len, self.groups))
        waves = self._waves(np.zeros(0, dtype=np.int64)).shape[1]
        return np.arange(own + waves) >= own

    @property
    def is_season_alone(self) -> bool:
        """Whether nothing but a long cycle, or nothing at all, was asked for."""
        return len(self.columns) == 0 and not self.calendar

    @property
    def is_past(self) -> np.ndarray:  # (k,) bool
        """Columns of a table whose future is not known."""
        past = np.zeros(len(self.is_season), dtype=bool)
        past[: len(self.columns)] = self.columns.isin(self.past)
        return past

    @property
    def is_calendar(self) -> np.ndarray:  # (k,) bool
        """Columns of a table that are made from stamps."""
        return np.arange(len(self.is_past)) >= len(self.columns)

    def joined(self, new: Mapping[Key, TimeSeries]) -> Self:
        """Take in new rows; at a stamp that both have, the new row counts."""
        joined = {key: _join(self.rows.get(key), rows) for key, rows in new.items()}
        return self._replace(rows=self.rows | joined)

    def steps(self, stamps: pd.Index) -> np.ndarray:  # (n,) int64
        """Number of each stamp from the origin."""
        return step_numbers(stamps, self.origin, self.frequency)

    def table(self, key: Key, stamps: pd.Index, cutoff: Stamp | None = None) -> np.ndarray:
        """Values of all columns at some stamps.

        Parameters
        ----------
        key : tuple
            The series.
        stamps : Index, (n,)
            On the grid of the series.
        cutoff : stamp, optional
            Past-only columns are read up to here and are zero later. None reads them everywhere.

        Returns
        -------
        ndarray, (n, k)

        Raises
        ------
        ValueError
            If X has no row or a missing value at a stamp; the message names the stamps.
        """
        parts = [np.zeros((len(stamps), 0))]
        if len(self.columns):
            parts.append(self._take(key, stamps, cutoff))
        if self.calendar:
            dates = stamps.to_timestamp() if isinstance(stamps, pd.PeriodIndex) else stamps
            parts += [calendar_columns(name, dates) for name in self.calendar]
        if self.season > 1:
            parts.append(self._waves(self.steps(stamps)))
        return np.concatenate(parts, axis=1)

    def _waves(self, steps: np.ndarray) -> np.ndarray:  # (n,) -> (n, waves)
        if self.season == 1:
            return np.zeros((len(steps), 0))
        return season_waves(torch.from_numpy(steps), self.season).numpy()

    def carried(self, key: Key, stamps: pd.Index) -> pd.Index:
        """Take for each stamp the last one up to it that X has a row for; the first one has."""
        known = self.rows.get(key)
        if known is None:
            return stamps
        places = np.where(known.index.get_indexer(stamps) >= 0, np.arange(len(stamps)), 0)
        return stamps[np.maximum.accumulate(places)]

    def _take(self, key: Key, stamps: pd.Index, cutoff: Stamp | None) -> np.ndarray:
        where = name_series(key, "X")
        past = self.is_past[: len(self.columns)]
        later = np.zeros(len(stamps), dtype=bool) if cutoff is None else np.asarray(stamps > cutoff)
        unread = later[:, None] & past
        needed = ~unread.all(axis=1)
        known = self.rows.get(key)
        values = np.full((len(stamps), len(self.columns)), np.nan)
        found = np.zeros(len(stamps), dtype=bool)
        if known is not None:
            places = known.index.get_indexer(stamps)
            found = places >= 0
            values[found] = known.values[places[found]]
        absent = needed & ~found
        if absent.any():
            raise ValueError(
                f"{where} has no row for {absent.sum()} stamps that the model reads: "
                f"{name_stamps(stamps[absent])}; pass X for all rows of y and for every step up to "
                "the last one of fh, or name columns without a future in past_covariates"
            )
        values[unread] = 0.0
        empty = np.isnan(values)
        if empty.any():
            rows = empty.any(axis=1)
            names = list(self.columns[empty.any(axis=0)])
            raise ValueError(
                f"{where} has missing values in the columns {names} at {rows.sum()} stamps: "
                f"{name_stamps(stamps[rows])}; fill them, for example with X.interpolate()"
            )
        return values


def known_covariates(
    X: pd.DataFrame | None,
    rows: KnownRows,
    past_covariates: Sequence[Hashable] | None,
    calendar_features: Sequence[str] | None,
) -> Covariates | None:
    """Collect what `fit` was given; None if that is nothing.

    Raises
    ------
    TypeError, ValueError
        For names that cannot be used.
    """
    series = rows.series.values()
    calendar = check_calendar(calendar_features, next(iter(series)).index)
    past = check_past_covariates(past_covariates, None if X is None else X.columns)
    if X is None and not calendar:
        return None
    origin = min(part.index[0] for part in series)
    if X is None:
        return Covariates(pd.Index([]), past, calendar, origin, rows.frequency, {})
    _check_kind(X, origin)
    return Covariates(X.columns, past, calendar, origin, rows.frequency, split_series(X))


def covariates_joined(
    known: Covariates | None, X: pd.DataFrame | None, new: Mapping[Key, TimeSeries]
) -> Covariates | None:
    """Take in what `update` was given, with a row of X for each of the new rows of y.

    Raises
    ------
    TypeError, ValueError
        If rows of X are missing, or of other columns than those of `fit`.
    """
    more = more_covariates(known, X)
    if known is None:
        return None
    joined = known.joined(more)
    for key, rows in new.items():
        joined.table(key, rows.index)
    return joined


def with_long_season(
    known: Covariates | None,
    series: Mapping[Key, TimeSeries],
    frequency: BaseOffset | None,
    season: int,
) -> Covariates | None:
    """Add the harmonics of a long cycle; None if there is none, and nothing else."""
    if known is not None and not (known.is_season_alone and season == 1):
        return known._replace(season=season)
    if season == 1:
        return None
    origin = min(rows.index[0] for rows in series.values())
    return Covariates(pd.Index([]), (), (), origin, frequency, {}, season)


def more_covariates(
    known: Covariates | None, X: pd.DataFrame | None, without_past: bool = False
) -> dict[Key, TimeSeries]:
    """Take rows of X apart that are to join the known ones.

    Parameters
    ----------
    known : Covariates or None
    X : DataFrame or None
    without_past : bool, default=False
        Whether past-only columns may be left out.

    Raises
    ------
    ValueError
        If the columns are not those of `fit`.
    """
    if X is None:
        return {}
    columns = pd.Index([]) if known is None else known.columns
    spare = known.past if known is not None and without_past else ()
    strange = [name for name in X.columns if name not in columns]
    absent = [name for name in columns if name not in X.columns and name not in spare]
    if strange or absent:
        raise ValueError(
            f"X has the columns {list(X.columns)}, but the forecaster was fitted on "
            f"{list(columns) or 'no X'}; pass the same columns"
        )
    if known is not None:
        _check_kind(X, known.origin)
    return split_series(X.reindex(columns=columns))


def with_future(
    known: Covariates | None, X: pd.DataFrame | None, cutoffs: Mapping[Key, Stamp]
) -> Covariates | None:
    """Add the rows of X after the cutoff of each series; those before it stay as they are known."""
    more = more_covariates(known, X, without_past=True)
    strange = [name_series(key, "X") for key in more if key not in cutoffs]
    if strange:
        raise ValueError(
            f"{', '.join(strange[:5])} has no series in y of fit; pass X for the fitted series"
        )
    later = {}
    for key, rows in more.items():
        first = rows.index.searchsorted(cutoffs[key], side="right")
        later[key] = TimeSeries(rows.values[first:], rows.index[first:])
    return None if known is None else known.joined(later)


def of_windows(
    known: Covariates | None, X: pd.DataFrame | np.ndarray | None, index: pd.Index
) -> Covariates | None:
    """Take all rows from X instead of the known ones, for windows of a series with an index."""
    if isinstance(X, pd.Series | pd.DataFrame):
        check_covariate_rows(X)
    more = more_covariates(known, None if X is None else pd.DataFrame(X))
    if known is None:
        return None
    if not isinstance(index[0], type(known.origin)) and not (
        is_integer(index[0]) and is_integer(known.origin)
    ):
        raise TypeError(
            f"y has a {type(index).__name__}, but covariates are found by stamps such as "
            f"{known.origin}; pass y with the kind of index that fit was given"
        )
    return known._replace(rows=more)


def _check_kind(X: pd.DataFrame, stamp: Stamp) -> None:
    """Raise a TypeError unless the rows of X can be found by stamps like this one."""
    times = X.index.get_level_values(-1)
    kind = kind_of_index(pd.Index([stamp]))
    if len(times) and kind_of_index(times) != kind:
        raise TypeError(
            f"X has {kind_of_index(times)}, but y has {kind}; pass X with the kind of index that y has"
        )


def _join(known: TimeSeries | None, new: TimeSeries) -> TimeSeries:
    if known is None or len(known.index) == 0:
        return new
    index = known.index.union(new.index)
    values = np.empty((len(index), new.values.shape[1]))
    values[index.get_indexer(known.index)] = known.values
    values[index.get_indexer(new.index)] = new.values
    return TimeSeries(values, index)


def check_calendar(names: Sequence[str] | None, index: pd.Index) -> tuple[str, ...]:
    """Return the calendar features asked for.

    Raises
    ------
    TypeError
        If they are not a sequence of names.
    ValueError
        If a name is unknown, or the index has no dates.
    """
    if names is None:
        return ()
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(
            f"calendar_features is {show(names)}; pass a sequence of names such as ['dayofweek'], or None"
        )
    unknown = [
        name
        for name in names
        if not isinstance(name, str) or not (name in CALENDAR or name.startswith(PREFIX))
    ]
    if unknown:
        raise ValueError(
            f"calendar_features holds {unknown}; pass some of {', '.join(map(repr, CALENDAR))}, or "
            f"'{PREFIX}' and the code of a country, as '{PREFIX}DE'"
        )
    if names and not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        raise ValueError(
            f"calendar_features={list(names)} need dates, but the index of y is a "
            f"{type(index).__name__}; pass a DatetimeIndex or a PeriodIndex, or no calendar_features"
        )
    if any(name.startswith(PREFIX) for name in names):
        _check_days(index)
    return tuple(dict.fromkeys(names))


def _check_days(index: pd.DatetimeIndex | pd.PeriodIndex) -> None:
    dates = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    step = (dates[1:] - dates[:-1]).min() if len(dates) > 1 else pd.Timedelta(0)
    if step > _LONGEST_DAY:
        raise ValueError(
            f"calendar_features name holidays, which are days, and rows of y are {step} apart; pass rows "
            "of a day or shorter ones, or count holidays of a row in a column of X"
        )


def check_past_covariates(
    names: Sequence[Hashable] | None, columns: pd.Index | None
) -> tuple[Hashable, ...]:
    """Return the past-only columns, or raise unless they are columns of X."""
    if names is None:
        return ()
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise TypeError(
            f"past_covariates is {show(names)}; pass a sequence of names of columns of X, or None"
        )
    if columns is None:
        raise ValueError(
            f"past_covariates names {list(names)}, but fit was given no X; pass X with these columns"
        )
    unknown = [name for name in names if not isinstance(name, Hashable) or name not in columns]
    if unknown:
        raise ValueError(
            f"past_covariates holds {unknown}, which are no columns of X; pass some of "
            f"{list(columns)}"
        )
    return tuple(dict.fromkeys(names))
