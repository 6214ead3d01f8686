"""`LongForecaster`: fit, predict, forecast and cross_validation on long frames, as in statsforecast."""

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset
from sklearn.exceptions import NotFittedError
from sktime.forecasting.base import BaseForecaster

from klforecast.estimators.arguments import check_integer
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import split_series
from klforecast.estimators.long_frames.columns import (
    ID,
    TARGET,
    TIME,
    Columns,
    as_rows,
    as_series,
    indexed,
    interval_names,
)
from klforecast.estimators.long_frames.frames import TableKind, kind_of, like, to_pandas
from klforecast.estimators.long_frames.grid import Regular, interpolated, name_gaps, on_grid
from klforecast.estimators.rolling.cutoffs import check_windows
from klforecast.estimators.rolling.forecasts import check_forecaster, forecast_windows
from klforecast.estimators.rolling.tidy import quantile_name, tidy_frame
from klforecast.estimators.saving.files import SavedEstimator


class LongForecaster(SavedEstimator):
    """A forecaster of sktime for long frames: one row per series and time.

    Methods, arguments and columns have the names of statsforecast's. Frames are of pandas or, with the
    `frames` extra (narwhals), of polars; the answer is of the library that the frame came from.

    Parameters
    ----------
    forecaster : forecaster of sktime or None, default=None
        Cloned in every call. None: `KLMemoryForecaster`, in `forecast` and `cross_validation` with the
        horizon h, in `fit` with its default horizon.
    freq : str, offset, 1 or None, default=None
        Step of the times in the words of pandas, 1 for whole numbers. None: found from the longest
        series.

    Attributes
    ----------
    forecaster_ : forecaster of sktime
        Fitted to all series; to the plain series where there is one.
    freq_ : offset or None
        Step of the times; None for whole numbers.

    Notes
    -----
    - Rows may come in any order. Times that are missing between the first and the last of a series
      are missing values, which the forecaster fills; a UserWarning says how many.
    - Columns beside id, time and target are covariates. Their values at the forecast steps come in
      `X_df`, unless the forecaster names them among its `past_covariates`.
    - `save` and `load` take a `KLMemoryForecaster` along; other forecasters have no file without code.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from klforecast import LongForecaster
    >>> days = pd.date_range("2024-01-01", periods=70, freq="D")
    >>> week = np.tile([3.0, 4.0, 5.0, 6.0, 8.0, 9.0, 1.0], 10)
    >>> df = pd.concat(
    ...     pd.DataFrame({"unique_id": name, "ds": days, "y": size * week})
    ...     for name, size in {"north": 1, "south": 10}.items()
    ... )
    >>> forecast = LongForecaster(freq="D").forecast(df, h=7, level=[80])
    >>> list(forecast)[:3]
    ['unique_id', 'ds', 'KLMemoryForecaster']
    >>> forecast["KLMemoryForecaster"].round().tolist()[-7:]
    [30.0, 40.0, 50.0, 60.0, 80.0, 90.0, 10.0]
    """

    forecaster_: BaseForecaster
    freq_: BaseOffset | None

    _columns: Columns
    _covariates: list
    _label: Any
    _is_single: bool
    _kind: TableKind

    def __init__(
        self,
        forecaster: BaseForecaster | None = None,
        freq: str | BaseOffset | int | None = None,
    ):
        self.forecaster = forecaster
        self.freq = freq

    def fit(
        self, df: Any, *, id_col: str = ID, time_col: str = TIME, target_col: str = TARGET
    ) -> Self:
        """Learn from all series.

        Parameters
        ----------
        df : DataFrame of pandas or polars
            One row per series and time.
        id_col, time_col, target_col : str, default="unique_id", "ds", "y"
            Names of the columns.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If columns are missing, times are doubled or off the grid, or values are no numbers.
        """
        forecaster = KLMemoryForecaster() if self.forecaster is None else self.forecaster
        return self._fit(forecaster, df, Columns(id_col, time_col, target_col))

    def predict(
        self, h: int, X_df: Any = None, level: Sequence[int | float] | None = None
    ) -> Any:  # DataFrame of the library of df
        """Forecast h steps of every series.

        Parameters
        ----------
        h : int
            Steps ahead.
        X_df : DataFrame, optional
            Covariates at the forecast steps, with the columns of ids and times.
        level : sequence of float, optional
            Coverages of central intervals in percent, as ``[80, 95]``.

        Returns
        -------
        DataFrame
            Columns of ids and times, the forecast under the forecaster's name, and ``-lo-80``,
            ``-hi-80`` and so on behind that name.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If covariates are missing or no percentage is between 0 and 100.
        """
        if not hasattr(self, "forecaster_"):
            raise NotFittedError(
                "this LongForecaster is not fitted; call fit(df) or forecast(df, h)"
            )
        check_integer("h", h, minimum=1)
        columns, name = self._columns, type(self.forecaster_).__name__
        fh, X = np.arange(1, h + 1), self._future(X_df)
        forecast = self.forecaster_.predict(fh=fh, X=X).set_axis([name], axis=1)
        quantiles = interval_names(name, level or ())
        if quantiles:
            alpha = sorted(set(quantiles.values()))
            found = self.forecaster_.predict_quantiles(fh=fh, X=X, alpha=alpha)
            found.columns = found.columns.droplevel(0)
            forecast = forecast.assign(**{key: found[p] for key, p in quantiles.items()})
        rows = as_rows(forecast, columns, self._label)
        return like(rows, self._kind, (columns.time,))

    def forecast(
        self,
        df: Any,
        h: int,
        X_df: Any = None,
        level: Sequence[int | float] | None = None,
        *,
        id_col: str = ID,
        time_col: str = TIME,
        target_col: str = TARGET,
    ) -> Any:  # DataFrame of the library of df
        """Learn from all series and forecast h steps of each: `fit` and then `predict`.

        Parameters and returns are those of `fit` and `predict`.
        """
        self._fit(self._with_horizon(h), df, Columns(id_col, time_col, target_col))
        return self.predict(h, X_df, level)

    def cross_validation(
        self,
        df: Any,
        h: int,
        n_windows: int = 1,
        step_size: int = 1,
        level: Sequence[int | float] | None = None,
        refit: bool | int = False,
        *,
        id_col: str = ID,
        time_col: str = TIME,
        target_col: str = TARGET,
    ) -> Any:  # DataFrame of the library of df
        """Forecast the ends of all series from many cutoffs; scores are in `klforecast.backtest`.

        Parameters
        ----------
        df : DataFrame of pandas or polars
            One row per series and time.
        h : int
            Steps of each forecast.
        n_windows : int, default=1
            Cutoffs; the last window ends with the series.
        step_size : int, default=1
            Rows from one cutoff to the next.
        level : sequence of float, optional
            Coverages of central intervals in percent.
        refit : bool or int, default=False
            False: one fit before the first cutoff. True: one at each. A number k: one at every k-th.
        id_col, time_col, target_col : str
            Names of the columns.

        Returns
        -------
        DataFrame
            Columns of ids and times, ``cutoff`` (the last known time), the target, the forecast and its
            intervals.

        Raises
        ------
        TypeError, ValueError
            As `fit`, and where a series is too short for the windows.
        """
        columns = Columns(id_col, time_col, target_col)
        table = to_pandas(df)
        regular = self._regular(table, columns)
        covariates = columns.of_covariates(regular.panel)
        whole = as_series(regular.panel)
        y, X = whole[[target_col]], whole[covariates] if covariates else None
        forecaster = self._with_horizon(h)
        name = type(forecaster).__name__
        quantiles = interval_names(name, level or ())
        levels = sorted(set(quantiles.values()))
        windows = check_windows(y, h, n_windows, step_size, refit)
        check_forecaster(forecaster, windows, refit, levels)
        found = forecast_windows(forecaster, y, X, windows, refit, levels)
        rows = tidy_frame(split_series(y), y.columns, windows, found, levels)
        label = regular.panel.index[0][0]
        single = not isinstance(whole.index, pd.MultiIndex)
        answer = pd.DataFrame(
            {
                id_col: label if single else rows["series"],
                time_col: rows["time"],
                "cutoff": rows["cutoff"],
                target_col: rows["truth"],
                name: rows["forecast"],
            }
        ).assign(**{key: rows[quantile_name(p)] for key, p in quantiles.items()})
        return like(answer, kind_of(df, time_col), (time_col, "cutoff"))

    def _with_horizon(self, h: int) -> BaseForecaster:
        return KLMemoryForecaster(horizon=h) if self.forecaster is None else self.forecaster

    def _fit(self, forecaster: BaseForecaster, df: Any, columns: Columns) -> Self:
        table = to_pandas(df)
        regular = self._regular(table, columns)
        covariates = columns.of_covariates(regular.panel)
        whole = as_series(regular.panel)
        X = whole[covariates] if covariates else None
        self.forecaster_ = forecaster.clone().fit(whole[[columns.target]], X=X)
        self.freq_ = regular.frequency
        self._columns, self._covariates = columns, covariates
        self._label = regular.panel.index[0][0]
        self._is_single = not isinstance(whole.index, pd.MultiIndex)
        self._kind = kind_of(df, columns.time)
        return self

    def _regular(self, table: pd.DataFrame, columns: Columns) -> Regular:
        if len(table) == 0:
            raise ValueError("df has no row; pass a row for each series and time")
        others = [name for name in columns.of_covariates(table) if name not in table.index.names]
        regular = on_grid(indexed(table, columns, [columns.target, *others], "df"), self.freq)
        if regular.filled:
            warnings.warn(
                f"df has {name_gaps(regular.filled, regular.frequency)}; they count as missing "
                "values, which the forecaster has to fill; covariates there are interpolated",
                UserWarning,
                stacklevel=4,
            )
        if not regular.filled or not others:
            return regular
        panel = regular.panel.copy()
        for label, stamps in regular.filled.items():
            rows = panel.loc[[label], others]
            places = pd.MultiIndex.from_product([[label], stamps])
            panel.loc[places, others] = interpolated(rows).loc[places]
        return regular._replace(panel=panel)

    def _future(self, X_df: Any) -> pd.DataFrame | None:
        past = getattr(self.forecaster_, "past_covariates", None) or ()
        wanted = [name for name in self._covariates if name not in past]
        if X_df is None:
            if wanted:
                raise ValueError(
                    f"fit was given the covariates {self._covariates}, and predict needs {wanted} at "
                    "the steps ahead; pass them in X_df, or name them in the past_covariates of the "
                    "forecaster"
                )
            return None
        table = to_pandas(X_df, "X_df")
        given = self._covariates if set(self._covariates) <= set(table.columns) else wanted
        columns = self._columns
        X = indexed(table, columns, given, "X_df").reindex(columns=self._covariates)
        if self._is_single:
            return X.loc[[self._label]].droplevel(0).sort_index()
        return X.sort_index()
