"""Run cells, append a row for each, and go on where an earlier run stopped.

A cell is one measurement: a model on a data set, a configuration of a suite, a classifier on a
split. What its row holds, and which rows are of the same measurement, is said by its `CellKind`.
"""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import torch
from joblib import delayed

from klforecast.distributed.parts import in_order
from klforecast.evaluation.json_lines import append_line

Cell = TypeVar("Cell")
Row = dict[str, Any]


class Prepared(NamedTuple):
    """A cell that is ready to run.

    Attributes
    ----------
    fields : mapping
        What is settled before anything is measured: data, task, settings.
    measure : callable
        `measure()` returns the fields that the run gives.
    """

    fields: Mapping[str, Any]
    measure: Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class CellKind(Generic[Cell]):
    """How cells of a kind are run, and how their rows are told apart.

    Parameters
    ----------
    name : callable
        `name(cell)` returns the fields that the row has whatever becomes of its cell.
    prepare : callable
        `prepare(cell)` returns a `Prepared`.
    complete : callable
        From such fields to a row with all of them, in JSON's types.
    identity : callable
        From a complete row to a text that rows of the same measurement with the same software share.
    read : callable
        `read(path)` returns the rows of this kind in a file.
    """

    name: Callable[[Cell], Row]
    prepare: Callable[[Cell], Prepared]
    complete: Callable[[Row], Row]
    identity: Callable[[Row], str]
    read: Callable[[Path], list[Row]]


class Progress(NamedTuple):
    """Where a run stands after a cell.

    Attributes
    ----------
    row : dict
        The row of the cell that is through, new or from the file.
    n_done, n_cells : int
        Cells that are through, and cells in all.
    seconds_left : float or None
        Estimate of the time left, from the mean of the cells run so far; None before the first.
    is_new : bool
        False for a row that was in the file already.
    """

    row: Row
    n_done: int
    n_cells: int
    seconds_left: float | None
    is_new: bool


def run_cells(
    kind: CellKind[Cell],
    cells: Iterable[Cell],
    out: Path,
    *,
    rerun: bool = False,
    n_jobs: int | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Row]:
    """Run the cells and append their rows to `out`, in order.

    A cell whose row is in `out` already is not run again. A cell that fails gets a row with its
    error, and the run goes on; a later run tries it again.

    Parameters
    ----------
    kind : CellKind
    cells : iterable
        What to run.
    out : Path
        File of JSON lines; made if absent.
    rerun : bool, default=False
        Run finished cells again and append a second row.
    n_jobs : int, optional
        Processes that cells run in, each with as many threads of torch as this one; None is this
        process, or what `joblib.parallel_config` says. Seconds of cells that run at once are
        longer than those of cells by themselves where they share a memory or a cache.
    on_progress : callable, optional
        Called with a `Progress` after each cell.

    Returns
    -------
    list of dict
        The row of each cell, in order.
    """
    cells = list(cells)
    known = kind.read(out) if out.exists() and not rerun else []
    finished = {kind.identity(row): row for row in known if row["error"] is None}
    ask, names, threads = (
        delayed(_run_unless_finished),
        frozenset(finished),
        torch.get_num_threads(),
    )
    answers = in_order((ask(kind, cell, names, threads) for cell in cells), n_jobs)
    rows, spent, n_run, last = [], 0.0, 0, time.perf_counter()
    for n_done, (row, is_new) in enumerate(answers, start=1):
        now = time.perf_counter()
        if is_new:
            append_line(out, row)
            spent, n_run = spent + now - last, n_run + 1
        else:
            row = finished[kind.identity(row)]
        last = now
        rows.append(row)
        if on_progress is not None:
            left = spent / n_run * (len(cells) - n_done) if n_run else None
            on_progress(Progress(row, n_done, len(cells), left, is_new))
    return rows


def _run_unless_finished(
    kind: CellKind[Cell], cell: Cell, finished: Collection[str], threads: int
) -> tuple[Row, bool]:
    """Row of a cell, and whether it was run; that of a finished one has what is settled before."""
    torch.set_num_threads(threads)
    row = kind.name(cell)
    # Whatever a model raises is the result of its cell, and the cells after it still run.
    try:
        ready = kind.prepare(cell)
        row |= ready.fields
        settled = kind.complete(row)
        if kind.identity(settled) in finished:
            return settled, False
        row |= ready.measure()
    except Exception as error:
        row["error"] = f"{type(error).__name__}: {error}"
    return kind.complete(row), True
