"""The shape of a core and the cycles that it is made for, from the rows of a panel and what a forecaster is asked."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from pandas.tseries.offsets import BaseOffset

from klforecast.core.plan import CorePlan, plan_core
from klforecast.estimators.cycles import window_periods
from klforecast.estimators.frames.panel import Key
from klforecast.estimators.options import Options
from klforecast.estimators.sampling import sample_keys


class Planned(NamedTuple):
    """The shape of a core, and the cycles that it was made for, in steps, the leading one first."""

    core: CorePlan
    periods: list[int]


def make_plan(
    panel: Mapping[Key, np.ndarray],
    frequency: BaseOffset | None,
    horizon: int,
    options: Options,
    lengths: Sequence[int] | None = None,
) -> Planned:
    """Look for cycles, and shape a core by them and by the lengths of the series.

    Parameters
    ----------
    panel : mapping of tuple to ndarray of shape (time, channels)
        Of a panel, or of its sample, in the units of the data.
    frequency : offset or None
    horizon : int
        Steps that the core forecasts.
    options : Options
    lengths : sequence of int, optional
        Rows of all series; None takes those of the panel.
    """
    rows = [panel[key] for key in sample_keys(panel)]
    periods = window_periods(rows, frequency, options.period)
    if lengths is None:
        lengths = [*map(len, panel.values())]
    return Planned(plan_core(lengths, rows[0].shape[1], horizon, periods, options.core), periods)
