"""Long frames of a cluster, by Fugue: the passes of `parts` as maps over the partitions of a frame.

    survey, moments     partition -> one row, whose bytes are added up here
    predict             partition -> rows of forecasts, which stay where they are

Every series is brought whole into one of `n_parts` partitions, in each pass. Rows never come here. The engine is the
one of the frame: Dask, Ray, Spark, or pandas.
"""

import functools
import pickle
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple, Self, TypedDict, Unpack

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset

from klforecast.distributed.agreement import Agreement, agree
from klforecast.distributed.frames import MODEL_NAME, long_forecast, series_of
from klforecast.distributed.moments import PartMoments, part_moments
from klforecast.distributed.panel_model import PanelModel, fit_panel_model
from klforecast.distributed.parts import merge_all, on_one_thread
from klforecast.distributed.survey import survey_part
from klforecast.estimators.arguments import check_integer
from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.frames.panel import Key, TimeSeries, first_rows
from klforecast.estimators.long_frames.columns import ID, TARGET, TIME, Columns, interval_names

_BYTES = "klforecast_bytes"  # a column that no frame of a user has


class Reading(TypedDict, total=False):
    """How a frame is read, in keywords of `fit`, `predict` and `cross_validation`.

    Attributes
    ----------
    n_parts : int, default=8
        Partitions that the series are put into. Each is held whole by the process that works on it: some
        thousand series in each, and at least as many parts as processes.
    freq : str, offset, 1 or None, default=None
        Step of the times, as for `LongForecaster`.
    engine : engine of Fugue, or what names one, optional
        None takes the one of the frame.
    id_col, time_col, target_col : str, default="unique_id", "ds", "y"
        Names of the columns.
    """

    n_parts: int
    freq: str | BaseOffset | int | None
    engine: Any
    id_col: str
    time_col: str
    target_col: str


def fit(
    df: Any,
    forecaster: KLMemoryForecaster | None = None,
    **reading: Unpack[Reading],
) -> PanelModel:
    """Fit one model to all series of a frame of Dask, Ray, Spark or pandas.

    Parameters
    ----------
    df : DataFrame of an engine that Fugue knows
        One row for each series and time.
    forecaster : KLMemoryForecaster, optional
        Whose arguments count; None takes the defaults.
    **reading
        Of `Reading`.

    Returns
    -------
    PanelModel
        Of the numbers of `KLMemoryForecaster.fit`, up to rounding.

    Raises
    ------
    ImportError
        If Fugue is not installed.
    TypeError, ValueError
        As for `LongForecaster.fit`, and for an encoder, which is trained and not solved.

    Notes
    -----
    Two passes over the rows. From each partition come the moments of its windows and at most 2,048 series.

    Examples
    --------
    ::

        frame = dask.dataframe.read_parquet("sales/")
        model = fit(frame, KLMemoryForecaster(horizon=28), n_parts=64, freq="D")
        predict(model, frame, h=28, level=[80], n_parts=64, freq="D").to_parquet("forecasts/")
    """
    frame = _Frame.of(df, **reading)
    return _fit(frame, forecaster)


def predict(
    model: PanelModel,
    df: Any,
    h: int,
    level: Sequence[int | float] | None = None,
    **reading: Unpack[Reading],
) -> Any:  # DataFrame of the engine
    """Forecast h steps of every series of a frame.

    Parameters
    ----------
    model : PanelModel
        Of `fit`.
    df : DataFrame of an engine that Fugue knows
        The rows that the model was fitted to.
    h : int
        Steps ahead.
    level : sequence of float, optional
        Coverages of central intervals in percent, as ``[80, 95]``.
    **reading
        As for `fit`.

    Returns
    -------
    DataFrame of the engine
        Columns of `LongForecaster.predict`, a row for each series and step, in any order. Engines that
        are lazy make them when they are asked for.

    Examples
    --------
    See `fit`.
    """
    frame = _Frame.of(df, **reading)
    return _fugue().get_native_as_df(_predict(frame, model, h, level))


def cross_validation(
    df: Any,
    h: int,
    n_windows: int = 1,
    step_size: int = 1,
    level: Sequence[int | float] | None = None,
    *,
    forecaster: KLMemoryForecaster | None = None,
    **reading: Unpack[Reading],
) -> Any:  # DataFrame of the engine
    """Forecast the ends of all series from some cutoffs, with a fit at each.

    Parameters
    ----------
    df : DataFrame of an engine that Fugue knows
        One row for each series and time.
    h : int
        Steps of each forecast.
    n_windows : int, default=1
        Cutoffs; the last window ends with the series.
    step_size : int, default=1
        Rows from one cutoff to the next.
    level : sequence of float, optional
        Coverages of central intervals in percent.
    forecaster : KLMemoryForecaster, optional
        Whose arguments count; None takes the defaults and the horizon h.
    **reading
        As for `fit`.

    Returns
    -------
    DataFrame of the engine
        Columns of `LongForecaster.cross_validation`.

    Examples
    --------
    ::

        frame = dask.dataframe.read_parquet("sales/")
        tested = cross_validation(frame, h=28, n_windows=3, step_size=28, n_parts=64, freq="D")
        (tested["y"] - tested["KLMemoryForecaster"]).abs().mean().compute()
    """
    frame = _Frame.of(df, **reading)
    asked = KLMemoryForecaster(horizon=h) if forecaster is None else forecaster
    windows = []
    for number in reversed(range(n_windows)):
        spared = h + number * step_size
        windows.append(_predict(frame, _fit(frame, asked, spared), h, level, spared))
    fugue = _fugue()
    joined = functools.reduce(
        lambda one, two: fugue.union(one, two, distinct=False, engine=frame.engine), windows
    )
    return fugue.get_native_as_df(joined)


