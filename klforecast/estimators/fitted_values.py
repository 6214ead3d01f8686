"""Forecasts of rows that are known, each from the rows before it and by a fit that has not seen it.

A fit to the first quarter of the rows forecasts the second one, step by step, and a fit to the first half the rest.
Forecasts of rows that a fit was solved on would flatter it.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from klforecast.estimators.covariates.table import Covariates
from klforecast.estimators.frames.known_rows import KnownRows
from klforecast.estimators.frames.panel import Key, TimeSeries, first_rows, join_series
from klforecast.estimators.rolling.cutoffs import Windows, check_windows
from klforecast.estimators.rolling.forecasts import forecast_windows
from klforecast.estimators.rolling.tidy import tidy_frame
from klforecast.estimators.shrinking import longest_horizon

_SHARES = (0.25, 0.5)  # of the rows that the fits see: two are less than a fit to all of them


def held_out_values(
    forecaster: BaseForecaster, rows: KnownRows, covariates: Covariates | None, horizon: int
) -> pd.DataFrame:
    """Forecast known rows one step ahead.

    Parameters
    ----------
    forecaster : forecaster of sktime with a parameter `horizon`
        Cloned.
    rows : KnownRows
    covariates : Covariates or None
        Of these rows.
    horizon : int
        Steps that the clones learn; fewer where their rows are few.

    Returns
    -------
    DataFrame
        As `Backtest.forecasts`, with step 1 alone.

    Raises
    ------
    ValueError
        If the shortest series has too few rows.
    """
    panel = rows.until_cutoffs()
    shortest = min(len(part.values) for part in panel.values())
    starts = [max(2, int(share * shortest)) for share in _SHARES]
    frames = []
    for start, stop in zip(starts, [*starts[1:], shortest], strict=True):
        known = {
            key: first_rows(part, len(part.values) - shortest + stop) for key, part in panel.items()
        }
        y = _frame(known, rows.columns, rows.index_names)
        windows = check_windows(y, 1, stop - start, 1, False)
        clone = forecaster.clone().set_params(horizon=min(horizon, longest_horizon(start)))
        X = None if covariates is None else _rows_of(covariates, known, rows.index_names)
        made = forecast_windows(clone, y, X, Windows(*windows), False, ())
        frames.append(tidy_frame(known, rows.columns, windows, made, ()))
    return _by_series(pd.concat(frames, ignore_index=True))


def _rows_of(
    covariates: Covariates, known: Mapping[Key, TimeSeries], names: list
) -> pd.DataFrame | None:
    """Rows of X at the stamps of y; None where the calendar is all there is."""
    if not len(covariates.columns):
        return None
    at = {}
    for key, part in known.items():
        own = covariates.rows[key]
        at[key] = TimeSeries(own.values[own.index.get_indexer(part.index)], part.index)
    return _frame(at, covariates.columns, names)


def _frame(panel: Mapping[Key, TimeSeries], columns: pd.Index, names: list) -> pd.DataFrame:
    values = {key: part.values for key, part in panel.items()}
    return join_series(values, [part.index for part in panel.values()], columns, names)


def _by_series(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the parts of each series together, in the order in which series come."""
    order = np.argsort(pd.factorize(frame["series"])[0], kind="stable")
    return frame.iloc[order].reset_index(drop=True)
