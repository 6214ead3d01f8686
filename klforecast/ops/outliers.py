"""Outliers of a series: single rows far from what is usual for them, outages, and values that got stuck.

    r_t  =  y_t - median(y_{t-p} ... y_{t-5p})             p: a season; the seven rows before where there is none
    d_t  =  r_t, or r_t - median(r_{t-1} ... r_{t-7})      what is nearest to zero of these, over all seasons
    far  :  |d_t| > 6 s  and  |y_t - y_{t-p}| > 4 s'       s, s': scaled medians of both in the four blocks before

Far rows are outliers where they are one or two, or all alike (an outage), and what follows is not far: as long as it
lasts, it may be a shift of level. Above zero they have to be far in logarithms too, so that a large flood of a river
that has many is none; and where more than 6 % of the rows are far, far is how the series is. Rows that repeat the one
before them four times or more, in a series that does not, were carried forward.

A row is judged by the rows before it, in blocks of five cycles, and those of the first block by one another. So what is
an outlier before a cutoff does not hang on what comes after it.

Source    deviations from a running median: Hampel (1974), J. American Statistical Association 69(346).
Letters   T rows, C channels, K rows that a median is taken of, p period
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

_CYCLES = 5  # that say what is usual at a phase: their median bears two outliers
_LEVEL = 7  # rows that say how far the series is from there at present
_SHORTEST_BLOCK = 30  # rows
_BLOCKS = 4  # that say how much is usual
_FEWEST = 3  # rows that a median is taken of
_FAR = 6.0  # robust deviations
_FAR_FROM_LAST_CYCLE = 4.0  # of differences, which are wider by the square root of two
_NORMAL = 1.4826  # standard deviations in a median absolute deviation of normal rows
_SINGLE = 2  # rows of an outlier that need not be alike
_ALIKE = 5  # of an outage that may still last, over a weekend or for a few steps of a sensor
_LATELY = 60  # rows that say where the series is at present
_ELSEWHERE = 0.03  # share of rows beyond there from which on the series may stay where it went
_COMMON, _RARE = 0.06, 3  # share of far rows from which on they are usual, but three
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


def block_rows(seasons: Sequence[int]) -> int:
    """Rows that are judged together: five of the shortest cycles, or 30."""
    return max(_SHORTEST_BLOCK, _CYCLES * min(seasons, default=1))


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
    if len(rows) < _SHORTEST_BLOCK:
        return Outliers(rows, ascending, [], 0)
    size = block_rows(ascending)
    changed = _is_far(_from_last_cycle(rows, ascending, size), size, _FAR_FROM_LAST_CYCLE)
    alike = np.zeros(rows.shape, dtype=bool)  # rows that repeat the one before
    alike[1:] = rows[1:] == rows[:-1]
    looked_at = changed.any(axis=0) | _are_any_stuck(alike)
    runs: list[Run] = []
    channels = np.flatnonzero(looked_at)
    if len(channels):
        own = rows[:, channels]
        deviation = _deviations(own, ascending, size)
        far = changed[:, channels] & _is_far(np.abs(deviation), size, _FAR)
        far &= _far_in_logarithms(own, far, ascending, size)
        for place, channel in enumerate(channels.tolist()):
            series = _Channel(
                own[:, place],
                deviation[:, place],
                far[:, place],
                _stops_of_equal(alike[:, channel]),
                ascending,
                size,
            )
            runs += [run._replace(channel=channel) for run in series.runs()]
    return Outliers(rows, ascending, runs, min(size, len(rows)))


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
    deviation: np.ndarray  # (T,)
    far: np.ndarray  # (T,) bool
    stops: np.ndarray  # (T,) int, of the equal rows that a row belongs to
    seasons: tuple[int, ...]
    size: int

    def runs(self) -> list[Run]:
        """Outliers, without the number of their channel."""
        return sorted([*self._far_runs(), *self._stuck_runs()], key=lambda run: run.start)

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
            first = max(0, block - _BLOCKS) * self.size
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
        known = slice(max(0, start // self.size - _BLOCKS) * self.size, start)
        past = self.rows[known][usual[known] & np.isfinite(self.rows[known])]
        lately = past[-_LATELY:]
        if len(lately) < _LATELY // 2:
            return start
        middle = np.median(lately)
        limit = _FAR * _NORMAL * np.median(np.abs(lately - middle))
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
            first = max(0, start // self.size - _BLOCKS) * self.size
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
        cycles = _CYCLES if period > 1 else _LEVEL

        def middle(times: np.ndarray, back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            places = times - back - period * np.arange(cycles)[:, None]
            return _median(np.where(places >= 0, self.rows[np.maximum(places, 0)], np.nan))

        newest, ahead = np.arange(max(0, start - _LEVEL), start), np.arange(start, stop)
        expected, known = middle(newest, np.full(len(newest), period))
        residual = self.rows[newest] - np.where(known >= _FEWEST, expected, np.nan)
        level = _median(residual)[0] if len(newest) else np.nan
        usual, known = middle(ahead, period * (1 + (ahead - start) // period))
        usual += np.where(np.isfinite(level), level, 0.0)
        rows, deviation = self.rows[start:stop], self.deviation[start:stop]
        judged_by = rows - np.where(np.isfinite(deviation), deviation, 0.0)
        return np.where(known >= _FEWEST, usual, judged_by)


def _from_last_cycle(rows: np.ndarray, seasons: Sequence[int], size: int) -> np.ndarray:
    """Distances of rows from those a cycle before, or after in the first cycle, (T, C)."""
    lag = seasons[0] if seasons else 1
    if lag >= len(rows):
        return np.full(rows.shape, np.nan)
    distance = np.abs(rows - _lagged(rows, lag))
    distance[:lag] = np.abs(rows[:lag] - _leading(rows, lag)[:lag])
    return distance


def _is_far(distance: np.ndarray, size: int, deviations: float) -> np.ndarray:  # (T, C) bool
    """Rows beyond so many deviations, of the four blocks before; of the first block its own."""
    rows, channels = distance.shape
    blocks = -(-rows // size)
    padded = np.full((blocks * size, channels), np.nan)
    padded[:rows] = distance
    # A block of a channel next to each other: sorting goes five times as fast.
    apart = np.ascontiguousarray(padded.T).reshape(channels, blocks, size)
    middle, known = (found.T for found in _median(apart, axis=-1))
    middle = np.where(known >= min(size, rows) // 3, middle, np.nan)
    before, _ = _median(np.stack([_lagged(middle, lag) for lag in range(1, _BLOCKS + 1)]))
    before[0] = middle[0]
    limit = np.where(before > 0, deviations * _NORMAL * before, np.inf)
    far: np.ndarray = distance > np.repeat(limit, size, axis=0)[:rows]
    return far


def _deviations(rows: np.ndarray, seasons: Sequence[int], size: int) -> np.ndarray:  # (T, C)
    """Distances from what is usual, with their sign, by the season that they are least by."""
    nearest = np.full(rows.shape, np.nan)
    for period in seasons or (1,):
        lags = period * np.arange(1, 1 + (_CYCLES if period > 1 else _LEVEL))
        residual = rows - _usual_by(rows, lags, size)
        level = _usual_by(residual, np.arange(1, 1 + _LEVEL), size)
        relative = residual - np.where(np.isfinite(level), level, 0.0)
        for deviation in (residual, relative):
            nearer = np.isfinite(deviation) & ~(np.abs(nearest) <= np.abs(deviation))
            nearest = np.where(nearer, deviation, nearest)
    return nearest


def _usual_by(rows: np.ndarray, lags: np.ndarray, size: int) -> np.ndarray:  # (T, C)
    """Median of the rows at some lags; in the first block of those before and after, within it."""
    middle, known = _median(np.stack([_lagged(rows, lag) for lag in lags]))
    middle[known < _FEWEST] = np.nan
    first = rows[:size]
    around = [turned(first, lag) for lag in lags for turned in (_lagged, _leading)]
    middle[:size], known = _median(np.stack(around))
    middle[:size][known < _FEWEST - 1] = np.nan
    return middle


def _far_in_logarithms(
    rows: np.ndarray, far: np.ndarray, seasons: Sequence[int], size: int
) -> np.ndarray:  # (T, C) bool
    """Rows that are far in logarithms, and all that have none, or follow a row below zero."""
    passed = np.ones(far.shape, dtype=bool)
    lowest = np.minimum.accumulate(np.where(np.isfinite(rows), rows, np.inf), axis=0)
    lowest[:size] = lowest[min(size, len(rows)) - 1]
    asked = far & (lowest >= 0) & (rows > 0)
    channels = np.flatnonzero(asked.any(axis=0))
    if len(channels):
        logs = np.log(np.where(rows[:, channels] > 0, rows[:, channels], np.nan))
        distance = np.abs(_deviations(logs, seasons, size))
        passed[:, channels] = ~asked[:, channels] | _is_far(distance, size, _FAR)
    return passed


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


def _lagged(rows: np.ndarray, lag: int) -> np.ndarray:
    moved = np.full_like(rows, np.nan)
    if lag < len(rows):
        moved[lag:] = rows[: len(rows) - lag]
    return moved


def _leading(rows: np.ndarray, lag: int) -> np.ndarray:
    return _lagged(rows[::-1], lag)[::-1]


def _median(stack: np.ndarray, axis: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Median of what is known along an axis, NaN where nothing is, and how much that is."""
    ordered = np.sort(stack, axis=axis)  # NaN last
    known = np.isfinite(stack).sum(axis=axis, keepdims=True)
    lower, upper = (
        np.take_along_axis(ordered, np.clip(at, 0, stack.shape[axis] - 1), axis).squeeze(axis)
        for at in ((known - 1) // 2, known // 2)
    )
    known = known.squeeze(axis)
    return np.where(known > 0, lower + (upper - lower) / 2, np.nan), known
