"""Batches: a forecast must not depend on what else is forecast in the same call.

Equal means up to rounding: a matrix product may sum in another order for another batch size.
"""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, SUSPICIOUS, Row
from klforecast.evaluation.leakage.seeds import global_seeds
from klforecast.evaluation.leakage.study import Study

NAME = "batch_invariance"
_EXPECTED = "the same forecast alone, in any batch and at any place in it"
_ROUNDING = 1e-4  # training deviations; float32 gives some 1e-6
# Times what rows in the middle of fit move a forecast by: the last rows weigh more in some fits, by
# leverage or by forgetting, and a forecast that mixes series is not moved by the middle at all.
_LEARNED = 5.0


def check(study: Study) -> Iterator[Row]:
    """Forecast windows, or the series of a panel, in other batches."""
    if study.has_windows:
        yield _windows(study)
    mtypes = study.truth.unfitted.get_tag("y_inner_mtype")
    if any("multiindex" in str(mtype) for mtype in np.atleast_1d(mtypes)):
        yield _mixing(study)
    elif study.prepared:
        why = "sktime clones a forecaster for each series, which undoes what was prepared from y"
        yield Row(NAME, "panel", NOT_APPLICABLE, why, _EXPECTED)
    elif not study.has_windows:
        yield _panel(study)


def _windows(study: Study) -> Row:
    cutoffs = study.many_cutoffs
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
    """Reorder the series of a panel and leave some out; sktime fits each on its own."""
    panel = _series(study, study.train_end)

    def forecast(names: str, seed: int = study.seed) -> dict[str, np.ndarray]:
        forecaster = study.unfitted(study.truth)
        with global_seeds(seed):
            forecaster.fit(
                _stack({name: panel[name] for name in names}),
                X=_features(study, names, 0, study.train_end),
                fh=study.fh.tolist(),
            )
            answer = forecaster.predict(X=_coming(study, names))
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


def _mixing(study: Study) -> Row:
    """Change rows of the other series of a panel, where the forecaster learns from all of them.

    The rows come in by `update` without learning. Where those move no forecast, rows of `fit` are
    changed: what is learned moves as much by rows in the middle as by the last ones, and a forecast
    that mixes the series by the last ones only.
    """
    start = study.train_end - study.horizon

    def forecasts(changed: slice, fitted: int) -> np.ndarray:
        panel = _series(study, study.train_end)
        for name in "bc":
            panel[name].iloc[changed] += study.scaler.scale
        forecaster = study.unfitted(study.truth)
        with global_seeds(study.seed):
            forecaster.fit(
                _stack({name: rows.iloc[:fitted] for name, rows in panel.items()}),
                X=_features(study, "abc", 0, fitted),
                fh=study.fh.tolist(),
            )
            if fitted < study.train_end:
                forecaster.update(
                    _stack({name: rows.iloc[fitted:] for name, rows in panel.items()}),
                    X=_features(study, "abc", fitted, study.train_end),
                    update_params=False,
                )
            answer = forecaster.predict(X=_coming(study, "abc"))
        return np.stack([answer.xs(name).to_numpy(dtype=float) for name in "abc"])

    none, last = slice(0, 0), slice(start, None)
    before, after = forecasts(none, start), forecasts(last, start)
    what, most = "which update handed over", _ROUNDING
    if not study.gap(before, after):
        before, after = forecasts(none, study.train_end), forecasts(last, study.train_end)
        middle = forecasts(slice(start // 2, start // 2 + study.horizon), study.train_end)
        learned = study.gap(before[0], middle[0])
        what, most = "the last of fit", max(_ROUNDING, _LEARNED * learned)
    gap = study.gap(before[0], after[0])
    evidence = (
        f"with {study.horizon} rows of the others changed by a deviation, {what}, the forecast of a "
        f"series moves by {gap:.3g}"
    )
    if gap <= most:
        evidence += ", as it does by rows long before: learned" if gap > _ROUNDING else ""
        return Row(NAME, "panel", PASSED, evidence, _EXPECTED, value=gap)
    evidence += "; settled by what it is for: forecasting series from each other is no leak"
    return Row(NAME, "panel", SUSPICIOUS, evidence, _EXPECTED, value=gap)


def _series(study: Study, length: int) -> dict[str, pd.DataFrame]:
    """Three series of the stamps of the first rows, all inside their range.

    These rows, the same backwards in the upper half of the range, and mirrored in it.
    """
    rows = study.truth.values[:length]
    low, high = rows.min(axis=0), rows.max(axis=0)
    stamps = study.truth.y.index[:length]
    made = {"a": rows, "b": (rows[::-1] + high) / 2, "c": low + high - rows}
    return {name: pd.DataFrame(values.copy(), stamps) for name, values in made.items()}


def _features(study: Study, names: str, start: int, end: int) -> pd.DataFrame | None:
    X = study.truth.X
    return None if X is None else _stack(dict.fromkeys(names, X.iloc[start:end]))


def _coming(study: Study, names: str) -> pd.DataFrame | None:
    return _features(study, names, study.train_end, study.train_end + study.horizon)


def _same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(first[name], second[name], equal_nan=True) for name in first)


def _stack(series: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(series, names=["series", "time"])


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
