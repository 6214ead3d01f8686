"""Estimator to evidence: what is measured, by which protocol, beside whom, and how it is told.

    benchmark/        long horizons and hold-outs: cells, their protocol, models and published results
    suites/           many data sets or generated worlds under one protocol each
    classification/   accuracy and cost of the classifiers on official splits
    lra/              Long Range Arena, with a trainer of its own
    peers/            networks of others, trained by their authors' recipes
    leakage/          checks that a forecast depends on nothing it must not know
    report/           rows to pages
    studies/          questions asked once, a command each

Cells of all kinds run in one loop (`cells`), each row says with what it was measured (`machine`) and
is a line of a file (`json_lines`).
"""

from typing import TYPE_CHECKING

from klforecast.lazy_names import lazy_names

if TYPE_CHECKING:
    from klforecast.evaluation.benchmark.sktime_tasks import make_benchmark
    from klforecast.evaluation.leakage import leakage_report

__all__ = ["leakage_report", "make_benchmark"]

# The command line enters this package, and `--help` needs no torch.
_HOMES = {
    "leakage_report": "klforecast.evaluation.leakage",
    "make_benchmark": "klforecast.evaluation.benchmark.sktime_tasks",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
