"""Levels of intervals from the newest rows: how often these lay beyond quantiles that were made without them.

    theta_p = p + n / (n + 20) (Q_p(u) - p)  where that is further from the median        u: levels that rows reached

Errors out of fold come from blocks with rows on both sides, and a series that drifts is forecast with rows on one side
alone. The core that was solved without the newest rows, which the share of local experts is judged by, shows what that
adds: where more of these rows lie beyond a limit than should, the limit is read further out. It is never read further
in, since the laws of local experts were fitted to rows among these. n counts independent horizons, once for channels
that are surprised together.
"""

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from klforecast.estimators.following import reached_from
from klforecast.estimators.forecasting import Predictor
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.ops.adaptive_levels import independent_channels, levels_of_reached

_WINDOWS = 12  # as many as local experts are compared at
_SCORED_WINDOWS = 256  # of single channels at most, as in an update


def levels_of_newest(
    fitted: Predictor, series: Mapping[Key, TimeSeries], horizon: int, spared: int
) -> Tensor | None:
    """Levels of the grid at which the laws of a single series are to be read.

    Parameters
    ----------
    fitted : Predictor
        Its reader is that of the core which has not seen the newest rows; its levels are the nominal ones.
    series : mapping of tuple to TimeSeries
        All rows of that one series.
    horizon, spared : int
        Steps ahead; newest rows that the core has not seen.

    Returns
    -------
    Tensor of shape (G,) or None
        None where these rows are fewer than a horizon.
    """
    if fitted.calibration is None or spared < horizon:
        return None
    (key, rows), *_ = series.items()
    channels, length = fitted.reader.channels, len(rows.values)
    count = min(_WINDOWS, spared - horizon + 1, max(1, _SCORED_WINDOWS // channels))
    cutoffs = np.linspace(length - spared, length - horizon, count).round().astype(int)
    reached = reached_from(fitted, series, [(key, int(cutoff)) for cutoff in cutoffs], horizon)
    independent = min(count, spared / horizon) * independent_channels(reached)
    return levels_of_reached(reached, independent)
