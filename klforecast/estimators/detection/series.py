"""The detector of one series: a forecaster fitted to its rows, and the errors that it made on rows held out."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from pandas.tseries.offsets import BaseOffset

from klforecast.estimators.detection.errors import (
    Errors,
    held_out_errors,
    join,
    new_errors,
    nothing,
)
from klforecast.estimators.detection.verdicts import (
    References,
    Verdicts,
    judge,
    references_of,
    step_p_values,
)
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.indices import kind_of_index, stamps_ahead
from klforecast.estimators.frames.panel import Key, TimeSeries, name_series
from klforecast.ops.arrays import to_tensor
from klforecast.ops.surprise import surprise_among

LEAST_ROWS = 18
"""Rows of a series: half of them to learn from, the others forecast in three cycles of three rows."""

LEAST_CYCLES = 6
"""Cycles of a series, three of which the first fit learns from."""

_LEAST_CYCLE = 7  # rows whose median three outliers do not move
_LEARNT_FIRST = 4  # the first fit has a fourth of the rows, and its errors are not the best ones'


class SeriesDetector(NamedTuple):
    """What was learned of one series.

    Attributes
    ----------
    forecaster : KLMemoryForecaster
        Fitted to all rows.
    rows : TimeSeries
    errors : Errors
        Of the rows from `first` on, each held out.
    references : References
    first, cycle : int
    rate : float
    frequency : offset or None
    """

    forecaster: KLMemoryForecaster
    rows: TimeSeries
    errors: Errors
    references: References
    first: int
    cycle: int
    rate: float
    frequency: BaseOffset | None

    def check_parts(self) -> None:
        """Raise a ValueError unless there are errors of every row; for what was read from a file."""
        shape = self.rows.values.shape
        shapes = {part.shape for part in self.errors}
        held_out = (shape[0] - self.first, shape[1])
        if shapes != {shape} or self.references.step.shape != held_out:
            raise ValueError(
                f"rows of the shape {shape}, of which {self.first} are not held out, errors of "
                f"{shapes}, and references of {tuple(self.references.step.shape)}"
            )

    def judge(self, rows: TimeSeries) -> Verdicts:
        """Judge rows: those of the fit by their held-out errors, those that follow them by new forecasts.

        Any other rows are a series of their own, whose first ones are its past and not judged.
        """
        start = self._place(rows)
        if start is None:
            return self._judge_alone(rows)
        known = len(self.rows.values)
        new = max(0, start + len(rows.values) - known)
        if not new:
            verdicts = self._judge_joined(self.errors)
        else:
            joined = TimeSeries(
                np.concatenate([self.rows.values, rows.values[len(rows.values) - new :]]),
                self.rows.index.append(rows.index[len(rows.values) - new :]),
            )
            # Cycles that begin in the last rows of the fit are complete now; those before have a bias to show.
            again = known - self.cycle + 1
            start_again = again - self.cycle
            fresh = new_errors(self.forecaster, joined, start_again, self.cycle, self._surprising)
            errors = join(self.errors, Errors(*(part[known - start_again :] for part in fresh)))
            errors.cycle[again:known] = fresh.cycle[again - start_again : known - start_again]
            verdicts = self._judge_joined(errors)
        return Verdicts(*(part[start : start + len(rows.values)] for part in verdicts))

    def _judge_joined(self, errors: Errors) -> Verdicts:
        return judge(errors, self.references, self.first, self.cycle, self.rate, is_held_out=True)

    def _judge_alone(self, rows: TimeSeries) -> Verdicts:
        n_rows, channels = rows.values.shape
        first = min(self.first, n_rows)
        errors = join(
            nothing(first, channels),
            new_errors(self.forecaster, rows, first, self.cycle, self._surprising),
        )
        return judge(errors, self.references, first, self.cycle, self.rate, is_held_out=False)

    def _surprising(self, scores: np.ndarray) -> np.ndarray:
        return step_p_values(scores, self.references.step, 0).numpy() < self.rate

    def _place(self, rows: TimeSeries) -> int | None:
        """Row of the fit at which some rows start; None if they are not those of the fit, nor follow them."""
        index, known = rows.index, self.rows.index
        if kind_of_index(index) != kind_of_index(known):
            return None
        if index[0] == stamps_ahead(known[-1], np.array([1]), self.frequency)[0]:
            return len(known)
        start = int(known.get_indexer(index[:1])[0])
        if start < 0:
            return None
        shared = min(len(known) - start, len(index))
        same = known[start : start + shared].equals(index[:shared]) and np.array_equal(
            self.rows.values[start : start + shared], rows.values[:shared], equal_nan=True
        )
        return start if same else None


def fit_series(
    make: Callable[[TimeSeries], KLMemoryForecaster],
    rows: TimeSeries,
    frequency: BaseOffset | None,
    cycle: int,
    rate: float,
) -> SeriesDetector:
    """Forecast the rows of a series held out, and fit a forecaster to all of them."""
    first = max(3 * cycle, len(rows.values) // _LEARNT_FIRST)

    def surprising(scores: np.ndarray) -> np.ndarray:
        columns = [surprise_among(column).numpy() < rate for column in to_tensor(scores).unbind(1)]
        return np.stack(columns, axis=1)

    errors = held_out_errors(make, rows, first, cycle, surprising)
    references = references_of(errors, first, cycle)
    return SeriesDetector(make(rows), rows, errors, references, first, cycle, rate, frequency)


def choose_cycle(key: Key, rows: int, periods: list[int], asked: int | None) -> int:
    """Rows of a cycle: whole periods that are seven rows or more, or a sixth of a series too short for it.

    Raises
    ------
    ValueError
        If the series is too short to detect anything, or to have the cycle asked for.
    """
    if rows < LEAST_ROWS:
        raise ValueError(
            f"{name_series(key, 'X')} has {rows} rows; pass {LEAST_ROWS} at least, half of which "
            "are forecast to learn how large errors are"
        )
    longest = rows // LEAST_CYCLES
    if asked is not None:
        if asked > longest:
            raise ValueError(
                f"cycle={asked} takes {LEAST_CYCLES * asked} rows and {name_series(key, 'X')} has "
                f"{rows}; pass {longest} at most, or None"
            )
        return asked
    period = next((period for period in periods if period <= longest), 1)
    return min(longest, period * -(-_LEAST_CYCLE // period))