class _Frame(NamedTuple):
    """Rows of an engine, and how they are read."""

    rows: Any
    columns: Columns
    step: BaseOffset | None
    n_parts: int
    engine: Any

    @classmethod
    def of(
        cls,
        df: Any,
        *,
        n_parts: int = 8,
        freq: str | BaseOffset | int | None = None,
        engine: Any = None,
        id_col: str = ID,
        time_col: str = TIME,
        target_col: str = TARGET,
    ) -> Self:
        fugue = _fugue()
        columns = Columns(id_col, time_col, target_col)
        check_integer("n_parts", n_parts, minimum=1)
        known = fugue.get_column_names(df)
        missing = [name for name in columns if name not in known]
        if missing:
            raise ValueError(
                f"df has no column {missing[0]!r}; it has {known}: name the columns with id_col, "
                "time_col and target_col"
            )
        rows = fugue.select_columns(df, list(columns), as_fugue=True)
        step = None if freq in (None, 1) else to_offset(freq)
        return cls(rows, columns, step, n_parts, engine)

    def map(
        self, of_part: Callable[[pd.DataFrame], pd.DataFrame], schema: str, **options: Any
    ) -> Any:
        """What `of_part` makes of each partition, in which every series is whole."""
        return _fugue().transform(
            self.rows,
            of_part,
            schema=schema,
            partition={"by": [self.columns.id], "num": self.n_parts, "algo": "coarse"},
            engine=self.engine,
            as_fugue=True,
            **options,
        )

    def series(self, rows: pd.DataFrame, spared: int = 0) -> dict[Key, TimeSeries]:
        """The series of a partition, without the newest rows of each."""
        series = series_of(rows, self.columns, self.step)
        short = next((key for key, part in series.items() if len(part.values) < spared + 2), None)
        if spared and short is not None:
            raise ValueError(
                f"series {short[0]} has {len(series[short].values)} rows, and the windows take the "
                f"newest {spared}; pass fewer or smaller windows, or leave short series out"
            )
        if not spared:
            return series
        return {key: first_rows(part, len(part.values) - spared) for key, part in series.items()}


def _fugue() -> Any:
    if find_spec("fugue") is None:
        raise ImportError(
            "frames of a cluster are read by Fugue, which is not installed; run "
            "pip install 'klforecast[dask]', 'klforecast[ray]' or 'klforecast[spark]'"
        )
    import fugue.api

    return fugue.api


def _fit(frame: _Frame, forecaster: KLMemoryForecaster | None, spared: int = 0) -> PanelModel:
    """Two passes over the rows; the newest `spared` ones of each series are left out."""
    look = functools.partial(survey_part, freq=frame.step)
    survey = merge_all(_collect(frame, look, spared))
    agreed = agree(survey, KLMemoryForecaster() if forecaster is None else forecaster)

    def take_moments(agreed: Agreement) -> PartMoments:
        return merge_all(_collect(frame, functools.partial(part_moments, agreed=agreed), spared))

    return fit_panel_model(agreed, survey, take_moments)


def _collect(frame: _Frame, work: Callable[[dict], Any], spared: int) -> list[Any]:
    """What `work` makes of each partition, brought here."""

    def of_part(rows: pd.DataFrame) -> pd.DataFrame:
        made = on_one_thread(work, frame_alone.series(rows, spared))
        return pd.DataFrame({_BYTES: [pickle.dumps(made)]})

    # Workers get how to read rows, and not the rows of all.
    frame_alone = frame._replace(rows=None, engine=None)
    found = frame.map(of_part, f"{_BYTES}:bytes", as_local=True)
    # Between processes of one cluster, which exchange pickles anyway.
    return [pickle.loads(made) for (made,) in found.as_array()]


def _predict(
    frame: _Frame,
    model: PanelModel,
    h: int,
    level: Sequence[int | float] | None,
    spared: int = 0,
) -> Any:
    """Forecasts from before the newest `spared` rows, if any beside what was then observed."""
    columns, alone = frame.columns, frame._replace(rows=None, engine=None)

    def of_part(rows: pd.DataFrame) -> pd.DataFrame:
        known = alone.series(rows, spared)
        ask = functools.partial(long_forecast, model, h=h, level=level, columns=columns)
        made = on_one_thread(ask, known)
        if spared:
            ends = [part.index[-1] for part in known.values()]
            observed = alone.series(rows).values()
            truth = [part.values[len(part.values) - spared :][:h, 0] for part in observed]
            made.insert(2, "cutoff", pd.Index(ends).repeat(h).to_numpy())
            made.insert(3, columns.target, np.concatenate(truth))
        return made

    schema = _fugue().get_schema(frame.rows)
    times = str(schema.extract([columns.time]))
    kinds = [str(schema.extract([columns.id])), times]
    names = [MODEL_NAME, *interval_names(MODEL_NAME, level or ())]
    if spared:
        kinds.append(times.replace(columns.time, "cutoff", 1))
        names.insert(0, columns.target)
    return frame.map(of_part, ",".join([*kinds, *(f"`{name}`:double" for name in names)]))
