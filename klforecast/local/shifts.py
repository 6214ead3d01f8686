"""The newest change of level in a past, and the past as it would have been on the present level.

    c_t    = mean(z_t ... z_{t+w-1}) - mean(z_{t-w} ... z_{t-1})      w: a season, or six rows where there is none
    shift  = newest t that |c_t - m| is largest at nearby and beyond 7 s           m, s: median and scaled MAD of c

z is the logarithm of a positive series, whose units may have changed, else the series itself. Most of the rows have to
have moved, each against the one a season before: a spike is no shift. What a random walk does in w rows it does all
the time, so that none of it is beyond 7 s. Beside a season six rows are looked at too, for shifts that are younger.

Rows before a shift are multiplied by its factor, or moved by its amount, whichever the deviations before and after it
speak for; a shift so undone leaves everything that was known of season and noise, and the level of the rows since.

Source    level shifts as interventions: Chen & Liu (1993), J. American Statistical Association 88(421).
Letters   N series, T rows, w rows of a side
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from klforecast.local.intermittent import count_size
from klforecast.local.origins import farthest_origin
from klforecast.local.panel import are_positive, median, moving_sums

_FEWEST_ROWS = 6  # of a side: one more than an outage that still lasts may
_CYCLES = 8  # of w rows that a level is taken from: more than that, and a slow trend shows
_BEFORE = 8  # times w rows that say what is usual, at least
_FAR = (
    7.0  # robust deviations; neighbouring c overlap, and the tails of loads and rivers reach five
)
_COMMON = 0.3  # share of far c from which on levels change all the time
# Times the range of neighbouring means that the shift is at least, before it and after it: a drop of 40 % under noise
# of 8 % has 2.8 and 2.5; jumps in loads, weather and exchange rates have 1.9 and 2 on one side at most.
_STEADY_BEFORE, _STEADY_AFTER = 2.5, 2.0
_MOVED = 0.8  # share of the rows of the first season after it that have moved, by half of the shift at least
_OBSERVED = 0.75  # of the rows of a side
_ROUNDING = 1e-9  # of a level, below which rows do not differ
_LARGEST = 250.0  # logarithm of a factor, about 2^360: squares of what it moves are floats
_NORMAL = 1.4826  # standard deviations in a median absolute deviation of normal rows


class Levelled(NamedTuple):
    """A past on its present level.

    Attributes
    ----------
    past : ndarray of shape (N, T)
    shifted : ndarray of bool, shape (N,)
        Which series have a shift undone.
    """

    past: np.ndarray
    shifted: np.ndarray


def without_shift(past: np.ndarray, period: int, reach: int, width: int | None = None) -> Levelled:
    """Bring the rows before the newest shift of every series to the level after it.

    Parameters
    ----------
    past : ndarray of shape (N, T)
        Newest row last, NaN where nothing was observed.
    period : int
        Rows of a season, 1 for none.
    reach : int
        Newest rows among which a shift is looked for.
    width : int, optional
        Rows of a side; None takes a season, or six rows where there is none. Of fewer rows a season is no matter, but
        for what it does in as few rows all the time.

    Notes
    -----
    O(N T).

    Examples
    --------
    >>> rows = np.tile([9.0, 10.0, 11.0], 40)
    >>> rows[-9:] *= 1000
    >>> levelled = without_shift(rows[None], period=3, reach=60)
    >>> levelled.past[0, [0, 1, 2, -1]].round(), levelled.shifted
    (array([ 9000., 10000., 11000., 11000.]), array([ True]))
    """
    rows = past.shape[1]
    width = width or period * -(-_FEWEST_ROWS // period)
    # Rows are compared with those of the same phase.
    lag = max(width, period)
    shifted = np.zeros(len(past), dtype=bool)
    if rows < (_BEFORE + 1) * width:
        return Levelled(past, shifted)
    positive = are_positive(past)
    z = past.copy()
    z[positive] = np.log(past[positive])
    means = _means(z, width)
    change, middle, spread = _changes(means, rows, width)
    least = _ROUNDING * np.where(np.isfinite(z), np.abs(z), 0.0).max(axis=1)
    far = np.abs(change - middle[:, None]) > _FAR * np.maximum(spread, least)[:, None]
    known = np.isfinite(change).sum(axis=1)
    usable = (
        far.any(axis=1) & (known >= _BEFORE * width // 2) & (far.sum(axis=1) <= _COMMON * known)
    )
    levelled = past.copy() if usable.any() else past
    for series in np.flatnonzero(usable):
        jump = change[series] - middle[series]
        start = _newest(z[series], means[series], jump, far[series], width, lag)
        if start is None or start < rows - reach:
            continue
        slope = middle[series] / width
        levelled[series, :start] = _moved(past[series], start, lag, slope, positive[series])
        shifted[series] = True
    return Levelled(levelled, shifted)


def on_present_level(past: np.ndarray, horizon: int, periods: Sequence[int]) -> Levelled:
    """The past that experts look at: without a shift that their origins would lie around.

    Parameters
    ----------
    past : ndarray of shape (N, T)
        Newest row last, NaN where nothing was observed.
    horizon : int
    periods : sequence of int
        Ascending.

    Returns
    -------
    Levelled
        Counts with many zeros as they are: levels of them are too few to tell a shift from chance.
    """
    reach = farthest_origin(past.shape[1], horizon)
    found = without_shift(past, periods[0] if periods else 1, reach)
    if periods and periods[0] > _FEWEST_ROWS:
        steady = np.flatnonzero(~found.shifted)
        younger = without_shift(past[steady], periods[0], reach, _FEWEST_ROWS)
        if younger.shifted.any():
            moved = steady[younger.shifted]
            levelled = found.past.copy()
            levelled[moved] = younger.past[younger.shifted]
            found.shifted[moved] = True
            found = Levelled(levelled, found.shifted)
    shifted = np.flatnonzero(found.shifted)
    left = shifted[count_size(past[shifted]) > 0]
    found.past[left], found.shifted[left] = past[left], False
    return found


def _means(z: np.ndarray, width: int) -> np.ndarray:  # (N, T - w + 1)
    """Means of `width` rows from each row on; NaN where too little was observed."""
    sums, counts = moving_sums(z, width)
    return np.where(counts >= _OBSERVED * width, sums / np.maximum(counts, 1), np.nan)


def _changes(means: np.ndarray, rows: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change of the mean over `width` rows at each row, (N, T), NaN at both ends; its median and deviation, (N,)."""
    change = np.full((len(means), rows), np.nan)
    change[:, width : rows - width + 1] = means[:, width:] - means[:, :-width]
    middle, spread = np.full((2, len(means)), np.nan)
    some = np.isfinite(change).any(axis=1)
    seen = change[some]
    middle[some] = median(seen)[:, 0]
    spread[some] = _NORMAL * median(np.abs(seen - middle[some, None]))[:, 0]
    return change, middle, spread


