"""What the estimators refuse, and the words in which they say so."""

import warnings
from collections.abc import Collection, Container, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype
from pandas.tseries.offsets import BaseOffset

from klforecast.estimators.arguments import check_levels, show
from klforecast.estimators.frames.indices import check_regular, find_frequency, name_stamps
from klforecast.estimators.frames.panel import Key, TimeSeries, name_series, split_series


def check_rows(y: pd.Series | pd.DataFrame, name: str = "y") -> None:
    """Raise unless every series in `y` has sorted stamps, no duplicates, and real numbers or NaN.

    Parameters
    ----------
    y : Series or DataFrame
        One series, a panel or a hierarchy, as the user passed it.
    name : str, default="y"
        What the argument is called.

    Raises
    ------
    TypeError
        If a column does not hold real numbers.
    ValueError
        If there are no rows, stamps are duplicated or not sorted, or values are infinite.
    """
    frame = y.to_frame() if isinstance(y, pd.Series) else y
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise ValueError(
            f"{name} has {frame.shape[0]} rows and {frame.shape[1]} columns; pass a series with at "
            "least two rows and one column"
        )
    _check_index(frame.index, name)
    _check_numeric(frame, name)
    for key, series in split_series(frame).items():
        where = name_series(key, name)
        _check_order(series.index, where)
        _check_not_infinite(series.values, series.index, frame.columns, where)


def check_covariate_rows(X: pd.Series | pd.DataFrame) -> None:
    """Raise unless the rows of X can be found by their stamps and hold numbers or NaN.

    Raises
    ------
    TypeError
        If a column does not hold real numbers.
    ValueError
        If stamps are duplicated or not sorted, or values are infinite.
    """
    frame = X.to_frame() if isinstance(X, pd.Series) else X
    if frame.shape[1] == 0:
        raise ValueError("X has no column; pass at least one, or X=None")
    _check_index(frame.index, "X")
    _check_numeric(frame, "X")
    for key, series in split_series(frame).items():
        where = name_series(key, "X")
        _check_order(series.index, where)
        _check_not_infinite(
            series.values,
            series.index,
            frame.columns,
            where,
            remedy="put known numbers in their place",
        )


def check_values(panel: Mapping[Key, TimeSeries], columns: pd.Index) -> None:
    """Raise a ValueError that names each series and channel without any value."""
    empty = [
        f"column {column!r} of {name_series(key)}"
        for key, series in panel.items()
        for column, values in zip(columns, series.values.T, strict=True)
        if np.isnan(values).all()
    ]
    if empty:
        raise ValueError(
            f"{', '.join(empty[:5])} ({len(empty)} in all) has no value at all; drop it, or pass "
            "rows in which it was observed"
        )


def warn_of_coarse_rows(panel: Mapping[Key, TimeSeries]) -> None:
    """Warn of series that have a value at every so many rows alone: quarters written on months."""
    coarse = [
        (key, int(steps[0]))
        for key, series in panel.items()
        if len(steps := np.diff(np.flatnonzero(np.isfinite(series.values).any(axis=1)))) > 1
        and steps[0] > 1
        and (steps == steps[0]).all()
    ]
    if coarse:
        key, step = coarse[0]
        have = f" and {len(coarse) - 1} other series have" if len(coarse) > 1 else " has"
        warnings.warn(
            f"{name_series(key)}{have} values {step} rows apart alone: what lies between was never seen, "
            "and its forecast is no more than a mean; pass y with the step of its values, for example "
            "y.dropna()",
            UserWarning,
            stacklevel=2,
        )


def check_columns(known: pd.Index, got: pd.Index, where: str) -> None:
    """Raise a ValueError unless the columns are those of fit, in their order."""
    if not known.equals(got):
        raise ValueError(
            f"{where} has the columns {list(got)}, but the estimator was fitted on "
            f"{list(known)}; pass the same columns in the same order"
        )


def check_panel(panel: Mapping[Key, TimeSeries], name: str = "y") -> BaseOffset | None:
    """Raise unless each series can be learned from; return the step that all their indices share.

    Raises
    ------
    ValueError
        If a series has fewer than two rows, or stamps that are missing or off the common grid.
    """
    for key, series in panel.items():
        if len(series.values) < 2:
            raise ValueError(
                f"{name_series(key, name)} has {len(series.values)} row; at least 2 are needed to learn "
                "from: pass a longer series"
            )
    longest = max(panel, key=lambda key: len(panel[key].values))
    frequency = find_frequency(panel[longest].index, name_series(longest, name))
    checked: dict[int, pd.Index] = {}  # most series of a length share their stamps
    for key, series in panel.items():
        known = checked.get(len(series.index))
        if known is None or not series.index.equals(known):
            check_regular(series.index, frequency, name_series(key, name))
            checked[len(series.index)] = series.index
    return frequency


def check_known(new: Iterable[Key], known: Container[Key]) -> None:
    """Raise a ValueError if `update` is given a series that `fit` was not."""
    strange = [name_series(key) for key in new if key not in known]
    if strange:
        raise ValueError(
            f"update got rows of {len(strange)} series that fit has not seen, the first one "
            f"{strange[0]}; pass rows of the fitted series, fit again with all series, or forecast new "
            "series by `pretrain` on the panel and `fit` on them"
        )


