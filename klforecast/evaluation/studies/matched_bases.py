"""How many rows the Karhunen-Loeve basis needs to be ahead of a fixed one that is matched by symmetry.

    python -m klforecast.evaluation.studies.matched_bases --out rows.jsonl --page table.md

Windows of `LENGTH` steps, each less its mean, of the newest rows before the test part are learned by
``KarhunenLoeve(N_COMPONENTS, basis=...)``: the modes, the cosines, and "auto". The figure is the share of the test
windows that it gives back,

    1 - sum |x - x'|^2 / sum |x|^2        x' = inverse_transform(transform(x))

Rows that the file holds already are not measured again.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from klforecast.data.datasets import Dataset
from klforecast.estimators.karhunen_loeve import KarhunenLoeve
from klforecast.evaluation import machine
from klforecast.evaluation.benchmark.protocol import require_borders, standardize
from klforecast.evaluation.json_lines import read_lines
from klforecast.evaluation.studies.command import (
    append_rows,
    make_parser,
    markdown_table,
    show,
    write_page,
)
from klforecast.evaluation.studies.equal_size_bases import DATASETS, load_set

# Three weeks of hours, a power of two for the dyadic intervals.
LENGTH = 512
N_COMPONENTS = 16  # of 512, as in the study of bases of equal size
# From little more than one window to eight of them side by side.
KNOWN_ROWS = (576, 1024, 2048, 4096, None)
"""Rows known before the test part; None is all of them."""
BASES = ("kl", "dct", "auto")
_WINDOWS_AT_MOST = 4000  # more change the share in the fourth digit only


def windows_of(rows: np.ndarray) -> np.ndarray:  # (time, channels) -> (n, LENGTH)
    """Evenly spread windows of all channels, each less its mean."""
    cut = np.lib.stride_tricks.sliding_window_view(rows, LENGTH, axis=0)
    stride = max(1, cut.shape[0] * cut.shape[1] // _WINDOWS_AT_MOST)
    windows = cut[::stride].reshape(-1, LENGTH)
    return windows - windows.mean(1, keepdims=True)


def measure(data: Dataset, known_rows: int | None, basis: str) -> dict[str, Any]:
    """Learn a basis, and return the share of the test windows that it gives back.

    Returns
    -------
    dict
        The share, the basis taken and its residuals.
    """
    rows, end = standardize(data).to_numpy(), require_borders(data).validation_end
    known = rows[:end] if known_rows is None else rows[end - known_rows : end]
    test = windows_of(rows[end:])
    transform = KarhunenLoeve(N_COMPONENTS, basis=basis).fit(windows_of(known))
    missed = test - transform.inverse_transform(transform.transform(test))
    return {
        "share": 1 - float(np.square(missed).sum() / np.square(test).sum()),
        "found": transform.basis_,
        "residuals": transform.symmetry_residuals_,
    }


def page_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table in Markdown: one line for each set, shares of the bases by rows known, and the one found."""
    cells = {(row["dataset"], row["known_rows"], row["basis"]): row for row in rows}
    known = list(dict.fromkeys(row["known_rows"] for row in rows))
    lines = []
    for name in dict.fromkeys(row["dataset"] for row in rows):
        line = [name]
        for count in known:
            found = [cells[name, count, basis] for basis in BASES]
            shares = " / ".join(f"{row['share']:.3f}" for row in found)
            line.append(f"{shares} {found[-1]['found']}")
        lines.append(line)
    heads = ["all rows" if count is None else f"{count:,} rows" for count in known]
    return markdown_table(("K-L / DCT / matched", *heads), lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, and print or write the table."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    parser.add_argument(
        "--page", type=Path, help="file to write the table to in place of printing it"
    )
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # two are slower on problems of this size
    held = read_lines(options.out) if options.out and options.out.exists() else []
    rows = []
    for name, known_rows, basis in itertools.product(options.datasets, KNOWN_ROWS, BASES):
        place = {"dataset": name, "known_rows": known_rows, "basis": basis}
        found = [dict(row) for row in held if all(row[key] == place[key] for key in place)]
        if not found:
            data = load_set(name)
            origin = {"data_sha256": data.sha256, "commit": machine.commit()}
            found = [{**place, **measure(data, known_rows, basis), **origin}]
            append_rows(options.out, found)
        rows.append(found[-1])
    show(f"{len(rows)} rows")
    write_page(page_of(rows), options.page)


if __name__ == "__main__":
    main()
