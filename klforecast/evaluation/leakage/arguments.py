"""What a user passes, checked and turned into a study."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from klforecast.evaluation.leakage.study import Features, Make, Study

_FIRST_CUTOFF = 0.6  # of the rows: most train, and two fifths are left to be forecast
_N_CUTOFFS = 5  # where each costs a fit: the ends and three between
_DEFAULT_STEPS = 12  # a year of months, and two cutoffs fit into 60 rows


def make_study(
    forecaster: BaseForecaster | Make,
    y: pd.Series | pd.DataFrame | np.ndarray,
    X: pd.DataFrame | Features | None = None,
    *,
    fh: int | Iterable[int] | None = None,
    cutoffs: Sequence[int] | np.ndarray | None = None,
    random_state: int = 0,
) -> Study:
    """Check the arguments of `leakage_report` and return the study that they describe."""
    rows = _check_rows(y)
    prepared = not isinstance(forecaster, BaseForecaster)
    make = forecaster if prepared else _constant(forecaster)
    if not callable(make):
        raise TypeError(
            f"got a {type(forecaster).__name__}; pass an sktime forecaster, or a function that is "
            f"handed y and returns one"
        )
    example = make(rows)
    if not isinstance(example, BaseForecaster):
        raise TypeError(
            f"the function returned a {type(example).__name__} for y; it has to return an unfitted "
            f"sktime forecaster"
        )
    steps = _check_fh(fh, getattr(example, "horizon", None), len(rows))
    derived = callable(X)
    if isinstance(X, pd.DataFrame) and len(X) != len(rows):
        raise ValueError(f"X has {len(X)} rows and y {len(rows)}; pass X with the rows of y")
    return Study(
        make=make,
        prepared=prepared,
        y=rows,
        features=X if derived or X is None else _constant(X),
        derived=derived,
        fh=steps,
        cutoffs=_check_cutoffs(cutoffs, len(rows), int(steps[-1])),
        seed=int(random_state),
    )


def _constant(value: Any) -> Callable[[Any], Any]:
    return lambda y: value


def _check_rows(y: Any) -> pd.Series | pd.DataFrame:
    if isinstance(y, np.ndarray) and y.ndim in (1, 2):
        y = pd.Series(y) if y.ndim == 1 else pd.DataFrame(y)
    if not isinstance(y, pd.Series | pd.DataFrame) or isinstance(y.index, pd.MultiIndex):
        raise TypeError(
            f"got y as {type(y).__name__}; pass one series, as a Series, a DataFrame (time, "
            f"channels) or an array"
        )
    missing = int(np.isnan(y.to_numpy(dtype=float)).sum())
    if missing:
        raise ValueError(f"y has {missing} missing values; fill them, or pass a part without any")
    return y.astype(float)


def _check_fh(fh: int | Iterable[int] | None, horizon: Any, n: int) -> np.ndarray:
    if fh is None:
        fits = isinstance(horizon, int) and 1 <= horizon <= n // 5
        fh = horizon if fits else max(1, min(_DEFAULT_STEPS, n // 10))
    steps = np.arange(1, fh + 1) if isinstance(fh, int) else np.unique(np.asarray(list(fh), int))
    if not len(steps) or steps[0] < 1:
        raise ValueError(f"got fh={fh!r}; pass steps ahead, 1 or more")
    return steps


def _check_cutoffs(cutoffs: Sequence[int] | np.ndarray | None, n: int, horizon: int) -> np.ndarray:
    last = n - horizon
    if cutoffs is None:
        first = int(_FIRST_CUTOFF * n)
        chosen = np.unique(np.linspace(first, max(first, last), _N_CUTOFFS, dtype=int))
    else:
        chosen = np.unique(np.asarray(cutoffs, dtype=int))
    if len(chosen) < 2 or chosen[0] < 2 or chosen[-1] > last:
        raise ValueError(
            f"{n} rows give the cutoffs {chosen.tolist()} for {horizon} steps ahead; the checks "
            f"need two different ones from 2 to {last}: pass a longer series, a shorter fh or "
            f"other cutoffs"
        )
    return chosen
