"""Target in features: X must not hold the rows that are to be forecast.

    scan    |correlation| of X[t] and y[t + k], -horizon < k <= horizon, in levels and differences
    derive  where X is a function of y: the rows of X that a forecast is handed must not change with
            the rows of y after its cutoff

A lagged target is fair only where the lag is at least the horizon: at step h the column that holds
y[t - k] is a target of the same forecast when k < h.
"""

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.checks.future import other_futures
from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, Row
from klforecast.evaluation.leakage.study import Study

NAME = "target_in_features"
_EXPECTED = "the features of a forecast are known at its cutoff"
_COPY = 0.9999  # correlation from which a column counts as a copy of the target


def check(study: Study) -> list[Row]:
    """Look for the target in the features."""
    X = study.truth.X
    if X is None:
        why = "no X was passed" if study.features is None else "the forecaster ignores X"
        return [Row(NAME, "X", NOT_APPLICABLE, why, _EXPECTED)]
    return [_scan(study, X), *([_derive(study, X)] if study.derived else [])]


def _scan(study: Study, X: pd.DataFrame) -> Row:
    best = (0.0, "no numeric column")
    columns = X.select_dtypes("number")
    for column, feature in zip(columns.columns, columns.to_numpy(dtype=float).T, strict=True):
        for channel, target in enumerate(study.truth.values.T):
            for lag in range(1 - study.horizon, study.horizon + 1):
                size = _similarity(feature, target, lag)
                if size > best[0]:
                    where = f"t{lag:+d}" if lag else "t"
                    best = (size, f"X[{column!r}] at t and channel {channel} of y at {where}")
    size, where = best
    return Row(
        NAME,
        "X",
        LEAK if size >= _COPY else PASSED,
        f"the closest: {where}, |correlation| {size:.4f} in levels and in differences",
        _EXPECTED,
        value=size,
    )


def _similarity(feature: np.ndarray, target: np.ndarray, lag: int) -> float:
    first, second = (
        (feature[: len(feature) - lag], target[lag:])
        if lag >= 0
        else (
            feature[-lag:],
            target[:lag],
        )
    )
    # Two trends are alike in levels without one holding the other; their differences are not.
    return min(_correlation(first, second), _correlation(np.diff(first), np.diff(second)))


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    if len(first) < 3 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(abs(np.corrcoef(first, second)[0, 1]))


def _derive(study: Study, X: pd.DataFrame) -> Row:
    changed: dict[str, int] = {}
    for cutoff in map(int, study.cutoffs):
        end = cutoff + study.horizon
        for _, world in other_futures(study, cutoff):
            other = world.X
            if other is None:
                continue
            for column in X.columns:
                mine, theirs = X[column].iloc[:end], other[column].iloc[:end]
                differs = ~((mine == theirs) | (mine.isna() & theirs.isna())).to_numpy()
                if differs.any():
                    first = int(np.argmax(differs)) - cutoff
                    changed[column] = min(first, changed.get(column, first))
    found = ", ".join(
        f"{column!r} from {'the cutoff' if not first else f'{first:+d} rows off the cutoff'} on"
        for column, first in changed.items()
    )
    return Row(
        NAME,
        "X(y)",
        LEAK if changed else PASSED,
        f"columns that change with y after the cutoff: {found or 'none'}",
        _EXPECTED,
        value=float(len(changed)),
    )
