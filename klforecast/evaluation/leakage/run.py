"""The report: every check on one forecaster."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import shorten

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from klforecast.evaluation.leakage.arguments import make_study
from klforecast.evaluation.leakage.checks import (
    attached,
    batches,
    features,
    future,
    isolation,
    modes,
    past,
    permutation,
    refit,
    scaler,
    stopping,
    writes,
)
from klforecast.evaluation.leakage.report import ERROR, LeakageReport, Row
from klforecast.evaluation.leakage.study import Features, Make, Study

CHECKS: dict[str, Callable[[Study], Iterable[Row]]] = {
    module.NAME: module.check
    for module in (
        future,
        past,
        scaler,
        stopping,
        features,
        attached,
        permutation,
        batches,
        writes,
        refit,
        isolation,
        modes,
    )
}


_LONGEST_NAME = 200  # characters; a parameter may be an array


def leakage_report(
    forecaster: BaseForecaster | Make,
    y: pd.Series | pd.DataFrame | np.ndarray,  # (time,) or (time, channels)
    X: pd.DataFrame | Features | None = None,
    *,
    fh: int | Iterable[int] | None = None,
    cutoffs: Sequence[int] | np.ndarray | None = None,
    checks: Sequence[str] | None = None,
    random_state: int = 0,
) -> LeakageReport:
    """Look for forecasts that depend on what a forecaster must not know.

    The report drives the forecaster itself, through `fit` and `predict`, `update`,
    `update_predict`, and `predict_windows` where there is one, with rows changed where a forecast
    must not look. Neither the forecaster nor the data that were passed are changed.

    Parameters
    ----------
    forecaster : sktime forecaster, or callable
        A callable is handed all rows of y, true or changed, and returns the unfitted forecaster: it
        shows the checks what is prepared from the data outside `fit`, like a fitted scaler, or the
        validation rows of a network.
    y : Series, DataFrame or ndarray, (time,) or (time, channels)
        One series without missing values.
    X : DataFrame, callable or None, default=None
        Features with the rows of y. A callable is handed y and returns them. Features are left out
        where the forecaster ignores them.
    fh : int, iterable of int or None, default=None
        Steps ahead. None: the forecaster's `horizon` where that is at most a fifth of the rows,
        else 12 steps or a tenth of the rows, whatever is less.
    cutoffs : sequence of int or None, default=None
        Positions in y; the forecast from cutoff c starts with row c. The rows before the first are
        the training part. None: five, from 60 % of the rows on.
    checks : sequence of str or None, default=None
        Names in `CHECKS`; None for all.
    random_state : int, default=0
        Seed of the changed rows, of the global generators during every call, and of `random_state`
        parameters of the forecaster that are None.

    Returns
    -------
    LeakageReport
        With `passed`, `to_frame`, `to_json` and `to_html`.

    Raises
    ------
    TypeError, ValueError
        For a forecaster, data or settings that cannot be used. What the forecaster raises in its
        first fit and forecast is passed on; what it raises later becomes a row "error".

    Notes
    -----
    About 15 fits of the training part; 50 where the forecaster was prepared from the data or its
    context does not move with `update`.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from klforecast.evaluation.benchmark.adapter import HarnessForecaster
    >>> from klforecast.evaluation.leakage import leakage_report
    >>> naive = HarnessForecaster("seasonal-naive", period=12)
    >>> report = leakage_report(naive, load_airline(), fh=12, checks=["state_hash", "refit"])
    >>> report.passed
    True
    >>> report.to_frame()["evidence"].iloc[-1]
    'a clone of that and then fit(B), against fit(B), give bit-equal forecasts'
    """
    study = make_study(forecaster, y, X, fh=fh, cutoffs=cutoffs, random_state=random_state)
    names = list(CHECKS) if checks is None else list(checks)
    unknown = [name for name in names if name not in CHECKS]
    if unknown:
        raise ValueError(f"unknown check {unknown[0]!r}; pass some of {', '.join(CHECKS)}")
    with _each_warning_once():
        # A forecaster that cannot be fitted at all is no finding, and raises here.
        steps, channels = study.first_forecast.shape
        rows = [row for name in names for row in _run(name, study)]
    setup = {
        "rows": len(study.y),
        "channels": channels,
        "steps ahead": f"{steps}, up to {study.horizon}",
        "training rows": study.train_end,
        "cutoffs": ", ".join(map(str, study.cutoffs)),
        "random_state": random_state,
    }
    return LeakageReport(shorten(str(study.truth.unfitted), _LONGEST_NAME), setup, tuple(rows))


def _run(name: str, study: Study) -> list[Row]:
    rows: list[Row] = []
    try:
        rows.extend(CHECKS[name](study))
    except Exception as error:
        # The code under test may raise anything, and the other checks still have something to say.
        text = f"{type(error).__name__}: {error}"
        rows.append(Row(name, "", ERROR, text, "the check can be run"))
    return rows


@contextmanager
def _each_warning_once() -> Iterator[None]:
    """Hold warnings back and repeat each at the end, once: the same fit warns many times."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    counts = Counter((warning.category, str(warning.message)) for warning in caught)
    for (category, message), count in counts.items():
        times = f" ({count} times during the checks)" if count > 1 else ""
        warnings.warn(f"{message}{times}", category, stacklevel=4)
