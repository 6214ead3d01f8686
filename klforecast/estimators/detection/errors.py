"""Errors of forecasts of one series, each made from the rows before it, one step and one cycle ahead.

    error   z_{t,h} = (y_{t+h} - f_{t,h}) / w_{t,h}
    bias    b_t = median of z_{t-L,0} ... z_{t-1,0}
    step    e_t = z_{t,0} - b_t
    cycle   m_t = median of z_{t,0} ... z_{t,L-1}, less b_t

f is the median of the forecast made from the rows before t, w the width between its quantiles 0.1 and 0.9,
which follows the volatility of the series. The median over a cycle of L rows shows a change of level and is
not moved by a single outlier. After such a change forecasts from a deep past are off for long; the bias
is what a cycle of rows has shown of that, so that the change counts once.

Held-out errors come from fits that grow: the rows up to 2 n are forecast by a fit to the first n, those up
to 4 n by a fit to 2 n, and so on. Neither the weights nor the window of a forecast have seen its row.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import torch

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import TimeSeries, first_rows
from klforecast.ops.arrays import to_tensor

_LEVELS = (0.1, 0.5, 0.9)  # the middle of the forecast, and a width that its tails do not move
_VALUES_PER_BATCH = 2**22  # 32 MB in float64
_LEAST_WIDTH = 1e-9  # of the largest value: errors below it are those of rounding


class Errors(NamedTuple):
    """Errors of one series; NaN for rows that were not forecast or not observed.

    Attributes
    ----------
    expected : ndarray, (rows, channels)
        Forecast of each row from the rows before it, its bias taken off, in the units of the data.
    step : ndarray, (rows, channels)
        Error of that forecast, in widths.
    cycle : ndarray, (rows, channels)
        Median error of the forecast of the cycle that begins at each row, in widths.
    width : ndarray, (rows, channels)
        In the units of the data.
    """

    expected: np.ndarray
    step: np.ndarray
    cycle: np.ndarray
    width: np.ndarray

    def less(self, bias: np.ndarray) -> "Errors":  # (rows, channels), in widths
        """Errors of forecasts that a bias was taken off."""
        return Errors(
            self.expected + bias * self.width, self.step - bias, self.cycle - bias, self.width
        )


Surprising: TypeAlias = Callable[[np.ndarray], np.ndarray]


def held_out_errors(
    make: Callable[[TimeSeries], KLMemoryForecaster],
    rows: TimeSeries,
    first: int,
    cycle: int,
    surprising: Surprising,
) -> Errors:
    """Errors of all rows from the `first` on, by fits that double.

    Parameters
    ----------
    make : callable
        Returns a forecaster fitted to rows.
    rows : TimeSeries
    first : int
        Rows of the first fit.
    cycle : int
        Rows of a cycle, the steps of a forecast.
    surprising : callable
        Tells from scores, (rows, channels), which of them are outliers.

    Notes
    -----
    Costs the fits to n, 2 n, 4 n ... rows: less than two fits to all of them.
    """
    channels = rows.values.shape[1]
    starts = [first]
    while 2 * starts[-1] < len(rows.values):
        starts.append(2 * starts[-1])
    stages = [(make(first_rows(rows, start)), start) for start in starts]

    def errors(context: np.ndarray, places: np.ndarray) -> Errors:
        return join(
            nothing(0, channels),
            *(
                _errors_given(
                    forecaster,
                    rows,
                    context,
                    places[(places >= start) & (places < 2 * start)],
                    cycle,
                )
                for forecaster, start in stages
            ),
        )

    places = np.arange(first, len(rows.values))
    found = _without_echo(errors, rows.values, places, cycle, surprising)
    return join(nothing(first, channels), found)


def new_errors(
    forecaster: KLMemoryForecaster,
    rows: TimeSeries,
    start: int,
    cycle: int,
    surprising: Surprising,
) -> Errors:
    """Errors of the rows from `start` on by one fitted forecaster."""
    return _without_echo(
        lambda context, places: _errors_given(forecaster, rows, context, places, cycle),
        rows.values,
        np.arange(start, len(rows.values)),
        cycle,
        surprising,
    )


def join(*parts: Errors) -> Errors:
    """Put errors of rows that follow each other into one."""
    return Errors(*(np.concatenate(part) for part in zip(*parts, strict=True)))


def nothing(rows: int, channels: int) -> Errors:
    """Errors of rows that were not forecast."""
    return Errors(*(np.full((rows, channels), np.nan) for _ in Errors._fields))


def _without_echo(
    errors: Callable[[np.ndarray, np.ndarray], Errors],
    values: np.ndarray,  # (time, channels)
    places: np.ndarray,  # (n,) rows that follow each other
    cycle: int,
    surprising: Surprising,
) -> Errors:
    """Errors of which those up to a cycle after an outlier are the smaller of two.

    One is made from the past as it was, which an outlier misleads, one from a past without outliers, which
    has not seen a change of level.
    """
    raw = errors(values, places)
    bias = _recent_bias(raw.step, cycle)
    found = raw.less(bias)
    outliers = surprising(np.abs(found.step))
    if not outliers.any():
        return found
    past = values.copy()
    past[places] = np.where(outliers, np.nan, values[places])
    window = np.ones(cycle + 1)
    window[0] = 0  # the outlier itself is judged from the past that it does not change
    after = np.flatnonzero(np.convolve(outliers.any(axis=1), window)[: len(places)])
    cleaned = errors(past, places[after]).less(bias[after])
    better = np.abs(cleaned.step) < np.abs(found.step[after])
    found.expected[after] = np.where(better, cleaned.expected, found.expected[after])
    found.step[after] = np.where(better, cleaned.step, found.step[after])
    better = np.abs(cleaned.cycle) < np.abs(found.cycle[after])
    found.cycle[after] = np.where(better, cleaned.cycle, found.cycle[after])
    return found


def _recent_bias(step: np.ndarray, cycle: int) -> np.ndarray:  # (rows, channels)
    """Median of the errors of the cycle before each row; errors that are not known count as none."""
    seen = np.concatenate([np.zeros((cycle, step.shape[1])), np.nan_to_num(step)[:-1]])
    return np.median(np.lib.stride_tricks.sliding_window_view(seen, cycle, axis=0), axis=-1)


def _errors_given(
    forecaster: KLMemoryForecaster,
    rows: TimeSeries,
    context: np.ndarray,  # (time, channels), what the forecasts read
    places: np.ndarray,
    cycle: int,
) -> Errors:
    past = pd.DataFrame(context, index=rows.index)
    channels = rows.values.shape[1]
    size = max(1, _VALUES_PER_BATCH // (cycle * channels * len(_LEVELS)))
    parts = [
        _errors_of_batch(forecaster, rows.values, past, places[start : start + size], cycle)
        for start in range(0, len(places), size)
    ]
    return join(*parts) if parts else nothing(0, channels)


def _errors_of_batch(
    forecaster: KLMemoryForecaster,
    values: np.ndarray,
    past: pd.DataFrame,
    places: np.ndarray,
    cycle: int,
) -> Errors:
    quantiles = forecaster.predict_windows(past, places, alpha=_LEVELS)[:, :cycle]
    expected = quantiles[..., 1]  # (places, cycle, channels)
    padded = np.concatenate([values, np.full((cycle, values.shape[1]), np.nan)])
    floor = _LEAST_WIDTH * np.nanmax(np.abs(values), axis=0, initial=0) + np.finfo(float).tiny
    error = padded[places[:, None] + np.arange(cycle)] - expected
    error[np.abs(error) < floor] = 0.0
    width = np.maximum(quantiles[..., 2] - quantiles[..., 0], floor)
    scaled = error / width
    median = torch.nanquantile(to_tensor(scaled), 0.5, dim=1).numpy()
    # Of a cycle that is not complete yet nothing is said.
    complete = places + cycle <= len(values)
    return Errors(
        expected[:, 0], scaled[:, 0], np.where(complete[:, None], median, np.nan), width[:, 0]
    )
