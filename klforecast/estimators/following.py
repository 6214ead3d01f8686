"""Levels of intervals that follow the rows seen: every horizon that new rows complete is compared with its quantiles.

The quantiles are those of the forecast that is given: core, local experts and phases together. The mathematics is in
`klforecast.ops.adaptive_levels`; here are series and batches.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from klforecast.estimators.forecasting import Predictor, pooled_from
from klforecast.estimators.frames.indices import Stamp
from klforecast.estimators.frames.panel import Key, TimeSeries, first_rows
from klforecast.estimators.intervals import IntervalLevels
from klforecast.ops.adaptive_levels import LEVEL_TABLE, adapt_levels, reached_levels
from klforecast.ops.arrays import to_tensor

_HORIZONS = (
    20  # horizons over which the levels follow a drift; `docs/method/intervals.md` compares others
)
# Windows of single channels that one update looks at, one of each series at least: an update stays cheap.
_SCORED_WINDOWS = 256
# Windows of one horizon: neighbours share nearly all of their steps, and each costs a forecast of local experts.
_IN_A_HORIZON = 16
_VALUES_PER_BATCH = 2**22  # 32 MB in float64


def update_levels(
    fitted: Predictor,
    known: Mapping[Key, TimeSeries],
    cutoffs: Mapping[Key, Stamp],
    horizon: int,
) -> IntervalLevels:
    """Let every horizon that new rows complete move the levels of its series.

    Parameters
    ----------
    fitted : Predictor
        Without a calibration it has no quantiles, and nothing moves.
    known : mapping of tuple to TimeSeries
        Rows of each series up to its cutoff.
    cutoffs : mapping of tuple to stamp
    horizon : int
        Steps that the net forecasts at once.

    Returns
    -------
    IntervalLevels
    """
    present, channels = fitted.levels, fitted.reader.channels
    if fitted.calibration is None:
        return present
    most = max(1, _SCORED_WINDOWS // (len(known) * channels))
    apart = max(1, horizon // _IN_A_HORIZON)
    places: list[tuple[Key, int]] = []
    steps = {}
    for key, rows in known.items():
        complete = present.newly_complete(key, rows, horizon)
        complete = complete[complete % apart == 0]
        every = max(1, -(-len(complete) // most))
        steps[key] = apart * every
        # The latest one is among those kept.
        places += [(key, int(cutoff)) for cutoff in complete[::-1][::every][::-1]]
    levels = dict(present.levels)
    start = IntervalLevels.start(cutoffs, channels)
    size = max(
        1, _VALUES_PER_BATCH // (max(horizon * len(LEVEL_TABLE), fitted.reader.depth) * channels)
    )
    for first in range(0, len(places), size):
        some = places[first : first + size]
        reached = reached_from(fitted._replace(levels=start), known, some, horizon)
        for (key, _), of_window in zip(some, reached, strict=True):
            rate = min(1.0, steps[key] / (_HORIZONS * horizon))
            levels[key] = adapt_levels(levels[key], of_window, torch.tensor(rate))
    return present._replace(levels=levels, scored_until=dict(cutoffs))


def reached_from(
    nominal: Predictor,
    known: Mapping[Key, TimeSeries],
    places: Sequence[tuple[Key, int]],
    horizon: int,
) -> Tensor:  # (places, H, C)
    """Levels at which quantiles had what came, for a fit whose levels are the nominal ones."""
    pasts = [(key, first_rows(known[key], cutoff)) for key, cutoff in places]
    forecast = pooled_from(nominal, pasts, horizon, LEVEL_TABLE.numpy())
    assert forecast.around is not None
    truth = np.stack(
        [
            nominal.reader.residual(key, first_rows(known[key], cutoff + horizon), cutoff)
            for key, cutoff in places
        ]
    )
    return reached_levels(to_tensor(truth - forecast.point), to_tensor(forecast.around))