def check_channels(known: int, got: int, name: str = "y") -> None:
    """Raise a ValueError unless there are as many channels as in what was fitted."""
    if known != got:
        raise ValueError(
            f"{name} has {got} channels, but the net was made for {known}; pass the same channels"
        )


def check_shape(kept: tuple[int, ...], made: tuple[int, ...], period: int) -> None:
    """Raise a ValueError unless horizon, depth and channels, as kept, are those of the net."""
    if kept != made or period < 1:
        raise ValueError(
            f"horizon, depth and channels are {kept}, of the net {made}, the period is {period}"
        )


def check_same_series(*parts: Mapping[Key, Any]) -> None:
    """Raise a ValueError unless rows, cutoffs, scalers and levels are of the same series."""
    if any(part.keys() != parts[0].keys() for part in parts):
        raise ValueError("rows, cutoffs, scalers and levels are of different series")


def check_one_series(series: Collection[Key]) -> None:
    """Raise a ValueError unless the forecaster was fitted on a single series."""
    if () not in series:
        raise ValueError(
            f"predict_windows forecasts one series, but this forecaster was fitted on "
            f"{len(series)}; fit it on the one series, after pretrain on the panel"
        )


def check_windows(
    y: pd.Series | pd.DataFrame | np.ndarray,  # (time, channels)
    cutoffs: Any,
    columns: pd.Index,
) -> tuple[TimeSeries, np.ndarray]:
    """Return the rows of one series with the columns of fit, and cutoffs in it, each with a row before it.

    Raises
    ------
    TypeError, ValueError
        For rows or cutoffs that cannot be used.
    """
    frame = read_rows(y)
    check_rows(frame)
    series = split_series(pd.DataFrame(frame))[()]
    if isinstance(y, pd.DataFrame):
        check_columns(columns, y.columns, "y")
    else:
        check_channels(len(columns), series.values.shape[1])
    return series, check_cutoffs(cutoffs, len(series.values))


def check_cutoffs(cutoffs: Any, rows: int) -> np.ndarray:
    """Return the cutoffs as an array of integers, each with at least one row before it."""
    positions = np.asarray(cutoffs)
    if positions.shape == (0,):
        return positions.astype(np.int64)
    if positions.ndim != 1 or not np.issubdtype(positions.dtype, np.integer):
        raise TypeError(
            f"cutoffs is an array of shape {positions.shape} and type {positions.dtype}; pass a "
            "list of integer positions in y"
        )
    if positions.min() < 1 or positions.max() > rows:
        raise ValueError(
            f"cutoffs run from {positions.min()} to {positions.max()}; with {rows} rows in y they "
            f"must lie in 1 .. {rows}, since a forecast reads the rows before its cutoff"
        )
    return positions


def read_rows(y: Any) -> pd.Series | pd.DataFrame:
    """Take a table or array of one series as a pandas object, or raise a TypeError that says what came."""
    if isinstance(y, pd.Series | pd.DataFrame):
        return y
    try:
        values = np.asarray(y)
    except ValueError as error:  # rows of different lengths
        raise name_refusal(y, "y") from error
    if values.ndim not in (1, 2):
        raise name_refusal(y, "y")
    return pd.DataFrame(values)


def window_levels(alpha: Any) -> np.ndarray:
    """Return the levels of quantiles at many cutoffs, a list of them."""
    levels = np.asarray(check_levels("alpha", alpha))
    if np.ndim(alpha) == 0:
        raise ValueError(f"alpha is {alpha}; pass numbers between 0 and 1, such as [0.1, 0.9]")
    return levels


def check_alone(estimator: Any) -> None:
    """Raise a TypeError inside a pipeline of scikit-learn, which passes the series as X and X as the series.

    It marks its steps with the context of its callbacks, from version 1.9 on.
    """
    if hasattr(estimator, "_parent_callback_ctx"):
        raise TypeError(
            f"{type(estimator).__name__} is a forecaster of sktime, and a pipeline of scikit-learn takes its "
            "series for covariates; use sktime's TransformedTargetForecaster for steps on y, and "
            "ForecastingPipeline for steps on X"
        )


def refuse_covariance(name: str, wanted: bool) -> None:
    """Raise a NotImplementedError if `predict_var` is asked for more than variances."""
    if wanted:
        raise NotImplementedError(
            f"{name} gives the variance of each step and channel, no covariances; pass cov=False, or "
            "draw paths whose errors vary together with simulate"
        )


def warn_unused_exogenous(name: str) -> None:
    """Warn that `X` changes nothing in pretrain."""
    warnings.warn(
        f"X was passed to pretrain, but {name} learns the effect of covariates in fit: X is not "
        "used here",
        UserWarning,
        stacklevel=3,
    )


