"""Where rows of days stand in their months, and which rows stand there in other months.

Days are compared by their date, and those near the end by their distance from it. Where rows are no days of the
calendar, such as business days, the first ones are counted from the start.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.estimators.years import known_and_ahead, nearest, rows_ahead
from klforecast.local.years import Places, places_of

MONTHS = 12
"""Of a year, and before a row and after it that say what is usual at its day."""

_FROM_THE_END = 7  # rows that are counted from the end of their month; where rows are not all days from its start too
_LATE = 63  # place of the last row of a month, above all others


class MonthDays(NamedTuple):
    """Where each row stands in its month, counted from 0, (T,) int each.

    Attributes
    ----------
    date : ndarray
        Day of the calendar.
    from_start, from_end : ndarray
        Rows before and after it in its month.
    """

    date: np.ndarray
    from_start: np.ndarray
    from_end: np.ndarray


def month_days(index: pd.DatetimeIndex | pd.PeriodIndex, frequency: BaseOffset | None) -> MonthDays:
    """Days of the month of some rows.

    Examples
    --------
    The last business day of August 2024 was the 30th, the 22nd of its month:

    >>> days = month_days(pd.date_range("2024-08-29", periods=3, freq="B"), pd.offsets.BDay())
    >>> days.date.tolist(), days.from_start.tolist(), days.from_end.tolist()
    ([28, 29, 1], [20, 21, 0], [1, 0, 20])
    """
    dates = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    dates = dates.tz_localize(None).normalize()
    last = dates[-1] + pd.offsets.MonthEnd(0)
    # Months are whole: the first rows need not be those of a month.
    whole = pd.date_range(dates[0].replace(day=1), last, freq=frequency).normalize()
    month = months_of(whole)
    place = np.arange(len(whole))
    from_start = place - np.searchsorted(month, month)
    from_end = np.searchsorted(month, month, side="right") - 1 - place
    rows = whole.get_indexer(dates)
    return MonthDays(dates.day.to_numpy() - 1, from_start[rows], from_end[rows])


def months_of(dates: pd.DatetimeIndex) -> np.ndarray:  # (n,) int
    """Count the months of some dates from the year 0."""
    return dates.year.to_numpy() * MONTHS + dates.month.to_numpy() - 1


def month_places(
    index: pd.DatetimeIndex | pd.PeriodIndex, frequency: BaseOffset | None, year: float, season: int
) -> Places:
    """Known rows at the day of each row, and of those of the year ahead, in other months.

    Parameters
    ----------
    index : DatetimeIndex or PeriodIndex
        Of known rows.
    frequency : offset
    year : float
        Steps.
    season : int
        Rows of a short season, 1 for none.

    Returns
    -------
    Places
        By feast are the rows that are counted from the ends of their month.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", "2024-04-30")
    >>> places = month_places(days, days.freq, 365.2425, season=1)
    >>> end_of_march = days.get_loc("2024-03-31")
    >>> for found in (places.by_date[end_of_march], places.by_feast[end_of_march]):
    ...     print(days[found[found >= 0]].strftime("%d %b").tolist())
    ['31 Jan']
    ['31 Jan', '29 Feb', '30 Apr']
    """
    known, stamps = known_and_ahead(index, frequency, rows_ahead(year))
    most = int(len(index) * MONTHS / year) + 1
    # The last row ahead is a year after the known ones.
    others = [
        number for number in range(-MONTHS - min(most, MONTHS), min(most, MONTHS) + 1) if number
    ]
    by_date = [nearest(known, _months_later(stamps, number), year) for number in others]
    by_end = _from_the_ends(stamps, len(index), frequency, others)
    return places_of(np.stack(by_date, axis=1), len(index), season, by_end)


def _months_later(stamps: pd.DatetimeIndex, number: int) -> pd.DatetimeIndex:
    """The same local times of another month; no time where it is too short, or where a clock changes."""
    local = stamps.tz_localize(None)
    later = local + pd.DateOffset(months=number)
    later = later.where(later.day == local.day)
    if stamps.tz is None:
        return later
    return later.tz_localize(stamps.tz, ambiguous="NaT", nonexistent="NaT")


def _from_the_ends(
    stamps: pd.DatetimeIndex, rows: int, frequency: BaseOffset | None, others: Sequence[int]
) -> np.ndarray:  # (T + A, J) int
    """Known rows as far from the end of other months, and from their start where that is no date; -1 for others."""
    days, month = month_days(stamps, frequency), months_of(stamps.tz_localize(None))
    # Rows of a month in ascending order: from the start the first ones, from the end the last ones.
    place = np.where(days.from_end < _FROM_THE_END, _LATE - days.from_end, -1)
    if not np.array_equal(days.date, days.from_start):
        place = np.where(days.from_start < _FROM_THE_END, days.from_start, place)
    counted = np.flatnonzero(place[:rows] >= 0)
    codes = (_LATE + 1) * month + place
    found = np.full((len(stamps), len(others)), -1)
    for column, number in enumerate(others):
        wanted = codes + (_LATE + 1) * number
        at = np.minimum(np.searchsorted(codes[counted], wanted), len(counted) - 1)
        same = (place >= 0) & (codes[counted][at] == wanted)
        found[same, column] = counted[at[same]]
    return found
