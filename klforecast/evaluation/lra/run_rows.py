"""The row of a run: one JSON object, which says what it was measured on and whether that is ours.

    {"kind": "lra", ...}            appended when training has ended, with the accuracy
    {"kind": "lra-measure", ...}    appended for each measure as soon as it is taken; read into the row

So an accuracy survives whatever happens to the measures after it, and a measure that is added later
belongs to the run without another training.

Rows on sequences of our own (``"source": "synthetic"``) and rows on the official files stand in
different files and different tables, and only the latter can be held against published ones.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from klforecast.evaluation.json_lines import append_line, plain, read_lines, with_fields

KIND, MEASURE_KIND = "lra", "lra-measure"
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
    "unmeasured",  # measure -> why it could not be taken
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
    "versions",
)


def identity(row: Mapping[str, Any]) -> str:
    """Return a digest that rows of the same run with the same software share, measured or not."""
    text = json.dumps({name: plain(row.get(name)) for name in _IDENTITY}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def complete(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with every field of `FIELDS`; see `klforecast.evaluation.json_lines.with_fields`."""
    return with_fields(row, FIELDS)


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


def append_measure(
    path: Path, run: str, name: str, value: Any, error: str | None, facts: Mapping[str, Any]
) -> None:
    """Append one measure of a run that has a row in the file, or why it could not be taken.

    Parameters
    ----------
    path : Path
        File of the row.
    run : str
        `identity` of the row.
    name : str
        Field that it becomes: throughput, memory, layers or compression.
    value : object
        What was measured.
    error : str or None
        Why not.
    facts : mapping
        Machine and commit; they stay in this line.
    """
    line = {"kind": MEASURE_KIND, "run": run, "measure": name, "value": value, "error": error}
    append_line(path, {**line, **facts})


def read_runs(*paths: Path) -> list[dict[str, Any]]:
    """Read the rows of runs from files with their measures, and leave out those of another kind."""
    runs: list[dict[str, Any]] = []
    finished: dict[str, dict[str, Any]] = {}
    for line in read_lines(*paths):
        if line.get("kind") == KIND:
            row = complete(line)
            runs.append(row)
            if row["error"] is None:
                finished[identity(row)] = row
        elif line.get("kind") == MEASURE_KIND and line["run"] in finished:
            add_measure(finished[line["run"]], line["measure"], line["value"], line["error"])
    return runs


def add_measure(row: dict[str, Any], name: str, value: Any, error: str | None) -> None:
    """Write a measure into the row of its run; shares of modes join those that are there."""
    unmeasured = {other: why for other, why in (row["unmeasured"] or {}).items() if other != name}
    if error is not None:
        unmeasured[name] = error
    elif name == "compression":
        row[name] = [*(row[name] or []), *value]
    else:
        row[name] = value
    row["unmeasured"] = unmeasured or None


def of_source(rows: Sequence[Mapping[str, Any]], source: str) -> list[Mapping[str, Any]]:
    """Rows of one source, by task."""
    return sorted((row for row in rows if row["source"] == source), key=lambda row: row["task"])
