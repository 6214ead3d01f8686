"""Memory isolation: what validation and test rows leave behind must not reach another forecast.

The earlier half of the cutoffs is the validation part here, the later half the test part.

    in one forecaster      a forecast before and after both were shown, and test forecasts with and
                           without the validation part shown before
    update without         the fitted parameters stay as they are; numbers under private names may
    learning               follow the rows, as the level of a smoother does, and have to forget them
    between forecasters    a fresh fit at the end of all that against the very first one, for
                           memories in classes, modules and files

A private number whose effect does not fade was learned, or is a memory longer than what was shown:
that is suspicious and no proof.
"""

import re

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster
from sktime.transformations.base import BaseTransformer

from klforecast.evaluation.leakage.checks.past import REACHES
from klforecast.evaluation.leakage.report import LEAK, PASSED, REPORTED, SUSPICIOUS, Row
from klforecast.evaluation.leakage.routes import through_update
from klforecast.evaluation.leakage.state import changed_parts, leaves, state_of
from klforecast.evaluation.leakage.study import Study

NAME = "memory_isolation"
_EXPECTED = (
    "training, validation and test rows leave nothing in the model that forecasts the others"
)
_MOST_NAMED = 3  # paths in a line of evidence
# The stamp that sktime's base class and its forecasters note.
_CUTOFF = re.compile(r"\b_?cutoff\b")
_SHIFT = 3.0  # training deviations: outside what noise does, inside of what models are made for
_FADES = (
    0.5  # share; a smoother forgets at a steady rate, what is learned stays or falls like 1 / n
)
_ROUNDING = 1e-6  # training deviations
_SAME = 1e-4  # training deviations; two ways to the same float32 forecast
_LOOKS = 4  # forecasts of each third


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
    shown = [study.predict_windows(forecaster, study.truth, train)] if study.has_windows else []
    learned, held = _learned(forecaster), state_of(vars(forecaster))
    study.update(forecaster, study.truth, study.train_end, len(study.truth.values))
    after, after_held = _learned(forecaster), state_of(vars(forecaster))
    shown += [study.predict_windows(forecaster, study.truth, train)] if study.has_windows else []
    gap = study.gap(*shown) if shown else 0.0
    moving = _context(forecaster.get_fitted_params(), study)
    changed = [path for path in changed_parts(learned, after) if path not in moving]
    refitted = _of_transformers(forecaster, changed)
    if changed and not gap and refitted == changed:
        evidence = (
            f"update(update_params=False) fitted a transformer inside again ({refitted[0]}): on rows "
            f"before every cutoff that follows, but the model is not frozen"
        )
        return Row(NAME, "update", REPORTED, evidence, _EXPECTED, value=gap)
    if changed or gap:
        named = ", ".join(changed[:_MOST_NAMED]) or "no fitted parameter"
        evidence = f"update(update_params=False) over validation and test rows changed {named}"
        if gap:
            evidence += (
                f"; a forecast from the training rows moved by {gap:.3g} training deviations"
            )
        return Row(NAME, "update", LEAK, evidence, _EXPECTED, value=gap)
    private = _private_numbers(forecaster, study, held, after_held)
    if private and not _is_settled(study, forecaster) and (kept := _kept(study)) > _FADES:
        named = ", ".join(path[2:].replace("']", "", 1) for path in private[:_MOST_NAMED])
        evidence = (
            f"update(update_params=False) changed {named}, and {kept:.0%} of what rows long before did "
            f"to a forecast is still there: learned from them, or a memory of that length; settled "
            f"by predict_windows, or by a `reach_` or `memory_depth_` that says how far back it reads"
        )
        return Row(NAME, "update", SUSPICIOUS, evidence, _EXPECTED, value=kept)
    evidence = (
        f"update(update_params=False) over validation and test rows left all {len(after)} "
        f"parts of the fitted parameters as they were"
    )
    if private:
        evidence += "; what moved besides follows the rows and forgets them"
    return Row(NAME, "update", PASSED, evidence, _EXPECTED, value=gap)


