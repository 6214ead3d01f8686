"""Past ablation: how far back a forecast really looks.

    reach = the smallest d such that changing all rows before cutoff - d leaves the forecast equal

found by bisection, with the model frozen after `fit`: what it learned from older rows is not meant.
"""

import numpy as np

from klforecast.evaluation.leakage.report import LEAK, PASSED, REPORTED, Row
from klforecast.evaluation.leakage.routes import ROUTES, reading_route
from klforecast.evaluation.leakage.study import Study

NAME = "past_ablation"
_EXPECTED = (
    "no deeper than its own `reach_`, `memory_depth_` or `input_length_` says, where it has one"
)
REACHES = ("reach_", "memory_depth_", "input_length_")
"""Attributes by which a forecaster says how many rows before the cutoff it reads."""


def check(study: Study) -> list[Row]:
    """Find how many rows before the cutoff the forecast depends on."""
    name = reading_route(study)
    cutoff = study.cutoffs[-1:]
    forecaster = study.fitted(study.truth)
    # `update` can be told other rows only from the end of the training part on.
    first = 0 if name == "predict_windows" else study.train_end
    if name == "fit":
        return [
            Row(
                NAME,
                "update",
                REPORTED,
                "rows handed to update(update_params=False) change no forecast: it goes on from "
                "the end of fit, and looks back as far as fit does",
                _EXPECTED,
            )
        ]
    noise = study.scaler.inverse_transform(
        study.rng("past").standard_normal(study.truth.values.shape)
    )
    before = ROUTES[name](study, study.truth, cutoff)

    def is_enough(depth: int) -> bool:
        values = study.truth.values
        values[first : int(cutoff[0]) - depth] = noise[first : int(cutoff[0]) - depth]
        if name == "predict_windows":
            after = study.predict_windows(forecaster, study.world(values), cutoff)
        else:
            after = ROUTES[name](study, study.world(values), cutoff)
        return np.array_equal(before, after, equal_nan=True)

    most = int(cutoff[0]) - first
    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    reach = low
    declared = [
        int(value)
        for value in (getattr(forecaster, name, None) for name in REACHES)
        if value is not None
    ]
    at_least = "at least " if reach == most and name == "update" else ""
    evidence = f"the forecast depends on {at_least}the last {reach} of {most} rows"
    if declared:
        evidence += f"; the forecaster says {max(declared)}"
    leak = bool(declared) and reach > max(declared)
    return [Row(NAME, name, LEAK if leak else PASSED, evidence, _EXPECTED, value=float(reach))]
