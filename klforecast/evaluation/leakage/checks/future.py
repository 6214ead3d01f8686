"""Future perturbation: rows from the cutoff on are changed, and the forecast must be bit-equal.

Three other futures are tried: noise, the true rows upside down, and rows far away from all others,
which even a rounded or clipped dependence cannot hide. Where a forecast moves, single rows are
changed, to say which of them it reads: 0 is the first row after the cutoff.
"""

from collections.abc import Iterator

import numpy as np

from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, Row
from klforecast.evaluation.leakage.routes import Route, routes_with_later_rows
from klforecast.evaluation.leakage.study import Study, World

NAME = "future_perturbation"
_EXPECTED = "the forecast is bit-equal whatever comes after its cutoff"
_FAR = 1e3  # training deviations


def check(study: Study) -> Iterator[Row]:
    """Change what comes after the cutoff, on every route that hands it over."""
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


def other_futures(study: Study, start: int) -> Iterator[tuple[str, World]]:
    """Yield worlds that agree with the truth before row `start` and in no row from there on."""
    true = study.truth.values
    shape = true[start:].shape
    noise = study.rng("future").standard_normal(shape)
    scaled = study.scaler.transform(true[start:])
    for name, future in (
        ("noise", noise),
        ("upside down", -scaled),
        ("far away", _FAR + _FAR * noise),
    ):
        values = true.copy()
        values[start:] = study.scaler.inverse_transform(future)
        yield name, study.world(values)


def _row(study: Study, name: str, route: Route) -> Row:
    found = (0.0, "", study.cutoffs[:1])
    # update_predict has to start behind the training part.
    firsts = [k for k in (0, len(study.cutoffs) // 2) if k > 0 or name != "update_predict"]
    for last in sorted({*firsts, len(study.cutoffs) - 1}):
        # Earlier cutoffs are asked for too: a batch may mix its windows.
        cutoffs = study.cutoffs[: last + 1] if name != "fit" else study.cutoffs[last : last + 1]
        before = route(study, study.truth, cutoffs)
        for future, world in other_futures(study, int(cutoffs[-1])):
            gap = study.gap(before, route(study, world, cutoffs))
            if gap > found[0]:
                found = (gap, future, cutoffs)
    gap, future, cutoffs = found
    if not gap:
        return Row(
            NAME,
            name,
            PASSED,
            "three other futures (noise, upside down, far away) leave every forecast bit-equal",
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