def _of_transformers(forecaster: BaseForecaster, paths: list[str]) -> list[str]:
    """Those of the paths that lead into transformers of y, as bagging and pipelines have them."""
    params = forecaster.get_fitted_params()
    names = [name for name, value in params.items() if isinstance(value, BaseTransformer)]
    starts = tuple(start for name in names for start in (f"['{name}']", f"['{name}__"))
    return [path for path in paths if path.startswith(starts)]


def _private_numbers(
    forecaster: BaseForecaster, study: Study, before: dict[str, str], after: dict[str, str]
) -> list[str]:
    """Paths of real numbers that `update` changed, and that are no rows of y or X."""
    moving = _context(vars(forecaster), study)
    real = {
        path
        for path, leaf in leaves(vars(forecaster))
        if isinstance(leaf, float | np.floating)
        or (isinstance(leaf, np.ndarray) and np.issubdtype(leaf.dtype, np.floating))
    }
    changed = [path for path in changed_parts(before, after) if path in before]
    return [path for path in changed if path in real and path not in moving]


def _is_settled(study: Study, forecaster: BaseForecaster) -> bool:
    """Whether what moved cannot have been learned.

    It cannot where the forecaster reads as far back as it was shown rows, by its own word, or where
    it forecasts the same from rows that are handed over, without any `update`.
    """
    end = len(study.y) - study.horizon
    declared = max(getattr(forecaster, name, None) or 0 for name in REACHES)
    if declared >= end - study.train_end:
        return True
    if not study.has_windows:
        return False
    cutoff = np.array([end])
    through_windows = study.predict_windows(study.fitted(study.truth), study.truth, cutoff)
    return study.gap(through_update(study, study.truth, cutoff), through_windows) <= _SAME


def _kept(study: Study) -> float:
    """Share of the effect of rows on a forecast that is left when many more rows were shown.

    Other rows come in for a third of the test part. What they change in forecasts of the second third
    is what there is to forget; what they change in those of the last third was not forgotten.
    """
    values, start, end = study.truth.values, study.train_end, len(study.y) - study.horizon
    first, second = np.linspace(start, end, 4, dtype=int)[1:3]
    values[start:first] += _SHIFT * study.scaler.scale
    # The first forecasts still read such rows in any honest window.
    soon = np.unique(np.linspace((first + second) // 2, second, _LOOKS, dtype=int))
    late = np.unique(np.linspace((second + end) // 2, end, _LOOKS, dtype=int))
    before = through_update(study, study.truth, np.concatenate([soon, late]))
    after = through_update(study, study.world(values), np.concatenate([soon, late]))
    was = study.gap(before[: len(soon)], after[: len(soon)])
    left = study.gap(before[len(soon) :], after[len(soon) :])
    return left / was if was > _ROUNDING else float(left > _ROUNDING)


def _context(held: object, study: Study) -> set[str]:
    """Name the parts that may move on: rows of y or X, and what has their stamps beside it."""
    rows = [study.truth.values, *([] if study.truth.X is None else [study.truth.X.to_numpy()])]
    known = set()
    stamped = set()
    for path, leaf in leaves(held):
        stamps = isinstance(leaf, pd.Index) and _are_among(_stamps_of(leaf), study.y.index)
        if stamps and path.endswith(".index"):
            stamped.add(path.removesuffix("index"))
        if (
            stamps
            or _CUTOFF.search(path)
            or (
                isinstance(leaf, np.ndarray)
                and np.issubdtype(leaf.dtype, np.number)
                and any(np.isin(leaf, part).all() for part in rows)
            )
        ):
            known.add(path)
    return known | {
        path for path, _ in leaves(held) if any(path.startswith(start) for start in stamped)
    }


def _stamps_of(index: pd.Index) -> pd.Index:
    return index.get_level_values(-1) if isinstance(index, pd.MultiIndex) else index


def _are_among(stamps: pd.Index, known: pd.Index) -> bool:
    # Where pyarrow is installed, pandas raises for texts that are looked for among periods.
    return not isinstance(stamps.dtype, pd.StringDtype) and bool(stamps.isin(known).all())


def _learned(forecaster: BaseForecaster) -> dict[str, str]:
    return state_of(forecaster.get_fitted_params())


def _moved(gap: float) -> str:
    return f"moved by {gap:.3g} training deviations" if gap else "bit-equal"
