"""State hash: predicting writes nothing, neither a new attribute nor a number in place.

A digest of every tensor, array and attribute, at any depth, is taken before the first forecast,
after it, and after a second one from elsewhere. A part that appears with the first and stays as it
is was computed late, which is allowed. So is a note of the stamps that were asked for, as
statsmodels keeps it, and of the end of training, as torch does. A number or text that changes is a
memory.
"""

from collections.abc import Callable

from klforecast.evaluation.leakage.report import LEAK, PASSED, Row
from klforecast.evaluation.leakage.seeds import global_seeds
from klforecast.evaluation.leakage.state import STAMPS, changed_parts, leaves, state_of
from klforecast.evaluation.leakage.study import Study

NAME = "state_hash"
_EXPECTED = "no part of the state changes in a forecast"
_MOST_NAMED = 3


def check(study: Study) -> list[Row]:
    """Compare the state before and after forecasts."""
    forecaster = study.fitted(study.truth)

    def predict() -> None:
        study.predict(forecaster, study.truth, study.train_end)

    def predict_fewer() -> None:
        if study.truth.unfitted.get_tag("requires-fh-in-fit"):
            return predict()
        X = study.truth.X
        rows = slice(study.train_end, study.train_end + study.horizon)
        with global_seeds(study.seed):
            forecaster.predict(fh=study.fh[:1].tolist(), X=None if X is None else X.iloc[rows])
        return None

    rows = [_row(study, "predict", forecaster, predict, predict_fewer)]
    if study.has_windows:
        windows = study.fitted(study.truth)
        half = len(study.cutoffs) // 2
        rows.append(
            _row(
                study,
                "predict_windows",
                windows,
                lambda: study.predict_windows(windows, study.truth, study.cutoffs[:half]),
                lambda: study.predict_windows(windows, study.truth, study.cutoffs[half:]),
            )
        )
    return rows


def _row(
    study: Study,
    route: str,
    forecaster: object,
    first: Callable[[], object],
    second: Callable[[], object],
) -> Row:
    before = state_of(forecaster)
    first()
    between = state_of(forecaster)
    second()
    after = state_of(forecaster)
    overwritten = [path for path in changed_parts(before, between) if path in before]
    notes = {
        path
        for path, leaf in leaves(forecaster)
        if isinstance(leaf, STAMPS) or (path.endswith(".training") and leaf is False)
    }
    changed = {*overwritten, *changed_parts(between, after)}
    written = sorted(changed - notes)
    late = len(between.keys() - before.keys())
    if written:
        named = ", ".join(path.removeprefix(".") for path in written[:_MOST_NAMED])
        more = len(written) - _MOST_NAMED
        evidence = f"written: {named}" + (f" and {more} more" if more > 0 else "")
    else:
        evidence = f"{len(after) - len(changed)} parts of the state are unchanged"
        evidence += (
            f"; {len(changed)} are notes (stamps asked for, end of training)" if changed else ""
        )
        evidence += f"; {late} were computed in the first forecast and kept" if late else ""
    return Row(
        NAME, route, LEAK if written else PASSED, evidence, _EXPECTED, value=float(len(written))
    )
