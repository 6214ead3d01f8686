"""Future perturbation: rows from the cutoff on are changed, and the forecast must be bit-equal.

Three other futures are tried: noise, the true rows upside down, and rows far away from all others,
which even a rounded or clipped dependence cannot hide. Where a forecast moves, single rows are
changed, to say which of them it reads: 0 is the first row after the cutoff.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, Row
from klforecast.evaluation.leakage.routes import ROUTES, Route, routes_with_later_rows
from klforecast.evaluation.leakage.study import Study, World

NAME = "future_perturbation"
FUTURES = ("noise", "upside down", "far away")
_EXPECTED = "the forecast is bit-equal whatever comes after its cutoff"
_FAR = 1e3  # training deviations; no rounding or clipping of an honest kind hides it
_MOST_SWEEPS = 64  # batches, each of a horizon of windows
_MOST_UPDATES = 16  # cutoffs, each with a fit of its own


def check(study: Study) -> Iterator[Row]:
    """Change what comes after the cutoff, on every route that hands it over."""
    if study.truth.X is not None and study.has_windows:
        yield _later_features(study, study.truth.X)
    if not (study.prepared or study.derived):
        yield Row(
            NAME,
            "fit, update",
            NOT_APPLICABLE,
            "fit, update and predict are handed no row of y after the cutoff, so the calls would "
            "be the same; pass a function of y in place of the forecaster, or of X, to check what "
            "is prepared from the data",
            _EXPECTED,
        )
    for name, route in routes_with_later_rows(study).items():
        yield _row(study, name, route)


def _later_features(study: Study, table: pd.DataFrame) -> Row:
    """Change the rows of X behind the horizon of the last forecast: nobody knows them.

    Not by `update_predict`: sktime itself hands the whole table to every `update` in it.
    """
    route, found = ROUTES["predict_windows"], (0.0, 0)
    for cutoffs in (study.cutoffs[:2], study.cutoffs[: len(study.cutoffs) // 2 + 1]):
        first = int(cutoffs[-1]) + study.horizon
        X = table.copy()
        numbers = X.columns[X.dtypes.map(pd.api.types.is_float_dtype)]
        later = X.loc[X.index[first:], numbers]
        X.loc[X.index[first:], numbers] = later.iloc[::-1].to_numpy() + _FAR
        world = World(study.truth.y, X, study.truth.unfitted)
        gap = study.gap(route(study, study.truth, cutoffs), route(study, world, cutoffs))
        found = max(found, (gap, first))
    gap, first = found
    if not gap:
        evidence = "rows of X behind the last forecast period change no forecast"
    else:
        evidence = (
            f"with other rows of X from row {first} on, behind the last step of the forecast, it "
            f"moves by {gap:.3g} training deviations: statistics of the whole table?"
        )
    return Row(
        NAME,
        "X, predict_windows",
        LEAK if gap else PASSED,
        evidence,
        "X is read up to the last step of the forecast and no further",
        value=gap,
    )


def other_futures(
    study: Study, start: int, names: Sequence[str] = FUTURES
) -> Iterator[tuple[str, World]]:
    """Yield worlds that agree with the truth before row `start` and in no row from there on."""
    true = study.truth.values
    noise = study.rng("future").standard_normal(true[start:].shape)
    futures = {
        "noise": noise,
        "upside down": -study.scaler.transform(true[start:]),
        "far away": _FAR + _FAR * noise,
    }
    for name in names:
        values = true.copy()
        values[start:] = study.scaler.inverse_transform(futures[name])
        yield name, study.world(values)


def _row(study: Study, name: str, route: Route) -> Row:
    found = (0.0, "", study.cutoffs[:1])
    for cutoffs, futures in _batches(study, name):
        before = route(study, study.truth, cutoffs)
        for future, world in futures:
            gap = study.gap(before, route(study, world, cutoffs))
            if gap > found[0]:
                found = (gap, future, cutoffs)
    gap, future, cutoffs = found
    if not gap:
        return Row(
            NAME,
            name,
            PASSED,
            "other futures (noise, upside down, far away) leave every forecast bit-equal",
            _EXPECTED,
            value=0.0,
        )
    return Row(
        NAME,
        name,
        LEAK,
        f"with another future ({future}) the forecast from row {int(cutoffs[-1])} moves by "
        f"{gap:.3g} training deviations; {_rows_read(study, route, cutoffs)}",
        _EXPECTED,
        value=gap,
    )


def _batches(study: Study, name: str) -> Iterator[tuple[np.ndarray, Iterator[tuple[str, World]]]]:
    """Yield cutoffs to forecast together, and the worlds that differ from the last of them on.

    A forecaster may look ahead from some cutoffs only, or in large batches only: every cutoff is
    once the last one, with all earlier ones before it, as far as the route is cheap.
    """
    last = len(study.cutoffs) - 1
    # update_predict has to start behind the training part.
    firsts = [k for k in (0, last // 2) if k > 0 or name != "update_predict"]
    firsts = sorted({*firsts, last})
    for k in firsts:
        cutoffs = study.cutoffs[: k + 1] if name != "fit" else study.cutoffs[k : k + 1]
        yield cutoffs, other_futures(study, int(cutoffs[-1]))
    if name in ("update_predict", "fit"):
        # Both are asked for the last cutoff alone.
        start = 1 if name == "update_predict" else 0
        for k in sorted(set(range(start, len(study.cutoffs))) - set(firsts)):
            yield study.cutoffs[k : k + 1], _far(study, int(study.cutoffs[k]))
        return
    many = study.many_cutoffs
    if name == "update":
        # Here too there is no batch: a forecaster of its own is moved to each.
        for k in np.unique(np.linspace(0, len(many) - 1, _MOST_UPDATES, dtype=int)):
            yield many[k : k + 1], _far(study, int(many[k]))
        return
    for k in range(len(many)):
        yield many[: k + 1], _far(study, int(many[k]))
    # Every cutoff once, a horizon of them at a time, for one that copies what it is asked for.
    ends = np.arange(study.train_end, len(study.y) - study.horizon + 1, study.horizon)[1:]
    for end in ends[:: -(-len(ends) // _MOST_SWEEPS) or 1]:
        yield np.arange(end - study.horizon + 1, end + 1), _far(study, int(end))


def _far(study: Study, start: int) -> Iterator[tuple[str, World]]:
    return other_futures(study, start, ["far away"])


def _rows_read(study: Study, route: Route, cutoffs: np.ndarray) -> str:
    before = route(study, study.truth, cutoffs)
    offsets = range(min(study.horizon, 12))
    read = []
    for offset in offsets:
        values = study.truth.values
        values[cutoffs[-1] + offset] += _FAR * study.scaler.scale
        if study.gap(before, route(study, study.world(values), cutoffs)):
            read.append(offset)
    if not read:
        return f"none of the first {len(offsets)} rows after the cutoff does it alone"
    which = "all" if len(read) == len(offsets) else ", ".join(map(str, read))
    return f"of the first {len(offsets)} rows after the cutoff it reads {which} (0 is the first)"
