"""Refit equality: `fit` starts from nothing.

    fit(B) again, on another clone      the same random_state gives the same numbers
    fit(A), then fit(B)                 nothing of A is left
    clone after that, then fit(B)       a clone carries nothing along

A is the training part backwards, stretched and shorter. Where the forecaster has no `random_state`,
the global generators are seeded alike; where it has one, they are seeded differently, because they
must not matter.
"""

import numpy as np
from sktime.forecasting.base import BaseForecaster

from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, Row
from klforecast.evaluation.leakage.study import Study, World

NAME = "refit"
_SHORTER = 0.8  # of the training rows, so that what depends on their number differs
_EXPECTED = "bit-equal forecasts of every fit to the same rows"


def check(study: Study) -> list[Row]:
    """Fit the same rows on objects with another past."""
    owns_seed = "random_state" in study.truth.unfitted.get_params()
    other_seed = study.seed + 1 if owns_seed else study.seed
    forecast = _forecast(study, study.fit(study.truth))

    again = study.fit(study.truth, seed=other_seed)
    used = study.unfitted(study.truth)
    _fit_others(study, used)
    after_another = study.refit(used, study.truth)

    seeded = "the same random_state" if owns_seed else "the global generators seeded alike"
    rows = [
        _row("fit twice", f"two fits with {seeded}", study.gap(forecast, _forecast(study, again))),
        _row(
            "fit(A), fit(B)",
            "fit(A) and then fit(B), against fit(B),",
            study.gap(forecast, _forecast(study, after_another)),
        ),
    ]
    if study.prepared:
        why = "a clone undoes what was prepared from y"
        return [*rows, Row(NAME, "clone, fit(B)", NOT_APPLICABLE, why, _EXPECTED)]
    cloned = study.refit(after_another.clone(), study.truth)
    what = "a clone of that and then fit(B), against fit(B),"
    return [*rows, _row("clone, fit(B)", what, study.gap(forecast, _forecast(study, cloned)))]


def _fit_others(study: Study, used: BaseForecaster) -> None:
    """Fit rows that are others and fewer, or as many where the forecaster refuses fewer."""
    other = _other_world(study)
    # That it wants more rows is no verdict on what it keeps.
    try:
        study.refit(used, other, end=int(_SHORTER * study.train_end))
    except Exception:
        study.refit(used, other)


def _other_world(study: Study) -> World:
    values = study.truth.values
    scaled = study.scaler.transform(values[: study.train_end])
    values[: study.train_end] = study.scaler.inverse_transform(3 + 1.7 * scaled[::-1])
    return study.world(values)


def _forecast(study: Study, forecaster: object) -> np.ndarray:
    answer = study.predict(forecaster, study.truth, study.train_end)
    if not study.has_windows:
        return answer
    windows = study.predict_windows(forecaster, study.truth, study.cutoffs)
    return np.concatenate([answer[None], windows])


def _row(route: str, what: str, gap: float) -> Row:
    result = "give bit-equal forecasts" if not gap else f"differ by {gap:.3g} training deviations"
    return Row(NAME, route, LEAK if gap else PASSED, f"{what} {result}", _EXPECTED, value=gap)
