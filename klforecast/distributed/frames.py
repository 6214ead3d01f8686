"""Between long frames, with a row for each series and time, and the series of a part."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset

from klforecast.distributed.panel_model import PanelModel
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.indices import check_regular, find_frequency, stamps_ahead
from klforecast.estimators.frames.panel import Key, TimeSeries, split_series
from klforecast.estimators.long_frames.columns import Columns, indexed, interval_names
from klforecast.estimators.long_frames.grid import on_grid

MODEL_NAME = KLMemoryForecaster.__name__
"""Of the column of forecasts, as in `LongForecaster`."""


def series_of(
    frame: pd.DataFrame, columns: Columns, freq: str | BaseOffset | int | None = None
) -> dict[Key, TimeSeries]:
    """Take a long frame apart into its series, in the order of their labels.

    Parameters
    ----------
    frame : DataFrame
        One row for each series and time, in any order; times that are missing within a series become NaN.
    columns : Columns
        Names of the columns.
    freq : str, offset, 1 or None, default=None
        Step of the times, as for `LongForecaster`.

    Returns
    -------
    dict of tuple to TimeSeries

    Raises
    ------
    TypeError, ValueError
        If columns are missing, times are doubled or off the grid, or values are no numbers.

    Examples
    --------
    >>> frame = pd.DataFrame({"unique_id": ["b", "a", "a"], "ds": [1, 2, 1], "y": [7.0, 6.0, 5.0]})
    >>> {key: part.values[:, 0].tolist() for key, part in series_of(frame, Columns("unique_id", "ds", "y")).items()}
    {('a',): [5.0, 6.0], ('b',): [7.0]}
    """
    panel = indexed(frame, columns, [columns.target], "df").sort_index()
    values, times = panel.to_numpy(), panel.index.get_level_values(1)
    stops = np.append(np.flatnonzero(np.diff(panel.index.codes[0])) + 1, len(panel))
    starts = np.append(0, stops[:-1])
    labels = panel.index.get_level_values(0)[starts]
    numbers = times.to_numpy()
    # Series of a panel share their times more often than not, and times are looked at once.
    known: dict[tuple, pd.Index] = {}
    series = {}
    for label, start, stop in zip(labels, starts, stops, strict=True):
        shared = known.setdefault((numbers[start], stop - start), times[start:stop])
        if not np.array_equal(shared.to_numpy(), numbers[start:stop]):
            shared = times[start:stop]
        series[(label,)] = TimeSeries(values[start:stop], shared)
    if _are_regular(series, freq):
        return series
    return split_series(on_grid(panel, freq).panel)


def distinct_indices(series: Mapping[Key, TimeSeries]) -> list[pd.Index]:
    """Times of the series, those that many share once."""
    return list({id(part.index): part.index for part in series.values()}.values())


def long_forecast(
    model: PanelModel,
    part: Mapping[Key, TimeSeries],
    h: int,
    level: Sequence[int | float] | None,
    columns: Columns,
) -> pd.DataFrame:
    """Forecast the series of a part as a long frame, with the columns of `LongForecaster`.

    Parameters
    ----------
    model : PanelModel
    part : mapping of tuple to TimeSeries
        Of `series_of`.
    h : int
        Steps ahead.
    level : sequence of float or None
        Coverages of central intervals in percent.
    columns : Columns
    """
    names = interval_names(MODEL_NAME, level or ())
    alpha = sorted(set(names.values()))
    point, quantiles = model.forecast(part, h, np.asarray(alpha) if alpha else None)
    steps = np.arange(1, h + 1)
    frequency = model.agreed.frequency
    last = {series.index[-1] for series in part.values()}
    ahead = {stamp: stamps_ahead(stamp, steps, frequency) for stamp in last}
    stamps = [ahead[series.index[-1]] for series in part.values()]
    answer: dict[str, Any] = {
        columns.id: np.repeat([key[0] for key in part], h),
        columns.time: stamps[0].append(stamps[1:]),
        MODEL_NAME: np.concatenate([point[key][:, 0] for key in part]),
    }
    if quantiles is not None:
        answer |= {name: quantiles[:, 0, alpha.index(p)] for name, p in names.items()}
    return pd.DataFrame(answer)


def _are_regular(series: Mapping[Key, TimeSeries], freq: str | BaseOffset | int | None) -> bool:
    """Whether no time is missing; whatever else is wrong with them is said by `on_grid`."""
    indices = distinct_indices(series)
    try:
        frequency = find_frequency(max(indices, key=len)) if freq in (None, 1) else to_offset(freq)
        for index in indices:
            check_regular(index, frequency)
    except ValueError:
        return False
    return True
