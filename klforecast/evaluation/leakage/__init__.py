"""Checks that a forecast does not depend on what a forecaster must not know.

study      the forecaster under test, and versions of the data
routes     the ways to ask it for a forecast, and the rows that each hands over
checks     what is changed, and what must stay the same
state      everything an object holds, compared by digests
report     rows, verdict, and the forms of a report
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from klforecast.evaluation.leakage.report import LeakageReport, Row
    from klforecast.evaluation.leakage.run import CHECKS, leakage_report

__all__ = ["CHECKS", "LeakageReport", "Row", "leakage_report"]

_HOMES = {
    "CHECKS": "klforecast.evaluation.leakage.run",
    "LeakageReport": "klforecast.evaluation.leakage.report",
    "Row": "klforecast.evaluation.leakage.report",
    "leakage_report": "klforecast.evaluation.leakage.run",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the command line enters this package, and `--help` needs no torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
