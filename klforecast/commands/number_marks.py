"""Which sign of a column of numbers stands before the decimals, and which between thousands.

A sign that separates more or fewer than three digits stands before decimals, one that comes twice in
a number between thousands. Where all separated numbers are like 1.103, whole numbers below 1000
beside them tell that the sign marks thousands, since none of them has any other number of decimals.
"""

import re
from typing import NamedTuple

import pandas as pd

SPACES = "'\u2019 \u00a0\u2009\u202f"
"""Signs that can only stand between thousands: apostrophes and spaces, those that do not break too."""

_NUMBER = r"[-+]?[\d.,]*\d[\d.,]*(?:[eE][-+]?\d+)?"
_DOTTED_DATE = r"\d{1,2}\.\d{1,2}\.\d{4}.*"
_SPACED = re.compile(rf"^([-+]?\d{{1,3}}(?:[{SPACES}]\d{{3}})+)(?=[.,]|$)")
_MONTH = r"\d{1,2}\.\d{4}|\d{4}\.\d{1,2}"  # 01.2024 is no number that tells how others are written
_OTHER = {",": ".", ".": ","}


class Marks(NamedTuple):
    """Signs in the numbers of a column.

    Attributes
    ----------
    decimal : str
    thousands : str
        Empty where none is used, apart from apostrophes and spaces.
    inferred : bool, default=False
        Whether the sign has the likelier of two meanings.
    """

    decimal: str = "."
    thousands: str = ""
    inferred: bool = False


def check_signs(decimal: str | None, thousands: str | None) -> None:
    """Raise a ValueError unless these can be the signs in numbers."""
    for option, sign in (("--decimal", decimal), ("--thousands", thousands)):
        if sign not in {None, ",", "."}:
            raise ValueError(
                f"{option} {sign}: pass , or . (apostrophes and spaces between thousands are read as such)"
            )
    if decimal is not None and decimal == thousands:
        raise ValueError(f"--decimal and --thousands are both {decimal!r}; pass different signs")


def without_spaces(cells: pd.Series) -> pd.Series:
    """Take apostrophes and spaces out from between thousands."""
    return cells.str.replace(_SPACED, lambda found: re.sub(f"[{SPACES}]", "", found[0]), regex=True)


def certain_decimal(cells: pd.Series, separator: str) -> str | None:
    """Give the sign that must stand before the decimals of these cells; None where both may, or none."""
    text = without_spaces(cells)
    text = text[text.str.fullmatch(_NUMBER)]
    point, comma = (text.str.contains(sign, regex=False) for sign in ".,")
    if (point & comma).any():
        first = text[point & comma].iloc[0]
        return max(".,", key=first.rfind)
    # Of cells that contradict each other the first one counts, and the others are refused.
    signs = {sign: found for sign, found in ((".", point), (",", comma)) if found.any()}
    for sign in sorted(signs, key=lambda sign: signs[sign].argmax()):
        found = signs[sign]
        # A comma between columns is hardly one in numbers: cells with one are refused.
        if sign == separator:
            continue
        separated = text[found]
        grouped = separated.str.fullmatch(grouped_by(sign))
        if (separated.str.count(re.escape(sign)) > 1).any():
            return _OTHER[sign] if grouped.all() else None
        if not grouped.all():
            return sign
    return None


def marks_in(
    cells: pd.Series, decimal: str | None, thousands: str | None, separator: str, dotted: bool
) -> Marks:
    """Tell the signs in a column of text.

    Parameters
    ----------
    cells : Series of str
        Those that hold something.
    decimal, thousands : str or None
        Known signs: named by the user, or told by another column of the file.
    separator : str
        Sign between the columns of the file.
    dotted : bool
        Whether dates in the file are written as 31.01.2024, as where the point marks thousands.

    Examples
    --------
    >>> cells = pd.Series(["911", "1.103"])
    >>> marks_in(cells, None, None, ";", dotted=False)
    Marks(decimal=',', thousands='.', inferred=True)
    >>> marks_in(cells, ".", None, ";", dotted=False)
    Marks(decimal='.', thousands=',', inferred=False)
    """
    if decimal is None and thousands in _OTHER:
        decimal = _OTHER[thousands]
    if decimal is not None:
        return Marks(decimal, thousands or _OTHER[decimal])
    text = without_spaces(cells)
    text = text[text.str.fullmatch(_NUMBER)]
    plain = text[text.str.fullmatch(r"[-+]?\d+")]
    size = plain.str.lstrip("+-").str.lstrip("0").str.len()
    for sign in ".,":
        if sign == separator or not text.str.contains(sign, regex=False).any():
            continue
        if (size > 0).any() and (size <= 3).all():
            return Marks(_OTHER[sign], sign, inferred=True)
        if sign == "." and separator == ";" and dotted:
            return Marks(",", ".", inferred=True)
        return Marks(sign, _OTHER[sign], inferred=True)
    return Marks()


def decimal_elsewhere(frame: pd.DataFrame, separator: str) -> str | None:
    """Give the sign before decimals that some column of text tells for all of them."""
    for _, values in frame.items():
        cells = pd.Series(values.dropna().astype(str).unique(), dtype=object)
        if not cells.str.fullmatch(_MONTH).all():
            found = certain_decimal(cells, separator)
            if found is not None:
                return found
    return None


def has_dotted_dates(frame: pd.DataFrame) -> bool:
    """Tell whether a column of text holds dates such as 31.01.2024."""
    return any(values.astype(str).str.fullmatch(_DOTTED_DATE).all() for _, values in frame.items())


def grouped_by(sign: str) -> str:
    """Pattern of whole numbers in groups of three digits."""
    return rf"[-+]?[1-9]\d{{0,2}}(?:{re.escape(sign)}\d{{3}})+"
