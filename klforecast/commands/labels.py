"""Series and times of the rows of a table, as an index."""

import numpy as np
import pandas as pd

from klforecast.commands.cells import refuse_missing
from klforecast.commands.roles import Roles
from klforecast.commands.table_file import Table
from klforecast.commands.time_cells import times


def index_of(table: Table, roles: Roles) -> pd.MultiIndex:
    """Series and time of each row; without a column of series the target names the one there is.

    Raises
    ------
    ValueError
        If a row names no series or no time.
    """
    when: pd.Index = pd.RangeIndex(len(table.frame))
    if roles.time is not None:
        when = times(table, roles.time)
    parts = []
    for name in roles.ids:
        refuse_missing(table, name, "the row names no series")
        parts.append(table.frame[name].astype(str))
    if parts:
        labels = parts[0].str.cat(parts[1:], sep="/") if len(parts) > 1 else parts[0]
    else:
        labels = pd.Series([roles.targets[0]] * len(table.frame))
    names = ["/".join(roles.ids) or "series", roles.time or "row"]
    return pd.MultiIndex.from_arrays([labels.to_numpy(dtype=object), when], names=names)


def check_one_row_each(table: Table, index: pd.MultiIndex) -> None:
    """Raise a ValueError that names the lines where a series has two rows for one time."""
    doubled = np.flatnonzero(index.duplicated())
    if not len(doubled):
        return
    label, time = index[doubled[0]]
    first = int(np.flatnonzero(index == index[doubled[0]])[0])
    raise ValueError(
        f"{table.where(doubled[0])} repeats the time {time} of series {label} "
        f"({'row' if table.is_typed else 'line'} {table.places[first]}; {len(doubled)} such rows): keep "
        "one row for each time, or name the columns that tell the series apart with --id"
    )
