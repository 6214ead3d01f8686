"""The series in a file: on a regular grid, with the covariates known ahead, and what was done to the rows.

Rows whose targets are all empty at the end of a series lie in the future: their covariates are known
ahead. Times that are missing in between are missing values, which the forecaster fills.
"""

from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.commands.ahead import name_hole, read_future, steps_after, with_ahead
from klforecast.commands.cells import how_numbers_are_read, is_missing, numbers
from klforecast.commands.clocks import Clock, find_zone
from klforecast.commands.labels import check_one_row_each, index_of
from klforecast.commands.number_marks import check_signs
from klforecast.commands.off_step import first_off_step, weekly_code
from klforecast.commands.roles import Asked, Roles, find_roles
from klforecast.commands.table_file import Table, read_table
from klforecast.commands.time_cells import how_read
from klforecast.commands.year_month import with_months
from klforecast.estimators.counts import counted
from klforecast.estimators.frames.indices import name_stamps
from klforecast.estimators.long_frames.columns import as_series
from klforecast.estimators.long_frames.grid import Regular, interpolated, name_gaps, on_grid

_LEAST_ROWS = 3  # of a series that can be learned from and tells its step
_NAMED = 3  # series that a sentence names


class SeriesFile(NamedTuple):
    """What a file holds.

    Attributes
    ----------
    name : str
        Of the file.
    roles : Roles
        What each column is.
    panel : DataFrame, indexed by series and time
        The target on a regular grid; series are named by text.
    X : DataFrame or None
        Covariates at the rows of `panel`, and after them where they are known ahead.
    past_covariates : list of str
        Covariates that are not known at every step ahead of every series.
    frequency : offset or None
        Step of the times; None for whole numbers.
    filled : dict of str to Index
        Missing times by series.
    notes : list of str
        What was done to the rows, a sentence each.
    clock : Clock or None
        Of the times, where the file tells their offset from UTC and they are no days.
    holidays : str or None, default=None
        Country whose holidays may help, as DE or AU-VIC.
    """

    name: str
    roles: Roles
    panel: pd.DataFrame
    X: pd.DataFrame | None
    past_covariates: list[str]
    frequency: BaseOffset | None
    filled: dict[object, pd.Index]
    notes: list[str]
    clock: Clock | None = None
    holidays: str | None = None

    @property
    def y(self) -> pd.DataFrame:
        """The panel as forecasters take it: without a level of series where there is one series."""
        return as_series(self.panel)

    @property
    def exogenous(self) -> pd.DataFrame | None:
        """Covariates as forecasters take them, beside `y`."""
        return self.X if self.X is None or self.is_panel else self.X.droplevel(0)

    @property
    def labels(self) -> list[str]:
        """Names of the series in the order of the file."""
        return list(pd.unique(self.panel.index.get_level_values(0)))

    @property
    def is_panel(self) -> bool:
        """Whether there is more than one series."""
        return len(self.labels) > 1

    @property
    def lengths(self) -> pd.Series:
        """Rows of each series, by name, in the order of the file."""
        return self.panel.groupby(level=0, sort=False).size()

    def shown(self, times: pd.Index) -> pd.Index:
        """Times as they are written: with their offset from UTC, where the file tells it."""
        return times if self.clock is None else self.clock.shown(times)

    def written(self, rows: pd.DataFrame, *columns: str) -> pd.DataFrame:
        """Rows whose times in these columns are as they are written."""
        return rows.assign(**{name: self.shown(pd.Index(rows[name])) for name in columns})

    @property
    def time_title(self) -> str:
        """Name of the times that forecasts are made by, with their clock."""
        name = self.roles.time or "row"
        return name if self.clock is None else f"{name} ({self.clock.inside})"

    def notes_without_short(self, rows: int) -> list[str]:
        """The notes, and one that names the series of fewer rows, which are left out."""
        short = [str(label) for label, length in self.lengths.items() if length < rows]
        if not short:
            return list(self.notes)
        return [
            *self.notes,
            f"{len(short)} series left out, fewer than {rows} rows: {', '.join(short[:_NAMED])}"
            f"{' ...' if len(short) > _NAMED else ''}",
        ]

    def check_label(self, series: str | None) -> None:
        """Raise a ValueError if a series is asked for that the file does not have."""
        if series is not None and series not in self.labels:
            raise ValueError(
                f"{self.name} has no series {series!r}; it has {', '.join(self.labels[:5])}"
            )


