"""How a forecaster with a linear core keeps up with its rows: when it absorbs, when it starts anew.

New rows are absorbed (`klforecast.core.stream`) as long as the plan of the last fit stands. It
falls when known rows were replaced, or when the longest series has become twice as long and so
supports another plan: a deeper memory, a longer horizon, more trust in what is fitted. From some
23,000 rows on every plan is the same, so a long stream is never started anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from klforecast.core.plan import CorePlan, plan_core
from klforecast.core.stream import Stream, extend_stream, start_stream
from klforecast.estimators.checks import longest_horizon
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.learning import core_settings

Panel = Mapping[Key, TimeSeries]


class Following(NamedTuple):
    """A stream, and which version of each series it has absorbed."""

    stream: Stream
    revisions: dict[Key, int]


def follow(
    series: Panel,
    horizon: int,
    periods: Sequence[int],
    scale_lag: int | None,
    settings: Mapping[str, Any],
) -> Following | None:
    """Start to follow the rows that were just learned from.

    Parameters
    ----------
    series : mapping of tuple to TimeSeries
        All rows known.
    horizon : int
        Steps that the core forecasts at once.
    periods : sequence of int
        Cycles in steps, the leading one first; none if empty.
    scale_lag : int or None
        Steps of the change that is the unit of each series; None for the standard deviation.
    settings : mapping
        Constructor arguments of the forecaster.

    Returns
    -------
    Following or None
        None if there is nothing to follow with: an encoder is trained, rows have holes.
    """
    if settings["encoder"] != "linear" or not _whole(part.values for part in series.values()):
        return None
    plan = plan_for(series, horizon, periods, settings)
    stream = start_stream(_rows(series), plan, scale_lag)
    return Following(stream, _revisions(series))


def keep_up(
    following: Following | None, series: Panel, period: int, settings: Mapping[str, Any]
) -> Following | None:
    """Absorb the rows that are new; None where it takes a new fit.

    Parameters
    ----------
    following : Following or None
        What `follow` or `keep_up` gave.
    series : mapping of tuple to TimeSeries
        All rows known.
    period : int
        The leading cycle of the last fit.
    settings : mapping
        Constructor arguments of the forecaster.

    Returns
    -------
    Following or None
    """
    if following is None or following.revisions != _revisions(series):
        return None
    stream = following.stream
    longest = max(len(part.values) for part in series.values())
    if longest >= 2 * stream.longest:
        horizon = min(settings["horizon"], longest_horizon(longest))
        periods = [period] if period > 1 else []
        if plan_for(series, horizon, periods, settings) != stream.plan:
            return None
    if not _whole(part.values[stream.series[key].n_rows :] for key, part in series.items()):
        return None
    return following._replace(stream=extend_stream(stream, _rows(series)))


def plan_for(
    series: Panel, horizon: int, periods: Sequence[int], settings: Mapping[str, Any]
) -> CorePlan:
    """The plan that a fit of these rows makes."""
    first = next(iter(series.values()))
    return plan_core(
        [len(part.values) for part in series.values()],
        first.values.shape[1],
        horizon,
        periods=periods,
        **core_settings(settings),
    )


def _rows(series: Panel) -> dict[Key, np.ndarray]:
    return {key: part.values for key, part in series.items()}


def _revisions(series: Panel) -> dict[Key, int]:
    return {key: part.revision for key, part in series.items()}


def _whole(arrays: Any) -> bool:
    return all(np.isfinite(values).all() for values in arrays)
