"""Memory isolation: what validation and test rows leave behind must not reach another forecast.

The earlier half of the cutoffs is the validation part here, the later half the test part. In one
forecaster: a forecast before and after both were shown, and test forecasts with and without the
validation part shown before. With `update(update_params=False)` over all of them: the fitted
parameters. Between forecasters: a fresh fit at the end of all that against the very first one, for
memories in classes, modules and files.
"""

import re

import numpy as np
from sktime.forecasting.base import BaseForecaster

from klforecast.evaluation.leakage.report import LEAK, PASSED, Row
from klforecast.evaluation.leakage.state import changed_parts, leaves, state_of
from klforecast.evaluation.leakage.study import Study

NAME = "memory_isolation"
_EXPECTED = (
    "training, validation and test rows leave nothing in the model that forecasts the others"
)
_MOST_NAMED = 3
# What sktime's base class and its forecasters call the rows handed over last; a fitted parameter
# that is itself a forecaster holds them too.
_CONTEXT = re.compile(r"\._(y|X|cur_y|cur_X|cutoff)\b")


def check(study: Study) -> list[Row]:
    """Show validation and test rows, and look for what they left."""
    rows = [_windows(study)] if study.has_windows else []
    rows.append(_update(study))
    fresh = study.predict(study.fit(study.truth), study.truth, study.train_end)
    gap = study.gap(study.first_forecast, fresh)
    rows.append(
        Row(
            NAME,
            "another fit",
            LEAK if gap else PASSED,
            f"after validation and test rows were shown to others, a fresh forecaster of the same "
            f"training rows forecasts {_moved(gap)}",
            _EXPECTED,
            value=gap,
        )
    )
    return rows


def _windows(study: Study) -> Row:
    half = len(study.cutoffs) // 2
    validation, test = study.cutoffs[:half], study.cutoffs[half:]
    train = study.cutoffs[:1]
    shown = study.fitted(study.truth)
    forecasts = [study.predict_windows(shown, study.truth, train)]
    study.predict_windows(shown, study.truth, validation)
    test_after = study.predict_windows(shown, study.truth, test)
    forecasts.append(study.predict_windows(shown, study.truth, train))
    test_alone = study.predict_windows(study.fitted(study.truth), study.truth, test)
    gap = max(study.gap(*forecasts), study.gap(test_after, test_alone))
    return Row(
        NAME,
        "predict_windows",
        LEAK if gap else PASSED,
        f"after validation and test windows were forecast, others are {_moved(gap)}",
        _EXPECTED,
        value=gap,
    )


def _update(study: Study) -> Row:
    forecaster = study.fitted(study.truth)
    train = study.cutoffs[:1]
    before = _learned(forecaster)
    shown = [study.predict_windows(forecaster, study.truth, train)] if study.has_windows else []
    study.update(forecaster, study.truth, study.train_end, len(study.truth.values))
    after = _learned(forecaster)
    shown += [study.predict_windows(forecaster, study.truth, train)] if study.has_windows else []
    gap = study.gap(*shown) if shown else 0.0
    moving = _context(forecaster, study.truth.values)
    changed = [path for path in changed_parts(before, after) if path not in moving]
    if changed:
        named = ", ".join(changed[:_MOST_NAMED])
        evidence = f"update(update_params=False) over validation and test rows changed {named}"
    else:
        evidence = (
            f"update(update_params=False) over validation and test rows left all {len(after)} "
            f"parts of the fitted parameters as they were"
        )
    if gap:
        evidence += f"; a forecast from the training rows moved by {gap:.3g} training deviations"
    return Row(NAME, "update", LEAK if changed or gap else PASSED, evidence, _EXPECTED, value=gap)


def _context(forecaster: BaseForecaster, rows: np.ndarray) -> set[str]:
    """Name the parts that may move on: made of rows of y alone, or sktime's own notes of them."""
    return {
        path
        for path, leaf in leaves(forecaster.get_fitted_params())
        if _CONTEXT.search(path)
        or (
            isinstance(leaf, np.ndarray)
            and np.issubdtype(leaf.dtype, np.number)
            and np.isin(leaf, rows).all()
        )
    }


def _learned(forecaster: BaseForecaster) -> dict[str, str]:
    return state_of(forecaster.get_fitted_params())


def _moved(gap: float) -> str:
    return f"moved by {gap:.3g} training deviations" if gap else "bit-equal"