def read_series(
    path: Path,
    asked: Asked,
    horizon: int,
    freq: str | None = None,
    future: Path | None = None,
    known_ahead: bool = False,
) -> SeriesFile:
    """Read the series of a file.

    Parameters
    ----------
    path : Path
        CSV, gzipped CSV or Parquet.
    asked : Asked
        Columns named by the user.
    horizon : int
        Steps for which covariates have to be known ahead.
    freq : str or None, default=None
        Step of the times in the words of pandas. None: found.
    future : Path or None, default=None
        File of the covariates ahead, with the same columns of series and times.
    known_ahead : bool, default=False
        Take covariates for known ahead without a row after the last value, as a backtest does.

    Raises
    ------
    ValueError, ImportError
        If the file cannot be used; the message is a sentence about it.
    """
    if future is not None and not asked.covariates:
        raise ValueError("--future holds covariates; name their columns with --covariate")
    check_signs(asked.decimal, asked.thousands)
    table = read_table(path)._replace(decimal=asked.decimal, thousands=asked.thousands)
    table = table.keep(~table.frame.apply(is_missing).all(axis=1))
    table, together = with_months(table, asked)
    roles = find_roles(table, asked)
    notes = [] if roles.time else ["no column of times: rows are taken to follow each other"]
    notes += [] if together is None else [together]
    if roles.unused:
        notes.append(
            f"not used: {', '.join(roles.unused)}; name columns that help with --covariate"
        )
    zone = find_zone(asked.zone)
    index, clock = index_of(table, roles, zone)
    values = pd.DataFrame(
        {name: numbers(table, name) for name in [*roles.targets, *roles.covariates]}
    ).set_axis(index)
    check_one_row_each(table, values.index)
    notes += how_numbers_are_read(table, [*roles.targets, *roles.covariates])
    notes += _how_times_are_read(table, roles, values.index.get_level_values(1), clock)
    long = _by_target(values, roles)
    if long["target"].isna().all():
        raise ValueError(
            f"column {roles.targets[0]!r} of {table.name} holds no value; name another one with --target"
        )
    known, ahead, trailing = _cut_off_future(long)
    if trailing and not roles.covariates:
        have = "has no value and is" if trailing == 1 else "have no value and are"
        notes.append(f"{counted(trailing, 'row')} at the ends {have} left out")
    known, dropped = _long_enough(table.name, known)
    if dropped:
        notes.append(
            f"{len(dropped)} series left out, fewer than {_LEAST_ROWS} values: "
            f"{', '.join(dropped[:_NAMED])}{' ...' if len(dropped) > _NAMED else ''}"
        )
    regular = on_grid(known) if roles.time is None else _regular(table.name, known, freq)
    if regular.filled:
        shown = {
            label: times if clock is None else clock.shown(times)
            for label, times in regular.filled.items()
        }
        notes.append(
            f"{name_gaps(shown, regular.frequency)}; filled as missing values by the forecaster"
        )
    panel = regular.panel[["target"]].rename(columns={"target": roles.targets[0]})
    if len(roles.targets) > 1:
        panel.columns = ["value"]
    X: pd.DataFrame | None = None
    past: list[str] = []
    if roles.covariates:
        if future is not None:
            kind = panel.index.dtypes.iloc[-1]
            ahead = read_future(future, asked, roles, known.index.unique(level=0), kind, clock)
        wanted = steps_after(panel, regular.frequency, horizon)
        later = ahead[roles.covariates].reindex(wanted)
        past = [name for name in later if later[name].isna().any() and not known_ahead]
        if future is not None and past:
            raise ValueError(name_hole(future.name, later, past[0], horizon))
        rows = regular.panel[roles.covariates]
        notes += [
            f"{name}: {counted(count, 'missing value')} interpolated"
            for name, count in rows.isna().sum().items()
            if count
        ]
        X = with_ahead(interpolated(rows), later)
        notes += [f"{name}: not known ahead, read up to the last row" for name in past]
    frequency, filled = regular.frequency, regular.filled
    return SeriesFile(table.name, roles, panel, X, past, frequency, filled, notes, clock)


