"""What a fitted net reads and says: windows of the residual of each series, scaled, without gaps.

rows of y  ->  residual = rows - effect of X and events
rows that are read = residual, with what would have been usual in the place of outliers      `ops.outliers`
rows of the core = rows that are read - week  ->  (rows - mean) / scale  ->  gaps filled  ->  windows
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from klforecast.data.scaling import Standardizer, add_within_floats
from klforecast.estimators.covariates.effects import Effects, residual_rows
from klforecast.estimators.covariates.table import Covariates
from klforecast.estimators.frames.context import FilledRows, extend_past, forecast_windows
from klforecast.estimators.frames.panel import Key, TimeSeries, first_rows
from klforecast.estimators.returning import ReturningEffects
from klforecast.ops.missing import GapFiller
from klforecast.ops.outliers import Outliers, find_panel_outliers, first_row_asked

WindowsOf = Callable[[slice], np.ndarray]
"""From a batch of places to their windows, (batch, depth, channels), scaled."""


class WindowReader(NamedTuple):
    """Everything fixed by a fit that stands between rows and the net.

    Attributes
    ----------
    module : nn.Module
        Maps (batch, depth, channels) to (batch, horizon, channels).
    effects : Effects or None
    covariates : Covariates or None
    scalers : mapping of tuple to Standardizer
    filler : GapFiller
    depth, period, channels : int
        Steps that the module reads; steps of one cycle; channels of each series.
    returning : ReturningEffects or None
    outlier_seasons : tuple of int or None
        Periods by which outliers are told; None where rows are read as they are.
    """

    module: nn.Module
    effects: Effects | None
    covariates: Covariates | None
    scalers: Mapping[Key, Standardizer]
    filler: GapFiller
    depth: int
    period: int
    channels: int
    returning: ReturningEffects | None = None
    outlier_seasons: tuple[int, ...] | None = None

    @property
    def events(self) -> ReturningEffects | None:
        """What returns and is taken off the rows before all else: events of the year, or a week of few rows."""
        return None if self.weeks is not None else self.returning

    @property
    def weeks(self) -> ReturningEffects | None:
        """What returns and is taken off the rows of the core alone: days of the week."""
        of_core = self.returning is not None and self.returning.for_core_alone
        return self.returning if of_core else None

    def is_residual(self, key: Key) -> bool:
        """Whether something is added to the forecast of a series, which bounds of its rows are to hold with it."""
        return self.effects is not None or (self.events is not None and key in self.events.effects)

    def floor(self, key: Key) -> np.ndarray:  # (channels,), or one number
        """Values below which a series is not forecast once events of the year are added; minus infinity for none."""
        if self.events is None or self.effects is not None:
            return np.array(-np.inf)
        return self.events.floors.get(key, np.array(-np.inf))

    def with_events(self, key: Key, forecasts: np.ndarray, events: np.ndarray) -> np.ndarray:
        """Forecasts of a series with events of the year, (..., channels) both, not below its floor."""
        return np.maximum(add_within_floats(forecasts, events), self.floor(key))

    def means_and_scales(
        self, keys: Sequence[Key], dimensions: int
    ) -> tuple[np.ndarray, np.ndarray]:  # (series, 1, ..., channels) twice
        """What stands between the scale of the net and the data, for arrays of so many dimensions."""
        shape = (len(keys), *[1] * (dimensions - 2), self.channels)
        scalers = [self.scalers[key] for key in keys]
        mean = np.stack([scaler.mean for scaler in scalers]).reshape(shape)
        return mean, np.stack([scaler.scale for scaler in scalers]).reshape(shape)

    @property
    def newest(self) -> int:
        """Rows before a cutoff that a window, whose gaps are filled, may read."""
        return self.depth + 3 * self.filler.reach

    def windows_before(
        self,
        places: Sequence[tuple[Key, TimeSeries]],
        rows: Sequence[np.ndarray] | None = None,  # (time, channels) each
    ) -> WindowsOf:
        """Windows at the ends of some pasts, made when a batch asks for them, from rows of `rows_read`."""
        read = self.rows_read(places, self.newest) if rows is None else rows
        return lambda batch: np.stack(
            [
                self._window(key, past, own)
                for (key, past), own in zip(places[batch], read[batch], strict=True)
            ]
        )

    def windows_within(
        self,
        key: Key,
        series: TimeSeries,
        cutoffs: np.ndarray,  # (n,) int
    ) -> WindowsOf:
        """Windows before many cutoffs of one series, whose rows are scaled and filled once."""
        found = self.outliers(key, series)
        rows = self.core_rows(key, found.without(), series.index)
        filled = FilledRows(rows, self.filler)
        windows_of = self.windows_of_filled([filled] * len(cutoffs), cutoffs)
        apart = np.flatnonzero(found.differ(cutoffs))
        if not len(apart):
            return windows_of

        def windows(batch: slice) -> np.ndarray:
            made = windows_of(batch)
            for place in np.intersect1d(apart, np.arange(len(cutoffs))[batch]):
                cutoff = int(cutoffs[place])
                past = first_rows(series, cutoff)
                rows_read = found.before(cutoff, self.newest)
                made[place - batch.start] = self._window(key, past, rows_read)
            return made

        return windows

    def windows_of_filled(
        self,
        filled: Sequence[FilledRows],
        cutoffs: np.ndarray,  # (n,) int
    ) -> WindowsOf:
        """Windows before one cutoff of each of some rows, scaled and filled."""
        return lambda batch: np.stack(
            [
                extend_past(rows.before(cutoff, self.depth), self.depth, self.period)
                for rows, cutoff in zip(filled[batch], cutoffs[batch], strict=True)
            ]
        )

    def residual_rows(
        self, key: Key, series: TimeSeries, start: int = 0
    ) -> np.ndarray:  # (time - start, channels)
        """Rows from `start` on, less the effects of covariates and of the year, in the units of the data."""
        rows = residual_rows(self.effects, self.covariates, key, series, start)
        return _less(rows, self.events, key, series.index[start:])

    def rows_read(
        self, places: Sequence[tuple[Key, TimeSeries]], newest: int | None = None
    ) -> list[np.ndarray]:  # (time, channels) each
        """Residuals of some pasts, or their newest rows, with what would have been usual in the place of outliers.

        Pasts of one series are first rows of the longest of them, in which outliers are looked for once, no further
        back than the newest rows of the shortest ask for.
        """
        longest: dict[Key, TimeSeries] = {}
        first: dict[Key, int] = {}
        for key, past in places:
            if key not in longest or len(past.index) > len(longest[key].index):
                longest[key] = past
            start = 0 if newest is None else self._first_row_asked(len(past.index) - newest)
            first[key] = min(start, first.get(key, start))
        rows = [self.residual_rows(key, past, first[key]) for key, past in longest.items()]
        found = dict(zip(longest, self._outliers(rows), strict=True))
        return [found[key].before(len(past.index) - first[key], newest) for key, past in places]

    def outliers(self, key: Key, series: TimeSeries) -> Outliers:
        """Outliers in the residual of a series."""
        return self._outliers([self.residual_rows(key, series)])[0]

    def _first_row_asked(self, row: int) -> int:
        if self.outlier_seasons is None:
            return max(0, row)
        return first_row_asked(row, self.outlier_seasons)

    def _outliers(self, panel: Sequence[np.ndarray]) -> list[Outliers]:
        if self.outlier_seasons is None:
            return [Outliers(rows, (), [], 0) for rows in panel]
        return find_panel_outliers(panel, self.outlier_seasons)

    def residual(
        self, key: Key, series: TimeSeries, start: int = 0
    ) -> np.ndarray:  # (time - start, channels)
        """The same, scaled; NaN where a value is missing."""
        return self.scalers[key].transform(self.residual_rows(key, series, start))

    def core_rows(
        self, key: Key, rows: np.ndarray, stamps: pd.Index
    ) -> np.ndarray:  # (time, channels)
        """Rows that are read, less the week, scaled; NaN where a value is missing."""
        return self.scalers[key].transform(_less(rows, self.weeks, key, stamps))

    def weeks_ahead(
        self, places: Sequence[tuple[Key, TimeSeries]], steps: int
    ) -> np.ndarray:  # (places, steps, channels), or a zero
        """What days of the week add to what the net says from the ends of some pasts, scaled."""
        if self.weeks is None:
            return np.zeros(1)
        ahead = np.arange(1, steps + 1)
        own = [
            self.weeks.ahead(key, past.index[-1], ahead) / self.scalers[key].scale
            for key, past in places
        ]
        return np.stack([np.broadcast_to(effect, (steps, self.channels)) for effect in own])

    def weeks_within(
        self, key: Key, series: TimeSeries, cutoffs: np.ndarray, steps: int
    ) -> np.ndarray:  # (n, steps, channels), or a zero
        """The same after many cutoffs of one series."""
        if self.weeks is None:
            return np.zeros(1)
        return self.weeks.after_each(key, series.index, cutoffs, steps) / self.scalers[key].scale

    def forecast(
        self, windows_of: WindowsOf, n_windows: int, steps: int
    ) -> np.ndarray:  # (n_windows, steps, channels), scaled
        """Forecast from all windows, in batches; beyond the horizon from the forecasts before."""
        return forecast_windows(
            self.module, windows_of, n_windows, steps, (self.depth, self.channels)
        )

    def _window(
        self,
        key: Key,
        past: TimeSeries,
        rows: np.ndarray,  # (time, channels), the newest ones as they are read
    ) -> np.ndarray:  # (depth, channels)
        cutoff = len(past.index)
        start = self.filler.first_row(cutoff, self.depth)
        of_core = self.core_rows(key, rows[start - cutoff :], past.index[start:])
        filled = FilledRows(of_core, self.filler)
        return extend_past(filled.before(cutoff - start, self.depth), self.depth, self.period)


def _less(
    rows: np.ndarray, effects: ReturningEffects | None, key: Key, stamps: pd.Index
) -> np.ndarray:  # (time, channels)
    return rows if effects is None else add_within_floats(rows, -effects.of_rows(key, stamps))
