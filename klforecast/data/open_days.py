"""Days of the week on which a series has rows: a shop that is closed on Sundays has no Sundays, and no forecast of one.

pandas has a step for Monday to Friday, "B"; any other set of days is a `CustomBusinessDay` with a mask.
"""

from itertools import groupby

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, CustomBusinessDay

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FEWEST_WEEKS = 4  # without a row on some day, from which on that is how the series is
_WEEKDAYS = "1111100"  # those of "B"


def find_open_days(index: pd.DatetimeIndex) -> CustomBusinessDay | None:
    """Step of days of which some of the week never occur, in four weeks and more, and the others mostly do.

    Parameters
    ----------
    index : DatetimeIndex
        Sorted, without duplicates.

    Returns
    -------
    CustomBusinessDay or None
        None where rows are no days, where every day of the week or only one occurs, where one of those that do is
        missing in more than half of the weeks, and for Monday to Friday, which is "B".

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=40)
    >>> find_open_days(days[days.dayofweek < 6]).weekmask, find_open_days(days)
    ('1111110', None)
    """
    weeks = (index[-1] - index[0]) / pd.Timedelta(days=7)
    if weeks < _FEWEST_WEEKS or not (index == index.normalize()).all():
        return None
    counts = np.bincount(index.dayofweek, minlength=len(_DAYS))
    mask = "".join("1" if count else "0" for count in counts)
    rare = (counts > 0) & (counts < weeks / 2)
    if mask == _WEEKDAYS or not 1 < mask.count("1") < len(_DAYS) or rare.any():
        return None
    return CustomBusinessDay(weekmask=mask)


def week_mask(frequency: BaseOffset | None) -> str | None:
    """Seven signs from Monday on, "1" for the days that a step knows; None for a step of another kind.

    Examples
    --------
    >>> week_mask(CustomBusinessDay(weekmask="Mon Thu")), week_mask(pd.offsets.Day())
    ('1001000', None)
    """
    if not isinstance(frequency, CustomBusinessDay):
        return None
    return "".join(str(int(known)) for known in frequency.calendar.weekmask)


def name_open_days(mask: str) -> str:
    """Name the days of a mask, three and more in a row by the first and the last of them.

    Examples
    --------
    >>> name_open_days("1111110"), name_open_days("0101001")
    ('Mon-Sat', 'Tue, Thu, Sun')
    """
    named: list[str] = []
    for is_open, of_run in groupby(zip(mask, _DAYS, strict=True), key=lambda day: day[0] == "1"):
        days = [day for _, day in of_run]
        if is_open:
            named += [f"{days[0]}-{days[-1]}"] if len(days) > 2 else days
    return ", ".join(named)
