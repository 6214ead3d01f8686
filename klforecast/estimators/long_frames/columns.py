"""From a long frame to series that a forecaster of sktime takes, and back to rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_integer_dtype

from klforecast.estimators.arguments import check_percentages

ID, TIME, TARGET = "unique_id", "ds", "y"
"""Names of the columns by default, those of statsforecast."""


class Columns(NamedTuple):
    """Names of the columns of a long frame."""

    id: str
    time: str
    target: str

    def of_covariates(self, frame: pd.DataFrame) -> list[str]:
        """All other columns."""
        return [name for name in frame.columns if name not in self]


def indexed(
    frame: pd.DataFrame, columns: Columns, values: Sequence[str], name: str
) -> pd.DataFrame:
    """Put series and times into the index and the values into columns.

    Raises
    ------
    ValueError
        If a column is missing, an id or a time too, or a series has two rows for one time.
    TypeError
        If times are no dates or whole numbers, or values no numbers.
    """
    if columns.id in frame.index.names:
        frame = frame.reset_index()
    missing = [column for column in (columns.id, columns.time, *values) if column not in frame]
    if missing:
        raise ValueError(
            f"{name} has no column {missing[0]!r}; it has {list(frame.columns)}: name the columns with "
            "id_col, time_col and target_col"
        )
    ids, times = frame[columns.id], _times(frame[columns.time], name)
    for column in (ids, times):
        if column.isna().any():
            place = int(np.flatnonzero(column.isna())[0])
            raise ValueError(f"row {place} of {name} has no {column.name!r}; drop it or fill it in")
    for column in values:
        if frame[column].dtype.kind not in "iufb":
            raise TypeError(
                f"column {column!r} of {name} holds {frame[column].dtype}, and a forecast needs "
                "numbers; convert it, for example with pd.to_numeric, or drop it"
            )
    index = pd.MultiIndex.from_arrays([ids, times], names=[columns.id, columns.time])
    if index.has_duplicates:
        label, time = index[index.duplicated()][0]
        raise ValueError(
            f"{name} has more than one row for {columns.id} {label!r} at {time}; keep one for each, "
            f"for example with drop_duplicates([{columns.id!r}, {columns.time!r}])"
        )
    return frame[list(values)].set_axis(index).astype(np.float64)


def as_series(panel: pd.DataFrame) -> pd.DataFrame:
    """Take the level of the series off where there is one series only."""
    return panel.droplevel(0) if len(panel.index.unique(level=0)) == 1 else panel


def as_rows(forecast: pd.DataFrame, columns: Columns, label: object) -> pd.DataFrame:
    """Put series and times of a forecast into columns; `label` names a single series."""
    if not isinstance(forecast.index, pd.MultiIndex):
        forecast = pd.concat({label: forecast}, names=[columns.id])
    return forecast.rename_axis([columns.id, columns.time]).reset_index()


def interval_names(model: str, level: Sequence[int | float]) -> dict[str, float]:
    """Names of the columns of intervals in the order of statsforecast, each with its quantile.

    Raises
    ------
    ValueError
        If a level is no percentage, or seems to be a share.

    Examples
    --------
    >>> interval_names("model", [80])
    {'model-lo-80': 0.1, 'model-hi-80': 0.9}
    """
    if isinstance(level, int | float):
        level = [level]
    check_percentages("level", level)
    names = {}
    for percent in level:
        if not 0 < percent < 100:
            raise ValueError(f"level={percent!r}; pass percentages between 0 and 100, as [80, 95]")
        # Rounded, so that equal levels of two intervals are one quantile.
        names[f"{model}-lo-{percent:g}"] = round(0.5 - percent / 200, 9)
        names[f"{model}-hi-{percent:g}"] = round(0.5 + percent / 200, 9)
    return names


def _times(values: pd.Series, name: str) -> pd.Series:
    if is_datetime64_any_dtype(values) or is_integer_dtype(values.dtype):
        return values
    try:
        return pd.to_datetime(values, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise TypeError(
            f"column {values.name!r} of {name} holds {values.dtype} such as {values.iloc[0]!r}; pass "
            "dates, whole numbers or text such as 2024-01-31"
        ) from error
