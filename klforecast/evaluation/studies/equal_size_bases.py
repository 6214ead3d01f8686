"""What k numbers of the older past are worth to a forecast, in the Karhunen-Loeve basis and in others.

    python -m klforecast.evaluation.studies.equal_size_bases --out rows.jsonl --page table.md --picture picture.png

A window holds `DEPTH` steps: the newest `RECENT` as they are, and of the older ones k coefficients in a basis. One
ridge regression, shared by all channels, maps both to the next `HORIZON` steps; every window is taken less the mean of
its recent steps. Beside the bases stand all older steps and none of them.

    forecast = [recent, P' older] B        B = (X'X + s m I)^-1 X'Y        m = mean eigenvalue of X'X

The strength s is the one of `STRENGTHS` with the least error on the validation part, for every basis and size apart;
the map is then solved again on the training and the validation part, and scored on every window of the test part. All
of it is products with the Gram matrix of the windows of a part, so that no window is left out.

A second setting knows only the newest `FEW` rows before the test part, the last quarter of them for validation.

Rows that the file holds already are not measured again.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.core.gram import center_gram, window_gram
from klforecast.core.moments import window_moments
from klforecast.core.ridge import ridge_from_gram
from klforecast.data.datasets import Dataset, load
from klforecast.data.gift_eval import load_gift_eval
from klforecast.data.splits import ratio_borders, window_cutoffs
from klforecast.evaluation import machine
from klforecast.evaluation.benchmark.protocol import require_borders, standardize
from klforecast.evaluation.json_lines import read_lines
from klforecast.evaluation.studies.command import (
    append_rows,
    make_parser,
    show,
    write_page,
)
from klforecast.evaluation.studies.equal_size_page import (
    NEWEST,
    NONE,
    RANDOM,
    RAW,
    SMALLEST,
    draw,
    page_of,
    settings_of,
)
from klforecast.ops.arrays import to_tensor
from klforecast.ops.fixed_bases import dct_basis, dft_basis, haar_basis, random_basis
from klforecast.ops.linalg import safe_eigh
from klforecast.ops.loo_ridge import STRENGTHS

# A month of hours with four days of it as they are: the window of the published linear forecasts of ETTh1.
DEPTH, RECENT, HORIZON = 720, 96, 96
SIZES = (4, 16, 64)
"""Numbers of coefficients: the fewest that hold a day and its half, and four times as many twice."""
SEEDS = range(3)  # of random bases, whose errors differ by 1 to 10 %

# Twice a window and its forecast, and a quarter more to choose the strength on.
FEW = 2000
DATASETS = (
    *("ETTh1", "ETTm1", "Weather", "Exchange", "VicElec"),
    *("us_births/D", "saugeen/D", "bizitobs_l2c/5T"),
)
"""Names of `klforecast.data.load`, and of GIFT-Eval with a frequency, cut at 70 and 80 per cent of their rows."""


def _modes(gram: Tensor) -> Tensor:
    return safe_eigh(gram)[1]


def _newest(gram: Tensor) -> Tensor:
    return torch.eye(len(gram), dtype=gram.dtype).flip(1)


BASES: dict[str, Callable[[Tensor], Tensor]] = {
    "K-L": _modes,
    "DCT": lambda gram: dct_basis(len(gram)),
    "DFT": lambda gram: dft_basis(len(gram)),
    "Haar": lambda gram: haar_basis(len(gram)),
    NEWEST: _newest,
    SMALLEST: lambda gram: _modes(gram).flip(1),
}
"""From the Gram matrix of the older steps to a basis, the vectors that are kept first in front; random ones apart."""


class Case(NamedTuple):
    """What is kept of the older steps.

    Attributes
    ----------
    basis : str
        One of `BASES`, "random", "all steps" or "no history".
    n_components : int
    seed : int
        Of a random basis.
    """

    basis: str
    n_components: int
    seed: int = 0


def cases(older: int = DEPTH - RECENT) -> Iterator[Case]:
    """Every basis at every size, after the two that have no basis."""
    yield Case(NONE, 0)
    yield Case(RAW, older)
    for size in SIZES:
        yield from (Case(basis, size) for basis in BASES)
        yield from (Case(RANDOM, size, seed) for seed in SEEDS)


def older_basis(gram: Tensor, case: Case) -> Tensor:  # (older, older) -> (older, n_components)
    """Vectors on which the older steps are projected."""
    if case.basis in (NONE, RAW):
        basis = torch.eye(len(gram), dtype=gram.dtype)
    elif case.basis == RANDOM:
        basis = random_basis(len(gram), torch.Generator().manual_seed(case.seed))
    else:
        basis = BASES[case.basis](gram)
    return basis[:, : case.n_components]


class Parts(NamedTuple):
    """Gram matrices of the windows of four parts, each window less its level, (DEPTH + HORIZON) square.

    Attributes
    ----------
    train, validation, known, test : Tensor
        `known` is the first two together.
    n_windows : int
        Of the test part.
    n_channels : int
    """

    train: Tensor
    validation: Tensor
    known: Tensor
    test: Tensor
    n_windows: int
    n_channels: int


def make_parts(data: Dataset, known_rows: int | None) -> Parts:
    """Take the moments of every window of every channel, in training deviations.

    Parameters
    ----------
    data : Dataset
        With borders.
    known_rows : int or None
        How many rows before the test part are known; the last quarter of them validates. None: all, and the part that
        the protocol has for it.
    """
    borders = require_borders(data)
    rows = to_tensor(standardize(data).to_numpy())
    end = borders.validation_end
    start, train_end = (
        (0, borders.train_end) if known_rows is None else (end - known_rows, end - known_rows // 4)
    )
    level = torch.zeros(DEPTH + HORIZON, dtype=torch.float64)
    level[DEPTH - RECENT : DEPTH] = 1 / RECENT

    def gram(first: int, last: int) -> Tensor:
        """Of the windows whose forecast lies in the rows from `first` on and before `last`."""
        moments = window_moments(rows[first - DEPTH : last], DEPTH + HORIZON)
        return center_gram(window_gram([moments]), level)

    return Parts(
        train=gram(start + DEPTH, train_end),
        validation=gram(train_end, end),
        known=gram(start + DEPTH, end),
        test=gram(*borders.test),
        n_windows=len(window_cutoffs(*borders.test, HORIZON)),
        n_channels=rows.shape[1],
    )


def solve(gram: Tensor, case: Case, strengths: Sequence[float]) -> list[Tensor]:
    """Maps from all steps of a window to what follows, one for each strength.

    Parameters
    ----------
    gram : Tensor of shape (DEPTH + HORIZON, DEPTH + HORIZON)
    case : Case
    strengths : sequence of float

    Returns
    -------
    list of Tensor of shape (DEPTH, HORIZON)
    """
    older = DEPTH - RECENT
    inputs = torch.block_diag(
        older_basis(gram[:older, :older], case), torch.eye(RECENT, dtype=gram.dtype)
    )
    moments = inputs.T @ gram[:DEPTH, :DEPTH] @ inputs
    cross = inputs.T @ gram[:DEPTH, DEPTH:]
    return [inputs @ ridge_from_gram(moments, cross, strength) for strength in strengths]


def squared_error(gram: Tensor, weights: Tensor) -> float:
    """Sum of the squared errors of a map over all windows of a Gram matrix."""
    errors = torch.cat([-weights, torch.eye(HORIZON, dtype=gram.dtype)])
    return float((errors * (gram @ errors)).sum())


def measure(parts: Parts, case: Case) -> dict[str, Any]:
    """Choose the strength before the test part, and score the map on it.

    Returns
    -------
    dict
        The strength, the MSE in squared training deviations and the share of the older steps' energy in the test
        windows that lies in the kept vectors.
    """
    judged = [squared_error(parts.validation, maps) for maps in solve(parts.train, case, STRENGTHS)]
    strength = STRENGTHS[int(np.argmin(judged))]
    (weights,) = solve(parts.known, case, [strength])
    older = slice(DEPTH - RECENT)
    basis = older_basis(parts.known[older, older], case)
    kept = (basis * (parts.test[older, older] @ basis)).sum()
    return {
        "strength": strength,
        "mse": squared_error(parts.test, weights) / (parts.n_windows * parts.n_channels * HORIZON),
        "share": float(kept / parts.test[older, older].trace()),
        "n_windows": parts.n_windows,
    }


@cache
def load_set(name: str) -> Dataset:
    """Load a set by its name in `DATASETS`."""
    if "/" not in name:
        return load(name)
    collection = load_gift_eval(*name.split("/"))
    (frame,) = collection.series.values()
    return Dataset(
        name=name,
        frame=frame,
        sha256=collection.sha256,
        periods=(),
        borders=ratio_borders(len(frame)),
        target=str(frame.columns[0]),
        source=collection.source,
        licence="",
    )


def rows_of(
    name: str, known_rows: int | None, held: Sequence[Mapping[str, Any]], out: Path | None
) -> list[dict[str, Any]]:
    """Rows of one set: those that are held already, and the others measured and appended to `out`."""
    rows, parts = [], None
    for case in cases():
        place = {"dataset": name, "known_rows": known_rows, **case._asdict()}
        found = [dict(row) for row in held if all(row[key] == place[key] for key in place)]
        if not found:
            data = load_set(name)
            parts = parts or make_parts(data, known_rows)
            setting = {"depth": DEPTH, "recent": RECENT, "horizon": HORIZON}
            origin = {"data_sha256": data.sha256, "commit": machine.commit()}
            found = [{**place, **setting, **measure(parts, case), **origin}]
            append_rows(out, found)
        rows.append(found[-1])
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure what is missing, print or write the tables, and draw the picture."""
    parser = make_parser(__doc__, rows=True)
    parser.add_argument("--datasets", nargs="+", default=list(DATASETS), choices=DATASETS)
    parser.add_argument(
        "--page", type=Path, help="file to write the tables to in place of printing them"
    )
    parser.add_argument("--picture", type=Path, help="file to draw to; needs matplotlib")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # two are slower on problems of this size
    held = read_lines(options.out) if options.out and options.out.exists() else []
    rows = []
    for known_rows, name in itertools.product((None, FEW), options.datasets):
        new = rows_of(name, known_rows, held, options.out)
        rows += new
        show(f"{name}: {len(new)} rows")
    write_page(page_of(rows), options.page)
    if options.picture:
        draw(next(iter(settings_of(rows).values()))).savefig(options.picture, dpi=100)


if __name__ == "__main__":
    main()
