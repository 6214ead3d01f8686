"""Draws of made-up rows: what a forecast of one is scored by, and one comparison after the other.

MAE     mean |truth - forecast|
CRPS    2 mean_p pinball_p over the levels p = 0.1 ... 0.9
held    share of the truth between the first and the last of them
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from rich.table import Table

from klforecast.evaluation.studies.command import append_rows, make_parser, make_table, show
from klforecast.ops.arrays import to_tensor
from klforecast.ops.pinball import pinball

NINE = np.arange(1, 10) / 10
"""Levels of the CRPS; the first and the last are the limits of an interval of 80 %."""


Case = TypeVar("Case")


def mean_error(forecast: np.ndarray, truth: np.ndarray) -> float:
    """Mean absolute error."""
    return float(np.abs(forecast - truth).mean())


def scores_of(
    label: str,
    point: np.ndarray,  # (n,)
    quantiles: np.ndarray,  # (n, 9), at `NINE`
    truth: np.ndarray,  # (n,)
    units: np.ndarray | float = 1.0,  # (n,)
) -> dict[str, float]:
    """Scores of a forecast, as a row names them; errors are divided by units.

    Examples
    --------
    >>> point, quantiles = np.array([1.0, 3.0]), np.array([[1.0] * 9, [3.0] * 9])
    >>> scores_of("now", point, quantiles, truth=np.array([1.0, 4.0]))
    {'mae_now': 0.5, 'crps_now': 0.5, 'held_now': 0.5}
    """
    losses = pinball(*map(to_tensor, (truth, quantiles, NINE))).numpy()
    held = (truth >= quantiles[:, 0]) & (truth <= quantiles[:, -1])
    return {
        f"mae_{label}": mean_error(point / units, truth / units),
        f"crps_{label}": float(2 * (losses.mean(axis=1) / units).mean()),
        f"held_{label}": float(held.mean()),
    }


def compare_draws(
    compare: Callable[[Case, int], dict[str, Any]],
    cases: Iterable[Case],
    draws: range,
    out: Path | None,
) -> list[dict[str, Any]]:
    """Rows of every draw of every case, each appended to a file of JSON lines as soon as it is there."""
    rows = []
    for case in cases:
        for number in draws:
            rows.append(compare(case, number))
            append_rows(out, rows[-1:])
    return rows


def show_draws(
    doc: str | None,
    flag: str,
    cases: Iterable[str],
    compare: Callable[[str, int], dict[str, Any]],
    table: Callable[[list[dict[str, Any]]], Table],
    draws: range,
    arguments: Sequence[str] | None,
) -> None:
    """Print a table of draws of some cases and, where asked for, append the rows to a file.

    Parameters
    ----------
    doc : str or None
        Docstring of the study.
    flag : str
        By which a user names some of the cases.
    cases : iterable of str
    compare, table : callable
        Make a row of one draw of a case, and a table of rows.
    draws : range
        Scored by default; a user may ask for another number of them.
    arguments : sequence of str or None
        Of the command line; None takes those of the process.
    """
    parser = make_parser(doc, rows=True)
    parser.add_argument("--draws", type=int, default=len(draws))
    names = list(cases)
    parser.add_argument(flag, dest="cases", nargs="*", choices=names, default=names)
    options = parser.parse_args(arguments)
    asked = range(draws.start, draws.start + options.draws)
    show(table(compare_draws(compare, options.cases, asked, options.out)))


def table_of_worlds(
    rows: Sequence[dict[str, Any]], title: str, references: Mapping[str, str]
) -> Table:
    """One line for each world, means over its draws, of forecasts without and with something.

    Parameters
    ----------
    rows : sequence of dict
        With "world", "draw", "found", and the scores of `scores_of` for "without" and "with".
    title : str
    references : mapping of str to str
        From the name of a column to the label of a plain forecast, of which rows have the "mae".
    """
    columns = ["world", *references, "without", "with", "CRPS without", "with"]
    columns += ["80 % hold without", "with", "found"]
    errors = [f"mae_{label}" for label in (*references.values(), "without", "with")]
    errors += ["crps_without", "crps_with"]
    shares = ("held_without", "held_with", "found")
    lines = []
    for name in dict.fromkeys(row["world"] for row in rows):
        frame = pd.DataFrame([row for row in rows if row["world"] == name])
        mean = frame.drop(columns=["world", "draw"]).mean()
        lines.append(
            [name, *(f"{mean[key]:.1f}" for key in errors), *(f"{mean[key]:.0%}" for key in shares)]
        )
    return make_table(title, columns, lines)
