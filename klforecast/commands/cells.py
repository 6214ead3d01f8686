"""Cells of a file as numbers; a cell that is none is named by its line and column."""

import re

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from klforecast.commands.table_file import Table

_THOUSANDS = re.compile(r"-?[1-9]\d{0,2}(?:\.\d{3})+")  # 1.234 or 1.234.567
_MISSING = ("", "na", "n/a", "nan", "nat", "null", "none", "-", "?")


def is_text(values: pd.Series) -> bool:
    """Tell whether the cells of a column are text, as all of a CSV are."""
    return values.dtype == object or isinstance(values.dtype, pd.StringDtype)


def is_missing(values: pd.Series) -> pd.Series:
    """Tell which cells hold no value."""
    empty = values.isna()
    return empty if not is_text(values) else empty | values.astype(str).str.lower().isin(_MISSING)


def refuse_missing(table: Table, column: str, what: str) -> None:
    """Raise where a cell of a column holds no value; `what` says what its row lacks."""
    missing = np.flatnonzero(is_missing(table.frame[column]))
    if len(missing):
        raise ValueError(
            f"{table.where(missing[0])}, column {column!r}: {what}; fill it in or take the row out"
        )


def looks_numeric(table: Table, column: str) -> bool:
    """Tell whether all cells of a column are numbers or missing, and some are numbers."""
    values = table.frame[column]
    if not is_text(values):
        return is_numeric_dtype(values.dtype) and not is_bool_dtype(values.dtype)
    known = values[~is_missing(values)]
    return len(known) > 0 and bool(_to_numbers(known, table.decimal).notna().all())


def numbers(table: Table, column: str) -> np.ndarray:  # (rows,) float64, NaN for missing
    """Read a column of numbers.

    Raises
    ------
    ValueError
        If a cell is no number or infinite.
    """
    values = table.frame[column]
    if not is_text(values):
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


def thousands_or_decimals(table: Table, column: str) -> str | None:
    """Give a cell such as 1.234 where all are like it and no comma in the file tells what the point is.

    Only where columns are not separated by commas, which is where people write decimals with them.
    """
    values = table.frame[column]
    if not is_text(values) or table.decimal == "," or table.separator == ",":
        return None
    known = values[~is_missing(values)].astype(str)
    return str(known.iloc[0]) if known.str.fullmatch(_THOUSANDS).all() else None


def _to_numbers(values: pd.Series, decimal: str) -> pd.Series:
    if decimal == ".":
        return pd.to_numeric(values, errors="coerce")
    grouped = rf"^({_THOUSANDS.pattern})(?=,|$)"
    plain = values.astype(object).str.replace(
        grouped, lambda found: found[0].replace(".", ""), regex=True
    )
    return pd.to_numeric(plain.str.replace(",", ".", regex=False), errors="coerce")


def _remedy(text: str) -> str:
    if re.fullmatch(r"-?\d{1,3}([,' ]\d{3})+(\.\d+)?", text):
        return f"write it without separators of thousands, as {re.sub('[, ]', '', text)}"
    if re.fullmatch(r"-?\d+,\d+", text):
        return f"write it with a point, as {text.replace(',', '.')}"
    if not re.search(r"\d", text):
        return "write a number, categories as columns of 0 and 1, and leave empty what is not known"
    return "write a number without a unit, or leave the cell empty if it is not known"
