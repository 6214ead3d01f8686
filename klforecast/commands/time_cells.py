"""Cells of a file as times: dates as people write them, months, quarters, weeks, seconds, whole numbers.

The first cell says how a column is written, and all others have to be written so.
"""

import re
from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype

from klforecast.commands.cells import is_missing, is_text, refuse, refuse_missing
from klforecast.commands.clocks import Stamps
from klforecast.commands.table_file import Table

_YEAR = r"(?:1[89]|20|21)\d{2}"
_DAY_NUMBER = re.compile(_YEAR + r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])")  # 20240131
_MONTH_NUMBER = re.compile(_YEAR + r"(?:0[1-9]|1[0-2])")  # 202401
_MICROSECONDS = re.compile(r"1\d{15}")
_MILLISECONDS = re.compile(r"1\d{12}")
_SECONDS = re.compile(r"1\d{9}")
_SECONDS_AND_PARTS = re.compile(r"1\d{9}\.\d{1,9}")
_SHORT_YEAR = re.compile(r"(\d{1,2})([/.])(\d{1,2})\2(\d{2})(?!\d)(.*)")  # 31.01.24
_LAST_OF_THIS_CENTURY = 68  # of years in two digits, as POSIX has it
_MONTH_NAME = (
    "(?:jan|feb|fév|mar|mär|mrz|apr|avr|abr|mai|may|mag|jun|juin|giu|jul|juil|lug|aug|aoû|aou|ago|sep|set|"
    "oct|okt|out|ott|nov|dec|déc|dez|dic|ene|gen)"
)
_LIKE_A_DATE = re.compile(
    r"(?:\d{1,4}[-/. ]\d{1,2}[-/. ]\d{1,4}\b.*|"
    rf"(?:\d{{1,2}}\.?[-/ ])?{_MONTH_NAME}[^\d\s./-]*\.?,?[-/ ]\d{{2,4}})",
    re.IGNORECASE,
)
_WHOLE = re.compile(r"-?\d+(?:\.0*)?")
_QUARTER = re.compile(r"(\d{4})[- ]?Q([1-4])", re.IGNORECASE)
_QUARTER_FIRST = re.compile(r"Q([1-4])[- /]?(\d{4})", re.IGNORECASE)
_MONTH = re.compile(
    r"(\d{4})[- ]?M(\d{1,2})", re.IGNORECASE
)  # 2024M01, as statistical offices write
_MONTH_FIRST = re.compile(r"(\d{1,2})[/.](\d{4})")
_WEEK = re.compile(r"(\d{4})-?W(\d{1,2})", re.IGNORECASE)
_NAMED = re.compile(
    r"(?:\d{1,2}[-/ .]+)?(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[-/ .]+"
    r"(?:\d{1,2}, *)?\d{2,4}",
    re.IGNORECASE,
)
_SLASHED = re.compile(r"(\d{1,2})([/.\-])(\d{1,2})[/.\-](\d{4})(.*)")
_ISO = re.compile(r"\d{4}-\d{1,2}")
_OFFSET = re.compile(r"(:\d{2}(?:\.\d+)?) ?(?:Z|[+-]\d{2}:?\d{2})$")

_DATES = ("date", "day")  # names of columns whose whole numbers may be the dates of a spreadsheet
_FIRST_DAY = pd.Timestamp("1899-12-30")  # day 0 of spreadsheets
_SPREADSHEET_DAYS = (20_000, 80_000)  # 1954 to 2119


def looks_like_times(table: Table, column: str) -> bool:
    """Tell whether the first cells of a column are dates; numbers are none, but for 20240131."""
    values = table.frame[column]
    if not is_text(values):
        return is_datetime64_any_dtype(values.dtype)
    known = values[~is_missing(values)].head(20).astype(str)
    shapes = (
        *(_QUARTER, _QUARTER_FIRST, _MONTH, _WEEK, _NAMED, _SLASHED, _SHORT_YEAR),
        *(_DAY_NUMBER, _ISO),
    )
    return len(known) > 0 and all(any(shape.match(text) for shape in shapes) for text in known)


def looks_like_seconds(table: Table, column: str) -> bool:
    """Tell whether a column holds seconds since 1970, or parts of them, that go up or down with the rows."""
    values = table.frame[column]
    if is_missing(values).any():
        return False
    text = values.astype(str)
    if not any(text.str.fullmatch(shape).all() for shape in (_SECONDS, _MILLISECONDS)):
        return False
    return text.is_monotonic_increasing or text.is_monotonic_decreasing


def looks_like_unread_times(table: Table, column: str) -> bool:
    """Tell whether cells of text look like dates in some way of writing, one that is not read too."""
    values = table.frame[column]
    if not is_text(values):
        return False
    known = values[~is_missing(values)].head(20).astype(str)
    return len(known) > 0 and bool(known.str.fullmatch(_LIKE_A_DATE).all())


