"""Public holidays as columns: whether a day is one, and whether the next day is or the day before was.

The dates are those of the library `holidays` (`pip install klforecast[holidays]`), for some 200 countries and their
parts.
"""

from functools import lru_cache

import numpy as np
import pandas as pd

PREFIX = "holidays:"
"""Before the code of a country in the name of a calendar feature."""

_DAYS = (0, 1, -1)  # from a row to the day that is asked for: itself, the next one, the one before


def holiday_columns(place: str, stamps: pd.DatetimeIndex) -> np.ndarray:  # (n, 3)
    """Whether the day of each stamp is a holiday, the next one is, or the one before was.

    Parameters
    ----------
    place : str
        Country and part of it as ISO 3166 has them, "DE" or "AU-VIC".
    stamps : DatetimeIndex of shape (n,)
        Days are local ones where it has a time zone.

    Raises
    ------
    ImportError
        If the library is not installed.
    ValueError
        If it knows no such place.

    Examples
    --------
    >>> holiday_columns("DE", pd.date_range("2024-12-24", periods=4))
    array([[0., 1., 0.],
           [1., 1., 0.],
           [1., 0., 1.],
           [0., 0., 1.]])
    """
    if not len(stamps):
        return np.zeros((0, len(_DAYS)))
    days = stamps.tz_localize(None).normalize()
    years = range(days.year.min() - 1, days.year.max() + 2)
    known = pd.DatetimeIndex([day for year in years for day in holidays_of(place, year)])
    return np.column_stack(
        [(days + pd.Timedelta(days=ahead)).isin(known) for ahead in _DAYS]
    ).astype(np.float64)


@lru_cache(maxsize=4096)
def holidays_of(place: str, year: int) -> tuple[pd.Timestamp, ...]:
    """Public holidays of a year, in order; arguments and errors as of `holiday_columns`.

    Examples
    --------
    >>> [day.strftime("%d %b") for day in holidays_of("GB-SCT", 2024)][:3]
    ['01 Jan', '02 Jan', '29 Mar']
    """
    try:
        import holidays
    except ImportError as error:
        raise ImportError(
            f"calendar_features=['{PREFIX}{place}'] needs the library of holidays: "
            "pip install klforecast[holidays]"
        ) from error
    country, _, part = place.upper().partition("-")
    try:
        if country not in holidays.list_supported_countries():
            raise NotImplementedError(country)
        found = holidays.country_holidays(country, subdiv=part or None, years=year)
    except NotImplementedError as error:
        raise ValueError(
            f"calendar_features names {PREFIX + place!r}, and the library of holidays knows no such place; "
            "pass a country and, where it matters, a part of it by their codes of ISO 3166, as 'holidays:DE' or "
            "'holidays:AU-VIC'"
        ) from error
    return tuple(map(pd.Timestamp, sorted(found)))
