"""All rows that a forecaster was given, one array per series, and where each series stands."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd
from pandas.tseries.offsets import BaseOffset
from sktime.forecasting.base import ForecastingHorizon

from klforecast.estimators import checks
from klforecast.estimators.frames.horizon import read_horizon
from klforecast.estimators.frames.indices import Stamp
from klforecast.estimators.frames.panel import (
    Key,
    TimeSeries,
    join_rows,
    name_series,
    rows_until,
    split_series,
)


class KnownRows(NamedTuple):
    """Rows of a panel; replaced by new ones, never changed.

    Attributes
    ----------
    series : dict of tuple to TimeSeries
        All rows of each series, by its labels; ``()`` names a single series.
    cutoffs : dict of tuple to stamp
        Last stamp that was passed for each series.
    frequency : offset or None
        Common step of all indices; None for integers.
    columns : Index
        Channels.
    index_names : list
        Names of the index levels.
    """

    series: dict[Key, TimeSeries]
    cutoffs: dict[Key, Stamp]
    frequency: BaseOffset | None
    columns: pd.Index
    index_names: list

    @classmethod
    def of(cls, y: pd.DataFrame) -> "KnownRows":
        """Take a frame apart.

        Raises
        ------
        ValueError
            If a series has fewer than two rows, or stamps that are missing or off the common grid.
        """
        series = split_series(y)
        return cls(
            series, _last_stamps(series), checks.check_panel(series), y.columns, list(y.index.names)
        )

    def joined(self, y: pd.DataFrame) -> "KnownRows":
        """Add rows of known series; at a stamp that is known, the new row counts.

        Raises
        ------
        TypeError, ValueError
            If columns, series or stamps do not go on where the known ones end.
        """
        new = split_series(y)
        checks.check_columns(self.columns, y.columns, "y")
        checks.check_known(new, self.series)
        joined = {
            key: join_rows(self.series[key], rows, self.frequency, name_series(key))
            for key, rows in new.items()
        }
        return self._replace(series=self.series | joined, cutoffs=self.cutoffs | _last_stamps(new))

    @property
    def longest(self) -> TimeSeries:
        """The first of the longest series."""
        return max(self.series.values(), key=lambda series: len(series.values))

    def read_horizon(self, fh: Any) -> ForecastingHorizon:
        """Take over a forecasting horizon that every series can be forecast at; see `read_horizon`."""
        return read_horizon(fh, self.cutoffs, self.frequency, len(self.longest.values))

    def until_cutoffs(self) -> dict[Key, TimeSeries]:
        """Rows of each series up to its cutoff."""
        return {key: rows_until(series, self.cutoffs[key]) for key, series in self.series.items()}

    def latest(self) -> pd.Index:
        """The latest cutoff as an index of one stamp, with the step where it has one."""
        stamp = max(self.cutoffs.values())
        if isinstance(stamp, pd.Timestamp):
            # pandas makes no single stamp of some steps, such as the last Friday of a month.
            return pd.date_range(stamp, periods=2, freq=self.frequency)[:1].as_unit(stamp.unit)
        return pd.Index([stamp])


def _last_stamps(panel: Mapping[Key, TimeSeries]) -> dict[Key, Stamp]:
    return {key: series.index[-1] for key, series in panel.items()}
