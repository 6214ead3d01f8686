"""`backtest`: one fit, many cutoffs, a tidy frame and its scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from klforecast.data.panel_periods import find_panel_periods
from klforecast.estimators.checks import check_panel, check_rows
from klforecast.estimators.frames.panel import split_series
from klforecast.estimators.rolling.cutoffs import Windows, check_windows
from klforecast.estimators.rolling.forecasts import (
    can_forecast_quantiles,
    check_forecaster,
    forecast_windows,
)
from klforecast.estimators.rolling.tidy import tidy_frame
from klforecast.evaluation.backtesting.peers import peer_windows
from klforecast.evaluation.backtesting.scores import (
    GROUPS,
    check_levels,
    score_frame,
    seasonal_errors,
)
from klforecast.ops.arrays import to_tensor
from klforecast.ops.missing import interpolate

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Levels of quantiles by default, those of the CRPS of GIFT-Eval."""


@dataclass(frozen=True)
class Backtest:
    """Forecasts from many cutoffs, and what they cost.

    Attributes
    ----------
    forecasts : DataFrame
        One row for each series, channel, cutoff and step: columns series (``"y"`` for a single one),
        channel, cutoff (the last known stamp), step (from 1), time, truth and forecast in the units of
        the data, and a column such as ``q0.1`` for each level.
    levels : tuple of float
        Levels of the quantiles; empty without.
    season : int
        Steps of the season m of MASE and RMSSE.
    windows : Windows
        Horizon, number of windows and step.
    naive : DataFrame
        Errors of the seasonal naive forecast in the rows before each cutoff, the units of MASE and
        RMSSE.
    fit_seconds, predict_seconds : float
        All fits; all forecasts.
    """

    forecasts: pd.DataFrame
    levels: tuple[float, ...]
    season: int
    windows: Windows
    naive: pd.DataFrame
    fit_seconds: float
    predict_seconds: float

    def scores(self, by: str | Sequence[str] = ()) -> pd.DataFrame:
        """Score the forecasts; `klforecast.evaluation.backtesting.scores` has the equations.

        Parameters
        ----------
        by : str or sequence of str, default=()
            What to break the scores down by: some of ``"series"``, ``"channel"``, ``"cutoff"``,
            ``"step"``. None of them: one row.

        Returns
        -------
        DataFrame
            Columns mae (units of the data), mase, rmsse, smape (percent) and, with quantiles, wql and
            the coverage of each central interval, such as ``coverage_80`` (a share).

        Raises
        ------
        ValueError
            For another name.
        """
        wanted = [by] if isinstance(by, str) else list(by)
        strange = [name for name in wanted if name not in GROUPS]
        if strange:
            raise ValueError(f"by={strange[0]!r}; pass some of {', '.join(GROUPS)}")
        return score_frame(self.forecasts, self.naive, self.levels, wanted)

    def plot(self, series: object = None, channel: object = None) -> "Figure":
        """Draw one series with its forecasts, and the error by step; see `plot_backtest`."""
        from klforecast.estimators.plots.backtests import plot_backtest

        return plot_backtest(self.forecasts, series=series, channel=channel)


