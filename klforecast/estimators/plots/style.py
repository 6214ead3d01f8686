"""One look for all pictures of forecasts: colours, axes, names of axes, stamps that can be drawn.

Colours are those of Okabe & Ito (2008), "Color Universal Design", told apart with any kind of colour
vision; lines also differ in their dashes, so that they can be told apart in grey.
"""

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pandas.tseries.frequencies import to_offset
from pandas.tseries.offsets import BaseOffset

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, MUTED, FAINT = "0.25", "0.55", "0.85"
"""Greys of what was observed, of what came later, and of marks."""

MODELS = (("#0072B2", "-"), ("#D55E00", "--"), ("#009E73", ":"), ("#CC79A7", "-."))
"""Colour and dashes of each model, ours first."""

RING = MODELS[1][0]
"""Colour of rings around outliers."""

BAND = "#56B4E9"
"""Colour of intervals."""

_BAR_WIDTH = 8.0  # points

_STEP_NAMES = {
    "ns": "nanosecond",
    "us": "microsecond",
    "ms": "millisecond",
    "s": "second",
    "min": "minute",
    "h": "hour",
    "bh": "business hour",
    "cbh": "business hour",
    "D": "day",
    "B": "business day",
    "C": "open day",
    "W": "week",
    "SM": "half month",
    "M": "month",
    "Q": "quarter",
    "Y": "year",
}


def tidy_axes(ax: "Axes") -> None:
    """Take off what a picture does not need, and write dates in as few signs as tell them apart."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = ax.xaxis.get_major_locator()
    if isinstance(locator, AutoDateLocator):
        ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="y", color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)


def draw_band(
    ax: "Axes", places: np.ndarray, lower: np.ndarray, upper: np.ndarray, alpha: float, label: str
) -> None:
    """Draw what lies between two lines; of one place, which has no lines, a bar."""
    if len(places) == 1:
        ax.vlines(places, lower, upper, color=BAND, alpha=alpha, linewidth=_BAR_WIDTH, label=label)
        return
    ax.fill_between(places, lower, upper, color=BAND, alpha=alpha, linewidth=0, label=label)


def marker_of(places: np.ndarray) -> str | None:
    """Sign for a line of one place, which could not be seen."""
    return "o" if len(places) == 1 else None


def legend_above(ax: "Axes") -> None:
    """Put the legend in one line above the axes, where it covers nothing."""
    n_entries = len(ax.get_legend_handles_labels()[1])
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=n_entries, frameon=False, borderaxespad=0.2
    )


def drawable(index: pd.Index) -> np.ndarray:
    """Stamps as matplotlib draws them; a period stands at its start."""
    return (index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index).to_numpy()


def step_name(index: pd.Index) -> str:
    """What one step of an index is: a unit of the calendar, or a step.

    Examples
    --------
    >>> step_name(pd.period_range("2024-01", periods=3, freq="M")), step_name(pd.RangeIndex(3))
    ('month', 'step')
    """
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex):
        return "step"
    offset = index.freq
    if offset is None and len(index) > 2:
        offset = to_offset(pd.infer_freq(index))
    return "step" if offset is None else offset_name(offset)


def steps_name(index: pd.Index, what: str) -> str:
    """Name an axis that counts steps of an index, such as "days ahead".

    Examples
    --------
    >>> hours = pd.date_range("2024-01-01", periods=9, freq="4h")
    >>> steps_name(hours, "ahead"), steps_name(pd.RangeIndex(9), "ahead")
    ('steps of 4 hours ahead', 'steps ahead')
    """
    step = step_name(index)
    return f"steps of {step} {what}" if step[0].isdigit() else f"{step}s {what}"


def offset_name(offset: BaseOffset) -> str:
    """Name an offset in the words of the calendar.

    Examples
    --------
    >>> offset_name(pd.DateOffset(months=1)), offset_name(pd.offsets.Hour(4))
    ('month', '4 hours')
    >>> offset_name(pd.offsets.SemiMonthBegin()), offset_name(pd.offsets.Milli(100))
    ('half month', '100 milliseconds')
    """
    if type(offset) is pd.DateOffset:
        # One that counts parts of the calendar has no name in pandas.
        parts = list(offset.kwds.items())
        if len(parts) != 1 or not parts[0][0].endswith("s"):
            return "step"
        unit, count = parts[0][0].removesuffix("s"), parts[0][1] * offset.n
    else:
        unit, count = _unit_of_code(offset), offset.n
    return unit if count == 1 or unit == "step" else f"{count} {unit}s"


def _unit_of_code(offset: BaseOffset) -> str:
    try:
        code = offset.name.split("-")[0].removesuffix("S").removesuffix("E")
    except NotImplementedError:  # pandas has no code for some, as for Easter
        return "step"
    return _STEP_NAMES.get(code, _STEP_NAMES.get(code[-1:], "step"))


def time_label(index: pd.Index) -> str:
    """Name of the axis of time: the index's own, else what one step is."""
    return step_name(index) if index.name is None else plain_text(str(index.name))


def plain_text(text: str) -> str:
    """Text that matplotlib draws as it is, dollars included, which it would take for formulas."""
    return text.replace("$", r"\$")


def value_label(name: Hashable, unit: str | None) -> str:
    """Name of the axis of values, with their unit where it is given."""
    named = "" if name is None else str(name)
    return plain_text(named if unit is None else f"{named} ({unit})".strip())
