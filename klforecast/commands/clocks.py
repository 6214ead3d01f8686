"""Clocks that times of a file are read by and written back by; forecasts need times without a zone.

Times with one offset from UTC stay as they are. Where the offset changes, as clocks do in spring and
autumn, an hour is missing or comes twice, so that these times are put on the clock of UTC.
"""

from datetime import UTC, timedelta, timezone, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pandas as pd

from klforecast.commands.table_file import Table


class Clock(NamedTuple):
    """The clock that forecasts are made by and the one that they are written by.

    Attributes
    ----------
    inside, outside : tzinfo
    """

    inside: tzinfo
    outside: tzinfo

    def shown(self, times: pd.Index) -> pd.DatetimeIndex:
        """Times as they are written, with their offset."""
        return pd.DatetimeIndex(times).tz_localize(self.inside).tz_convert(self.outside)


class Stamps(NamedTuple):
    """Times of a column.

    Attributes
    ----------
    wall : Index
        As they are written, without offsets; dates or whole numbers.
    utc : DatetimeIndex or None, default=None
        By the clock of UTC, where the column tells it.
    zone : tzinfo or None, default=None
        Of the clocks that show them, where the column has one, as in Parquet.
    """

    wall: pd.Index
    utc: pd.DatetimeIndex | None = None
    zone: tzinfo | None = None

    @property
    def are_days(self) -> bool:
        """Whether all are at one time of day, as days and longer steps are: they keep their dates."""
        if not isinstance(self.wall, pd.DatetimeIndex):
            return True
        return (self.wall - self.wall.normalize()).nunique() == 1


def find_zone(name: str | None) -> ZoneInfo | None:
    """Give the zone of a name.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"--tz {name}: there is no such time zone; pass one such as Europe/Berlin or UTC"
        ) from error


def one_clock(stamps: Stamps, zone: ZoneInfo | None) -> tuple[pd.Index, Clock | None]:
    """Put times on one clock, and say which; None for days and for times without an offset."""
    if stamps.utc is None or stamps.are_days:
        return stamps.wall, None
    if zone is not None:
        return stamps.utc, Clock(UTC, zone)
    offsets = (pd.DatetimeIndex(stamps.wall) - stamps.utc).unique()
    if len(offsets) > 1:
        return stamps.utc, Clock(UTC, stamps.zone or UTC)
    own = timezone(timedelta(seconds=offsets[0].total_seconds()))
    return stamps.wall, Clock(own, own)


def localized(table: Table, stamps: Stamps, labels: np.ndarray, zone: ZoneInfo) -> Stamps:
    """Read times without offsets as those of the clocks in a zone.

    Of an hour that comes twice in a series, the one that is earlier in its order is the earlier one.

    Raises
    ------
    ValueError
        If clocks in the zone never showed a time.
    """
    if stamps.utc is not None or stamps.are_days:
        return stamps
    wall = pd.DatetimeIndex(stamps.wall)
    rows = pd.DataFrame({"label": labels, "wall": wall}).groupby(["label", "wall"])["wall"]
    first = rows.cumcount(ascending=_rises(labels, wall)).to_numpy() == 0
    local = wall.tz_localize(zone, ambiguous=first, nonexistent="NaT")
    never = np.flatnonzero(local.isna())
    if len(never):
        raise ValueError(
            f"{table.where(never[0])}: clocks in {zone} did not show {wall[never[0]]}, when they went "
            "forward; correct the time, or leave out --tz"
        )
    return Stamps(wall, local.tz_convert("UTC").tz_localize(None))


def _rises(labels: np.ndarray, wall: pd.DatetimeIndex) -> bool:
    own = wall[labels == labels[0]]
    return bool(own[0] <= own[-1])


def clocks_go_back(times: pd.Index) -> bool:
    """Tell whether times lie where clocks go back in Europe or America: in a night of autumn.

    Examples
    --------
    >>> clocks_go_back(pd.DatetimeIndex(["2024-10-27 02:00"]))
    True
    >>> clocks_go_back(pd.DatetimeIndex(["2024-10-26 02:00"]))
    False
    """
    if not isinstance(times, pd.DatetimeIndex):
        return False
    last_of_october = (times.month == 10) & (times.day > 24)
    first_of_november = (times.month == 11) & (times.day <= 7)
    night = (times.weekday == 6) & (times.hour <= 3)
    return bool((night & (last_of_october | first_of_november)).all())
