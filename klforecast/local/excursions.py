"""Spikes and outages at the end of a past: its newest rows, where they are far from what came just before.

    far_t = |z_t - m| > 6 s        m, s: median and scaled median absolute deviation of the 60 rows before the newest 5

A shift of level shows in the same way. What has lasted for more than two rows is taken for one, and for more than five
where they are all alike, as in an outage; and where far rows are common, as floods are in a river, they are how the
series is, and no excursions.

Letters   N series, T rows
"""

import numpy as np

from klforecast.local.panel import median

_NEWEST = (
    5  # rows that an excursion may last: an outage over a weekend, or of a few steps of a sensor
)
# The same of rows that differ. On 20 sets before their test parts, of the twelve rows after one, two ... five far ones
# 78, 65, 48, 36 and 32 % are where the series was before.
_DIFFERING = 2
_BEFORE = 60  # rows that say what is usual: two months of days, two and a half days of hours
_FEWEST = 30  # of these that were observed
# Robust standard deviations. A season stays within three; one that swings by half of the level hides an outage to zero.
_FAR = 6.0
_COMMON = 0.1  # share of the whole past from which on far rows are usual
_NORMAL = 1.4826  # standard deviations in a median absolute deviation of normal rows


def newest_excursions(past: np.ndarray) -> np.ndarray:  # (N, T) -> (N, newest rows) bool
    """Which of the newest rows belong to a spike or an outage.

    Parameters
    ----------
    past : ndarray of shape (N, T)
        Newest row last, NaN where nothing was observed.

    Returns
    -------
    ndarray of bool, shape (N, min(5, T))
        False throughout for a series of fewer than 30 rows before them.

    Notes
    -----
    O(N T).

    Examples
    --------
    >>> past = np.tile([9.0, 10.0, 11.0], 20)[None]
    >>> past[0, -2] = 150.0
    >>> newest_excursions(past)
    array([[False, False, False,  True, False]])
    """
    newest, before = past[:, -_NEWEST:], past[:, -_NEWEST - _BEFORE : -_NEWEST]
    found = np.zeros(newest.shape, dtype=bool)
    usable = np.isfinite(before).sum(axis=1) >= _FEWEST
    if not usable.any():
        return found
    middle = median(before[usable])
    spread = _NORMAL * median(np.abs(before[usable] - middle))
    far = (np.abs(past[usable] - middle) > _FAR * spread) & (spread > 0)
    known = np.isfinite(past[usable]).sum(axis=1)
    rare = far[:, :-_NEWEST].sum(axis=1) <= _COMMON * known
    is_shift = far[:, -_NEWEST - 1]
    found[usable] = far[:, -_NEWEST:] & (rare & ~is_shift)[:, None]
    return found & ~_settled(found, newest)


def _settled(found: np.ndarray, newest: np.ndarray) -> np.ndarray:
    """Far rows up to the last one that are more than two, and not alike: where the series is now."""
    lasting = np.logical_and.accumulate(found[:, ::-1], axis=1)[:, ::-1]
    differ = (lasting & (newest != newest[:, -1:])).any(axis=1)
    settled: np.ndarray = lasting & (differ & (lasting.sum(axis=1) > _DIFFERING))[:, None]
    return settled


def without_excursions(past: np.ndarray) -> np.ndarray:  # (N, T)
    """The past with its newest spikes and outages as rows that were not observed."""
    found = newest_excursions(past)
    if not found.any():
        return past
    cleaned = past.copy()
    cleaned[:, -_NEWEST:][found] = np.nan
    return cleaned
