"""The first time that breaks the step of a series, and its neighbours."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

_CALENDAR = ("h", "D", "B", "MS", "ME", "QS", "QE", "YS", "YE")
_DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
_MONTH = (28, 31)  # days
_LEAST_SHARE = 0.7  # of the times that follow a step, for the others to be the ones that break it


def first_off_step(stamps: pd.DatetimeIndex) -> int | None:
    """Place of the first of some sorted times that is off the step of the others; None if there is no step.

    A time further ahead than all others together is off the step, as one whose year is mistyped.

    Examples
    --------
    >>> weeks = pd.DatetimeIndex(["2024-01-01", "2024-01-08", "2024-01-16", "2024-01-22", "2024-01-29"])
    >>> first_off_step(weeks)
    2
    """
    steps = np.diff(stamps.to_numpy())
    longest = int(steps.argmax())
    if steps[longest] > 2 * np.delete(steps, longest).sum():
        return longest + 1
    on_step = max(_readings(stamps), key=lambda found: found.mean(), default=None)
    if on_step is None or on_step.mean() < _LEAST_SHARE or on_step.all():
        return None
    return int(np.flatnonzero(~on_step)[0])


def weekly_code(stamps: pd.DatetimeIndex) -> str:
    """The weeks of pandas that end, or begin, on the commonest day of some times.

    Examples
    --------
    >>> weekly_code(pd.DatetimeIndex(["2024-01-01", "2024-01-08"]))
    'W-MON'
    """
    return f"W-{_DAYS[int(np.bincount(stamps.weekday).argmax())]}"


def _readings(stamps: pd.DatetimeIndex) -> Iterator[np.ndarray]:
    """For each step that may be meant, which times follow it."""
    steps, counts = np.unique(np.diff(stamps.to_numpy()), return_counts=True)
    commonest = pd.Timedelta(steps[counts.argmax()])
    most = 2 * len(stamps)
    if _MONTH[0] <= commonest.days <= _MONTH[1]:
        yield stamps.day == np.bincount(stamps.day).argmax()
    if (stamps[-1] - stamps[0]) / commonest <= most:
        yield stamps.isin(pd.date_range(stamps[0], stamps[-1], freq=commonest))
    span = stamps[-1] - stamps[0]
    for name in (*_CALENDAR, weekly_code(stamps)):
        if name == "h" and span / pd.Timedelta(hours=1) > most:
            continue
        grid = pd.date_range(stamps[0], stamps[-1], freq=name)
        if 2 < len(grid) <= most:
            yield stamps.isin(grid)
