"""Years and months in columns of their own, which together are the times of a file."""

import re

import pandas as pd

from klforecast.commands.cells import looks_numeric
from klforecast.commands.roles import TIME_NAMES, Asked
from klforecast.commands.table_file import Table
from klforecast.commands.time_cells import looks_like_seconds, looks_like_times

_YEARS = ("year", "jahr", "année", "annee", "año", "anno")
_MONTHS = ("month", "monat", "mois", "mes", "mese")
_NUMBER = re.compile(r"0?[1-9]|1[0-2]|(?:[1-9]|1[0-2])\.0")
_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def with_months(table: Table, asked: Asked) -> tuple[Table, str | None]:
    """Put a column of years and one of months into one of times, where they are the only times.

    Returns
    -------
    Table
        The times stand in the column of the months, as 2024-01.
    str or None
        What was done, where anything was.

    Raises
    ------
    ValueError
        If a month is none.
    """
    frame = table.frame
    year, month = _named(frame, _YEARS), _named(frame, _MONTHS)
    taken = {asked.time, *asked.ids, *asked.targets, *asked.covariates}
    if year is None or month is None or {year, month} & taken or asked.time is not None:
        return table, None
    others = [name for name in frame if name not in (year, month)]
    if not looks_numeric(table, year) or any(looks_like_times(table, name) for name in frame):
        return table, None
    if any(name.lower() in TIME_NAMES or looks_like_seconds(table, name) for name in others):
        return table, None
    numbers = _month_numbers(table, month)
    years = frame[year].astype(str).str.partition(".")[0]
    joined = frame.assign(**{month: years + "-" + numbers}).drop(columns=year)
    said = f"times: {year} and {month} are read together, as {joined[month].iloc[-1]}"
    return table._replace(frame=joined), said


def _named(frame: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    return next((column for column in frame if column.lower() in names), None)


def _month_numbers(table: Table, column: str) -> pd.Series:
    numbers = []
    for place, cell in enumerate(table.frame[column].astype(str)):
        if _NUMBER.fullmatch(cell):
            numbers.append(f"{int(float(cell)):02}")
        elif cell[:3].lower() in _NAMES:
            numbers.append(f"{_NAMES.index(cell[:3].lower()) + 1:02}")
        else:
            raise ValueError(
                f"{table.where(place)}, column {column!r}: {cell!r} is no month; write 1 to 12, or year and "
                "month in one column, as 2024-01"
            )
    return pd.Series(numbers, index=table.frame.index)
