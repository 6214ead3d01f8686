"""Estimator to evidence: protocols, the benchmark with its peers, leakage checks and reports."""

from klforecast.evaluation.benchmark import make_benchmark

__all__ = ["make_benchmark"]
