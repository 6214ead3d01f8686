"""What the leakage report says of forecasters whose verdict is known.

    python -m klforecast.evaluation.studies.leakage_verdicts

Cheats must be found: "leak", or "suspicious" with what would settle it. Odd forecasters that are
honest must come out clean. `klforecast.evaluation.leakage.trials` holds both.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

from klforecast.evaluation.leakage import leakage_report
from klforecast.evaluation.leakage.trials.cheats.every import cheats
from klforecast.evaluation.leakage.trials.honest import Trial
from klforecast.evaluation.leakage.trials.odd.every import odd_ones
from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.evaluation.studies.timing import timed

KINDS = {"cheats": cheats, "odd ones": odd_ones}


class Verdict(NamedTuple):
    """What the report says of one forecaster."""

    name: str
    verdict: str
    checks: str  # that say so, or that could not be run
    seconds: float


def judge(trial: Trial) -> Verdict:
    """Run all checks on one forecaster."""
    # What a library has to say of its own forecasters is no finding here.
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        report, seconds = timed(
            lambda: leakage_report(trial.make(), trial.y, trial.X, fh=range(1, trial.fh + 1))
        )
    rows = report.leaks or report.suspicions or report.errors
    checks = ", ".join(dict.fromkeys(row.check for row in rows))
    return Verdict(trial.name, report.verdict, checks, seconds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table for the cheats and one for the odd ones, and keep a row of each where asked."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--only", default="", help="part of the names to run")
    options = parser.parse_args(arguments)
    for kind in options.kinds:
        found = []
        for trial in KINDS[kind]():
            if options.only in trial.name:
                found.append(judge(trial))
                append_rows(options.out, [{"kind": kind, **found[-1]._asdict()}])
        clean = sum(one.verdict == "clean" for one in found)
        lines = [(one.name, one.verdict, one.checks, f"{one.seconds:.1f}") for one in found]
        columns = ("forecaster", "verdict", "found by", "s")
        show(make_table(f"{kind}: {clean} of {len(found)} clean", columns, lines, left=3))


if __name__ == "__main__":
    main()
