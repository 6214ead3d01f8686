"""Target in features: X must not hold the rows that are to be forecast.

    scan    |correlation| of X[t] and y[t + k], -horizon < k <= horizon, in levels and differences
    table   no column is a rank, a mean by groups (a target encoding), or scaled, over all rows
    derive  where X is a function of y: the rows of X that a forecast is handed must not change with
            the rows of y after its cutoff

A lagged target is fair where the lag is at least the horizon (at step h the column that holds
y[t - k] is a target of the same forecast when k < h), or where the forecaster never reads the column
behind its cutoff: that is tried.
"""

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.checks.future import other_futures
from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, SUSPICIOUS, Row
from klforecast.evaluation.leakage.routes import ROUTES
from klforecast.evaluation.leakage.study import Study, World

NAME = "target_in_features"
_EXPECTED = "the features of a forecast are known at its cutoff"
_COPY = 0.9999  # correlation from which a column counts as a copy of the target
# From here on it may be a copy with noise. Series that merely share a cause (load and temperature,
# neighbouring stations) stay below it in differences.
_LIKENESS = 0.98
_EXACT = 1e-9  # relative; what is left of a statistic in double precision


def check(study: Study) -> list[Row]:
    """Look for the target in the features."""
    X = study.truth.X
    if X is None:
        why = "no X was passed" if study.features is None else "the forecaster ignores X"
        return [Row(NAME, "X", NOT_APPLICABLE, why, _EXPECTED)]
    return [
        _scan(study, X),
        *([_derive(study, X)] if study.derived else [_whole_table(study, X)]),
    ]


def _scan(study: Study, X: pd.DataFrame) -> Row:
    best: tuple[float, str, object] = (0.0, "no numeric column", None)
    columns = X.select_dtypes("number")
    for column, feature in zip(columns.columns, columns.to_numpy(dtype=float).T, strict=True):
        for channel, target in enumerate(study.truth.values.T):
            for lag in range(1 - study.horizon, study.horizon + 1):
                size = _similarity(feature, target, lag)
                if size > best[0]:
                    where = f"t{lag:+d}" if lag else "t"
                    place = f"X[{column!r}] at t and channel {channel} of y at {where}"
                    best = (size, place, column)
    size, where, column = best
    evidence = f"the closest: {where}, |correlation| {size:.4f} in levels and in differences"
    verdict = PASSED
    if size >= _LIKENESS and column is not None:
        if not _is_read(study, X, column):
            evidence += "; no forecast reads this column behind its cutoff"
        elif size >= _COPY:
            verdict = LEAK
        else:
            verdict = SUSPICIOUS
            evidence += "; settled by where the column comes from: a copy with noise, or a relative"
    return Row(NAME, "X", verdict, evidence, _EXPECTED, value=size)


def _is_read(study: Study, table: pd.DataFrame, column: object) -> bool:
    """Whether a forecast moves when the column is changed from its cutoff on."""
    names = ["predict_windows"] if study.has_windows else []
    for name in [*names, "fit"]:
        for cutoff in (study.cutoffs[:1], study.cutoffs[-1:]):
            X = table.copy()
            later = X[column].to_numpy(dtype=float, copy=True)
            later[int(cutoff[0]) :] = later[int(cutoff[0]) :][::-1] + 1 + np.nanstd(later)
            X[column] = later
            world = World(study.truth.y, X, study.truth.unfitted)
            if study.gap(
                ROUTES[name](study, study.truth, cutoff), ROUTES[name](study, world, cutoff)
            ):
                return True
    return False


def _whole_table(study: Study, X: pd.DataFrame) -> Row:
    """Look for columns that are statistics of all rows: ranks, means of groups, scaled columns."""
    columns = X.select_dtypes("number")
    values = columns.to_numpy(dtype=float)
    targets = study.truth.values
    found: list[tuple[bool, str]] = []
    for column, feature in zip(columns.columns, values.T, strict=True):
        if not np.isfinite(feature).all() or np.ptp(feature) == 0:
            continue
        sources = [(True, f"channel {c} of y", target) for c, target in enumerate(targets.T)]
        sources += [
            (False, f"X[{other!r}]", source)
            for other, source in zip(columns.columns, values.T, strict=True)
            if other != column
        ]
        found += [
            (is_target, f"X[{column!r}] is the {what} of {name} over all {len(X)} rows")
            for is_target, name, source in sources
            if np.isfinite(source).all() and (what := _statistic(feature, source, study.train_end))
        ]
        if _is_ranking(feature) and not any(
            f"X[{column!r}] is the rank" in text for _, text in found
        ):
            found.append((False, f"X[{column!r}] is a ranking of all {len(X)} rows"))
        if _is_scaled(feature, study.train_end):
            found.append(
                (False, f"X[{column!r}] has mean 0 and deviation 1 over all {len(X)} rows")
            )
    if not found:
        evidence = "no column is a rank, a mean of a group or a scaled column of all rows"
        return Row(NAME, "whole table", PASSED, evidence, _EXPECTED, value=0.0)
    of_target = [text for is_target, text in found if is_target]
    if of_target:
        return Row(NAME, "whole table", LEAK, of_target[0], _EXPECTED, value=float(len(found)))
    evidence = (
        found[0][1] + "; settled by a function for X that is handed y, or by computing it from "
    )
    evidence += "the training rows"
    return Row(NAME, "whole table", SUSPICIOUS, evidence, _EXPECTED, value=float(len(found)))


def _statistic(feature: np.ndarray, source: np.ndarray, train_end: int) -> str:
    """Name what the feature is of the whole source and not of its training rows; "" if neither."""
    ranks = pd.Series(source).rank()
    is_rank = _is_linear_in(feature, ranks.to_numpy())
    # A straight line is its own rank.
    if is_rank and not _is_linear_in(feature, source):
        return "rank"
    groups, first_rows = np.unique(feature, return_inverse=True)
    if not 3 <= len(groups) <= len(feature) // 3:
        return ""
    means, trained = (
        pd.Series(source[:end]).groupby(first_rows[:end]).mean().reindex(range(len(groups)))
        for end in (None, train_end)
    )
    if _is_linear_in(groups, means.to_numpy()) and not _is_linear_in(groups, trained.to_numpy()):
        return "mean of each group of rows"
    return ""


def _is_linear_in(feature: np.ndarray, other: np.ndarray) -> bool:
    return bool(
        np.isfinite(other).all()
        and np.ptp(other) > 0
        and np.ptp(feature) > 0
        and abs(np.corrcoef(feature, other)[0, 1]) > 1 - _EXACT
    )


def _is_ranking(feature: np.ndarray) -> bool:
    """Whether the values are evenly spaced, each once, and not in the order of time."""
    steps = np.diff(np.sort(feature))
    in_order = (np.diff(feature) > 0).all() or (np.diff(feature) < 0).all()
    return bool(not in_order and steps.min() > (1 - _EXACT) * steps.max())


def _is_scaled(feature: np.ndarray, train_end: int) -> bool:
    size = np.abs(feature).max()
    deviations = [feature.std(ddof=ddof) for ddof in (0, 1)]
    return bool(
        abs(feature.mean()) < _EXACT * size
        and any(abs(deviation - 1) < _EXACT for deviation in deviations)
        and abs(feature[:train_end].mean()) > _EXACT * size
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