def _how_times_are_read(
    table: Table, roles: Roles, when: pd.Index, clock: Clock | None
) -> list[str]:
    """Say how times were read where they are not as they are written."""
    if roles.time is None:
        return []
    if clock is not None and clock.inside != clock.outside:
        return [f"times: read and written by the clocks of {clock.outside}"]
    # Times of one offset stay as they are written.
    said = how_read(table, roles.time, when) if clock is None or clock.inside == UTC else None
    if said is not None and clock is not None:
        return [
            f"{said}+00:00: the offset from UTC changes, and times are written by UTC; --tz names a zone "
            "to write them by"
        ]
    return [] if said is None else [said]


def _by_target(values: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """One target column; several targets become series of their own."""
    if len(roles.targets) == 1:
        return values.rename(columns={roles.targets[0]: "target"})
    parts = []
    for name in roles.targets:
        rows = values[[name, *roles.covariates]].rename(columns={name: "target"})
        labels = rows.index.get_level_values(0)
        own = labels + f"/{name}" if roles.ids else pd.Index([name] * len(rows))
        rows.index = pd.MultiIndex.from_arrays(
            [own, rows.index.get_level_values(1)], names=rows.index.names
        )
        parts.append(rows)
    return pd.concat(parts)


def _cut_off_future(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Rows up to the last value of each series, those after it, and how many these are."""
    known = rows[rows["target"].notna()]
    when = rows.index.get_level_values(1).to_series().set_axis(rows.index)
    last = when[known.index].groupby(level=0).max()
    ends = rows.index.get_level_values(0).map(last)
    # A series without any value has no end and lies in neither part.
    after = (when.to_numpy() > ends.to_numpy()) & ~ends.isna()
    until = (when.to_numpy() <= ends.to_numpy()) & ~ends.isna()
    return rows[until], rows[after], int(after.sum())


def _long_enough(name: str, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    counts = rows["target"].notna().groupby(level=0, sort=False).sum()
    short = [str(label) for label in counts.index[counts < _LEAST_ROWS]]
    if len(short) == len(counts):
        most = int(counts.max()) if len(counts) else 0
        raise ValueError(
            f"no series of {name} has {_LEAST_ROWS} values (the longest has {most}); pass a longer file"
        )
    return rows[~rows.index.get_level_values(0).isin(short)], short


def _regular(name: str, rows: pd.DataFrame, freq: str | None) -> Regular:
    try:
        return on_grid(rows, freq)
    except ValueError as error:
        counts = rows.groupby(level=0, sort=False).size()
        longest = counts.idxmax()
        stamps = rows.loc[longest].index.sort_values()
        dated = isinstance(stamps, pd.DatetimeIndex)
        if dated and freq is not None and freq.upper() == "W":
            raise ValueError(
                f"{name}: {error}; --freq {freq} stands for weeks of Sundays, and these times are those of "
                f"--freq {weekly_code(stamps)}"
            ) from error
        if not dated or freq is not None or "are not on the grid" in str(error):
            raise ValueError(f"{name}: {error}") from error
        raise ValueError(
            f"the times of {name} follow no regular step: {_broken_step(stamps, longest)}; name the step "
            "with --freq, as --freq D, or write one row for each step"
        ) from error


def _broken_step(stamps: pd.DatetimeIndex, label: object) -> str:
    place = first_off_step(stamps)
    if place is None:
        return f"those of series {label} start with {name_stamps(stamps)}"
    before = "" if place == 0 else f" after {stamps[place - 1]}"
    after = "" if place == len(stamps) - 1 else f" before {stamps[place + 1]}"
    both = " and" if before and after else ""
    return f"that of series {label} is broken by {stamps[place]}, which comes{before}{both}{after}"
