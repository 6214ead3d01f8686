"""Series that are forecast together, with their names and the checksum of their file."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Collection:
    """One series, or many that stand beside each other and may differ in length.

    Parameters
    ----------
    name : str
        Name of the collection.
    series : mapping of str to DataFrame of float64
        Rows of each series, (time, channels); all have the same channels. A missing value is NaN.
    sha256 : str
        Checksum of the uncompressed official file, or files one after the other.
    source : str
        Where the series come from.
    """

    name: str
    series: Mapping[str, pd.DataFrame]
    sha256: str
    source: str

    @property
    def shortest(self) -> int:
        """Rows of the shortest series."""
        return min(len(rows) for rows in self.series.values())

    @property
    def n_channels(self) -> int:
        """Channels of each series."""
        return next(iter(self.series.values())).shape[1]


def series_of_columns(
    table: pd.DataFrame, start: str | None = None, freq: str | None = None
) -> dict[str, pd.DataFrame]:
    """Make one series of each column.

    Parameters
    ----------
    table : DataFrame, (time, series)
        One series a column; NaN pads the end of those that are shorter than others.
    start, freq : str, optional
        Date of the first row and the step; None counts rows and cuts the padding off, since a date
        says that a NaN is a missing value.

    Examples
    --------
    >>> import pandas as pd
    >>> series = series_of_columns(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, None]}))
    >>> {name: len(rows) for name, rows in series.items()}
    {'a': 2, 'b': 1}
    """
    series = {}
    for name, column in table.items():
        values = column.to_numpy(dtype=np.float64)
        if freq is None:
            known = np.isfinite(values)
            values = values[: len(values) - int(known[::-1].argmax())]
            index: pd.Index = pd.RangeIndex(len(values))
        else:
            index = pd.date_range(start, periods=len(values), freq=freq)
        series[str(name)] = pd.DataFrame({"value": values}, index=index)
    return series