def times(table: Table, column: str) -> Stamps:
    """Read a column of times: dates, months, quarters, weeks, or whole numbers.

    Raises
    ------
    ValueError
        If a cell is missing or no time, day and month cannot be told apart, or only some times have an
        offset from UTC.
    """
    values = table.frame[column]
    refuse_missing(table, column, "there is no time")
    if is_datetime64_any_dtype(values.dtype):
        stamps = pd.DatetimeIndex(values)
        if stamps.tz is None:
            return Stamps(stamps)
        return Stamps(
            stamps.tz_localize(None), stamps.tz_convert("UTC").tz_localize(None), stamps.tz
        )
    text = values.astype(str)
    for shape, read in _SHAPES:
        if shape.fullmatch(text.iloc[0]) and text.str.fullmatch(shape).all():
            return Stamps(_checked(table, column, text, read(text)))
    if text.str.fullmatch(_WHOLE).all():
        return Stamps(_whole_numbers(column, text))
    if text.str.fullmatch(_SLASHED).all():
        return Stamps(_slashed(table, column, text, text.str.extract(_SLASHED)))
    if text.str.fullmatch(_SHORT_YEAR).all():
        return Stamps(_short_years(table, column, text))
    wall = _checked(table, column, text, _read_iso(text.str.replace(_OFFSET, r"\1", regex=True)))
    with_offset = text.map(lambda cell: _OFFSET.search(cell) is not None)
    if not with_offset.any():
        return Stamps(wall)
    refuse(table, column, ~with_offset, "the time has no offset from UTC, as others have")
    return Stamps(wall, _checked(table, column, text, _read_iso(text)))


def how_read(table: Table, column: str, index: pd.Index) -> str | None:
    """Say how the last cell of a column was read, where that is not as it is written."""
    cell = str(table.frame[column].iloc[-1])
    read = str(index[-1])
    plain = re.sub(r"[/.T]", lambda found: " " if found[0] == "T" else "-", cell)
    if plain.startswith(read) or read.startswith(plain) or not isinstance(index, pd.DatetimeIndex):
        return None
    return f"times: {cell} is read as {read if ':' in cell else read.removesuffix(' 00:00:00')}"


def _named(text: pd.Series) -> pd.DatetimeIndex:
    """31 Jan 2024, Jan 31, 2024, January 2024, Jan-24, with any of the signs between the parts."""
    plain = text.str.replace(r"[-/ .,]+", " ", regex=True)
    formats = (
        *("%d %b %Y", "%d %B %Y", "%d %b %y", "%b %d %Y", "%B %d %Y"),
        *("%b %Y", "%B %Y", "%b %y"),
    )
    tried = (pd.to_datetime(plain, format=form, errors="coerce") for form in formats)
    return pd.DatetimeIndex(max(tried, key=lambda read: read.notna().sum()))


_SHAPES: tuple[tuple[re.Pattern[str], Callable[[pd.Series], pd.DatetimeIndex]], ...] = (
    (_DAY_NUMBER, lambda text: _as_dates(text, "%Y%m%d")),
    (_MONTH_NUMBER, lambda text: _as_dates(text, "%Y%m")),
    (_MICROSECONDS, lambda text: _since_1970(text, "us")),
    (_MILLISECONDS, lambda text: _since_1970(text, "ms")),
    (_SECONDS, lambda text: _since_1970(text, "s")),
    (
        _SECONDS_AND_PARTS,
        lambda text: _since_1970(text.map(lambda cell: cell.replace(".", "").ljust(19, "0")), "ns"),
    ),
    (_QUARTER, lambda text: _quarters(text.str.replace(_QUARTER, r"\1Q\2", regex=True))),
    (
        _QUARTER_FIRST,
        lambda text: _quarters(text.str.replace(_QUARTER_FIRST, r"\2Q\1", regex=True)),
    ),
    (_MONTH, lambda text: _as_dates(text.str.replace(_MONTH, r"\1-\2", regex=True), "%Y-%m")),
    (
        _MONTH_FIRST,
        lambda text: _as_dates(text.str.replace(_MONTH_FIRST, r"\2-\1", regex=True), "%Y-%m"),
    ),
    (_WEEK, lambda text: _as_dates(text.str.replace(_WEEK, r"\1-\2-1", regex=True), "%G-%V-%u")),
    (_NAMED, _named),
)


def _as_dates(text: pd.Series, form: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(text, format=form, errors="coerce"))


def _since_1970(text: pd.Series, unit: Literal["s", "ms", "us", "ns"]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(text.astype(np.int64), unit=unit))


