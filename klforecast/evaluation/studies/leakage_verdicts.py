"""What the leakage report says of forecasters whose verdict is known.

    python -m klforecast.evaluation.studies.leakage_verdicts

Cheats must be found: "leak", or "suspicious" with what would settle it. Odd forecasters that are
honest must come out clean.
"""

import argparse
import time
import warnings
from collections.abc import Sequence
from typing import NamedTuple

from klforecast.evaluation.leakage import leakage_report
from klforecast.evaluation.leakage.trials.cheats import cheats
from klforecast.evaluation.leakage.trials.honest import Trial
from klforecast.evaluation.leakage.trials.odd import odd_ones

CLEAN = "clean"


class Verdict(NamedTuple):
    """What the report says of one forecaster."""

    name: str
    verdict: str
    found: str  # checks and routes that say so
    seconds: float


def judge(trial: Trial) -> Verdict:
    """Run all checks on one forecaster."""
    begun = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = leakage_report(trial.make(), trial.y, trial.X, fh=range(1, trial.fh + 1))
    rows = report.leaks or report.suspicions or report.errors
    found = "; ".join(f"{row.check}, {row.route}: {row.evidence}" for row in rows)
    return Verdict(trial.name, report.verdict, found, time.process_time() - begun)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--kind", default="both")
    options = parser.parse_args(arguments)
    for kind, make in (("cheat", cheats), ("odd", odd_ones)):
        if options.kind not in (kind, "both"):
            continue
        for trial in make():
            if options.only and options.only not in trial.name:
                continue
            v = judge(trial)
            good = (v.verdict == CLEAN) == (kind == "odd")
            print(
                f"{'ok ' if good else 'BAD'} {kind:<6}{v.verdict:<11}{v.seconds:5.1f}s {v.name}: {v.found[:230]}",
                flush=True,
            )


if __name__ == "__main__":
    main()
