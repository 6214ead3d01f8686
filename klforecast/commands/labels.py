"""Series and times of the rows of a table, as an index."""

from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from klforecast.commands.cells import refuse_unnamed
from klforecast.commands.clocks import Clock, Stamps, clocks_go_back, localized, one_clock
from klforecast.commands.roles import Roles
from klforecast.commands.table_file import Table
from klforecast.commands.time_cells import times
from klforecast.estimators.counts import counted


def index_of(
    table: Table, roles: Roles, zone: ZoneInfo | None = None
) -> tuple[pd.MultiIndex, Clock | None]:
    """Series and time of each row, and the clock of the times where they have one.

    Without a column of series the target names the one there is.

    Raises
    ------
    ValueError
        If a row names no series or no time.
    """
    labels, stamps = _labels_and_stamps(table, roles, zone)
    when, clock = one_clock(stamps, zone)
    return _joined(labels, when, roles), clock


def index_like(
    table: Table, roles: Roles, zone: ZoneInfo | None, clock: Clock | None
) -> pd.MultiIndex:
    """Series and time of each row, by the clock of another file.

    Raises
    ------
    ValueError
        If a row names no series or no time, or the times have no offset from UTC.
    """
    labels, stamps = _labels_and_stamps(table, roles, zone)
    if clock is None:
        return _joined(labels, stamps.wall, roles)
    if stamps.utc is None:
        raise ValueError(
            f"the times of {table.name} have no offset from UTC, and those of the series have; write "
            "them alike"
        )
    when = stamps.utc.tz_localize("UTC").tz_convert(clock.inside).tz_localize(None)
    return _joined(labels, when, roles)


def _labels_and_stamps(
    table: Table, roles: Roles, zone: ZoneInfo | None
) -> tuple[np.ndarray, Stamps]:
    stamps = Stamps(pd.RangeIndex(len(table.frame)))
    if roles.time is not None:
        stamps = times(table, roles.time)
    parts = []
    for name in roles.ids:
        refuse_unnamed(table, name, "the row names no series")
        parts.append(table.frame[name].astype(str))
    if parts:
        joined = parts[0].str.cat(parts[1:], sep="/") if len(parts) > 1 else parts[0]
    else:
        joined = pd.Series([roles.targets[0]] * len(table.frame))
    labels = joined.to_numpy(dtype=object)
    return labels, stamps if zone is None else localized(table, stamps, labels, zone)


def _joined(labels: np.ndarray, when: pd.Index, roles: Roles) -> pd.MultiIndex:
    names = ["/".join(roles.ids) or "series", roles.time or "row"]
    return pd.MultiIndex.from_arrays([labels, when], names=names)


def check_one_row_each(table: Table, index: pd.MultiIndex) -> None:
    """Raise a ValueError that names the lines where a series has two rows for one time."""
    doubled = np.flatnonzero(index.duplicated())
    if not len(doubled):
        return
    label, time = index[doubled[0]]
    first = int(np.flatnonzero(index == index[doubled[0]])[0])
    repeated = index[doubled]
    if repeated.is_unique and clocks_go_back(repeated.get_level_values(1)):
        raise ValueError(
            f"{table.where(doubled[0])} repeats the time {time} of series {label}, as clocks do that go "
            "back in autumn: name their zone, as --tz Europe/Berlin, or write times with their offset from "
            f"UTC, as {time}+01:00"
        )
    raise ValueError(
        f"{table.where(doubled[0])} repeats the time {time} of series {label} "
        f"({'row' if table.is_typed else 'line'} {table.places[first]}; "
        f"{counted(len(doubled), 'such row')}): keep one row for each time, or name the columns that tell "
        "the series apart with --id"
    )
