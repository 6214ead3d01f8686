"""Outliers of a series: single far rows, outages, and values that got stuck.

Far rows (`far_rows`) are outliers where they are one or two, or all alike (an outage), and the series is back where
it was in the row that follows: as long as they last, it may be a shift of level. As the newest rows they are outliers
where the series is rarely elsewhere than at present. Where more than 10 % of the rows are far, far is how the series
is. Rows that repeat the one before them four times or more, in a series that does not, were carried forward.

A row is judged by the rows before it, and those of the first block by one another. So what is an outlier before a
cutoff does not hang on what comes after it.

Letters   T rows, C channels
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from klforecast.ops.far_rows import (
    BLOCKS,
    CYCLES,
    FAR,
    FEWEST,
    LEVEL,
    NORMAL,
    SHORTEST_BLOCK,
    block_rows,
    far_from_last_cycles,
    far_from_usual,
    median_of_known,
)

_SINGLE = 2  # rows of an outlier that need not be alike
_ALIKE = 5  # of an outage that may still last, over a weekend or for a few steps of a sensor
_LATELY = 60  # rows that say where the series is at present
_ELSEWHERE = 0.03  # share of rows beyond there from which on the series may stay where it went
_COMMON, _RARE = 0.1, 3  # share of far rows from which on they are usual, but three
_STUCK = 5  # equal rows, the first of which was observed
_REPEATED = 0.02  # share of rows that repeat the one before, from which on that is usual
_BACK = 0.5  # of its distance, within which a series is back
_LONGEST = 2  # blocks of an outage
_VALUES_AT_ONCE = 1 << 17  # 1 MB, which stays in the caches


class Run(NamedTuple):
    """Rows of a channel that are outliers.

    Attributes
    ----------
    channel, start, stop : int
    usual : ndarray of shape (stop - start,)
        What would have been usual.
    first_cutoff, last_cutoff : int
        Cutoffs from and up to which the rows before them say so.
    """

    channel: int
    start: int
    stop: int
    usual: np.ndarray
    first_cutoff: int
    last_cutoff: int

    def is_known(self, cutoff: int) -> bool:
        """Whether the rows before a cutoff say so."""
        return self.first_cutoff <= cutoff <= self.last_cutoff


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
    O(T C) for channels without a far row, times 20 for each season for the others.

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
    # In powers of two, by which differences of the largest floats are none that is infinite.
    exponent = np.frexp(np.fmax.reduce(np.abs(rows), axis=0, initial=0.0))[1]
    scaled = np.ldexp(rows, -exponent)
    changed = far_from_last_cycles(scaled, ascending)
    alike = np.zeros(rows.shape, dtype=bool)  # rows that repeat the one before
    alike[1:] = rows[1:] == rows[:-1]
    looked_at = changed.any(axis=0) | _are_any_stuck(alike)
    runs: list[Run] = []
    channels = np.flatnonzero(looked_at)
    if len(channels):
        own = scaled[:, channels]
        stops = np.stack([_stops_of_equal(alike[:, channel]) for channel in channels], axis=1)
        far, deviation = far_from_usual(own, ascending)
        far &= changed[:, channels]
        judged = _channels(own, own, deviation, far, stops, ascending)
        if min(ascending, default=1) > _SINGLE:
            # Outliers of the same phase say little of what is usual there.
            known = np.stack([series.without_single() for series in judged], axis=1)
            still_far, deviation = far_from_usual(own, ascending, known)
            judged = _channels(own, known, deviation, far & still_far, stops, ascending)
        for channel, series in zip(channels.tolist(), judged, strict=True):
            for run in series.runs():
                usual = _from_units(run.usual, int(exponent[channel]))
                runs.append(run._replace(channel=channel, usual=usual))
    settled = block_rows(ascending) + _SINGLE + 1
    return Outliers(rows, ascending, runs, min(settled, len(rows)))


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
        together = max(1, _VALUES_AT_ONCE // max(1, panel[places[0]].size))
        for first in range(0, len(places), together):
            some = places[first : first + together]
            beside = find_outliers(
                np.concatenate([panel[place] for place in some], axis=1), seasons
            )
            runs: dict[int, list[Run]] = defaultdict(list)
            for run in beside.runs:
                runs[run.channel // channels].append(run._replace(channel=run.channel % channels))
            for number, place in enumerate(some):
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


class _Channel(NamedTuple):
    """What is known of the rows of one channel."""

    rows: np.ndarray  # (T,)
    known: np.ndarray  # (T,), NaN where a row does not say what is usual
    deviation: np.ndarray  # (T,)
    far: np.ndarray  # (T,) bool
    stops: np.ndarray  # (T,) int, of the equal rows that a row belongs to
    seasons: tuple[int, ...]

    @property
    def size(self) -> int:
        """Rows of a block."""
        return block_rows(self.seasons)

    def runs(self) -> list[Run]:
        """Outliers, without the number of their channel."""
        return sorted([*self._far_runs(), *self._stuck_runs()], key=lambda run: run.start)

    def without_single(self) -> np.ndarray:  # (T,)
        """The rows with NaN in the place of far ones that were one or two, which the next row has told."""
        left = self.rows.copy()
        for start, stop in self._far_stretches():
            if stop - start <= _SINGLE and self._is_over(start, stop):
                left[start:stop] = np.nan
        return left

    def _far_runs(self) -> Iterator[Run]:
        stretches = [*self._far_stretches()]
        over = {stretch for stretch in stretches if self._is_over(*stretch)}
        rare = self._rare({(start, stop) for start, stop in over if stop - start <= _SINGLE})
        usual = np.ones(len(self.rows), dtype=bool)  # rows that are no outliers that are over
        for start, stop in stretches:
            first = stop + 1
            newest = self._last_of_newest(start, stop, usual)
            if (start, stop) in over and (stop - start > _SINGLE or (start, stop) in rare):
                usual[start:stop] = False
                if newest == stop:
                    first = start + 1
                yield Run(0, start, stop, self._usual(start, stop), first, len(self.rows))
            if first > stop and newest > start:
                yield Run(0, start, newest, self._usual(start, newest), start + 1, newest)

    def _is_over(self, start: int, stop: int) -> bool:
        """Whether far rows are few, or all alike, and the row that followed is back where the series was."""
        alike = self.stops[start] == stop
        if stop - start > (_LONGEST * self.size if alike else _SINGLE) or stop == len(self.rows):
            return False
        away = np.abs(self.rows[start : stop + 1] - self._usual(start, stop + 1))
        return bool(away[-1] < _BACK * away[:-1].min())

    def _rare(self, single: set[tuple[int, int]]) -> set[tuple[int, int]]:
        """Those of the single far rows that are not how the series is."""
        counts = np.zeros(len(self.rows) + 1)
        for start, stop in single:
            counts[start + 1 : stop + 1] = 1
        counts = counts.cumsum()
        rare = set()
        for start, stop in single:
            block = start // self.size
            first = max(0, block - BLOCKS) * self.size
            last = stop if block else min(self.size, len(self.rows))
            if counts[last] - counts[first] <= max(_RARE, _COMMON * (last - first)):
                rare.add((start, stop))
        return rare

    def _far_stretches(self) -> Iterator[tuple[int, int]]:
        """First and last row, exclusive, of rows that are far, or equal to a far one before them."""
        near, stop = np.append(np.flatnonzero(~self.far), len(self.rows)), 0
        for place in np.flatnonzero(self.far).tolist():
            if place >= stop:
                stop = max(int(near[np.searchsorted(near, place)]), int(self.stops[place]))
                yield place, stop

    def _last_of_newest(self, start: int, stop: int, usual: np.ndarray) -> int:
        """Last cutoff at which far rows are outliers as the newest ones: where the series is rarely elsewhere."""
        known = slice(max(0, start // self.size - BLOCKS) * self.size, start)
        past = self.rows[known][usual[known] & np.isfinite(self.rows[known])]
        lately = past[-_LATELY:]
        if len(lately) < _LATELY // 2:
            return start
        middle = np.median(lately)
        limit = FAR * NORMAL * np.median(np.abs(lately - middle))
        elsewhere = (np.abs(past - middle) > limit).mean()
        if not abs(self.rows[start] - middle) > limit > 0 or elsewhere > _ELSEWHERE:
            return start
        return max(min(stop, start + _SINGLE), min(int(self.stops[start]), start + _ALIKE))

    def _stuck_runs(self) -> Iterator[Run]:
        times = np.arange(len(self.rows))
        repeats = np.append(False, self.stops[1:] == self.stops[:-1])
        counts = np.append(0, repeats.cumsum())
        for observed in np.flatnonzero(~repeats & (self.stops - times >= _STUCK)):
            start, stop = int(observed), int(self.stops[observed])
            first = max(0, start // self.size - BLOCKS) * self.size
            repeated = counts[start] - counts[first]
            if start < self.size or self.far[start] or repeated > _REPEATED * (start - first):
                continue
            longest = start + _LONGEST * self.size
            last = len(self.rows) if stop <= longest else longest
            usual = self._usual(start + 1, min(stop, longest))
            yield Run(0, start + 1, start + 1 + len(usual), usual, start + _STUCK, last)

    def _usual(self, start: int, stop: int) -> np.ndarray:  # (stop - start,)
        """What the cycles before `start` say of the rows from there on, on the level of the newest of them.

        Where these are too few, as in the first block, what the rows were judged by; the rows themselves where they
        could not be.
        """
        period = self.seasons[0] if self.seasons else 1
        cycles = CYCLES if period > 1 else LEVEL

        def middle(times: np.ndarray, back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            places = times - back - period * np.arange(cycles)[:, None]
            return median_of_known(np.where(places >= 0, self.known[np.maximum(places, 0)], np.nan))

        newest, ahead = np.arange(max(0, start - LEVEL), start), np.arange(start, stop)
        expected, known = middle(newest, np.full(len(newest), period))
        residual = self.rows[newest] - np.where(known >= FEWEST, expected, np.nan)
        level = median_of_known(residual)[0] if len(newest) else np.nan
        usual, known = middle(ahead, period * (1 + (ahead - start) // period))
        usual += np.where(np.isfinite(level), level, 0.0)
        rows, deviation = self.rows[start:stop], self.deviation[start:stop]
        judged_by = rows - np.where(np.isfinite(deviation), deviation, 0.0)
        return np.where(known >= FEWEST, usual, judged_by)


def _channels(
    rows: np.ndarray,
    known: np.ndarray,
    deviation: np.ndarray,
    far: np.ndarray,
    stops: np.ndarray,  # (T, C) each
    seasons: tuple[int, ...],
) -> list[_Channel]:
    columns = zip(rows.T, known.T, deviation.T, far.T, stops.T, strict=True)
    return [_Channel(*of_one, seasons) for of_one in columns]


def _from_units(values: np.ndarray, exponent: int) -> np.ndarray:
    """Values times a power of two, within floats."""
    largest = np.ldexp(1 - 2.0**-53, min(1023, 1024 - exponent))
    return np.ldexp(np.clip(values, -largest, largest), exponent)


def _are_any_stuck(alike: np.ndarray) -> np.ndarray:  # (T, C) -> (C,)
    repeats = _STUCK - 1
    if len(alike) < repeats:
        return np.zeros(alike.shape[1], dtype=bool)
    in_a_row = alike[repeats - 1 :].copy()
    for lag in range(1, repeats):
        in_a_row &= alike[repeats - 1 - lag : len(alike) - lag]
    return np.asarray(in_a_row.any(axis=0))


def _stops_of_equal(alike: np.ndarray) -> np.ndarray:  # (T,) -> (T,) int
    """Row after the last of the equal rows that each row belongs to."""
    ends = np.flatnonzero(~np.append(alike[1:], False)) + 1
    return ends[np.searchsorted(ends, np.arange(len(alike)), side="right")]
