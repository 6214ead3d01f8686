"""What a user passes for y and X, refused in our own words where sktime converts it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_integer

from klforecast.estimators import checks
from klforecast.estimators.frames.indices import Stamp
from klforecast.estimators.frames.panel import is_row_frame, shift_rows

Converted = tuple[Any, Any]  # frames of X and of y, None where nothing was passed


def convert_checked(
    X: Any, y: Any, convert: Callable[[], Converted], cutoff: Stamp | None
) -> Converted:
    """Convert containers to frames, and refuse those that cannot be used.

    Parameters
    ----------
    X, y : containers of sktime, or None
    convert : callable
        Makes frames of them, as sktime does.
    cutoff : stamp or None
        Last row known; None before `fit`. Rows of arrays, which have no index, follow it.

    Raises
    ------
    TypeError, ValueError
        For containers and rows that cannot be used; frames are looked at before they are converted.
    """
    in_rows = is_row_frame(y)
    checks.check_container(y, "y")
    if in_rows:
        checks.check_rows(y)
    if is_row_frame(X):
        checks.check_covariate_rows(X)
    try:
        X_inner, y_inner = convert()
    except TypeError as error:
        bad = next((name for name in "yX" if f"input {name} must be" in str(error)), None)
        if bad is None:
            raise
        raise checks.name_refusal({"y": y, "X": X}[bad], bad) from error
    if X is not None and not is_row_frame(X):
        checks.check_covariate_rows(X_inner)
    if y is not None and not in_rows:
        checks.check_rows(y_inner)
    if not is_integer(cutoff):
        return X_inner, y_inner
    return _after(X, X_inner, cutoff), _after(y, y_inner, cutoff)


def _after(given: Any, frame: pd.DataFrame | None, cutoff: Stamp) -> pd.DataFrame | None:
    return shift_rows(frame, int(cutoff) + 1) if isinstance(given, np.ndarray) else frame
