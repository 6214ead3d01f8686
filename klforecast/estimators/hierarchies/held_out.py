"""Errors of base forecasts on rows that they were not fitted to, and what the nodes have in common in them.

The last quarter of the rows is forecast in windows that do not overlap, by a clone fitted to the rows before. Errors
of all steps of a window count: those of more steps ahead are larger for all nodes alike, and reconciliation asks only
which nodes have larger ones than others.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster, ForecastingHorizon

from klforecast.estimators.frames.panel import Key, split_series
from klforecast.estimators.rolling.cutoffs import Windows, check_windows
from klforecast.estimators.rolling.forecasts import check_forecaster, forecast_windows

_HELD_OUT = (
    4  # a quarter of the rows: the clone that forecasts them is nearly as good as the fit to all
)
_FEWEST_WINDOWS = 2  # one window may fall into a bad week
_ENOUGH_ROWS = (
    96  # of errors: the correlations of more are hardly better, and each window costs a forecast
)
_ENOUGH_WINDOWS = 8  # however long they are


class HeldOut(NamedTuple):
    """Errors (truth less forecast) of all nodes.

    Attributes
    ----------
    errors : ndarray of shape (windows, horizon, N, channels)
        In the units of y; NaN where the truth is missing.
    """

    errors: np.ndarray

    def rows(self) -> np.ndarray:  # (windows x horizon, N, channels)
        """Errors of all windows one after the other."""
        return self.errors.reshape(-1, *self.errors.shape[2:])


def held_out_errors(
    forecaster: BaseForecaster,
    y: pd.DataFrame,  # rows of all nodes
    X: pd.DataFrame | None,  # at the stamps of y
    horizon: int,
    keys: Sequence[Key],
) -> HeldOut:
    """Forecast the end of y from before it.

    Parameters
    ----------
    forecaster : forecaster of sktime
        Cloned. One that cannot move on without a new fit is fitted for each window.
    y, X : DataFrame
    horizon : int
        Steps of a window; fewer where rows are few.
    keys : sequence of tuple
        The N nodes, in the order in which their errors are returned.

    Returns
    -------
    HeldOut

    Notes
    -----
    One fit to three quarters of the rows and 2 to 96 forecasts.
    """
    panel = split_series(y)
    rows = np.stack([panel[key].values for key in keys])
    windows = choose_windows(rows.shape[1], horizon)
    refit = not forecaster.get_tag("capability:update", False, raise_error=False)
    check_windows(y, *windows, refit)
    check_forecaster(forecaster, windows, refit, ())
    made = forecast_windows(_of_horizon(forecaster, windows.horizon), y, X, windows, refit, ())
    points = np.stack([made.points[key] for key in keys])  # (N, windows, horizon, channels)
    starts = rows.shape[1] - np.asarray(windows.left)
    truth = rows[:, starts[:, None] + np.arange(windows.horizon)]
    return HeldOut((truth - points).transpose(1, 2, 0, 3))


def steps_ahead(forecaster: BaseForecaster, fh: ForecastingHorizon | None, cutoff: pd.Index) -> int:
    """Steps of a held-out forecast: those that were asked for, or those that the forecaster learns."""
    if fh is not None:
        return int(max(fh.to_relative(cutoff).to_pandas().max(), 1))
    return forecaster.get_params(deep=False).get("horizon") or 1


def choose_windows(rows: int, horizon: int) -> Windows:
    """Windows of the last quarter of so many rows.

    Examples
    --------
    >>> choose_windows(120, 12), choose_windows(10, 12)
    (Windows(horizon=12, n_windows=2, step=12), Windows(horizon=1, n_windows=2, step=1))
    """
    left = rows // _HELD_OUT
    steps = max(1, min(horizon, left // _FEWEST_WINDOWS))
    most = max(_ENOUGH_WINDOWS, _ENOUGH_ROWS // steps)
    return Windows(steps, max(_FEWEST_WINDOWS, min(most, left // steps)), steps)


def _of_horizon(forecaster: BaseForecaster, steps: int) -> BaseForecaster:
    """A clone that learns no more steps than are asked for."""
    clone = forecaster.clone()
    wanted = clone.get_params(deep=False).get("horizon")
    return clone.set_params(horizon=steps) if wanted is not None and wanted > steps else clone
