"""Estimator to evidence: protocols, the benchmark with its peers, leakage checks and reports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from klforecast.evaluation.benchmark.sktime_tasks import make_benchmark
    from klforecast.evaluation.leakage import leakage_report

__all__ = ["leakage_report", "make_benchmark"]

_HOMES = {
    "leakage_report": "klforecast.evaluation.leakage",
    "make_benchmark": "klforecast.evaluation.benchmark.sktime_tasks",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: the command line enters this package, and `--help` needs no torch.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
