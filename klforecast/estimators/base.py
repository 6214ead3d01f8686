"""A sktime forecaster that keeps its rows in order, and is left as it was by a call that fails.

What every forecaster of this package does the same way, whatever it learns: rows are checked in our
words, split into one array per series, joined with the known ones, and found again by cutoff.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import RLock
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.api.types import is_integer
from pandas.tseries.offsets import BaseOffset
from sktime.forecasting.base import BaseForecaster

from klforecast.estimators import checks
from klforecast.estimators.covariates.table import Covariates, known_covariates, more_covariates
from klforecast.estimators.frames.indices import Stamp
from klforecast.estimators.frames.panel import (
    Key,
    TimeSeries,
    is_row_frame,
    join_rows,
    last_stamps,
    name_series,
    rows_until,
    shift_rows,
    split_series,
)
from klforecast.estimators.saving.files import SavedEstimator
from klforecast.training.rollback import unchanged_on_error

_ONE_AT_A_TIME = RLock()  # of the module, since a forecaster with a lock could not be pickled
_SKTIME_SUFFIXES = ("", ".zip")


class SeriesForecaster(SavedEstimator, BaseForecaster):
    """Base of forecasters that learn from arrays; see `KLMemoryForecaster` for the behaviour.

    A subclass reads the rows known so far, one array per series, in `_series`, their common step in
    `_frequency` (None for integers), columns and index names in `_columns` and `_index_names`, the
    rows of X and the calendar in `_covariates` (None for none), and the rows of y up to the cutoff
    with `_known_rows`. It replaces what it has learned and never changes
    it in place, so that a call that fails can be undone.
    """

    # The rows are kept below, in the form in which they are used.
    _config = {"remember_data": False}

    past_covariates: Sequence[str] | None = None
    calendar_features: Sequence[str] | None = None

    _covariates: Covariates | None
    _series: dict[Key, TimeSeries]
    _cutoffs: dict[Key, Stamp]
    _frequency: BaseOffset | None
    _columns: pd.Index
    _index_names: Sequence
    _cutoff: pd.Index

    def __post_init__(self) -> None:
        """Declare what sktime keeps when a user asks it to remember data."""
        self._y = None
        self._X = None

    def fit(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        """Learn from `y`; see :class:`sktime.forecasting.base.BaseForecaster` for the containers.

        Parameters
        ----------
        y : Series, DataFrame, ndarray or another sktime container
            One series, a panel or a hierarchy, in its own units; rows at regular times.
        X : DataFrame or another sktime container, optional
            Covariates, one numeric column each, with a row for every row of `y`; further rows do
            not matter. Columns whose future is not known are named in `past_covariates`.
        fh : ForecastingHorizon or what makes one, optional
            Kept for a `predict` without fh; learning does not depend on it.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For parameters or rows that cannot be used. The forecaster stays as it was.
        """
        with unchanged_on_error(self):
            return super().fit(y, X=X, fh=fh)

    def fit_predict(self, y: Any, X: Any = None, fh: Any = None, X_pred: Any = None) -> Any:
        """Fit to `y` and forecast at `fh`: the same as `fit` and then `predict`."""
        return self.fit(y, X=X, fh=fh).predict(X=X_pred)

    def update(self, y: Any, X: Any = None, update_params: bool = True) -> Self:
        """Take in new rows; rows at known stamps replace the known ones.

        Parameters
        ----------
        y : Series, DataFrame, ndarray or another sktime container
            New rows of the fitted series, without a gap to the known ones. A numpy array has no
            index; its rows follow the last known row.
        X : DataFrame or another sktime container, optional
            Covariates at the new rows, needed if `fit` was given some; further rows are kept.
        update_params : bool, default=True
            False moves the context: forecasts start from the new rows, weights, modes and scalers
            stay as they are, and intervals follow the errors seen. True also learns again from all rows known so far.

        Returns
        -------
        self
        """
        with unchanged_on_error(self):
            return super().update(y, X=X, update_params=update_params)

    def update_predict_single(
        self, y: Any = None, fh: Any = None, X: Any = None, update_params: bool = True
    ) -> Any:
        """Take in new rows and forecast from them: `update` and then `predict`."""
        with unchanged_on_error(self):
            return super().update_predict_single(y, fh=fh, X=X, update_params=update_params)

    def pretrain(self, y: Any, X: Any = None, fh: Any = None) -> Self:
        """Learn the weights from a panel, for a later `fit` to a series of the same channels.

        A second call learns again from both panels. `fit` and `clone` keep what was learned here.

        Parameters
        ----------
        y : DataFrame or another sktime container of a panel or hierarchy
        X : ignored
            Effects of covariates are learned by `fit`; passing X here gives a UserWarning.
        fh : ignored

        Returns
        -------
        self
        """
        if X is not None:
            checks.warn_unused_exogenous(type(self).__name__)
        with unchanged_on_error(self):
            if not hasattr(self, "pretraining_panel_"):
                self.reset()
            return super().pretrain(y, X=X, fh=fh)

    def save(self, path: Any = None, serialization_format: str = "pickle") -> Any:
        """Write the forecaster, fitted or not, into one file or into memory.

        Parameters
        ----------
        path : str, path or None
            A name with an ending, such as ``.safetensors``, gets a file without code, for `load`.
            None, a name without an ending and ``.zip`` are sktime's: a tuple or a zip file of
            pickles, for `sktime.base.load`.
        serialization_format : str, default="pickle"
            Of sktime's way.

        Returns
        -------
        None, or what sktime returns

        Raises
        ------
        TypeError
            If a parameter is of a type that a file without code cannot hold, such as a callback.
        """
        if path is None or Path(path).suffix in _SKTIME_SUFFIXES:
            return BaseForecaster.save(self, path, serialization_format)
        return super().save(path)

    def _check_fh(self, fh: Any, pred_int: bool = False) -> Any:
        """Take `fh` over; sktime hands back its note of it, which another thread may overwrite."""
        with _ONE_AT_A_TIME:
            return super()._check_fh(fh, pred_int)

    def _check_X_y(self, X: Any = None, y: Any = None, **options: Any) -> tuple[Any, Any]:
        """Refuse bad rows in our own words, before sktime converts them."""
        in_rows = is_row_frame(y)
        if in_rows:
            checks.check_rows(y)
        if is_row_frame(X):
            checks.check_covariate_rows(X)
        X_inner, y_inner = super()._check_X_y(X=X, y=y, **options)
        if X is not None and not is_row_frame(X):
            checks.check_covariate_rows(X_inner)
        if y is not None and not in_rows:
            checks.check_rows(y_inner)
        if isinstance(y, np.ndarray) and self.is_fitted and is_integer(self.cutoff[0]):
            y_inner = shift_rows(y_inner, int(self.cutoff[0]) + 1)
        if isinstance(X, np.ndarray) and self.is_fitted and is_integer(self.cutoff[0]):
            X_inner = shift_rows(X_inner, int(self.cutoff[0]) + 1)
        return X_inner, y_inner

    def _update_y_X(self, y: pd.DataFrame, X: Any = None, **options: Any) -> None:
        """Take over rows and cutoff; called by sktime before `_fit` and `_update`."""
        series = split_series(y)
        if self.is_fitted:
            checks.check_columns(self._columns, y.columns, "y")
            checks.check_known(series, self._series)
            joined = {
                key: join_rows(self._series[key], rows, self._frequency, name_series(key))
                for key, rows in series.items()
            }
            more = more_covariates(self._covariates, X)
            if self._covariates is not None:
                self._covariates = self._covariates.joined(more)
                for key, rows in series.items():
                    self._covariates.table(key, rows.index)
            self._series = self._series | joined
            self._cutoffs = self._cutoffs | last_stamps(series)
        else:
            self._frequency = checks.check_panel(series)
            self._covariates = known_covariates(
                X, series, self._frequency, self.past_covariates, self.calendar_features
            )
            self._series = series
            self._cutoffs = last_stamps(series)
            self._columns = y.columns
            self._index_names = list(y.index.names)
        super()._update_y_X(y, X, **options)
        # sktime takes the latest stamp of the rows just passed, which may be of one series of many,
        # and infers the frequency from them, which takes three rows.
        latest = max(self._cutoffs.values())
        if isinstance(self._cutoff, pd.DatetimeIndex):
            self._cutoff = pd.DatetimeIndex([latest], freq=self._frequency)
        else:
            self._cutoff = pd.Index([latest])

    def _known_rows(self) -> dict[Key, TimeSeries]:
        """Rows of each series up to its cutoff, the last row that was passed for it."""
        return {key: rows_until(series, self._cutoffs[key]) for key, series in self._series.items()}
