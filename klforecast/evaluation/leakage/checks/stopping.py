"""Early stopping: what `fit` learns must not depend on the rows behind the training part.

`fit` is handed training rows only, so this needs a function of y, which prepares the forecaster as
the real experiment does (with its validation rows, for one). It is fitted with the true later rows
and with three others; every fitted parameter and the forecast must come out the same.
"""

import numbers
from typing import Any

from klforecast.evaluation.leakage.checks.future import other_futures
from klforecast.evaluation.leakage.report import LEAK, NOT_APPLICABLE, PASSED, Row
from klforecast.evaluation.leakage.state import changed_parts, state_of
from klforecast.evaluation.leakage.study import Study

NAME = "early_stopping"
_EXPECTED = "training ends at the same point, with the same result, whatever the test rows are"


def check(study: Study) -> list[Row]:
    """Fit with other rows behind the training part."""
    if not study.prepared:
        return [
            Row(
                NAME,
                "fit",
                NOT_APPLICABLE,
                "fit is handed training rows only, so nothing can stop on others; pass a function "
                "of y in place of the forecaster to check validation rows that it is made with",
                _EXPECTED,
            )
        ]
    true = study.fit(study.truth)
    learned = true.get_fitted_params()
    forecast = study.predict(true, study.truth, study.train_end)
    # A timer differs between two fits of the same rows too.
    twin = study.fit(study.truth).get_fitted_params()
    unsteady = {
        name for name in learned if changed_parts(state_of(learned[name]), state_of(twin.get(name)))
    }
    changed: dict[str, list[Any]] = {}
    gap = 0.0
    for _, world in other_futures(study, study.train_end):
        other = study.fit(world)
        params = other.get_fitted_params()
        for name in sorted((learned.keys() | params.keys()) - unsteady):
            if changed_parts(state_of(learned.get(name)), state_of(params.get(name))):
                changed.setdefault(name, []).append(params.get(name))
        gap = max(gap, study.gap(forecast, study.predict(other, world, study.train_end)))
    if not changed and not gap:
        evidence = "the fitted parameters and the forecast are the same with four test parts"
    else:
        evidence = (
            f"with other test rows the first forecast moves by {gap:.3g} deviations"
            + "".join(
                f"; {name}: {_text(learned.get(name))}, then {', '.join(map(_text, values))}"
                for name, values in changed.items()
            )
        )
    return [Row(NAME, "fit", LEAK if changed or gap else PASSED, evidence, _EXPECTED, value=gap)]


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, numbers.Real) else f"another {type(value).__name__}"
