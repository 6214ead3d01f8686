"""What the checks found: one row per check and route, and the verdict on the forecaster."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pandas as pd

from klforecast.evaluation.leakage.page import render_page

PASSED = "passed"
LEAK = "leak"
SUSPICIOUS = "suspicious"
REPORTED = "reported"
NOT_APPLICABLE = "not applicable"
ERROR = "error"
CLEAN = "clean"


@dataclass(frozen=True)
class Row:
    """One finding.

    Parameters
    ----------
    check, route : str
        Name of the check; how the forecaster was driven.
    verdict : {"passed", "leak", "suspicious", "reported", "not applicable", "error"}
        "suspicious": an honest forecaster may show it too, and the evidence says what would settle
        it; "reported" is a number that proves nothing by itself; "error": the forecaster raised.
    evidence : str
        What was seen.
    expected : str, default=""
        What a forecaster without a leak must show.
    value : float or None, default=None
        The number behind the verdict, in the unit that the evidence names.
    ratio : float or None, default=None
        Mean squared error relative to that with the true inputs.
    """

    check: str
    route: str
    verdict: str
    evidence: str
    expected: str = ""
    value: float | None = None
    ratio: float | None = None


@dataclass(frozen=True)
class LeakageReport:
    """The rows of all checks.

    Parameters
    ----------
    forecaster : str
        What was checked.
    setup : mapping
        Rows, cutoffs, steps ahead and seed.
    rows : tuple of Row
        In the order of the checks.

    Examples
    --------
    >>> row = Row("refit", "fit", "passed", "two fits give the same forecast")
    >>> report = LeakageReport("NaiveForecaster()", {"rows": 144}, (row,))
    >>> report.passed
    True
    >>> report.to_frame()[["check", "verdict"]].to_dict("records")
    [{'check': 'refit', 'verdict': 'passed'}]
    """

    forecaster: str
    setup: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Row, ...] = ()

    @property
    def verdict(self) -> str:
        """The verdict on the forecaster: "leak", "suspicious" or "clean".

        An error is no verdict: see `errors` for the checks that could not be run.
        """
        if self.leaks:
            return LEAK
        return SUSPICIOUS if self.suspicions else CLEAN

    @property
    def passed(self) -> bool:
        """Whether the verdict is "clean" and every check could be run."""
        return self.verdict == CLEAN and not self.errors

    @property
    def leaks(self) -> tuple[Row, ...]:
        """The rows that found a leak."""
        return tuple(row for row in self.rows if row.verdict == LEAK)

    @property
    def suspicions(self) -> tuple[Row, ...]:
        """The rows that look like a leak and could be something else."""
        return tuple(row for row in self.rows if row.verdict == SUSPICIOUS)

    @property
    def errors(self) -> tuple[Row, ...]:
        """The rows of checks that could not be run, because the forecaster raised."""
        return tuple(row for row in self.rows if row.verdict == ERROR)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per finding, with the fields of `Row` as columns."""
        return pd.DataFrame([asdict(row) for row in self.rows])

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps(
            {
                "forecaster": self.forecaster,
                "verdict": self.verdict,
                "passed": self.passed,
                "setup": dict(self.setup),
                "rows": [asdict(row) for row in self.rows],
            },
            indent=2,
        )

    def to_html(self) -> str:
        """Return the report as one page that needs no other file and no network."""
        return render_page(
            self.forecaster, self.headline, dict(self.setup), [asdict(row) for row in self.rows]
        )

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        said = {
            LEAK: f"leak found by {_names(self.leaks)}",
            SUSPICIOUS: f"no leak found, but {_names(self.suspicions)} found something suspicious",
            CLEAN: "no leak found",
        }[self.verdict]
        if self.errors and self.verdict != LEAK:
            said += f", {'and' if self.suspicions else 'but'} not all checks could be run: "
            said += _names(self.errors)
        return said

    def __str__(self) -> str:
        lines = [f"{self.forecaster}: {self.headline}"]
        lines += [
            f"  {row.verdict:<14} {row.check}, {row.route}: {row.evidence}" for row in self.rows
        ]
        return "\n".join(lines)


def _names(rows: Sequence[Row]) -> str:
    return ", ".join(dict.fromkeys(row.check for row in rows))
