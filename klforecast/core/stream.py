"""The one road to a linear core: start a stream from the rows at hand, extend it by new ones, solve it.

Kept of each series are the moments of its windows in the scale of the rows that the stream was
started from, and its mean and spread. New rows extend both; the scale of all rows turns the moments
into those of the series in that scale (`klforecast.core.moments.rescale_moments`), and the core is
solved from them. So a stream that was extended gives the core of one that was started from all rows
with the same plan, up to rounding.

    start      O(C T log L)                solve     bounded by the plan, not by T
    extend     O(m C (L + log L)) for m new rows

Letters   T rows, C channels, L = depth + horizon
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from torch import Tensor

from klforecast.core.linear_core import LinearCore
from klforecast.core.moments import (
    WindowMoments,
    extend_moments,
    rescale_moments,
    shorten_moments,
    window_moments,
)
from klforecast.core.plan import CorePlan
from klforecast.core.rows import Rows, check_lengths, newest_rows
from klforecast.core.solve import (
    Solved,
    expert_maps,
    solve_from_moments,
    solve_from_weights,
)
from klforecast.data.scaling import RowStatistics, Standardizer
from klforecast.ops.arrays import to_tensor

Panel = Mapping[tuple, np.ndarray]
"""Rows of each series by its labels, (time, channels), in the units of the data."""

# Standard deviations by which the level may leave that of the reference: squared, it is the factor
# by which rounding errors of the moments grow.
_FARTHEST = 100.0
_LEAST_REMEMBERED = 1e-3  # share of the weight of all rows that is left without the newest ones
_AT_REST = 1e-6  # of the scale of all rows
_FEW = 20  # times as many older rows, from which on the newest ones do not move mean and scale


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


class EarlierCore(NamedTuple):
    """A core that has not seen the newest rows.

    Attributes
    ----------
    core : LinearCore
    scalers : dict of tuple to Standardizer
        Mean and scale of the rows before them.
    """

    core: LinearCore
    scalers: dict[tuple, Standardizer]


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

    def check_parts(self) -> None:
        """Raise a ValueError unless the moments are of windows of the plan; for one read from a file."""
        plan = self.plan
        for part in self.series.values():
            if part.moments is not None and part.moments.products.shape[1] != plan.length:
                raise ValueError(
                    f"moments of other windows than the {plan.length} rows of the plan"
                )
        cycles = max((fold.period * fold.cycles for fold in plan.folds), default=0)
        if not 0 < plan.horizon <= plan.padded_horizon or cycles > plan.depth:
            raise ValueError(f"horizon {plan.horizon}, {cycles} rows of a depth of {plan.depth}")

    def scalers(self) -> dict[tuple, Standardizer]:
        """Mean and scale of all rows of each series."""
        return {key: part.statistics.standardizer() for key, part in self.series.items()}


def start_stream(
    panel: Mapping[tuple, Tensor],
    statistics: Mapping[tuple, RowStatistics],
    plan: CorePlan,
    scale_lag: int | None = None,
) -> Stream:
    """Start from all rows known so far.

    Parameters
    ----------
    panel : mapping of tuple to Tensor, (time, channels) each
        Rows without gaps in the scale of the statistics.
    statistics : mapping of tuple to RowStatistics
        Of the observed rows of each series, with the forgetting of the plan.
    plan : CorePlan
    scale_lag : int, optional
        Steps of the change that is the unit of each series; None for the standard deviation.

    Returns
    -------
    Stream
    """
    return Stream(
        plan,
        scale_lag,
        max(map(len, panel.values())),
        {key: _start_series(rows, statistics[key], plan) for key, rows in panel.items()},
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


def solve_stream(
    stream: Stream, panel: Mapping[tuple, Rows], judged: Collection[tuple] | None = None
) -> Solved:
    """Solve the core of all rows absorbed so far, in the scale of these rows.

    Parameters
    ----------
    stream : Stream
    panel : mapping of tuple to Tensor or StreamRows, (time, channels) each
        The rows that the stream has absorbed, in the scale of `Stream.scalers`.
    judged : collection of tuple, optional
        Series whose windows give the weights of the experts, if it names one that is as long as a window; None, all.

    Returns
    -------
    Solved

    Raises
    ------
    ValueError
        If no series is as long as one window.
    """
    check_lengths(list(panel.values()), stream.plan)
    moments = moments_now(stream)
    rows = [panel[key] for key in moments if judged is None or key in judged]
    return solve_from_moments(list(moments.values()), rows, stream.plan)


def expert_maps_of(stream: Stream, weights: Tensor) -> Iterator[Iterator[Tensor]]:
    """The map of each expert of the core of a stream times its share, channel by channel.

    Parameters
    ----------
    stream : Stream
    weights : Tensor of shape (channels, segments, experts)
        Of the experts, as `solve_stream` found them.

    Yields
    ------
    iterator of Tensor of shape (H, d), float64
        See `klforecast.core.solve.expert_maps`.
    """
    return expert_maps(list(moments_now(stream).values()), stream.plan, weights)


def solve_earlier(
    stream: Stream, panel: Mapping[tuple, Rows], weights: Tensor, spared: int
) -> EarlierCore | None:
    """Solve the core again without the newest rows: what it forecasts of them it has not seen.

    Parameters
    ----------
    stream, panel
        As for `solve_stream`.
    weights : Tensor of shape (channels, segments, experts)
        Of the experts, as `solve_stream` found them.
    spared : int
        Newest rows of each series that are left out, at least 1.

    Returns
    -------
    EarlierCore or None
        None if no series has a window before its newest rows.

    Notes
    -----
    Bounded by the plan and by `spared`, not by T.
    """
    changes = {
        key: scale_before(rows, spared, stream.plan.forgetting, stream.scale_lag)
        for key, rows in panel.items()
    }
    moments = moments_before(stream, panel, changes, spared)
    if not moments:
        return None
    earlier = {key: scaler.then(changes[key]) for key, scaler in stream.scalers().items()}
    return EarlierCore(solve_from_weights(moments, stream.plan, weights), earlier)


def moments_before(
    stream: Stream, panel: Mapping[tuple, Rows], changes: Mapping[tuple, Standardizer], spared: int
) -> list[WindowMoments]:
    """Moments of the windows before the newest rows, in the scale of the rows there.

    Parameters
    ----------
    stream, panel, spared
        As for `solve_earlier`.
    changes : mapping of tuple to Standardizer
        From the scale of all rows to that of the rows before, of `scale_before`.

    Returns
    -------
    list of WindowMoments
        Of the series that have windows there.
    """
    plan = stream.plan
    # What remains is the difference of two sums, and says nothing where they are nearly equal.
    if plan.forgetting**spared < _LEAST_REMEMBERED:
        return []
    return [
        rescale_moments(
            shorten_moments(part, newest_rows(panel[key], spared + plan.length - 1), spared),
            to_tensor(1 / changes[key].scale),
            to_tensor(-changes[key].mean / changes[key].scale),
        )
        for key, part in moments_now(stream).items()
        if part.n_windows > spared
    ]


def moments_now(stream: Stream) -> dict[tuple, WindowMoments]:
    """Moments of the series that are as long as a window, in the scale of all their rows."""
    scalers = stream.scalers()
    return {
        key: _rescaled(part.moments, part.reference, scalers[key])
        for key, part in stream.series.items()
        if part.moments is not None
    }


def _rescaled(moments: WindowMoments, old: Standardizer, new: Standardizer) -> WindowMoments:
    # Right after a fit the scale is still that of the reference.
    if np.array_equal(old.scale, new.scale) and np.array_equal(old.mean, new.mean):
        return moments
    return rescale_moments(moments, *_change(old, new))


def scale_before(rows: Rows, spared: int, forgetting: float, scale_lag: int | None) -> Standardizer:
    """Scale of the rows of one series before the newest ones, in units of all of them."""
    older = len(rows) - spared
    channels = rows.shape[1]
    # Few rows among many do not move it, and a long past is not read again.
    if older < 2 or older > _FEW * spared:
        return Standardizer(np.zeros(channels), np.ones(channels))
    values = newest_rows(rows, len(rows))[:older].numpy()
    before = RowStatistics.of(values, forgetting, scale_lag).standardizer()
    # A channel at rest until then keeps the unit of all its rows: what it had was rounding.
    return Standardizer(before.mean, np.where(before.scale > _AT_REST, before.scale, 1.0))


def _start_series(rows: Tensor, statistics: RowStatistics, plan: CorePlan) -> SeriesStream:
    moments = None
    if len(rows) >= plan.length:
        moments = window_moments(rows, plan.length, plan.forgetting)
    return SeriesStream(statistics.standardizer(), statistics, moments, len(rows))


def _extend_series(
    series: SeriesStream, rows: np.ndarray, plan: CorePlan, scale_lag: int | None
) -> SeriesStream:
    new = rows[series.n_rows :]
    if not len(new):
        return series
    statistics = series.statistics.extend(new)
    shift = _change(series.reference, statistics.standardizer())[1]
    if shift.abs().max() > _FARTHEST:
        statistics = RowStatistics.of(rows, plan.forgetting, scale_lag)
        return _start_series(_scaled(rows, statistics.standardizer()), statistics, plan)
    if series.moments is None:
        started = _start_series(_scaled(rows, series.reference), statistics, plan)
        return started._replace(reference=series.reference)
    moments = extend_moments(series.moments, _scaled(new, series.reference))
    return SeriesStream(series.reference, statistics, moments, len(rows))


def _scaled(rows: np.ndarray, scaler: Standardizer) -> Tensor:
    return to_tensor(scaler.transform(rows))


def _change(old: Standardizer, new: Standardizer) -> tuple[Tensor, Tensor]:
    """Factor and shift from the scale of the one to that of the other."""
    return (
        to_tensor(old.scale / new.scale),
        to_tensor((old.mean - new.mean) / new.scale),
    )
