"""Which far rows of a channel are outliers: single ones, outages, and values that got stuck.

Far rows (`far_rows`) are outliers where they are one or two, or all alike (an outage), and the series is back where
it was in the row that follows: as long as they last, it may be a shift of level. As the newest rows they are outliers
where the series is rarely elsewhere than at present. Where more than 10 % of the rows are far, far is how the series
is. Rows that repeat the one before them four times or more, in a series that does not, were carried forward.

Letters   T rows, C channels
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from klforecast.ops.far_rows import BLOCKS, FAR, NORMAL, block_rows, usual_before

SINGLE = 2
"""Rows of an outlier that need not be alike."""

STUCK = 5
"""Equal rows that got stuck, the first of which was observed."""

_ALIKE = 5  # of an outage that may still last, over a weekend or for a few steps of a sensor
_LATELY = 60  # rows that say where the series is at present
_ELSEWHERE = 0.03  # share of rows beyond there from which on the series may stay where it went
_COMMON, _RARE = 0.1, 3  # share of far rows from which on they are usual, but three
_REPEATED = 0.02  # share of rows that repeat the one before, from which on that is usual
_BACK = 0.5  # of its distance, within which a series is back
_LONGEST = 2  # blocks of an outage


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


class ChannelRows(NamedTuple):
    """Rows of one channel, and how far they are from what is usual.

    Attributes
    ----------
    rows : ndarray of shape (T,)
    usual, level : ndarray of shape (T,)
        Of `usual_before`.
    deviation : ndarray of shape (T,)
    far : ndarray of bool, shape (T,)
    stops : ndarray of int, shape (T,)
        Row after the last of the equal rows that each row belongs to.
    seasons : tuple of int
        Ascending.
    """

    rows: np.ndarray
    usual: np.ndarray
    level: np.ndarray
    deviation: np.ndarray
    far: np.ndarray
    stops: np.ndarray
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
            if stop - start <= SINGLE and self._is_over(start, stop):
                left[start:stop] = np.nan
        return left

    def _far_runs(self) -> Iterator[Run]:
        stretches = [*self._far_stretches()]
        over = {stretch for stretch in stretches if self._is_over(*stretch)}
        rare = self._rare({(start, stop) for start, stop in over if stop - start <= SINGLE})
        usual = np.ones(len(self.rows), dtype=bool)  # rows that are no outliers that are over
        for start, stop in stretches:
            first = stop + 1
            newest = self._last_of_newest(start, stop, usual)
            if (start, stop) in over and (stop - start > SINGLE or (start, stop) in rare):
                usual[start:stop] = False
                if newest == stop:
                    first = start + 1
                yield Run(0, start, stop, self._usual(start, stop), first, len(self.rows))
            if first > stop and newest > start:
                yield Run(0, start, newest, self._usual(start, newest), start + 1, newest)

    def _is_over(self, start: int, stop: int) -> bool:
        """Whether far rows are few, or all alike, and the row that followed is back where the series was."""
        alike = self.stops[start] == stop
        if stop - start > (_LONGEST * self.size if alike else SINGLE) or stop == len(self.rows):
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
        return max(min(stop, start + SINGLE), min(int(self.stops[start]), start + _ALIKE))

    def _stuck_runs(self) -> Iterator[Run]:
        times = np.arange(len(self.rows))
        repeats = np.append(False, self.stops[1:] == self.stops[:-1])
        counts = np.append(0, repeats.cumsum())
        for observed in np.flatnonzero(~repeats & (self.stops - times >= STUCK)):
            start, stop = int(observed), int(self.stops[observed])
            first = max(0, start // self.size - BLOCKS) * self.size
            repeated = counts[start] - counts[first]
            if start < self.size or self.far[start] or repeated > _REPEATED * (start - first):
                continue
            longest = start + _LONGEST * self.size
            last = len(self.rows) if stop <= longest else longest
            usual = self._usual(start + 1, min(stop, longest))
            yield Run(0, start + 1, start + 1 + len(usual), usual, start + STUCK, last)

    def _usual(self, start: int, stop: int) -> np.ndarray:  # (stop - start,)
        """What the cycles before `start` say of the rows from there on, on the level of the newest of them.

        Where these are too few, as in the first block, what the rows were judged by; the rows themselves where they
        could not be.
        """
        times, period = np.arange(start, stop), self.seasons[0] if self.seasons else 1
        usual = self.usual[start + (times - start) % period] + self.level[start]
        deviation = self.deviation[start:stop]
        judged_by = self.rows[start:stop] - np.where(np.isfinite(deviation), deviation, 0.0)
        return np.where(np.isfinite(usual), usual, judged_by)


def channel_rows(
    rows: np.ndarray,
    known: np.ndarray,
    deviation: np.ndarray,
    far: np.ndarray,
    stops: np.ndarray,  # (T, C) each
    seasons: tuple[int, ...],
) -> list[ChannelRows]:
    """The channels apart, with what the rows before say of each row.

    Parameters
    ----------
    rows, known : ndarray of shape (T, C)
        The second NaN where a row does not say what is usual.
    deviation, far, stops, seasons
        As of `ChannelRows`, (T, C) each.
    """
    usual, level = usual_before(rows, known, seasons)
    return [
        ChannelRows(
            rows[:, place],
            usual[:, place],
            level[:, place],
            deviation[:, place],
            far[:, place],
            stops[:, place],
            seasons,
        )
        for place in range(rows.shape[1])
    ]


def stops_of_equal(alike: np.ndarray) -> np.ndarray:  # (T,) -> (T,) int
    """Row after the last of the equal rows that each row belongs to.

    Parameters
    ----------
    alike : ndarray of bool, shape (T,)
        Rows that repeat the one before.

    Examples
    --------
    >>> stops_of_equal(np.array([False, False, True, True, False])).tolist()
    [1, 4, 4, 4, 5]
    """
    ends = np.flatnonzero(~np.append(alike[1:], False)) + 1
    return ends[np.searchsorted(ends, np.arange(len(alike)), side="right")]
