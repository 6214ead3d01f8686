"""The row of a run: one JSON object, which says what it was measured on and whether that is ours.

Rows on sequences of our own (``"source": "synthetic"``) and rows on the official files stand in
different files and different tables, and only the latter can be held against published ones.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from klforecast.evaluation.benchmark import rows
from klforecast.evaluation.benchmark.rows import append_line, plain, read_lines

KIND = "lra"
SYNTHETIC, OFFICIAL = "synthetic", "official"
FIELDS = (
    "kind",
    "task",
    "source",
    "data",  # arguments of the generator, or of the loader
    "data_sha256",
    "n_train",
    "n_validation",
    "n_test",
    "length",
    "n_classes",
    "model",
    "training",
    "seed",
    "processes",
    "measures",
    "accuracy",
    "majority",
    "validation_accuracy",
    "epochs",
    "best_epoch",
    "steps",
    "fit_seconds",
    "cpu_seconds",
    "n_parameters",
    "throughput",
    "memory",
    "layers",
    "compression",
    "commit",
    "versions",
    "machine",
    "error",
)
_IDENTITY = (
    "task",
    "source",
    "data",
    "data_sha256",
    "model",
    "training",
    "seed",
    "processes",
    "measures",
    "versions",
)


def identity(row: Mapping[str, Any]) -> str:
    """Return a text that rows of the same run with the same software share."""
    return json.dumps({name: plain(row.get(name)) for name in _IDENTITY}, sort_keys=True)


def complete(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with every field of `FIELDS`; see `klforecast.evaluation.benchmark.rows.complete`."""
    return rows.complete(row, FIELDS)


def check_file(path: Path, source: str) -> None:
    """Refuse a file whose name or rows say another source.

    Raises
    ------
    ValueError
        If synthetic rows would go into a file that is not named so, or official ones into a file of
        synthetic ones.
    """
    if (SYNTHETIC in path.name) != (source == SYNTHETIC):
        raise ValueError(
            f"rows of {source} sequences cannot go into {path.name}; synthetic rows need a file "
            f"with {SYNTHETIC!r} in its name, and official rows one without"
        )


def append_run(path: Path, row: Mapping[str, Any]) -> None:
    """Append the row of a run to a file of its source."""
    check_file(path, row["source"])
    append_line(path, complete(row))


def read_runs(*paths: Path) -> list[dict[str, Any]]:
    """Read the rows of runs from files, and leave out those of another kind."""
    return [complete(row) for row in read_lines(*paths) if row.get("kind") == KIND]


def of_source(rows: Sequence[Mapping[str, Any]], source: str) -> list[Mapping[str, Any]]:
    """Rows of one source, by task."""
    return sorted((row for row in rows if row["source"] == source), key=lambda row: row["task"])
