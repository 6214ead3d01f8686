"""What the commands say of a file: its step, its cycles, its series and their errors, in few words."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.tseries.offsets import BaseOffset

from klforecast.commands.backtest_file import Tested
from klforecast.commands.forecast_file import Outlook
from klforecast.commands.series_file import SeriesFile
from klforecast.estimators.counts import counted, step_code
from klforecast.estimators.plots.style import offset_name

_NAMED = 3  # outliers in a note
_NO_SECONDS = re.compile(r"( \d\d:\d\d):00(?=[+-]|$)")


def number(value: float, digits: int = 4) -> str:
    """Write a number with the digits that count, whole ones all; a dash for none.

    Examples
    --------
    >>> number(1234.567), number(0.0012345, digits=3), number(float("nan"))
    ('1,235', '0.00123', '-')
    """
    if not np.isfinite(value):
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.{digits}g}"


def steps(count: int, frequency: BaseOffset | None) -> str:
    """Count steps in the unit of the calendar.

    Examples
    --------
    >>> import pandas as pd
    >>> steps(7, pd.offsets.Day()), steps(1, None)
    ('7 days', '1 step')
    """
    unit = _unit(frequency)
    if unit[0].isdigit():
        return f"{count} steps of {unit}"
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def opening(file: SeriesFile) -> str:
    """Say what was found in a file."""
    roles = file.roles
    n = len(file.labels)
    found = [
        f"time {roles.time!r}" if roles.time else "",
        f"target {', '.join(map(repr, roles.targets))}",
    ]
    if roles.ids:
        found.insert(1, f"series {' and '.join(map(repr, roles.ids))}")
    if roles.covariates:
        found.append(f"covariates {', '.join(map(repr, roles.covariates))}")
    frequency = file.frequency
    step = "numbered rows" if frequency is None else _each(frequency)
    return (
        f"{file.name}: {n} series, {counted(len(file.panel), 'row')}, {step}; "
        f"{', '.join(part for part in found if part)}"
    )


def cycles(periods: Sequence[int], frequency: BaseOffset | None) -> str:
    """Say which cycles were found."""
    if not periods:
        return "no cycle found"
    return f"cycles found: {', '.join(steps(period, frequency) for period in periods)}"


def held_out(outlook: Outlook) -> str:
    """Say what was held out and how it went."""
    if outlook.held is None:
        return (
            f"expected error not measured: it takes {3 * outlook.horizon} rows of one series to hold "
            f"{outlook.horizon} out"
        )
    ours, naive = outlook.held
    scores, plain = ours.scores().iloc[0], naive.scores().iloc[0]
    said = (
        f"tested on the last {ours.windows.n_windows} times "
        f"{steps(outlook.horizon, outlook.file.frequency)}: MASE {number(scores['mase'])}, seasonal naive "
        f"{number(plain['mase'])}"
    )
    held = [
        f"{name.removeprefix('coverage_')} % intervals held {100 * share:.0f} %"
        for name, share in scores.items()
        if str(name).startswith("coverage_")
    ]
    return "; ".join([said, *held])


def notes(outlook: Outlook) -> list[str]:
    """What was repaired or left out, and which values are read as others."""
    found = outlook.outliers
    if found.empty:
        return outlook.notes
    several = len(outlook.file.labels) > 1
    newest = found.tail(_NAMED)
    times = outlook.file.shown(pd.Index(newest["time"]))
    named = [
        f"{f'{line.series} ' if several else ''}{stamp(time)} {number(line.value)} as {number(line.usual)}"
        for time, line in zip(times, newest.itertuples(), strict=True)
    ]
    more = "" if len(found) <= _NAMED else "the newest ones "
    return [
        *outlook.notes,
        f"{counted(len(found), 'value')} far from usual or stuck, read as usual: {more}{', '.join(named)}",
    ]


def windows_of(tested: Tested) -> str:
    """Say what a backtest did."""
    windows = next(iter(tested.models.values())).windows
    frequency = tested.file.frequency
    return (
        f"{windows.n_windows} windows of {steps(windows.horizon, frequency)}, "
        f"{steps(windows.step, frequency)} apart; MASE and RMSSE against a season of "
        f"{steps(next(iter(tested.models.values())).season, frequency)}"
    )


class Line(NamedTuple):
    """One series of the summary, as text."""

    series: str
    rows: str
    first: str
    last: str
    filled: str
    error: str
    naive: str


def summary(outlook: Outlook) -> list[Line]:
    """One line a series: rows, span, gaps, expected error beside seasonal naive."""
    errors = None if outlook.held is None else outlook.held.errors()
    lines = []
    for label, rows in outlook.file.panel.groupby(level=0, sort=False):
        known = errors is not None and label in errors.index
        ours, naive = errors.loc[label] if errors is not None and known else (np.nan, np.nan)
        ends = outlook.file.shown(rows.index.get_level_values(1)[[0, -1]])
        lines.append(
            Line(
                str(label),
                str(len(rows)),
                stamp(ends[0]),
                stamp(ends[-1]),
                str(int(rows.isna().sum().sum())),
                number(ours),
                number(naive),
            )
        )
    return lines


def stamp(time: object) -> str:
    """Write a time without a clock where it is midnight, and without seconds where they are none.

    Examples
    --------
    >>> import pandas as pd
    >>> stamp(pd.Timestamp("2024-01-31")), stamp(pd.Timestamp("2024-01-31 14:00+02:00"))
    ('2024-01-31', '2024-01-31 14:00+02:00')
    """
    if not isinstance(time, datetime):
        return str(time)
    return _NO_SECONDS.sub(r"\1", str(time).removesuffix(" 00:00:00"))


def _unit(frequency: BaseOffset | None) -> str:
    return "step" if frequency is None else offset_name(frequency)


def _each(frequency: BaseOffset) -> str:
    unit, code = _unit(frequency), step_code(frequency)
    article = "an" if unit.startswith(("hour", "open")) else "a"
    each = "every" if unit[0].isdigit() or unit == "half month" else article
    # A step without a word in pandas is named once.
    return f"a row {each} {unit}" + ("" if code == unit else f" ({code})")
