"""State hash: predicting writes nothing that a later forecast reads.

A digest of every tensor, array and attribute, at any depth, is taken before the first forecast,
after it, and after a second one from elsewhere. A part that appears with the first and stays as it
is was computed late, which is allowed. So is a note of the stamps that were asked for, as
statsmodels keeps it, and of the end of training, as torch does. Any other part that changes was
written. Then both forecasts are repeated in turns: if one of them moves, what was written is a
memory, and a leak; if not (a counter, a timer, a store of answers), the write is harmless.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.report import LEAK, PASSED, Row
from klforecast.evaluation.leakage.seeds import global_seeds
from klforecast.evaluation.leakage.state import STAMPS, changed_parts, leaves, state_of
from klforecast.evaluation.leakage.study import Study

NAME = "state_hash"
_EXPECTED = "no forecast changes a part of the state that another one reads"
_MOST_NAMED = 3  # paths in a line of evidence
_REPEATS = 6  # of each forecast, so that a memory that is read late, or fills slowly, shows
# Stamps that were asked for. An index of numbers is a note too only where it counts rows.
_NOTES = (pd.DatetimeIndex, pd.PeriodIndex, pd.TimedeltaIndex, pd.RangeIndex)
_NOTES += tuple(kind for kind in STAMPS if kind is not pd.Index)


def check(study: Study) -> list[Row]:
    """Compare the state before and after forecasts, and repeat them."""
    forecaster = study.fitted(study.truth)

    def predict() -> np.ndarray:
        return study.predict(forecaster, study.truth, study.train_end)

    def predict_fewer() -> np.ndarray:
        if study.truth.unfitted.get_tag("requires-fh-in-fit"):
            return predict()
        X = study.truth.X
        rows = slice(study.train_end, study.train_end + int(study.fh[0]))
        with global_seeds(study.seed):
            forecast = forecaster.predict(
                fh=study.fh[:1].tolist(), X=None if X is None else X.iloc[rows]
            )
        return np.asarray(forecast, dtype=float)

    rows = [_row(study, "predict", forecaster, predict, predict_fewer)]
    if study.has_windows:
        windows = study.fitted(study.truth)
        early, late = np.array_split(study.many_cutoffs, 2)
        rows.append(
            _row(
                study,
                "predict_windows",
                windows,
                lambda: study.predict_windows(windows, study.truth, early),
                lambda: study.predict_windows(windows, study.truth, late),
            )
        )
    return rows


def _row(
    study: Study,
    route: str,
    forecaster: object,
    first: Callable[[], np.ndarray],
    second: Callable[[], np.ndarray],
) -> Row:
    before = state_of(forecaster)
    forecasts = [[first()], []]
    between = state_of(forecaster)
    forecasts[1].append(second())
    after = state_of(forecaster)
    for _ in range(_REPEATS):
        forecasts[0].append(first())
        forecasts[1].append(second())
    gap = max(study.gap(same[0], again) for same in forecasts for again in same[1:])
    written = _written(forecaster, before, between, after)
    named = ", ".join(path.removeprefix(".") for path in written[:_MOST_NAMED])
    more = len(written) - _MOST_NAMED
    named += f" and {more} more" if more > 0 else ""
    if gap:
        evidence = (
            f"written: {named}"
            if written
            else (
                f"repeated, a forecast moves by {gap:.3g} training deviations, and nothing in reach "
                f"was written: a memory outside of the forecaster"
            )
        )
    elif written:
        evidence = (
            f"harmless write: {named}; no forecast reads it, {_REPEATS} repeats are bit-equal"
        )
    else:
        late = len(between.keys() - before.keys())
        evidence = (
            f"{len(after)} parts of the state are unchanged, but for notes of stamps asked for"
        )
        evidence += f"; {late} were computed in the first forecast and kept" if late else ""
    return Row(NAME, route, LEAK if gap else PASSED, evidence, _EXPECTED, value=float(len(written)))


def _written(
    forecaster: object, before: dict[str, str], between: dict[str, str], after: dict[str, str]
) -> list[str]:
    """Paths whose change is neither a late computation nor a note of stamps or of training."""
    overwritten = [path for path in changed_parts(before, between) if path in before]
    notes = {
        path
        for path, leaf in leaves(forecaster)
        if isinstance(leaf, _NOTES) or (path.endswith(".training") and leaf is False)
    }
    return sorted({*overwritten, *changed_parts(between, after)} - notes)
