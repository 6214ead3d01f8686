"""A benchmark row: one JSON object for a data set, a model, a horizon and a seed.

A row can be refuted: it names the checksum of the data, the borders of its parts, the number of
windows scored, every setting of the model, the seed, the versions, the machine and the cost.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from klforecast.evaluation.json_lines import read_lines, with_fields

FIELDS = (
    "dataset",
    "dataset_sha256",
    "borders",
    "n_test_windows",
    "regime",
    "fit_on",
    "input_length",
    "memory_depth",
    "horizon",
    "model",
    "params",
    "changed_params",
    "seed",
    "mse",
    "mae",
    "smape",
    "mase",
    "fit_seconds",
    "predict_seconds",
    "cpu_seconds",
    "peak_memory_mb",
    "n_parameters",
    "published",
    "commit",
    "versions",
    "machine",
    "error",
)
# What makes two cells the same cell: the data, the task, the model and the software.
_IDENTITY = (
    "dataset",
    "dataset_sha256",
    "borders",
    "regime",
    "fit_on",
    "horizon",
    "model",
    "params",
    "seed",
    "versions",
)


def identity(row: Mapping[str, Any]) -> str:
    """Return a text that rows of the same measurement with the same software share."""
    return json.dumps({field: row.get(field) for field in _IDENTITY}, sort_keys=True)


def complete(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with every field of `FIELDS`; see `klforecast.evaluation.json_lines.with_fields`."""
    return with_fields(row, FIELDS)


def read_rows(*paths: Path) -> list[dict[str, Any]]:
    """Read the rows of the benchmark from one or several files, in order.

    Rows of another kind, which say so, are left out without a word; a line cut short by a killed
    writer with a warning that names it.
    """
    return [complete(row) for row in read_lines(*paths) if "kind" not in row]
