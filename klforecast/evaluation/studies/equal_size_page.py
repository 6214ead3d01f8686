"""Tables and picture of the study of bases of equal size, from its rows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from klforecast.evaluation.studies.command import markdown_table, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NONE, RAW, RANDOM = "no history", "all steps", "random"
"""What stands beside the bases, and the one that is drawn from seeds."""
NEWEST, SMALLEST = "newest steps", "K-L, smallest"
COLUMNS = (NONE, NEWEST, SMALLEST, RANDOM, "Haar", "DFT", "DCT", "K-L", RAW)

# Colours of Okabe & Ito (2008), told apart with any kind of colour vision; dashes tell them apart in grey.
_LINES = {
    "K-L": ("#0072B2", "-", 2.2),
    "DCT": ("#D55E00", "--", 1.4),
    "DFT": ("#009E73", "-.", 1.4),
    "Haar": ("#E69F00", ":", 1.6),
    RANDOM: ("#CC79A7", "--", 1.0),
    NEWEST: ("0.35", "-.", 1.0),
    SMALLEST: ("0.6", ":", 1.0),
}


class Errors:
    """MSE of the rows of one setting, the mean over seeds.

    Parameters
    ----------
    rows : sequence of mapping
        Rows of the study that agree in the rows that were known.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]]):
        self.names = list(dict.fromkeys(row["dataset"] for row in rows))
        self.sizes = sorted({row["n_components"] for row in rows if row["basis"] == "K-L"})
        self._values: dict[tuple[str, str, int], list[float]] = {}
        for row in rows:
            place = self._place(row["dataset"], row["basis"], row["n_components"])
            self._values.setdefault(place, []).append(row["mse"])

    def of(self, name: str, basis: str, size: int) -> float:
        """MSE on a set; what has no basis has the same at every size."""
        return float(np.mean(self._values[self._place(name, basis, size)]))

    @staticmethod
    def _place(name: str, basis: str, size: int) -> tuple[str, str, int]:
        return name, basis, 0 if basis in (NONE, RAW) else size


def lines_of(errors: Errors, size: int) -> list[list[str]]:
    """One line for each set, and one for their mean against no history, at one number of coefficients."""
    mse = np.array([[errors.of(name, basis, size) for basis in COLUMNS] for name in errors.names])
    changes = np.log(mse / mse[:, :1]).mean(0)
    lines = [
        [name, *(f"{value:.4f}" for value in line)]
        for name, line in zip(errors.names, mse, strict=True)
    ]
    return [*lines, ["mean change", *(percent(change) for change in changes)]]


def settings_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Errors]:
    """Errors by what was known before the test part, in words."""
    known: dict[int | None, list[Mapping[str, Any]]] = {}
    for row in rows:
        known.setdefault(row["known_rows"], []).append(row)
    return {
        "all rows known" if count is None else f"the newest {count:,} rows known": Errors(some)
        for count, some in known.items()
    }


def page_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The tables in Markdown, one for each size and each number of known rows."""
    return "\n".join(
        f"{size} coefficients, {words}:\n\n"
        + markdown_table(("MSE", *COLUMNS), lines_of(errors, size))
        for words, errors in settings_of(rows).items()
        for size in errors.sizes
    )


def draw(errors: Errors) -> "Figure":
    """Draw the error of each basis over its size, in per cent of the error without history.

    Needs matplotlib (`pip install klforecast[plot]`).
    """
    # Imported here: the tables need no matplotlib.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.6), layout="constrained")
    panels = figure.subplots(2, -(-len(errors.names) // 2), squeeze=False).ravel()
    for axes in panels[len(errors.names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, errors.names, strict=False):
        without = errors.of(name, NONE, 0)
        for basis, (colour, dashes, width) in _LINES.items():
            changes = [100 * (errors.of(name, basis, size) / without - 1) for size in errors.sizes]
            axes.plot(errors.sizes, changes, dashes, color=colour, linewidth=width, label=basis)
        whole = 100 * (errors.of(name, RAW, 0) / without - 1)
        axes.axhline(whole, color="0.2", linewidth=0.8, label=RAW)
        axes.set_xscale("log", base=2)
        axes.set_xticks(errors.sizes, [str(size) for size in errors.sizes])
        axes.set_title(name, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.88", linewidth=0.6)
    figure.supxlabel("coefficients of the older past", fontsize=10)
    figure.supylabel("change of the MSE against no history, %", fontsize=10)
    labels = panels[0].get_legend_handles_labels()
    figure.legend(*labels, loc="outside upper center", ncols=8, frameon=False, fontsize=9)
    return figure
