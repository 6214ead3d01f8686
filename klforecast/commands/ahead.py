"""Covariates at the steps ahead: which steps these are, and what a file of their own says of them."""

from pathlib import Path

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.commands.cells import is_missing, numbers
from klforecast.commands.clocks import Clock, find_zone
from klforecast.commands.labels import check_one_row_each, index_like
from klforecast.commands.roles import Asked, Roles
from klforecast.commands.table_file import read_table
from klforecast.commands.year_month import with_months
from klforecast.estimators.counts import counted


def steps_after(panel: pd.DataFrame, frequency: BaseOffset | None, horizon: int) -> pd.MultiIndex:
    """Stamps of the forecast steps of each series."""
    parts = []
    for label, rows in panel.groupby(level=0, sort=False):
        last = rows.index[-1][1]
        if frequency is None:
            stamps: pd.Index = pd.RangeIndex(last + 1, last + horizon + 1)
        else:
            stamps = pd.date_range(last, periods=horizon + 1, freq=frequency)[1:]
        parts.append(pd.MultiIndex.from_product([[label], stamps]))
    index = parts[0]
    return index.append(parts[1:]).set_names(panel.index.names)


def read_future(
    path: Path, asked: Asked, roles: Roles, labels: pd.Index, kind: np.dtype, clock: Clock | None
) -> pd.DataFrame:
    """Read the covariates ahead from a file of their own.

    Raises
    ------
    ValueError
        If a column is missing, or times are of another kind than those of the series.
    """
    table = read_table(path)._replace(decimal=asked.decimal, thousands=asked.thousands)
    table = table.keep(~table.frame.apply(is_missing).all(axis=1))
    table, _ = with_months(table, asked)
    for name in [*([roles.time] if roles.time else []), *roles.ids, *roles.covariates]:
        if name not in table.frame:
            raise ValueError(
                f"{table.name} (--future) has no column {name!r}; it has "
                f"{', '.join(table.frame.columns)}"
            )
    index = index_like(table, roles, find_zone(asked.zone), clock)
    values = pd.DataFrame({name: numbers(table, name) for name in roles.covariates}).set_axis(index)
    check_one_row_each(table, values.index)
    if index.dtypes.iloc[-1].kind != kind.kind:
        raise ValueError(
            f"{table.name} (--future) has another kind of times in column {roles.time!r} than the file "
            "of the series; write them alike"
        )
    if len(roles.targets) > 1 and not roles.ids:
        # All targets of a file share its covariates.
        values = pd.concat(
            {label: values.droplevel(0) for label in labels}, names=values.index.names
        )
    return values


def with_ahead(rows: pd.DataFrame, later: pd.DataFrame) -> pd.DataFrame:
    """Put the covariates ahead behind the known ones of each series."""
    order = {label: place for place, label in enumerate(rows.index.unique(level=0))}
    joined = pd.concat([rows, later])
    places = joined.index.get_level_values(0).map(order)
    return joined.iloc[np.argsort(places, kind="stable")]


def name_hole(name: str, later: pd.DataFrame, column: str, horizon: int) -> str:
    """Say where a covariate is missing ahead."""
    missing = later[column].isna()
    label, time = later.index[np.flatnonzero(missing)[0]]
    return (
        f"{name} (--future) has no value of {column!r} at {time} of series {label} "
        f"({counted(int(missing.sum()), 'such row')}); give one for each of the {horizon} steps ahead of every series"
    )
