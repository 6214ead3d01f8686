"""Target permutation: on rows in random order nothing can be forecast better than by their mean.

    skill = 1 - MSE(forecast) / MSE(mean of the training rows)

The rows of y are put in random order, features stay where they are, everything is fitted again. An
honest forecast of exchangeable rows has an expected skill of at most zero; one with a positive
skill knows the rows that it is scored on.
"""

import numpy as np

from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, Row
from klforecast.evaluation.leakage.routes import ROUTES
from klforecast.evaluation.leakage.study import Study

NAME = "target_permutation"
_EXPECTED = "no better than the mean of the training rows, up to chance"
_LEAST_SKILL = 0.05  # of the squared error; less is not worth a verdict
_STANDARD_ERRORS = 4.0  # of the mean gain: chance reaches it once in 30,000 reports
_MOST_WINDOWS = 40  # enough for the standard error of a skill of 5 % on rows that are noise


def check(study: Study) -> list[Row]:
    """Fit and score on permuted rows."""
    values = study.truth.values
    permuted = study.rng("permutation").permutation(values, axis=0)
    world = study.world(permuted)
    if study.has_windows:
        name = "predict_windows"
        cutoffs = np.arange(study.train_end, len(values) - study.horizon + 1, study.horizon)
        cutoffs = cutoffs[:_MOST_WINDOWS]
    else:
        name, cutoffs = "update", study.cutoffs
    truth = study.truth_at(cutoffs, permuted)
    forecast = ROUTES[name](study, world, cutoffs)
    scale = study.scaler.scale
    gain = (((permuted[: study.train_end].mean(axis=0) - truth) / scale) ** 2).mean(axis=2)
    if not gain.any():
        why = "all rows are the same: there is nothing to forecast better or worse"
        return [Row(NAME, name, NOT_APPLICABLE, why, _EXPECTED)]
    ratio = (((forecast - truth) / scale) ** 2).mean() / gain.mean()
    gain = (gain - (((forecast - truth) / scale) ** 2).mean(axis=2)).ravel()
    error = gain.std() / np.sqrt(gain.size)
    certain = gain.mean() > _STANDARD_ERRORS * error
    leak = bool(certain and 1 - ratio > _LEAST_SKILL)
    return [
        Row(
            NAME,
            name,
            LEAK if leak else PASSED,
            f"on rows in random order the squared error is {ratio:.3f} of that of the training "
            f"mean, over {len(cutoffs)} cutoffs",
            _EXPECTED,
            value=float(ratio),
        )
    ]
