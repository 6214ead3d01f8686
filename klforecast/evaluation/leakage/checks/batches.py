"""Batches: a forecast must not depend on what else is forecast in the same call.

Equal means up to rounding: a matrix product may sum in another order for another batch size.
"""

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, Row
from klforecast.evaluation.leakage.seeds import global_seeds
from klforecast.evaluation.leakage.study import Study

NAME = "batch_invariance"
_EXPECTED = "the same forecast alone, in any batch and at any place in it"
_ROUNDING = 1e-4  # training deviations; float32 gives some 1e-6


def check(study: Study) -> list[Row]:
    """Forecast windows, or the series of a panel, in other batches."""
    if study.has_windows:
        return [_windows(study)]
    mtypes = study.truth.unfitted.get_tag("y_inner_mtype")
    if any("multiindex" in str(mtype) for mtype in np.atleast_1d(mtypes)):
        why = (
            "the forecaster learns from all series of a panel at once and offers no "
            "predict_windows: another batch would be another training set"
        )
    elif study.prepared:
        why = "sktime clones a forecaster for each series, which undoes what was prepared from y"
    else:
        return [_panel(study)]
    return [Row(NAME, "panel", NOT_APPLICABLE, why, _EXPECTED)]


def _windows(study: Study) -> Row:
    cutoffs = study.cutoffs
    n = len(cutoffs)
    together = study.predict_windows(study.fitted(study.truth), study.truth, cutoffs)
    orders = {
        "reversed": [np.arange(n)[::-1]],
        "in random order": [study.rng("batches").permutation(n)],
        "one by one": list(np.arange(n)[:, None]),
        "in two batches": np.array_split(np.arange(n), 2),
        "each twice": [np.repeat(np.arange(n), 2)],
    }
    gaps = {}
    for name, batches in orders.items():
        forecaster = study.fitted(study.truth)
        gaps[name] = max(
            study.gap(
                together[batch], study.predict_windows(forecaster, study.truth, cutoffs[batch])
            )
            for batch in batches
        )
    return _row("predict_windows", gaps)


def _panel(study: Study) -> Row:
    y, X = study.truth.y, study.truth.X
    length = study.train_end // 2
    starts = dict(zip("abc", np.linspace(0, study.train_end - length, 3, dtype=int), strict=True))

    def forecast(names: str, seed: int = study.seed) -> dict[str, np.ndarray]:
        # All have the stamps of the first rows, so that they share a cutoff.
        stamps = y.index[:length]
        later = y.index[length : length + study.horizon]
        past, known, coming = {}, {}, {}
        for name in names:
            start = starts[name]
            past[name] = pd.DataFrame(y.iloc[start : start + length].to_numpy(), stamps)
            if X is not None:
                known[name] = X.iloc[start : start + length].set_axis(stamps)
                rows = X.iloc[start + length : start + length + study.horizon]
                coming[name] = rows.set_axis(later)
        forecaster = study.unfitted(study.truth)
        with global_seeds(seed):
            forecaster.fit(_stack(past), X=_stack(known), fh=study.fh.tolist())
            answer = forecaster.predict(X=_stack(coming))
        return {name: answer.xs(name).to_numpy(dtype=float) for name in names}

    together = forecast("abc")
    again, reseeded = forecast("abc"), forecast("abc", study.seed + 1)
    if _same(again, together) and not _same(reseeded, together):
        why = (
            "the forecaster draws from the global generators: at another place in the panel it "
            "gets other random numbers"
        )
        return Row(NAME, "panel", NOT_APPLICABLE, why, _EXPECTED)
    gaps = {
        label: max(study.gap(values, together[name]) for name, values in forecast(names).items())
        for label, names in (("in another order", "cab"), ("without the others", "b"))
    }
    return _row("panel", gaps)


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def _stack(series: dict[str, pd.DataFrame]) -> pd.DataFrame | None:
    return pd.concat(series, names=["series", "time"]) if series else None


def _row(route: str, gaps: dict[str, float]) -> Row:
    worst = max(gaps, key=lambda name: gaps[name])
    gap = gaps[worst]
    unit = "the windows" if route == "predict_windows" else "the series"
    if not gap:
        evidence = f"bit-equal with {unit} {', '.join(gaps)}"
    else:
        evidence = f"with {unit} {worst} a forecast moves by {gap:.3g} training deviations"
        evidence += "" if gap > _ROUNDING else ", which is rounding"
    return Row(NAME, route, LEAK if gap > _ROUNDING else PASSED, evidence, _EXPECTED, value=gap)