def _newest(
    z: np.ndarray, means: np.ndarray, change: np.ndarray, far: np.ndarray, width: int, lag: int
) -> int | None:
    """First row after the newest shift of a series."""
    places = np.flatnonzero(far)
    while len(places):
        nearby = places[places > places[-1] - width]
        start = int(nearby[np.abs(change[nearby]).argmax()])
        if start < lag:
            return None
        moved = (z[start : start + width] - z[start - lag :][:width]) / change[start]
        moved = moved[np.isfinite(moved)]
        before = means[max(0, start - _CYCLES * width) : start - width + 1]
        after = means[start : start + (_CYCLES - 1) * width + 1]
        if (
            len(moved)
            and (moved > 0.5).mean() >= _MOVED
            and abs(change[start]) >= _STEADY_BEFORE * (np.nanmax(before) - np.nanmin(before))
            and abs(change[start]) >= _STEADY_AFTER * (np.nanmax(after) - np.nanmin(after))
        ):
            return start
        places = places[places < nearby[0]]
    return None


def _moved(past: np.ndarray, start: int, lag: int, slope: float, positive: bool) -> np.ndarray:
    """Rows before a shift on the level after it."""
    after = lag * min(_CYCLES, (len(past) - start) // lag)
    before = lag * min(_CYCLES, start // lag)
    new, old = past[start : start + after], past[start - before : start]
    grown = slope * (after + before) / 2
    if not after:
        # Younger than a season: the same phases of the one before it.
        new = past[start:]
        old, grown = past[start - lag :][: len(new)], slope * lag
    if not positive:
        return past[:start] + (np.nanmean(new) - np.nanmean(old) - grown)
    factor = np.nanmean(np.log(new)) - np.nanmean(np.log(old)) - grown
    factor = np.clip(factor, -_LARGEST, _LARGEST)
    added = past[:start] + (np.nanmean(new) - np.nanmean(old) * np.exp(grown))
    widened = np.log(_deviation(new) / _deviation(old))
    if 2 * widened * np.sign(factor) > abs(factor) or np.nanmin(added) <= 0:
        return past[:start] * np.exp(factor)
    return added


def _deviation(rows: np.ndarray) -> float:
    return max(float(np.nanstd(rows)), _ROUNDING * float(np.nanmean(np.abs(rows))))
