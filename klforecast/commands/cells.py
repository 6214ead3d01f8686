"""Cells of a file as times and numbers; a cell that is neither is named by its line and column."""

import re

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

from klforecast.commands.table_file import Table

_MISSING = ("", "na", "n/a", "nan", "nat", "null", "none", "-", "?")
_QUARTER = re.compile(r"(\d{4})[- ]?Q([1-4])", re.IGNORECASE)
_SLASHED = re.compile(r"(\d{1,2})[/.\-](\d{1,2})[/.\-](\d{4})(.*)")
_COMPACT = re.compile(r"(1[89]|20|21)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])")  # 20240131
_ISO = re.compile(r"\d{4}-\d{1,2}")


def is_missing(values: pd.Series) -> pd.Series:
    """Tell which cells hold no value."""
    empty = values.isna()
    return empty if not _is_text(values) else empty | values.astype(str).str.lower().isin(_MISSING)


def looks_numeric(table: Table, column: str) -> bool:
    """Tell whether all cells of a column are numbers or missing, and some are numbers."""
    values = table.frame[column]
    if not _is_text(values):
        return is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype)
    known = values[~is_missing(values)]
    return len(known) > 0 and bool(_to_numbers(known, table.decimal).notna().all())


def looks_like_times(table: Table, column: str) -> bool:
    """Tell whether the first cells of a column are dates; numbers are none, but for 20240131."""
    values = table.frame[column]
    if not _is_text(values):
        return is_datetime64_any_dtype(values.dtype)
    known = values[~is_missing(values)].head(20).astype(str)
    shapes = (_QUARTER, _SLASHED, _COMPACT, _ISO)
    return len(known) > 0 and all(any(shape.match(text) for shape in shapes) for text in known)


def numbers(table: Table, column: str) -> np.ndarray:  # (rows,) float64, NaN for missing
    """Read a column of numbers.

    Raises
    ------
    ValueError
        If a cell is no number or infinite.
    """
    values = table.frame[column]
    if not _is_text(values):
        if not is_numeric_dtype(values.dtype):
            raise ValueError(
                f"column {column!r} of {table.name} holds {values.dtype}, and a forecast needs numbers; "
                "name another column"
            )
        found = values.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        missing = is_missing(values)
        read = _to_numbers(values.where(~missing), table.decimal)
        bad = np.flatnonzero(read.isna() & ~missing)
        if len(bad):
            text = str(values.iloc[bad[0]])
            others = f" ({len(bad)} such cells)" if len(bad) > 1 else ""
            raise ValueError(
                f"{table.where(bad[0])}, column {column!r}: {text!r} is not a number{others}; "
                f"{_remedy(text)}"
            )
        found = read.to_numpy(dtype=np.float64)
    infinite = np.flatnonzero(np.isinf(found))
    if len(infinite):
        raise ValueError(
            f"{table.where(infinite[0])}, column {column!r}: the value is infinite; leave the cell "
            "empty if it is not known"
        )
    return found


def times(table: Table, column: str) -> pd.Index:
    """Read a column of times: dates, months, quarters, or whole numbers.

    Raises
    ------
    ValueError
        If a cell is missing or no time, or day and month cannot be told apart.
    """
    values = table.frame[column]
    missing = np.flatnonzero(is_missing(values))
    if len(missing):
        raise ValueError(
            f"{table.where(missing[0])}, column {column!r}: there is no time; fill it in or take the "
            "row out"
        )
    if is_datetime64_any_dtype(values.dtype):
        return _without_zone(pd.DatetimeIndex(values))
    text = values.astype(str)
    if text.str.fullmatch(_COMPACT).all():
        return pd.DatetimeIndex(pd.to_datetime(text, format="%Y%m%d"))
    if text.str.fullmatch(r"-?\d+").all():
        return pd.Index(text.astype(np.int64))
    if text.str.fullmatch(_QUARTER).all():
        quarters = text.str.replace(_QUARTER, r"\1Q\2", regex=True)
        return pd.PeriodIndex(quarters, freq="Q").to_timestamp()
    if text.str.fullmatch(_SLASHED).all():
        return _slashed(table, column, text)
    read = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    bad = np.flatnonzero(read.isna())
    if len(bad):
        raise ValueError(
            f"{table.where(bad[0])}, column {column!r}: {text.iloc[bad[0]]!r} is not a time; write dates "
            "as 2024-01-31 or 2024-01-31 14:00"
        )
    return _without_zone(pd.DatetimeIndex(read))


def _slashed(table: Table, column: str, text: pd.Series) -> pd.Index:
    """Read 31/01/2024 or 01/31/2024, whichever the file must mean."""
    parts = text.str.extract(_SLASHED)
    first, second = parts[0].astype(int), parts[1].astype(int)
    if first.max() > 12 and second.max() > 12:
        place = int(np.flatnonzero((first > 12) if second.iloc[0] > 12 else (second > 12))[0])
        raise ValueError(
            f"{table.where(place)}, column {column!r}: {text.iloc[place]!r} has day and month the other "
            "way round than other rows; write dates as 2024-01-31"
        )
    if first.max() <= 12 and second.max() <= 12:
        raise ValueError(
            f"{table.where(0)}, column {column!r}: {text.iloc[0]!r} and all other dates can be read with "
            "the day first or the month first; write dates as 2024-01-31"
        )
    day, month = (first, second) if first.max() > 12 else (second, first)
    iso = parts[2] + "-" + month.map("{:02d}".format) + "-" + day.map("{:02d}".format) + parts[3]
    read = pd.to_datetime(iso.str.strip(), format="ISO8601", errors="coerce")
    bad = np.flatnonzero(read.isna())
    if len(bad):
        raise ValueError(
            f"{table.where(bad[0])}, column {column!r}: {text.iloc[bad[0]]!r} is not a date; write dates "
            "as 2024-01-31"
        )
    return pd.DatetimeIndex(read)


def _without_zone(index: pd.DatetimeIndex) -> pd.DatetimeIndex:
    return index if index.tz is None else index.tz_convert("UTC").tz_localize(None)


def _is_text(values: pd.Series) -> bool:
    return values.dtype == object or isinstance(values.dtype, pd.StringDtype)


def _to_numbers(values: pd.Series, decimal: str) -> pd.Series:
    plain = values if decimal == "." else values.astype(object).str.replace(",", ".", regex=False)
    return pd.to_numeric(plain, errors="coerce")


def _remedy(text: str) -> str:
    if re.fullmatch(r"-?\d{1,3}([,' ]\d{3})+(\.\d+)?", text):
        return f"write it without separators of thousands, as {re.sub('[, ]', '', text)}"
    if re.fullmatch(r"-?\d+,\d+", text):
        return f"write it with a point, as {text.replace(',', '.')}"
    return "write a number, or leave the cell empty if it is not known"
