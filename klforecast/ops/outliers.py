"""Outliers of many series: a search for far rows, outages and values that got stuck in all channels at once.

Rows are judged twice, the second time without the single far rows of the first. A row is judged by the rows before it,
and those of the first block by one another (`far_rows`, `outlier_runs`), so what is an outlier before a cutoff does
not hang on what comes after it.

Letters   T rows, C channels
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from klforecast.ops.far_rows import (
    CYCLES,
    SHORTEST_BLOCK,
    block_rows,
    far_from_last_cycles,
    far_from_usual,
)
from klforecast.ops.outlier_runs import SINGLE, STUCK, Run, channel_rows, stops_of_equal

_BLOCKS_ASKED = 25  # before a row, at most
_VALUES_AT_ONCE = 1 << 17  # 1 MB, which stays in the caches


class Outliers(NamedTuple):
    """Outliers of one or more channels.

    Attributes
    ----------
    rows : ndarray of shape (T, C)
        As they came.
    seasons : tuple of int
    runs : list of Run
        By channel and time.
    settled : int
        Cutoffs below this one have less than the first block to judge it by.
    """

    rows: np.ndarray
    seasons: tuple[int, ...]
    runs: list[Run]
    settled: int

    def without(self) -> np.ndarray:  # (T, C)
        """The rows with what would have been usual in the place of outliers; the same array where there are none."""
        cutoff = len(self.rows)
        return self.before(cutoff) if any(run.is_known(cutoff) for run in self.runs) else self.rows

    def before(self, cutoff: int, newest: int | None = None) -> np.ndarray:  # (rows, C)
        """The same of the rows, or the newest ones, before a cutoff, as the rows before it say."""
        first = 0 if newest is None else max(0, cutoff - newest)
        rows = self.rows[first:cutoff]
        if cutoff < self.settled:
            return find_outliers(self.rows[:cutoff], self.seasons).without()[first:]
        known = [run for run in self.runs if run.is_known(cutoff) and first < run.stop]
        if not known:
            return rows
        rows = rows.copy()
        for run in known:
            start, stop = max(run.start, first), min(run.stop, cutoff)
            rows[start - first : stop - first, run.channel] = run.usual[
                start - run.start : stop - run.start
            ]
        return rows

    def differ(self, cutoffs: np.ndarray) -> np.ndarray:  # (n,) int -> (n,) bool
        """Cutoffs before which other rows are outliers than before the last one."""
        differ = cutoffs < self.settled
        for run in self.runs:
            known = (run.first_cutoff <= cutoffs) & (cutoffs <= run.last_cutoff)
            differ |= (run.start < cutoffs) & (known != run.is_known(len(self.rows)))
        return differ


def find_outliers(
    rows: np.ndarray,  # (T, C)
    seasons: Sequence[int] = (),
) -> Outliers:
    """Find outliers in every channel.

    Parameters
    ----------
    rows : ndarray of shape (T, C)
        Oldest first, NaN where nothing was observed.
    seasons : sequence of int, optional
        Periods that the rows may have, each above 1. A row is far only if it is by all of them.

    Returns
    -------
    Outliers

    Notes
    -----
    O(T C): 30 ns a value in channels without a far row, some 600 in others.

    Examples
    --------
    >>> rows = np.tile([9.0, 10.0, 11.0], 20)[:, None] + np.cos(np.arange(60.0))[:, None] / 10
    >>> rows[40] = 150.0
    >>> found = find_outliers(rows, seasons=(3,))
    >>> [(run.start, run.stop, run.usual.round(1).tolist()) for run in found.runs]
    [(40, 41, [10.1])]
    >>> found.before(41)[-1].round(1), found.before(42)[-2].round(1)
    (array([10.1]), array([10.1]))
    """
    ascending = tuple(sorted(seasons))
    if len(rows) < SHORTEST_BLOCK:
        return Outliers(rows, ascending, [], 0)
    at_once = max(1, _VALUES_AT_ONCE // len(rows))
    runs = [
        run._replace(channel=first + run.channel)
        for first in range(0, rows.shape[1], at_once)
        for run in _find_runs(np.ascontiguousarray(rows[:, first : first + at_once]), ascending)
    ]
    settled = block_rows(ascending) + SINGLE + 1
    return Outliers(rows, ascending, runs, min(settled, len(rows)))


def first_row_asked(row: int, seasons: Sequence[int]) -> int:
    """First row of those that say which of the rows from some row on are outliers.

    A search that starts there finds them as one of all rows does.

    Parameters
    ----------
    row : int
    seasons : sequence of int
        As for `find_outliers`.

    Examples
    --------
    >>> first_row_asked(5000, seasons=(7, 365)), first_row_asked(1000, seasons=(7, 365))
    (455, 0)
    """
    size = block_rows(seasons)
    # Five cycles say what is usual, twice. Four blocks say how far is far, each time, how rare that is and where a
    # series is; an outage lasts two, and those that begin before the search are to be as long there.
    asked = 2 * CYCLES * max(seasons, default=1) + _BLOCKS_ASKED * size
    return max(0, row - asked) // size * size


def find_panel_outliers(
    panel: Sequence[np.ndarray],  # (time, channels) each
    seasons: Sequence[int],
) -> list[Outliers]:
    """Find outliers in many series, those of equal length at once: in short ones a step costs more than its rows.

    Parameters
    ----------
    panel : sequence of ndarray of shape (time, channels)
    seasons : sequence of int
    """
    found: dict[int, Outliers] = {}
    places_of = defaultdict(list)
    for place, rows in enumerate(panel):
        places_of[rows.shape].append(place)
    for (_, channels), places in places_of.items():
        beside = find_outliers(np.concatenate([panel[place] for place in places], axis=1), seasons)
        runs: dict[int, list[Run]] = defaultdict(list)
        for run in beside.runs:
            runs[run.channel // channels].append(run._replace(channel=run.channel % channels))
        for number, place in enumerate(places):
            found[place] = beside._replace(rows=panel[place], runs=runs[number])
    return [found[place] for place in range(len(panel))]


def without_outliers(
    panel: Mapping[tuple, np.ndarray],  # (time, channels) each
    seasons: Sequence[int],
) -> dict[tuple, np.ndarray]:
    """Rows of many series with what would have been usual in the place of outliers.

    Parameters
    ----------
    panel : mapping of tuple to ndarray of shape (time, channels)
    seasons : sequence of int
    """
    found = find_panel_outliers(list(panel.values()), seasons)
    return {key: own.without() for key, own in zip(panel, found, strict=True)}


def _find_runs(rows: np.ndarray, seasons: tuple[int, ...]) -> list[Run]:
    # In powers of two, by which differences of the largest floats are none that is infinite.
    exponent = np.frexp(np.fmax.reduce(np.abs(rows), axis=0, initial=0.0))[1]
    scaled = np.ldexp(rows, -exponent)
    changed = far_from_last_cycles(scaled, seasons)
    alike = np.zeros(rows.shape, dtype=bool)  # rows that repeat the one before
    alike[1:] = rows[1:] == rows[:-1]
    channels = np.flatnonzero(changed.any(axis=0) | _are_any_stuck(alike))
    if not len(channels):
        return []
    own = scaled[:, channels]
    stops = np.stack([stops_of_equal(alike[:, channel]) for channel in channels], axis=1)
    far, deviation = far_from_usual(own, seasons)
    far &= changed[:, channels]
    judged = channel_rows(own, own, deviation, far, stops, seasons)
    if min(seasons, default=1) > SINGLE:
        # Outliers of the same phase say little of what is usual there.
        known = np.stack([series.without_single() for series in judged], axis=1)
        still_far, deviation = far_from_usual(own, seasons, known)
        judged = channel_rows(own, known, deviation, far & still_far, stops, seasons)
    return [
        run._replace(channel=channel, usual=_from_units(run.usual, int(exponent[channel])))
        for channel, series in zip(channels.tolist(), judged, strict=True)
        for run in series.runs()
    ]


def _from_units(values: np.ndarray, exponent: int) -> np.ndarray:
    """Values times a power of two, within floats."""
    largest = np.ldexp(1 - 2.0**-53, min(1023, 1024 - exponent))
    return np.ldexp(np.clip(values, -largest, largest), exponent)


def _are_any_stuck(alike: np.ndarray) -> np.ndarray:  # (T, C) -> (C,)
    repeats = STUCK - 1
    if len(alike) < repeats:
        return np.zeros(alike.shape[1], dtype=bool)
    in_a_row = alike[repeats - 1 :].copy()
    for lag in range(1, repeats):
        in_a_row &= alike[repeats - 1 - lag : len(alike) - lag]
    return np.asarray(in_a_row.any(axis=0))
