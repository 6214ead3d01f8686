"""Counts of things in sentences."""

from pandas.tseries.offsets import BaseOffset

from klforecast.data.open_days import name_open_days, week_mask
from klforecast.estimators.plots.style import offset_name


def counted(count: int, what: str) -> str:
    """Say how many of a thing there are.

    Examples
    --------
    >>> counted(1, "row"), counted(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def step_code(frequency: BaseOffset | None) -> str:
    """Write a step in the words of pandas, or in those of the calendar where pandas has none.

    Examples
    --------
    >>> import pandas as pd
    >>> step_code(pd.offsets.Day()), step_code(pd.DateOffset(months=1)), step_code(None)
    ('D', 'month', '1')
    >>> step_code(pd.offsets.CustomBusinessDay(weekmask="1111110"))
    'Mon-Sat'
    """
    if frequency is None:
        return "1"
    mask = week_mask(frequency)
    code = frequency.freqstr if mask is None else name_open_days(mask)
    return offset_name(frequency) if code.startswith("<") else code