def _check_index(index: pd.Index, where: str) -> None:
    """Raise unless each row has a stamp that can be counted, and the name of its series."""
    if len(index) == 0:
        return
    for level in range(index.nlevels - 1):
        unnamed = np.flatnonzero(index.get_level_values(level).isna())
        if len(unnamed):
            raise ValueError(
                f"{len(unnamed)} rows of {where} name no series (index level "
                f"{index.names[level]!r} is missing), the first at position {unnamed[0]}; drop these "
                "rows or give them a name"
            )
    times = index.get_level_values(-1)
    missing = np.flatnonzero(times.isna())
    if len(missing):
        raise ValueError(
            f"{len(missing)} rows of {where} have no stamp (NaT), the first at position {missing[0]}; "
            f"drop them, for example with {where}[{where}.index.notna()]"
        )
    if isinstance(times, pd.DatetimeIndex | pd.PeriodIndex) or is_integer_dtype(times.dtype):
        return
    found = f"{where} is indexed by {times.dtype} such as {show(times.tolist()[0])}"
    if isinstance(times, pd.TimedeltaIndex):
        remedy = f"add the start, for example {where}.index += pd.Timestamp('2024-01-01')"
    elif times.dtype.kind in "fc" or times.dtype == bool:
        remedy = f"number the rows, for example with {where}.reset_index(drop=True)"
    else:
        remedy = f"convert them, for example with {where}.index = pd.to_datetime({where}.index)"
    raise TypeError(f"{found}, and rows are found by dates, periods or integers; {remedy}")


def _check_numeric(frame: pd.DataFrame, where: str) -> None:
    _check_not_long(frame, where)
    for column, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if dtype.kind not in "iufb":
            raise TypeError(
                f"column {column!r} of {where} has the non-numeric or categorical type {dtype}, and a "
                "forecast needs real numbers; drop the column or convert it, for example with "
                "pd.to_numeric"
            )


def _check_not_long(frame: pd.DataFrame, where: str) -> None:
    """Raise a TypeError if dates, and perhaps names of series, stand in columns, and none in the index."""
    if isinstance(frame.index.get_level_values(-1), pd.DatetimeIndex | pd.PeriodIndex):
        return
    dates = [
        column
        for column, dtype in zip(frame.columns, frame.dtypes, strict=True)
        if dtype.kind == "M" or isinstance(dtype, pd.PeriodDtype) or column == "ds"
    ]
    if len(dates) != 1:
        return
    names = [
        column
        for column, dtype in zip(frame.columns, frame.dtypes, strict=True)
        if column not in dates and (dtype.kind not in "iufb" or column == "unique_id")
    ]
    wanted = [*names, *dates] if names else dates[0]
    index = repr(wanted).replace("'", '"')
    raise TypeError(
        f"the dates of {where} stand in its column {dates[0]!r}, and rows are found by their index; "
        f"pass {where}.set_index({index})"
    )


def check_container(given: Any, where: str) -> None:
    """Raise a TypeError if a table of another library holds more than numbers."""
    schema = getattr(given, "schema", None)
    if not type(given).__module__.startswith("polars") or schema is None:
        return
    others = [name for name, dtype in given.collect_schema().items() if not dtype.is_numeric()]
    if others:
        raise TypeError(
            f"the columns {others} of {where}, a table of polars, hold no numbers, and such a table has "
            f"no index in which rows are found; pass {where}.to_pandas().set_index({others})"
        )


def name_refusal(given: Any, where: str) -> TypeError:
    """Say in a sentence that a container is none that sktime knows."""
    if isinstance(given, pd.DataFrame) and not given.columns.is_unique:
        twice = given.columns[given.columns.duplicated()].unique().tolist()
        return TypeError(
            f"{where} has more than one column with the name {', '.join(map(repr, twice))}; give each column "
            f"a name of its own, for example with {where}.columns = [...]"
        )
    return TypeError(
        f"{where} is {show(given)} of type {type(given).__name__}; pass a pandas Series or DataFrame "
        "with a row for each time, a numpy array of shape (time, channels) or another container of sktime"
    )


def _check_order(index: pd.Index, where: str) -> None:
    duplicated = index[index.duplicated()].unique()
    if len(duplicated):
        raise ValueError(
            f"{where} has more than one row for {len(duplicated)} stamps: "
            f"{name_stamps(duplicated)}; keep one row for each, for example with "
            f"{where[-1]}[~{where[-1]}.index.duplicated()]"
        )
    if not index.is_monotonic_increasing:
        first = int(np.argmax(index[1:] < index[:-1])) + 1
        raise ValueError(
            f"the rows of {where} are not sorted by time: {index[first]} stands after "
            f"{index[first - 1]}; pass {where[-1]}.sort_index()"
        )


def _check_not_infinite(
    values: np.ndarray, index: pd.Index, columns: pd.Index, where: str, remedy: str | None = None
) -> None:
    rows, channels = np.nonzero(np.isinf(values))
    if len(rows) == 0:
        return
    if remedy is None:
        remedy = (
            f"mark them as missing, for example with {where[-1]}.replace([np.inf, -np.inf], np.nan)"
        )
    raise ValueError(
        f"{where} has {len(rows)} values that are not finite, the first (infinite) at "
        f"{index[rows[0]]} in column {columns[channels[0]]!r}; {remedy}"
    )
