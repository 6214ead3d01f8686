"""Cells of a file as numbers; a cell that is none is named by its line and column."""

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_bool_dtype, is_numeric_dtype

from klforecast.commands.number_marks import (
    Marks,
    certain_decimal,
    decimal_elsewhere,
    grouped_by,
    has_dotted_dates,
    marks_in,
    without_spaces,
)
from klforecast.commands.table_file import Table

_MISSING = ("", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "-", ".", "?")


def is_text(values: pd.Series) -> bool:
    """Tell whether the cells of a column are text, as all of a CSV are."""
    return values.dtype == object or isinstance(values.dtype, pd.StringDtype)


def is_missing(values: pd.Series) -> pd.Series:
    """Tell which cells hold no value."""
    empty = values.isna()
    return empty if not is_text(values) else empty | values.astype(str).str.lower().isin(_MISSING)


def refuse_missing(table: Table, column: str, what: str) -> None:
    """Raise where a cell of a column holds no value; `what` says what its row lacks."""
    refuse(table, column, is_missing(table.frame[column]), what)


def refuse_unnamed(table: Table, column: str, what: str) -> None:
    """Raise where a cell of a column of names is empty; NA is a name, as of a country."""
    values = table.frame[column]
    refuse(table, column, values.isna() | (values.astype(str) == ""), what)


def refuse(table: Table, column: str, bad: pd.Series, what: str) -> None:
    """Raise with the first of the bad cells of a column, if there is one."""
    missing = np.flatnonzero(bad)
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
    return len(known) > 0 and bool(_to_numbers(known, marks_of(table, column)).notna().all())


def marks_of(table: Table, column: str) -> Marks:
    """Signs in the numbers of a column of text; other columns tell them where its own cells do not."""
    values = table.frame[column]
    known = values[~is_missing(values)]
    if infer_dtype(known) != "string":  # Parquet can hold decimal numbers as objects
        return Marks()
    cells = pd.Series(known.astype(str).unique(), dtype=object)
    decimal, separator = table.decimal, table.separator
    if decimal is None and table.thousands not in {",", "."}:
        decimal = certain_decimal(cells, separator)
    marks = marks_in(cells, decimal, table.thousands, separator, dotted=False)
    if not marks.inferred:
        return marks
    others = table.frame.drop(columns=column).select_dtypes("object")
    decimal, dotted = decimal_elsewhere(others, separator), has_dotted_dates(others)
    return marks_in(cells, decimal, table.thousands, separator, dotted)


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
        read = _to_numbers(values.where(~missing), marks_of(table, column))
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


def how_numbers_are_read(table: Table, columns: Sequence[str]) -> list[str]:
    """Say how numbers were read where they are not as a program would write them."""
    texts = [name for name in columns if is_text(table.frame[name])]
    marks = {name: marks_of(table, name) for name in texts}
    notes = []
    certain = [mark for mark in marks.values() if not mark.inferred]
    named = table.decimal is not None or table.thousands is not None
    if any(mark.decimal == "," for mark in certain) and not named:
        notes.append("numbers are read with a comma before the decimals")
    for name, mark in marks.items():
        if not mark.inferred:
            continue
        values = table.frame[name].astype(str)
        sign = "," if values.str.contains(",", regex=False).any() else "."
        cell = values[values.str.contains(sign, regex=False) & ~is_missing(values)].iloc[0]
        said = f"{name}: the {'comma' if sign == ',' else 'point'} of {cell} is read as one"
        if sign == mark.decimal:
            notes.append(
                f"{said} before the decimals; pass --thousands {sign} if it separates thousands"
            )
        else:
            notes.append(
                f"{said} between thousands ({cell.replace(sign, '')}); pass --decimal {sign} if it stands "
                "before the decimals"
            )
    return notes


def _to_numbers(values: pd.Series, marks: Marks) -> pd.Series:
    direct = pd.to_numeric(values, errors="coerce")
    if marks == Marks():
        rest = values[direct.isna() & values.notna()].astype(str).astype(object)
        return direct.fillna(pd.to_numeric(without_spaces(rest), errors="coerce"))
    text = without_spaces(values.astype(object))
    if marks.thousands in {",", "."}:
        grouped = rf"^({grouped_by(marks.thousands)})(?=[{marks.decimal}]|$)"
        text = text.str.replace(
            grouped, lambda found: found[0].replace(marks.thousands, ""), regex=True
        )
    if marks.decimal == ",":
        text = text.where(~text.str.contains(".", regex=False, na=False), "no number")
        text = text.str.replace(",", ".", regex=False)
    return pd.to_numeric(text, errors="coerce")


def _remedy(text: str) -> str:
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", text):
        return f"write it without separators of thousands, as {text.replace(',', '')}, or pass --thousands ,"
    if re.fullmatch(r"-?\d+,\d+", text):
        return f"write it with a point, as {text.replace(',', '.')}, or pass --decimal ,"
    if re.fullmatch(r"\([\d.,]+\)|[\d.,]+-", text):
        return f"write it with its sign in front, as -{text.strip('()-')}"
    if text.startswith("\u2212"):
        return f"write the minus of the keyboard, as -{text[1:]}"
    if not re.search(r"\d", text):
        return "write a number, categories as columns of 0 and 1, and leave empty what is not known"
    if re.fullmatch(r"[-+\d.,]*", text):
        return "write it as 1234.5, or pass the signs in it with --decimal and --thousands"
    return "write a number without a unit, or leave the cell empty if it is not known"