def backtest(
    forecaster: BaseForecaster | str,
    y: pd.Series | pd.DataFrame,
    X: pd.DataFrame | None = None,
    *,
    horizon: int,
    n_windows: int = 8,
    step: int | None = None,
    refit: bool | int = False,
    levels: Sequence[float] | None = None,
    season: int | None = None,
) -> Backtest:
    """Forecast the end of a series from many cutoffs, as if it had been in use, and score it.

    The last window ends with the series, each earlier one begins `step` rows before. The forecaster is
    fitted to the rows before the first cutoff; then its context moves on and no weight does, unless
    `refit` asks for it. A forecast never reads a row after its cutoff.

    Parameters
    ----------
    forecaster : forecaster of sktime or str
        Cloned, never fitted itself. `KLMemoryForecaster` on one series forecasts all cutoffs in one
        batch; panels and other forecasters go through `update` and `predict`. A name is one of the
        plain ones to compare with: ``"seasonal-naive"``, ``"theta"``, ``"persistence"``, ``"mean"``,
        made anew at every cutoff.
    y : Series or DataFrame
        One series, a panel or a hierarchy, one column per channel, rows at regular times.
    X : DataFrame, optional
        Covariates at every stamp of y; further rows do not matter.
    horizon : int
        Steps of each forecast.
    n_windows : int, default=8
        Cutoffs.
    step : int or None, default=None
        Rows from one cutoff to the next. None: `horizon`, so that windows do not overlap.
    refit : bool or int, default=False
        False: one fit. True: a fit at every cutoff. A number k: at every k-th cutoff.
    levels : sequence of float or None, default=None
        Levels of quantiles between 0 and 1, ascending. None: 0.1, 0.2 ... 0.9 where the forecaster
        has quantiles. ``()``: points alone.
    season : int or None, default=None
        Season m of MASE and RMSSE in steps. None: the leading period found before the first cutoff.

    Returns
    -------
    Backtest
        With the tidy frame `forecasts`, `scores(by=...)` and `plot()`.

    Raises
    ------
    TypeError, ValueError
        If y or X cannot be used, a series is too short for the windows, or the forecaster cannot do
        what is asked; the message says what to pass.

    Notes
    -----
    - One fit and n forecasts. For one series these are one batch: hundreds of cutoffs cost little more
      than one.
    - With ``refit=False`` point forecasts equal those of sktime's `evaluate` with
      ``strategy="no-update_params"``, with ``refit=True`` those of ``strategy="refit"``.
    - On the fast road intervals keep the levels that the fit gave them; where `update` is called they
      follow the errors seen.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from klforecast import KLMemoryForecaster, backtest
    >>> y = load_airline()
    >>> ours = backtest(KLMemoryForecaster(horizon=12), y, horizon=12, n_windows=4)
    >>> naive = backtest("seasonal-naive", y, horizon=12, n_windows=4)
    >>> bool(ours.scores()["mase"][0] < naive.scores()["mase"][0])
    True
    >>> ours.scores(by="step").index.tolist()
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    """
    if not isinstance(y, pd.Series | pd.DataFrame):
        raise TypeError(
            f"y is a {type(y).__name__}; pass a pandas Series or DataFrame with a row for each time, "
            "for example pd.DataFrame(y)"
        )
    check_rows(y)
    panel = split_series(pd.DataFrame(y))
    frequency = check_panel(panel)
    windows = check_windows(pd.DataFrame(y), horizon, n_windows, step, refit)
    if season is None:
        season = _find_season(
            [rows.values[: len(rows.values) - windows.left[0]] for rows in panel.values()],
            frequency,
        )
    elif season < 1:
        raise ValueError(f"season={season}; pass a number of steps from 1 on, 1 for none")
    if isinstance(forecaster, str):
        if X is not None:
            raise ValueError(f"{forecaster!r} reads no covariates; leave X out")
        chosen = DECILES if levels is None else check_levels(levels)
        forecasts, chosen = peer_windows(forecaster, panel, windows, season, chosen)
    else:
        if levels is None:
            can = isinstance(forecaster, BaseForecaster) and can_forecast_quantiles(forecaster)
            chosen = DECILES if can else ()
        else:
            chosen = check_levels(levels)
        check_forecaster(forecaster, windows, refit, chosen)
        forecasts = forecast_windows(forecaster, y, _rows_of(X, y), windows, refit, chosen)
    channels = pd.DataFrame(y).columns
    return Backtest(
        tidy_frame(panel, channels, windows, forecasts, chosen),
        chosen,
        season,
        windows,
        seasonal_errors(panel, channels, windows, season),
        forecasts.fit_seconds,
        forecasts.predict_seconds,
    )


def _find_season(pasts: Sequence[np.ndarray], frequency: Any) -> int:
    whole = [interpolate(to_tensor(rows), 1).numpy() for rows in pasts]
    return next(iter(find_panel_periods(whole, frequency)), 1)


def _rows_of(X: pd.DataFrame | None, y: pd.Series | pd.DataFrame) -> pd.DataFrame | None:
    """The rows of X at the stamps of y."""
    if X is None:
        return None
    if not isinstance(X, pd.DataFrame):
        raise TypeError(f"X is a {type(X).__name__}; pass a DataFrame with the index of y")
    missing = y.index.difference(X.index)
    if len(missing):
        raise ValueError(
            f"X has no row for {len(missing)} of the {len(y)} rows of y, the first at {missing[0]}; "
            "pass covariates for every row"
        )
    return X.loc[y.index]
