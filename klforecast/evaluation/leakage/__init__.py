"""Checks that a forecast does not depend on what a forecaster must not know.

study      the forecaster under test, and versions of the data
routes     the ways to ask it for a forecast, and the rows that each hands over
checks     what is changed, and what must stay the same
state      everything an object holds, compared by digests
report     rows, verdict, and the forms of a report
"""

from typing import TYPE_CHECKING

from klforecast.lazy_names import lazy_names

if TYPE_CHECKING:
    from klforecast.evaluation.leakage.report import LeakageReport, Row
    from klforecast.evaluation.leakage.run import CHECKS, leakage_report

__all__ = ["CHECKS", "LeakageReport", "Row", "leakage_report"]

# The command line enters this package, and `--help` needs no torch.
_HOMES = {
    "CHECKS": "klforecast.evaluation.leakage.run",
    "LeakageReport": "klforecast.evaluation.leakage.report",
    "Row": "klforecast.evaluation.leakage.report",
    "leakage_report": "klforecast.evaluation.leakage.run",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
