"""What the estimators refuse, and the words in which they say so."""

import warnings
from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset
from sklearn.utils import check_random_state

from klforecast.estimators.arguments import check_choice, check_integer, check_number
from klforecast.estimators.frames.indices import check_regular, find_frequency, name_stamps
from klforecast.estimators.frames.panel import Key, TimeSeries, name_series, split_series
from klforecast.modules.encoders import ENCODERS
from klforecast.training.callbacks import SCHEDULES
from klforecast.training.nets import LOSSES


def check_training(parameters: Mapping[str, Any]) -> None:
    """Raise unless the arguments that rule training make sense."""
    check_integer("batch_size", parameters["batch_size"], minimum=1)
    check_integer("max_epochs", parameters["max_epochs"], minimum=0)
    check_integer("patience", parameters["patience"], minimum=1, optional=True)
    check_integer("verbose", parameters["verbose"], minimum=0)
    check_choice("lr_schedule", parameters["lr_schedule"], tuple(SCHEDULES))
    check_choice("loss", parameters["loss"], tuple(LOSSES))
    check_number("validation_fraction", parameters["validation_fraction"], 0, 1)
    check_random_state(parameters["random_state"])
    check_number("lr", parameters["lr"], 0, above_low=True)
    check_number("weight_decay", parameters["weight_decay"], 0)


def check_encoder(parameters: Mapping[str, Any]) -> None:
    """Raise unless the arguments that shape a `ForecastModule` make sense."""
    for name in ("horizon", "memory_tokens", "d_model", "n_layers", "n_heads", "patch_length"):
        check_integer(name, parameters[name], minimum=1)
    for name in ("input_length", "memory_depth", "n_components", "d_ff"):
        check_integer(name, parameters[name], minimum=1, optional=True)
    check_choice("memory", parameters["memory"], ("history", "trajectory", "none"))
    check_choice("encoder", parameters["encoder"], ("linear", *ENCODERS))
    check_choice("mixer", parameters["mixer"], ("factorized", "dense", "bottleneck"))
    check_number("dropout", parameters["dropout"], 0, 1)


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise unless the constructor arguments of the forecaster make sense, alone and together."""
    check_encoder(parameters)
    check_training(parameters)
    check_integer("period", parameters["period"], minimum=1, optional=True)
    check_number("forgetting", parameters["forgetting"], 0, above_low=True)
    if parameters["forgetting"] > 1:
        raise ValueError(
            f"forgetting is {parameters['forgetting']}; pass a number with 0 < forgetting <= 1, "
            "the weight of a window relative to the next newer one"
        )
    _check_together(parameters)


def check_rows(y: pd.Series | pd.DataFrame) -> None:
    """Raise unless every series in `y` has sorted stamps, no duplicates, and real numbers or NaN.

    Parameters
    ----------
    y : Series or DataFrame
        One series, a panel or a hierarchy, as the user passed it.

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
            f"y has {frame.shape[0]} rows and {frame.shape[1]} columns; pass a series with at "
            "least two rows and one column"
        )
    _check_numeric(frame, "y")
    for key, series in split_series(frame).items():
        where = name_series(key)
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
    _check_numeric(frame, "X")
    for key, series in split_series(frame).items():
        where = name_series(key, "X")
        _check_order(series.index, where)
        _check_not_infinite(series.values, series.index, frame.columns, where)


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


def check_columns(known: pd.Index, got: pd.Index, where: str) -> None:
    """Raise a ValueError unless the columns are those of fit, in their order."""
    if not known.equals(got):
        raise ValueError(
            f"{where} has the columns {list(got)}, but the forecaster was fitted on "
            f"{list(known)}; pass the same columns in the same order"
        )


def check_panel(panel: Mapping[Key, TimeSeries]) -> BaseOffset | None:
    """Raise unless each series can be learned from; return the step that all their indices share.

    Raises
    ------
    ValueError
        If a series has fewer than two rows, or stamps that are missing or off the common grid.
    """
    for key, series in panel.items():
        if len(series.values) < 2:
            raise ValueError(
                f"{name_series(key)} has {len(series.values)} row; at least 2 are needed to learn "
                "from: pass a longer series"
            )
    longest = max(panel, key=lambda key: len(panel[key].values))
    frequency = find_frequency(panel[longest].index, name_series(longest))
    for key, series in panel.items():
        check_regular(series.index, frequency, name_series(key))
    return frequency


