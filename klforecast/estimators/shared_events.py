"""Events that dated series of a panel share: of the year, or days of the month.

Series stand side by side by their dates; what their mean knows of a place each has times a slope of its own
(`klforecast.local.common_years`).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.estimators.frames.indices import Stamp, stamps_between
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.local.common_years import CommonYears, learn_common_years
from klforecast.local.intermittent import count_size
from klforecast.local.years import Places

_LEAST_SERIES = 4  # that events are shared by: fewer would have what one of them did


class SharedYears(NamedTuple):
    """Events that dated series share.

    Attributes
    ----------
    common : CommonYears
    first, last : stamp
        Of the dates that they were learned on.
    """

    common: CommonYears
    first: Stamp
    last: Stamp


class DatedPanel(NamedTuple):
    """Series whose rows are among the same dates.

    Attributes
    ----------
    panel : list of ndarray of shape (T, C)
    starts : list of int
        Places of their first rows among the dates.
    dates : DatetimeIndex or PeriodIndex
    """

    panel: list[np.ndarray]
    starts: list[int]
    dates: pd.Index


def dated_panel(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    fewest: float,
) -> DatedPanel | None:
    """Series that may share events, over so many dates at least.

    None of few series, and of rows without dates, whose numbers need not be of one time.
    """
    index = _dated(series, residual)
    if len(index) < _LEAST_SERIES:
        return None
    first, last = (
        end(own[place] for own in index.values()) for end, place in ((min, 0), (max, -1))
    )
    starts = _starts(index, first, last, frequency)
    dates = stamps_between(first, last, frequency)
    if len(starts) < _LEAST_SERIES or len(dates) < fewest:
        return None
    return DatedPanel([residual[key] for key in starts], list(starts.values()), dates)


def learn_shared(
    dated: DatedPanel, places: Places, season: int, cycle: int, widths: Sequence[int]
) -> SharedYears:
    """Events that dated series share.

    Parameters
    ----------
    dated : DatedPanel
    places : Places
        Of their dates.
    season, cycle : int
        Rows of a short season, 1 for none, and of a year or a month.
    widths : sequence of int
        Bands of each choice.
    """
    common = learn_common_years(dated.panel, dated.starts, places, season, cycle, widths)
    return SharedYears(common, dated.dates[0], dated.dates[-1])


def shared_effects(
    shared: SharedYears | None,
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    ahead: int,
) -> dict[Key, np.ndarray]:  # (widths, T + A, C) each
    """What dated series have of the events that they share."""
    if shared is None:
        return {}
    starts = _starts(_dated(series, residual), shared.first, shared.last, frequency)
    return {
        key: shared.common.on(residual[key], start)[:, : len(residual[key]) + ahead]
        for key, start in starts.items()
    }


def _dated(
    series: Mapping[Key, TimeSeries], residual: Mapping[Key, np.ndarray]
) -> dict[Key, pd.DatetimeIndex | pd.PeriodIndex]:
    """Dates of the series that are not counts throughout."""
    return {
        key: index
        for key, rows in residual.items()
        if isinstance(index := series[key].index, pd.DatetimeIndex | pd.PeriodIndex)
        and not (count_size(rows.T) > 0).all()
    }


def _starts(
    index: Mapping[Key, pd.DatetimeIndex | pd.PeriodIndex],
    first: Stamp,
    last: Stamp,
    frequency: BaseOffset | None,
) -> dict[Key, int]:
    """Places of the first rows of series whose rows are among some dates.

    Seven days from a Monday and from a Sunday are two grids.
    """
    if not index:
        return {}
    dates = stamps_between(first, last, frequency)
    firsts = pd.Index([own[0] for own in index.values()]).astype(dates.dtype)
    places = zip(index.items(), dates.get_indexer(firsts).tolist(), strict=True)
    return {
        key: start for (key, own), start in places if start >= 0 and start + len(own) <= len(dates)
    }
