"""Between tables of any library and those of pandas; narwhals, imported when another library's comes."""

from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import pandas as pd

# Closed, because files name them.
Library: TypeAlias = Literal["pandas", "polars", "pyarrow", "modin", "cudf"]
Whole: TypeAlias = Literal["Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64"]
Times: TypeAlias = Literal["String", "Date", "Datetime", Whole]
Unit: TypeAlias = Literal["s", "ms", "us", "ns"]


def to_pandas(table: Any, name: str = "df") -> pd.DataFrame:
    """Return a table as one of pandas; other libraries' are copied column by column.

    Raises
    ------
    TypeError
        If it is no table, or one that is not computed yet.
    ImportError
        If it is of another library and narwhals is not installed.

    Examples
    --------
    >>> to_pandas(pd.DataFrame({"y": [1.0]})).shape
    (1, 1)
    """
    if isinstance(table, pd.DataFrame):
        return table
    nw = _narwhals(table, name)
    try:
        frame = nw.from_native(table, eager_only=True)
    except TypeError as error:
        raise TypeError(
            f"{name} is a {type(table).__name__}; pass a DataFrame of pandas or polars, a lazy one "
            "after its collect()"
        ) from error
    columns = {}
    for column in frame.columns:
        values = frame[column]
        if getattr(values.dtype, "time_zone", None):
            # Its numbers are those of UTC, and the zone would be lost on the way back.
            raise TypeError(
                f"column {column!r} of {name} has the time zone {values.dtype.time_zone}; pass times "
                "without one, for example with dt.replace_time_zone(None)"
            )
        plain = values.to_numpy()
        columns[column] = values.to_list() if plain.dtype == object else plain
    return pd.DataFrame(columns)


class TableKind(NamedTuple):
    """What tables are given back.

    Attributes
    ----------
    library : str
        Whose they are.
    times : str
        Type of their times, by its name in narwhals.
    unit : str or None
        Of times with hours.
    """

    library: Library
    times: Times
    unit: Unit | None


def kind_of(table: Any, time: str) -> TableKind:
    """Kind of a table with a column of times.

    Examples
    --------
    >>> kind_of(pd.DataFrame({"ds": [1]}), "ds")
    TableKind(library='pandas', times='String', unit=None)
    """
    if isinstance(table, pd.DataFrame):
        return TableKind("pandas", "String", None)
    frame = _narwhals(table, "df").from_native(table, eager_only=True)
    dtype = frame.schema[time]
    name = type(dtype).__name__
    # Text comes in several types.
    times: Any = name if name in get_args(Times) else "String"
    return TableKind(frame.implementation.value, times, getattr(dtype, "time_unit", None))


def like(result: pd.DataFrame, kind: TableKind, times: tuple[str, ...] = ()) -> Any:
    """Return a table of pandas as one of a kind, with columns of times."""
    if kind.library == "pandas":
        return result
    import narwhals.stable.v1 as nw

    made = nw.from_dict({name: _plain(result[name]) for name in result}, backend=kind.library)
    dtype = getattr(nw, kind.times)
    for name in times:
        made = made.with_columns(nw.col(name).cast(dtype(kind.unit) if kind.unit else dtype))
    return made.to_native()


def _plain(column: pd.Series) -> Any:
    """Values as every library reads them: numbers, dates in microseconds, or a list."""
    values = column.to_numpy()
    if values.dtype.kind == "M":
        return values.astype("M8[us]")
    return values if values.dtype.kind in "iuf" else values.tolist()


def _narwhals(table: Any, name: str) -> Any:
    if not hasattr(type(table), "columns"):
        raise TypeError(
            f"{name} is a {type(table).__name__}; pass a DataFrame with a row for each series and time"
        )
    try:
        import narwhals.stable.v1 as nw
    except ImportError as error:
        raise ImportError(
            f"{name} is a {type(table).__module__.split('.')[0]} table, and reading it needs narwhals, "
            "which is not installed; run pip install 'klforecast[frames]', or pass a DataFrame of pandas"
        ) from error
    return nw
