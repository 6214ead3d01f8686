"""Trading days in dated rows of months and of quarters: what their days do to them, taken off and put back.

    x_t       days of a row: how often each weekday comes, a leap day, the week that ends with Easter   `days_of`
    b         what these do to the logarithm                                          `klforecast.local.trading_days`
    residual  y_t exp(-x_t b), which everything else forecasts
    forecast  that of the residual, and (exp(x_t b) - 1) times what is usual at that place of the year  `put_back`

A month of five weekends sells less in an office and more in a cinema. The weekdays of a month come back after 28
years; Easter is taken for that of 28 years ago where a forecast goes further than that.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset, Day, Tick, Week

from klforecast.data.scaling import divide_within_floats, multiply_within_floats
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.returning import ReturningEffects, easter_of
from klforecast.local.panel import are_positive
from klforecast.local.trading_days import (
    WEEKDAYS,
    DayPrior,
    Innovations,
    day_coefficients,
    is_worth_having,
    learn_day_prior,
)

_YEARS = 28  # after which the weekdays of a month are the same again
_MONTHS = (1, 3)  # of a row; days of years hardly differ, and those of weeks not at all
_HALF_MONTH = 15  # days
_EASTER_DAYS = 8  # that end with Easter Sunday, when people travel and shops are full
_USUAL_YEARS = 2  # newest ones, whose mean is what a place of the year usually has
_LEVEL_PART = 3  # one part in so many of a year, whose rows say on which level this is now


class TradingDays(NamedTuple):
    """What days do in the series of a panel, of which each departs as far as its rows say.

    Attributes
    ----------
    prior : DayPrior
    months : {1, 3}
        Of a row.
    """

    prior: DayPrior
    months: int

    def effects(
        self,
        series: Mapping[Key, TimeSeries],
        residual: Mapping[Key, np.ndarray],
        frequency: BaseOffset | None,
    ) -> ReturningEffects:
        """Of some series of the panel, or of others in their place; arguments as for `learn_trading_days`."""
        calendar, year = _days_of_each(series, self.months), 12 // self.months
        found = _innovations(residual, calendar, year)
        coefficients = day_coefficients(list(found.values()), self.prior)
        effects = {
            key: np.zeros((len(calendar[key][1]), rows.shape[1])) for key, rows in residual.items()
        }
        back = {key: effect.copy() for key, effect in effects.items()}
        for (key, channel), own in zip(found, coefficients, strict=True):
            factors = np.exp(calendar[key][1] @ own)
            rows = residual[key][:, channel]
            back[key][:, channel] = put_back(rows, factors, year)
            off = rows - divide_within_floats(rows, factors[: len(rows)])
            effects[key][:, channel] = back[key][:, channel]
            effects[key][: len(rows), channel] = np.where(
                np.isfinite(off), off, back[key][: len(rows), channel]
            )
        cycle = float(_YEARS * year)
        returning = ReturningEffects.on(series, effects, frequency, cycle, "trading days")
        return returning._replace(back={key: back[key] for key in returning.effects})


def learn_trading_days(
    series: Mapping[Key, TimeSeries],
    residual: Mapping[Key, np.ndarray],  # (time, channels) each
    frequency: BaseOffset | None,
) -> tuple[TradingDays, ReturningEffects] | None:
    """Look for effects of the days in rows of months or quarters.

    Parameters
    ----------
    series, residual, frequency
        As for `klforecast.estimators.years.learn_years`.

    Returns
    -------
    tuple of TradingDays and ReturningEffects, or None
        None where rows are not dated months or quarters, where none are positive throughout, and where the days
        explain nothing.
    """
    months = months_of_a_row(next(iter(series.values())).index, frequency)
    if months is None:
        return None
    sample = list(_innovations(residual, _days_of_each(series, months), 12 // months).values())
    if not sample or not is_worth_having(sample):
        return None
    days = TradingDays(learn_day_prior(sample), months)
    effects = days.effects(series, residual, frequency)
    return (days, effects) if effects.effects else None


def _innovations(
    residual: Mapping[Key, np.ndarray],
    calendar: Mapping[Key, tuple[np.ndarray, np.ndarray]],
    year: int,
) -> dict[tuple[Key, int], Innovations]:
    """Of each channel that is positive throughout, and not exact."""
    found = {}
    for key, rows in residual.items():
        months, days = (part[: len(rows)] for part in calendar[key])
        for channel in np.flatnonzero(are_positive(rows.T)).tolist():
            own = Innovations.of(rows[:, channel], days, months, year)
            if own is not None:
                found[key, channel] = own
    return found


def _days_of_each(
    series: Mapping[Key, TimeSeries], months: int
) -> dict[Key, tuple[np.ndarray, np.ndarray]]:  # (T + A,) int and (T + A, K)
    """Months and days of the rows of each series and of 28 years ahead; the same for all with the same dates."""
    found: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
    spans = {}
    for key, part in series.items():
        first, rows = int(last_months(part.index[:1], months)[0]), len(part.index)
        spans[key] = first, rows
        if (first, rows) not in found:
            ends = first + months * np.arange(rows + _YEARS * 12 // months)
            found[first, rows] = ends, days_of(ends, months)
    return {key: found[span] for key, span in spans.items()}


def months_of_a_row(index: pd.Index, frequency: BaseOffset | None) -> int | None:
    """One or three, of dated rows that are months or quarters; None of others.

    Examples
    --------
    >>> months = pd.date_range("2020-01-31", periods=9, freq="ME")
    >>> months_of_a_row(months, months.freq)
    1
    >>> quarters = pd.period_range("2020Q1", periods=9, freq="Q")
    >>> months_of_a_row(quarters, quarters.freq)
    3
    >>> weeks = pd.date_range("2020-01-20", periods=9, freq="13W-MON")
    >>> months_of_a_row(weeks, weeks.freq), months_of_a_row(pd.RangeIndex(9), None)
    (None, None)
    """
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or len(index) < 2:
        return None
    if isinstance(frequency, Tick | Day | Week):
        return None
    steps = np.unique(np.diff(_months_of(index)))
    return int(steps[0]) if len(steps) == 1 and steps[0] in _MONTHS else None


def last_months(index: pd.Index, months: int) -> np.ndarray:  # (n,) int64
    """Months since January 1970 in which rows end.

    Dates in the first half of a month name a row by its first month, others by its last.

    Examples
    --------
    >>> starts, ends = pd.date_range("1970", periods=2, freq="QS"), pd.date_range("1970", periods=2, freq="QE")
    >>> last_months(starts, 3), last_months(ends, 3), last_months(ends.to_period("Q"), 3)
    (array([2, 5]), array([2, 5]), array([2, 5]))
    """
    last = _months_of(index)
    by_first = isinstance(index, pd.DatetimeIndex) and index[0].day <= _HALF_MONTH
    return last + months - 1 if by_first else last


def days_of(last: np.ndarray, months: int) -> np.ndarray:  # (n,) int64 -> (n, K)
    """Days of each row, less what its place in the year usually has.

    Parameters
    ----------
    last : ndarray of int, shape (n,)
        Months since January 1970 in which rows end, ascending.
    months : {1, 3}
        Of a row.

    Examples
    --------
    February 2020 had a leap day and five Saturdays:

    >>> months = 12 * 30 + np.arange(12 * 28)
    >>> days_of(months, 1)[12 * 20 + 1].round(3)
    array([-0.005, -0.005, -0.005, -0.005, -0.005,  0.03 , -0.005,  0.026,
            0.   ])
    """
    ends = [
        np.array((number + 1).astype("datetime64[M]"), dtype="datetime64[D]")
        for number in (last - months, last)
    ]
    starts, stops = ends[0].astype(np.int64), ends[1].astype(np.int64)
    lengths = stops - starts
    # Day 0 of the epoch was a Thursday, the weekday of number 3.
    weekday = np.arange(WEEKDAYS)
    first = (weekday - (starts[:, None] + 3)) % WEEKDAYS
    counts = (lengths[:, None] - first + WEEKDAYS - 1) // WEEKDAYS
    days = np.column_stack(
        [counts / lengths[:, None], np.log(lengths), _weeks_of_easter(starts, stops)]
    )
    usual = pd.DataFrame(days).groupby(last % 12).transform("mean")
    return days - usual.to_numpy()


def _months_of(index: pd.DatetimeIndex | pd.PeriodIndex) -> np.ndarray:  # (n,) int64
    """Months since January 1970 of dates, and in which periods end."""
    if isinstance(index, pd.PeriodIndex):
        return index.asfreq("M", how="end").asi8
    return index.tz_localize(None).to_period("M").asi8


def _weeks_of_easter(starts: np.ndarray, stops: np.ndarray) -> np.ndarray:  # (n,)
    """Part of the days before Easter Sunday, and of it, that lies in each row."""
    years = starts.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    after = easter_of(pd.Index(years)).to_numpy().astype("datetime64[D]").astype(np.int64) + 1
    inside = np.minimum(stops, after) - np.maximum(starts, after - _EASTER_DAYS)
    return np.clip(inside, 0, _EASTER_DAYS) / _EASTER_DAYS


def put_back(rows: np.ndarray, factors: np.ndarray, year: int) -> np.ndarray:  # (T + A,)
    """What days add to forecasts of known rows and of those ahead, by what is usual at their place of the year.

    Usual are the two newest rows of that place before a row, brought to the level of the newest third of a year; of
    the first rows those after them.

    Parameters
    ----------
    rows : ndarray of shape (T,)
        NaN where nothing was observed.
    factors : ndarray of shape (T + A,)
        By which days multiply a row.
    year : int
        Rows of a year.

    Examples
    --------
    Two years of two rows each, on a level that has doubled in the newest one:

    >>> put_back(np.array([10.0, 20.0, 10.0, 40.0]), np.array([1, 1, 1, 1, 1.1, 1.1]), year=2)
    array([0., 0., 0., 0., 2., 6.])
    """
    known = len(rows)
    without = divide_within_floats(rows, factors[:known])
    years = -(-known // year)
    # The newest row is the last of its year, so the one after it has the first place.
    by_year = np.full((years, year), np.nan)
    by_year.reshape(-1)[years * year - known :] = without
    usual = np.full((years + 1, year), np.nan)
    newest = np.full((_USUAL_YEARS, year), np.nan)
    for number, row in enumerate(by_year):
        usual[number] = _means(newest)
        seen = np.isfinite(row)
        newest[:, seen] = np.vstack([row, newest[:-1]])[:, seen]
    usual[years] = _means(newest)
    for number in range(years - 1, -1, -1):
        usual[number] = np.where(np.isfinite(usual[number]), usual[number], usual[number + 1])
    overall = _means(without[:, None])[0]
    usual = np.where(np.isfinite(usual), usual, overall)
    before = usual[:years].reshape(-1)[years * year - known :]
    part = max(1, year // _LEVEL_PART)
    ratios = divide_within_floats(without[-part:], before[-part:])
    ratios = ratios[np.isfinite(ratios)]
    level = np.array(np.median(ratios) if len(ratios) else 1.0)
    ahead = multiply_within_floats(np.resize(usual[years], len(factors) - known), level)
    return multiply_within_floats(np.concatenate([before, ahead]), factors - 1)


def _means(rows: np.ndarray) -> np.ndarray:  # (n, m) -> (m,)
    """Of the observed values; NaN where there is none."""
    seen = np.isfinite(rows)
    count = seen.sum(axis=0)
    return np.where(count > 0, np.where(seen, rows, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)
