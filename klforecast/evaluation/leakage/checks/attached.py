"""What rides along: a forecast must not read what hangs on the rows, nor hang something on them.

    read     forecasts with and without the attributes (`attrs`) of y and X and what hangs on indices
    written  the very same rows are handed over twice; they, and what hangs on them, stay as they are

pandas carries `attrs` along when rows are cut, so that the whole series may hang on its first half.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, SUSPICIOUS, Row
from klforecast.evaluation.leakage.state import changed_parts, leaves, state_of
from klforecast.evaluation.leakage.study import Study, World

NAME = "attached"
_READ = "a forecast depends on values, stamps and names of the rows, not on what else hangs on them"
_WRITTEN = "the rows that are handed over are left as they were"
_FEW = 3  # numbers that are rows of y by chance, of a constant attribute for one


def check(study: Study) -> Iterator[Row]:
    """Take off what is attached to the rows, and look for what a forecast attaches."""
    yield _read(study)
    if study.has_windows:
        yield _written(study)


def _read(study: Study) -> Row:
    truth = study.truth
    attached = [frame.attrs for frame in (truth.y, truth.X) if frame is not None and frame.attrs]
    if not attached:
        return Row(NAME, "attrs", NOT_APPLICABLE, "nothing is attached to y or X", _READ)
    bare = World(_bare(truth.y), _bare(truth.X), truth.unfitted)
    names = ", ".join(repr(key) for attributes in attached for key in attributes)
    # A forecaster that cannot do without them reads them.
    try:
        gap = study.gap(_forecasts(study, truth), _forecasts(study, bare))
        moved = f"moves a forecast by {gap:.3g} training deviations"
    except Exception as error:
        gap, moved = np.inf, f"raises {type(error).__name__}: {error}"
    if not gap:
        evidence = f"without {names}, attached to y or X, all forecasts are bit-equal"
        return Row(NAME, "attrs", PASSED, evidence, _READ, value=0.0)
    later = truth.values[study.train_end :]
    n_later = sum(
        int(np.isin(np.asarray(leaf, dtype=float), later).sum())
        for _, leaf in leaves(attached)
        if isinstance(leaf, float | np.floating)
        or (isinstance(leaf, np.ndarray) and np.issubdtype(leaf.dtype, np.number))
    )
    evidence = f"taking {names} off y or X {moved}; {n_later} numbers in it are rows after training"
    if n_later > _FEW:
        return Row(NAME, "attrs", LEAK, evidence, _READ, value=gap)
    return Row(
        NAME,
        "attrs",
        SUSPICIOUS,
        evidence
        + "; settled by what they hold: pass y and X without attrs, or with what was known",
        _READ,
        value=gap,
    )


def _bare(frame: Any) -> Any:
    if frame is None:
        return None
    copied = frame.copy()
    copied.attrs = {}
    return copied


def _forecasts(study: Study, world: World) -> np.ndarray:
    # Fitted here and not copied: a fit is handed the attributes too.
    forecaster = study.fit(world)
    forecast = study.predict(forecaster, world, study.train_end)
    if not study.has_windows:
        return forecast
    return np.concatenate([forecast[None], study.predict_windows(forecaster, world, study.cutoffs)])


def _written(study: Study) -> Row:
    forecaster, rows = study.fitted(study.truth), study.truth.handed
    before = state_of(_parts(rows))
    forecasts = []
    for _ in range(2):
        forecasts.append(study.windows_of(forecaster, rows, study.truth.X, study.cutoffs))
    changed = changed_parts(before, state_of(_parts(rows)))
    gap = study.gap(*forecasts)
    if not changed:
        evidence = "values, attributes and index of the rows are as they were"
        return Row(NAME, "predict_windows", PASSED, evidence, _WRITTEN, value=0.0)
    named = ", ".join(changed)
    if gap:
        evidence = (
            f"it writes on the rows it is handed ({named}), and reads it: the next forecast of the "
            f"same rows moves by {gap:.3g} training deviations"
        )
    else:
        evidence = f"harmless write on the rows it is handed: {named}; no forecast reads it"
    return Row(NAME, "predict_windows", LEAK if gap else PASSED, evidence, _WRITTEN, value=gap)


def _parts(rows: pd.Series | pd.DataFrame) -> dict[str, Any]:
    return {"values": rows.to_numpy(copy=True), "attrs": rows.attrs, "index": rows.index}
