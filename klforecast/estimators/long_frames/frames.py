"""Between tables of any library and those of pandas; narwhals, imported when another library's comes."""

from typing import Any

import pandas as pd


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


def like(result: pd.DataFrame, table: Any, dates: tuple[str, ...] = ()) -> Any:
    """Return a table of pandas in the library of another one; columns in `dates` as that one has its first."""
    if isinstance(table, pd.DataFrame):
        return result
    nw = _narwhals(table, "df")
    template = nw.from_native(table, eager_only=True)
    columns = {name: _plain(result[name]) for name in result}
    made = nw.from_dict(columns, backend=template.implementation)
    for name in dates:
        made = made.with_columns(nw.col(name).cast(template.schema[dates[0]]))
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
