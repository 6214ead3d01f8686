"""A linear core that follows a stream: new rows are absorbed at a cost that the past does not change.

Kept of each series are the moments of its windows in the scale of the last `fit`, and its mean and
spread. New rows extend both; the scale of all rows turns the moments into those of the series as
`fit` would scale it (`klforecast.core.gram.rescale_moments`), and the core is solved from them. So
the result is that of `fit` on all rows with the same plan, up to rounding.

    absorb     O(m C (L + log L)) for m new rows         solve     bounded by the plan, not by T

Letters   T rows, C channels, L = depth + horizon
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch

from klforecast.core.gram import WindowMoments, extend_moments, rescale_moments, window_moments
from klforecast.core.linear_core import LinearCore
from klforecast.core.plan import CorePlan
from klforecast.core.rows import StreamRows
from klforecast.core.solve import solve_from_moments
from klforecast.data.scaling import RowStatistics, Standardizer

Panel = Mapping[tuple, np.ndarray]
"""Rows of each series by its labels, (time, channels), in the units of the data."""

# Standard deviations by which the level may leave that of the reference: squared, it is the factor
# by which rounding errors of the moments grow.
_FARTHEST = 100.0


class SeriesStream(NamedTuple):
    """What is kept of one series.

    Attributes
    ----------
    reference : Standardizer
        Scale of the moments, that of the rows that `fit` saw.
    statistics : RowStatistics
        Of all rows absorbed so far.
    moments : WindowMoments or None
        Of all windows absorbed so far; None while the series is shorter than one.
    n_rows : int
        Rows absorbed so far.
    """

    reference: Standardizer
    statistics: RowStatistics
    moments: WindowMoments | None
    n_rows: int


class Stream(NamedTuple):
    """What is kept of a panel.

    Attributes
    ----------
    plan : CorePlan
        The shape of the core; the same until the next `fit`.
    scale_lag : int or None
        Steps of the change that is the unit of each series; None for the standard deviation.
    longest : int
        Rows of the longest series when the plan was made.
    series : mapping of tuple to SeriesStream
        By label.
    """

    plan: CorePlan
    scale_lag: int | None
    longest: int
    series: Mapping[tuple, SeriesStream]


def start_stream(panel: Panel, plan: CorePlan, scale_lag: int | None = None) -> Stream:
    """Start from all rows known so far: O(C T log L)."""
    return Stream(
        plan,
        scale_lag,
        max(map(len, panel.values())),
        {key: _start_series(rows, plan, scale_lag) for key, rows in panel.items()},
    )


def extend_stream(stream: Stream, panel: Panel) -> Stream:
    """Absorb what a panel has beyond the rows absorbed so far.

    Parameters
    ----------
    stream : Stream
    panel : mapping of tuple to ndarray, (time, channels) each
        All rows; the first ones of each series are those that the stream has seen.

    Returns
    -------
    Stream

    Notes
    -----
    O(m C (L + log L)) for m new rows. A series whose level has left that of its reference by more than 100 standard
    deviations is started anew, at O(C T log L).
    """
    extended = {
        key: _extend_series(stream.series[key], rows, stream.plan, stream.scale_lag)
        for key, rows in panel.items()
    }
    return stream._replace(series=extended)


def solve_stream(stream: Stream, panel: Panel) -> tuple[LinearCore, dict[tuple, Standardizer]]:
    """Core and scalers of all rows absorbed so far.

    Parameters
    ----------
    stream : Stream
    panel : mapping of tuple to ndarray, (time, channels) each
        The rows that the stream has absorbed.

    Returns
    -------
    core : LinearCore
    scalers : dict of tuple to Standardizer

    Raises
    ------
    ValueError
        If no series is as long as one window.
    """
    scalers = {key: part.statistics.standardizer() for key, part in stream.series.items()}
    moments, rows = [], []
    for key, part in stream.series.items():
        if part.moments is not None:
            moments.append(rescale_moments(part.moments, *_change(part.reference, scalers[key])))
            rows.append(StreamRows(panel[key], scalers[key]))
    return solve_from_moments(moments, rows, stream.plan), scalers


def _start_series(rows: np.ndarray, plan: CorePlan, scale_lag: int | None) -> SeriesStream:
    statistics = RowStatistics.of(rows, plan.forgetting, scale_lag)
    reference = statistics.standardizer()
    return SeriesStream(reference, statistics, _moments(rows, reference, plan), len(rows))


def _moments(rows: np.ndarray, reference: Standardizer, plan: CorePlan) -> WindowMoments | None:
    length = plan.depth + plan.padded_horizon
    if len(rows) < length:
        return None
    return window_moments(torch.from_numpy(reference.transform(rows)), length, plan.forgetting)


def _extend_series(
    series: SeriesStream, rows: np.ndarray, plan: CorePlan, scale_lag: int | None
) -> SeriesStream:
    new = rows[series.n_rows :]
    if not len(new):
        return series
    statistics = series.statistics.extend(new)
    shift = _change(series.reference, statistics.standardizer())[1]
    if shift.abs().max() > _FARTHEST:
        return _start_series(rows, plan, scale_lag)
    if series.moments is None:
        moments = _moments(rows, series.reference, plan)
    else:
        scaled = torch.from_numpy(series.reference.transform(new))
        moments = extend_moments(series.moments, scaled)
    return SeriesStream(series.reference, statistics, moments, len(rows))


def _change(old: Standardizer, new: Standardizer) -> tuple[torch.Tensor, torch.Tensor]:
    """Factor and shift from the scale of the one to that of the other."""
    return (
        torch.from_numpy(old.scale / new.scale),
        torch.from_numpy((old.mean - new.mean) / new.scale),
    )
