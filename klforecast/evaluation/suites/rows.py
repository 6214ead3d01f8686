"""The row of a suite: one JSON object for a configuration, a model and a seed."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from klforecast.evaluation.json_lines import plain, read_lines, with_fields

KIND = "suite"
FIELDS = (
    "kind",
    "suite",
    "config",
    "domain",
    "data_sha256",
    "horizon",
    "season",
    "n_windows",
    "n_series",
    "n_channels",
    "model",
    "params",
    "changed_params",
    "seed",
    "mase",
    "mase_median",
    "crps",
    "nd",
    "smape",
    "coverage_80",
    "coverage_90",
    "world",
    "warnings",
    "fit_seconds",
    "predict_seconds",
    "cpu_seconds",
    "peak_memory_mb",
    "commit",
    "versions",
    "machine",
    "error",
)
_IDENTITY = (
    "suite",
    "config",
    "data_sha256",
    "horizon",
    "season",
    "n_windows",
    "model",
    "params",
    "seed",
    "versions",
)
_PLACE = ("suite", "config", "model", "changed_params", "seed")


def identity(row: Mapping[str, Any]) -> str:
    """Return a text that rows of the same measurement with the same software share."""
    return json.dumps({name: plain(row.get(name)) for name in _IDENTITY}, sort_keys=True)


def complete(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with every field of `FIELDS`; see `klforecast.evaluation.json_lines.with_fields`."""
    return with_fields({"kind": KIND, **row}, FIELDS)


def read_suite_rows(*paths: Path) -> list[dict[str, Any]]:
    """Read the rows of suites from files, and leave out those of another kind."""
    return [complete(row) for row in read_lines(*paths) if row.get("kind") == KIND]


def latest_rows(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row for each configuration, model and seed: the last one that did not fail."""
    latest: dict[str, dict[str, Any]] = {}
    for row in found:
        place = json.dumps([plain(row[name]) for name in _PLACE], sort_keys=True)
        if place not in latest or row["error"] is None or latest[place]["error"] is not None:
            latest[place] = dict(row)
    return list(latest.values())