def _quarters(text: pd.Series) -> pd.DatetimeIndex:
    return pd.PeriodIndex(text, freq="Q").to_timestamp()


def _read_iso(text: pd.Series) -> pd.DatetimeIndex:
    read = pd.to_datetime(text, format="ISO8601", errors="coerce", utc=True)
    return pd.DatetimeIndex(read).tz_localize(None)


def _whole_numbers(column: str, text: pd.Series) -> pd.Index:
    """Steps, or the day numbers of a spreadsheet in a column of dates."""
    found = text.str.partition(".")[0].astype(np.int64)
    if column.lower() in _DATES and found.between(*_SPREADSHEET_DAYS).all():
        return pd.DatetimeIndex(_FIRST_DAY + pd.to_timedelta(found, unit="D"))
    return pd.Index(found)


def _short_years(table: Table, column: str, text: pd.Series) -> pd.DatetimeIndex:
    """Read 31.01.24 or 01/31/24, unless the year may come first."""
    parts = text.str.extract(_SHORT_YEAR)
    first, last = parts[0].copy(), parts[3].copy()
    parts[3] = _full_years(last)
    read = _slashed(table, column, text, parts)
    parts[3] = _full_years(first)
    year_first = _dates_and_clocks(parts, parts[2].astype(int), last.astype(int))
    if _is_regular(year_first) and not _is_regular(read):
        raise ValueError(
            f"{table.where(0)}, column {column!r}: {text.iloc[0]!r} seems to begin with its year; write "
            "dates as 2024-01-31"
        )
    return read


def _full_years(digits: pd.Series) -> pd.Series:
    years = digits.astype(int)
    return (years + np.where(years > _LAST_OF_THIS_CENTURY, 1900, 2000)).astype(str)


def _slashed(table: Table, column: str, text: pd.Series, parts: pd.DataFrame) -> pd.DatetimeIndex:
    """Read 31/01/2024 or 01/31/2024, whichever the file must mean."""
    first, second = parts[0].astype(int), parts[2].astype(int)
    if first.max() > 12 and second.max() > 12:
        place = int(np.flatnonzero((first > 12) if second.iloc[0] > 12 else (second > 12))[0])
        raise ValueError(
            f"{table.where(place)}, column {column!r}: {text.iloc[place]!r} has day and month the other "
            "way round than other rows; write dates as 2024-01-31"
        )
    day_first = _dates_and_clocks(parts, second, first)
    month_first = _dates_and_clocks(parts, first, second)
    if first.max() > 12 or (second.max() <= 12 and (parts[1] == ".").all()):
        return _checked(table, column, text, day_first)
    if second.max() > 12:
        return _checked(table, column, text, month_first)
    regular = [_is_regular(reading) for reading in (day_first, month_first)]
    if sum(regular) != 1:
        raise ValueError(
            f"{table.where(0)}, column {column!r}: {text.iloc[0]!r} and all other dates can be read with "
            "the day first or the month first; write dates as 2024-01-31"
        )
    return _checked(table, column, text, day_first if regular[0] else month_first)


def _dates_and_clocks(parts: pd.DataFrame, month: pd.Series, day: pd.Series) -> pd.DatetimeIndex:
    """Put the parts of slashed dates together; the clock may be one of twelve hours."""
    dates = parts[3] + "-" + month.map("{:02d}".format) + "-" + day.map("{:02d}".format)
    clock = parts[4].str.strip()
    if clock.str.fullmatch(r"[\d:]+ ?[AaPp][Mm]").all():
        seconds = ":%S" if clock.iloc[0].count(":") == 2 else ""
        form = f"%Y-%m-%d %I:%M{seconds} %p"
        return _as_dates(
            dates + " " + clock.str.replace(r" ?([AaPp][Mm])", r" \1", regex=True), form
        )
    return _read_iso((dates + parts[4]).str.strip())


def _is_regular(stamps: pd.DatetimeIndex) -> bool:
    """Tell whether stamps follow each other by one step of time, or of months on one day."""
    known = stamps.dropna().unique().sort_values()
    if len(known) < 3 or len(known) < len(stamps.unique()):
        return False
    months = known.year * 12 + known.month
    same_day = known.day.nunique() == 1 and (known == known.normalize()).all()
    return len(set(np.diff(known.asi8))) == 1 or (same_day and len(set(np.diff(months))) == 1)


def _checked(
    table: Table, column: str, text: pd.Series, read: pd.DatetimeIndex
) -> pd.DatetimeIndex:
    bad = np.flatnonzero(read.isna())
    if len(bad):
        raise ValueError(
            f"{table.where(bad[0])}, column {column!r}: {text.iloc[bad[0]]!r} is not a time; write dates "
            "as 2024-01-31 or 2024-01-31 14:00, or name another column with --time"
        )
    return read
