"""Rows of results as lines of JSON: appended to a file one by one, and read back."""

import json
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return `value` in JSON's types; what has no JSON form becomes its `repr`."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.floating):
        # JSON has no NaN and no infinity.
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | np.ndarray):
        return [plain(item) for item in value]
    return repr(value)


def with_fields(row: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Return the row with all of `fields`, in order and in JSON's types; what it lacks is None.

    Raises
    ------
    ValueError
        If it holds a field that no row has.
    """
    unknown = sorted(set(row) - set(fields))
    if unknown:
        raise ValueError(f"a row holds the unknown fields {unknown}; the fields are {list(fields)}")
    return {field: plain(row.get(field)) for field in fields}


def append_line(path: Path, record: Mapping[str, Any]) -> None:
    """Append one line to `path` in a single write, so that no reader ever sees half of it."""
    line = json.dumps(plain(record)) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    if _ends_inside_a_line(path):
        line = "\n" + line
    with path.open("ab", buffering=0) as file:
        file.write(line.encode())
        os.fsync(file.fileno())


def _ends_inside_a_line(path: Path) -> bool:
    """Say whether a writer was killed in the middle of its line."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() != b"\n"


def read_lines(*paths: Path) -> list[dict[str, Any]]:
    """Read the rows of any kind; a line cut short is left out with a warning that names it."""
    rows = []
    for path in paths:
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if not line.strip():
                continue
            try:
                rows.append(json.loads(line))
            except json.JSONDecodeError:
                warnings.warn(
                    f"{path}, line {number} is not a whole row and is left out", stacklevel=3
                )
    return rows