def check_known(new: Iterable[Key], known: Container[Key]) -> None:
    """Raise a ValueError if `update` is given a series that `fit` was not."""
    strange = [name_series(key) for key in new if key not in known]
    if strange:
        raise ValueError(
            f"update got rows of {len(strange)} series that fit has not seen, the first one "
            f"{strange[0]}; pass rows of the fitted series or fit again with all series"
        )


def check_channels(known: int, got: int) -> None:
    """Raise a ValueError unless y has as many channels as the net was made for."""
    if known != got:
        raise ValueError(
            f"y has {got} channels, but the net was made for {known}; pass the same channels"
        )


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


def check_levels(alpha: Any) -> np.ndarray:
    """Return the levels of quantiles as an array of floats between 0 and 1."""
    levels = np.asarray(alpha, dtype=np.float64)
    if levels.ndim != 1 or not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"alpha={alpha!r}; pass a list of levels between 0 and 1, as [0.1, 0.9]")
    return levels


def warn_unused_exogenous(name: str) -> None:
    """Warn that `X` changes nothing in pretrain."""
    warnings.warn(
        f"X was passed to pretrain, but {name} learns the effect of covariates in fit: X is not "
        "used here",
        UserWarning,
        stacklevel=3,
    )


def longest_horizon(rows: int) -> int:
    """Steps that can be learned ahead: as many for the past as for the future, and as many windows."""
    return max(1, rows // 3)


def shrink_horizon(horizon: int, rows: int) -> int:
    """Shrink the horizon to a third of the longest series, with a warning that says so."""
    possible = longest_horizon(rows)
    if horizon <= possible:
        return horizon
    warnings.warn(
        f"horizon={horizon} is too long for {rows} rows: the model learns {possible} steps ahead "
        "and forecasts later steps from its own forecasts",
        UserWarning,
        stacklevel=2,
    )
    return possible


def _check_together(parameters: Mapping[str, Any]) -> None:
    window, depth = parameters["input_length"], parameters["memory_depth"]
    if window is not None and depth is not None and depth < window:
        raise ValueError(
            f"memory_depth={depth} is less than input_length={window}, but the memory reaches back "
            f"beyond the window; pass memory_depth >= {window}"
        )
    if parameters["memory"] == "trajectory" and parameters["encoder"] == "linear":
        raise ValueError(
            "memory='trajectory' holds summaries of training batches, and encoder='linear' is not "
            "trained in batches; pass another encoder or memory='history'"
        )
    if parameters["encoder"] == "linear" and not parameters["linear_core"]:
        raise ValueError(
            "encoder='linear' is the linear core and nothing else, and linear_core=False takes it "
            "away; pass another encoder or linear_core=True"
        )
    if parameters["encoder"] != "linear" and parameters["d_model"] % parameters["n_heads"]:
        raise ValueError(
            f"d_model={parameters['d_model']} cannot be shared among "
            f"n_heads={parameters['n_heads']}; pass a multiple of n_heads"
        )


def _check_numeric(frame: pd.DataFrame, where: str) -> None:
    for column, dtype in zip(frame.columns, frame.dtypes, strict=True):
        if dtype.kind not in "iufb":
            raise TypeError(
                f"column {column!r} of {where} has the non-numeric or categorical type {dtype}, and a "
                "forecast needs real numbers; drop the column or convert it, for example with "
                "pd.to_numeric"
            )


def _check_order(index: pd.Index, where: str) -> None:
    duplicated = index[index.duplicated()].unique()
    if len(duplicated):
        raise ValueError(
            f"{where} has more than one row for {len(duplicated)} stamps: "
            f"{name_stamps(duplicated)}; keep one row for each, for example with "
            "y[~y.index.duplicated()]"
        )
    if not index.is_monotonic_increasing:
        first = int(np.argmax(index[1:] < index[:-1])) + 1
        raise ValueError(
            f"the rows of {where} are not sorted by time: {index[first]} stands after "
            f"{index[first - 1]}; pass y.sort_index()"
        )


def _check_not_infinite(values: np.ndarray, index: pd.Index, columns: pd.Index, where: str) -> None:
    rows, channels = np.nonzero(np.isinf(values))
    if len(rows) == 0:
        return
    raise ValueError(
        f"{where} has {len(rows)} values that are not finite, the first (infinite) at "
        f"{index[rows[0]]} in column {columns[channels[0]]!r}; mark them as missing, for example "
        "with y.replace([np.inf, -np.inf], np.nan)"
    )
