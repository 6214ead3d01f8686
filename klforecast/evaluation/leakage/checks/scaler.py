"""Scaling: means and deviations may come from training rows only.

Rows after the training part are moved a thousand deviations away and stretched a thousandfold; the
first forecast after the training part must not notice. And the state of the fitted forecaster is
searched for numbers that are the mean, deviation or variance of all rows, and not of the training
rows.
"""

from collections.abc import Iterator

import numpy as np

from klforecast.evaluation.leakage.report import LEAK, PASSED, Row
from klforecast.evaluation.leakage.routes import ROUTES
from klforecast.evaluation.leakage.state import leaves
from klforecast.evaluation.leakage.study import Study

NAME = "scaler"
_EXPECTED = "no mean or deviation of rows outside the training part, in numbers or in effect"
_FACTOR = 1e3  # a mean or deviation of all rows moves by hundreds of deviations
_TOLERANCE = 1e-9  # relative; a sum in another order differs by 1e-13 or so


def check(study: Study) -> list[Row]:
    """Stretch the rows after the training part, and search the state for their statistics."""
    names = ["predict_windows"] if study.has_windows else []
    names += ["fit"] if study.prepared or study.derived else []
    return [_effect(study, name) for name in names] + [_numbers(study)]


def _effect(study: Study, name: str) -> Row:
    cutoff = study.cutoffs[:1]
    values = study.truth.values
    later = study.scaler.transform(values[study.train_end :])
    values[study.train_end :] = study.scaler.inverse_transform(_FACTOR + _FACTOR * later)
    route = ROUTES[name]
    gap = study.gap(route(study, study.truth, cutoff), route(study, study.world(values), cutoff))
    return Row(
        NAME,
        name,
        LEAK if gap else PASSED,
        f"with later rows stretched by {_FACTOR:g} the first forecast moves by {gap:.3g} "
        f"training deviations",
        _EXPECTED,
        value=gap,
    )


def _numbers(study: Study) -> Row:
    forecaster = study.fitted(study.truth)
    study.predict(forecaster, study.truth, study.train_end)
    if study.has_windows:
        study.predict_windows(forecaster, study.truth, study.cutoffs)
    values = study.truth.values
    # A scaler may come as a parameter that is not deep-copied into what `fit` leaves behind.
    held = {"fitted": forecaster, "parameters": study.truth.unfitted.get_params()}
    found = sorted(
        f"{path} is the {what} of all {len(values)} rows, not of the {study.train_end} for training"
        for path, number in _numeric(held, values.shape[1])
        for what in _matches(number, values, study.train_end)
    )
    return Row(
        NAME,
        "state",
        LEAK if found else PASSED,
        found[0] if found else "no number in the fitted state is a statistic of all rows",
        _EXPECTED,
        value=float(len(found)),
    )


def _numeric(held: object, channels: int) -> Iterator[tuple[str, np.ndarray]]:
    for path, leaf in leaves(held):
        if isinstance(leaf, bool | np.bool_) or not isinstance(
            leaf, np.ndarray | float | np.floating
        ):
            continue
        array = np.asarray(leaf)
        if array.size == channels and np.issubdtype(array.dtype, np.floating):
            yield path, array.ravel()


def _matches(number: np.ndarray, values: np.ndarray, train_end: int) -> list[str]:
    statistics = {
        "mean": lambda rows: rows.mean(axis=0),
        "deviation": lambda rows: rows.std(axis=0),
        "sample deviation": lambda rows: rows.std(axis=0, ddof=1),
        "variance": lambda rows: rows.var(axis=0),
        "sample variance": lambda rows: rows.var(axis=0, ddof=1),
    }
    tolerance = _TOLERANCE if number.dtype == np.float64 else 1e-6
    return [
        name
        for name, statistic in statistics.items()
        if np.allclose(number, statistic(values), rtol=tolerance, atol=0)
        and not np.allclose(number, statistic(values[:train_end]), rtol=tolerance, atol=0)
    ]
