"""A table in a file: CSV with any usual separator, plain or gzipped, or Parquet.

Cells of a CSV stay text here, and each row knows its line, so that what is wrong with a cell can be said
in the words of the file. Errors are ValueErrors whose message is a sentence about the file.
"""

import codecs
import csv
import io
import zlib
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from klforecast.data.files import uncompressed

_SEPARATORS = ",;\t|"
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_PARQUET = (".parquet", ".pq")


class Table(NamedTuple):
    """Columns of a file and where their rows stand in it.

    Attributes
    ----------
    name : str
        Name of the file.
    frame : DataFrame
        One column per column of the file; text for a CSV, typed for Parquet.
    places : Index
        For each row, its line in a CSV, its number in Parquet.
    separator : str
        Sign between the columns of a CSV; empty for Parquet.
    decimal, thousands : str or None, default=None
        Signs in numbers that are text, as named by the user. None: told by the cells.
    """

    name: str
    frame: pd.DataFrame
    places: pd.Index
    separator: str
    decimal: str | None = None
    thousands: str | None = None

    def where(self, position: int) -> str:
        """Say where a row stands."""
        return f"{self.name}, {'row' if self.is_typed else 'line'} {self.places[position]}"

    @property
    def is_typed(self) -> bool:
        """Whether columns have types, as those of Parquet."""
        return self.places.name == "row"

    def keep(self, rows: pd.Series) -> "Table":
        """Take some of the rows."""
        wanted = rows.to_numpy()
        return self._replace(
            frame=self.frame[wanted].reset_index(drop=True), places=self.places[wanted]
        )


def read_table(path: Path) -> Table:
    """Read a file.

    Raises
    ------
    ValueError
        If there is no such file, or none that can be read: empty, of a spreadsheet, damaged, not in
        UTF-8, with lines of unequal length, without names of columns or with a name twice.
    ImportError
        For Parquet without pyarrow.
    """
    if not path.exists():
        raise ValueError(f"{path}: there is no such file; check the name and the folder")
    if path.is_dir():
        raise ValueError(f"{path} is a folder; name the file in it")
    if path.suffix.lower() in _SPREADSHEETS:
        raise ValueError(f"{path.name} is a spreadsheet; save it as CSV and pass that file")
    if path.suffix.lower() == ".zip":
        raise ValueError(f"{path.name} is an archive; unpack it and pass the file in it")
    if path.suffix.lower() in _PARQUET:
        return _read_parquet(path)
    return _read_csv(path.name, _text(path))


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{path.name} is Parquet, and reading it needs pyarrow, which is not installed; run "
            "pip install 'klforecast[parquet]', or save the file as CSV"
        ) from error
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (ValueError, OSError) as error:  # what pyarrow raises for a damaged file is a ValueError
        raise ValueError(f"{path.name} is no Parquet file that can be read: {error}") from error
    if frame.index.names != [None]:
        frame = frame.reset_index()
    frame.columns = [str(name) for name in frame.columns]
    _check_names(path.name, list(frame.columns))
    if frame.empty:
        raise ValueError(f"{path.name} has columns but no row; pass a file with rows")
    places = pd.RangeIndex(1, len(frame) + 1, name="row")
    return Table(path.name, frame.reset_index(drop=True), places, "")


def _text(path: Path) -> str:
    try:
        content = uncompressed(path, path.name.removesuffix(".gz"))
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path.name} cannot be read, it may be damaged or cut off: {error}"
        ) from error
    if not content.strip():
        raise ValueError(f"{path.name} is empty; pass a file with a line of column names and rows")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")  # "Unicode text" of spreadsheets
    if b"\0" in content:
        raise ValueError(f"{path.name} holds binary data; pass CSV, gzipped CSV or Parquet")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path.name}, line {line}: byte {content[error.start]:#04x} is not UTF-8; save the file "
            "with the encoding UTF-8"
        ) from error


def _read_csv(name: str, text: str) -> Table:
    first = text.lstrip().split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    header: list[str] | None = None
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = [cell or f"column {place}" for place, cell in enumerate(cells, 1)]
                continue
            if len(cells) != len(header):
                raise ValueError(
                    f"{name}, line {reader.line_num} has {len(cells)} fields, and the line of column "
                    f"names has {len(header)}; write one field for each column, separated by "
                    f"{_spelled(separator)}, and put text that holds it into quotes"
                )
            rows.append(cells)
            lines.append(reader.line_num)
    except csv.Error as error:
        raise ValueError(
            f"{name}, line {reader.line_num} cannot be read: {error}; check its quotes"
        ) from error
    assert header is not None  # the text is not blank
    _check_names(name, header)
    if not rows:
        raise ValueError(
            f"{name} has a line of column names ({', '.join(header[:5])}) but no rows; pass a file "
            "with rows"
        )
    frame = pd.DataFrame(rows, columns=header, dtype=object)
    return Table(name, frame, pd.Index(lines, name="line"), separator)


def _check_names(name: str, names: list[str]) -> None:
    doubled = sorted({column for column in names if names.count(column) > 1})
    if doubled:
        raise ValueError(
            f"{name} has more than one column {doubled[0]!r}; give each column a name of its own"
        )
    if all(_is_number(column) or column[:4].isdigit() for column in names):
        raise ValueError(
            f"the first line of {name} holds values ({', '.join(names[:3])}), not names; put a line of "
            "column names above it, such as date,sales"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _spelled(separator: str) -> str:
    return "tabs" if separator == "\t" else repr(separator)
