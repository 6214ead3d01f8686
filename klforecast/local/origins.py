"""Rolling origins: cutoffs in the known past at which every expert is asked for the rows that followed.

Origins lie as far back as six horizons, but each needs half of its series before it: a forecast from a quarter of the
rows says little about one from all of them.

Letters   N series, T rows, K origins, J judged steps, E experts
"""

from collections.abc import Sequence
from math import gcd
from typing import NamedTuple

import numpy as np

_ORIGINS = 24  # twelve are 0.6 % worse, see below
# Origins of all series together, so that 10,000 series have ten and take half of the time; twelve in place of 24 are
# 0.6 % worse in MASE and 0.8 % in CRPS on M1, hospitals, spare parts and M4's weeks.
_MOST_PLACES = 100_000
# Horizons that origins reach back; 3 and 9 were worse on hourly series and alike on the others.
_HORIZONS = 6
_KNOWN = 0.5  # of a series that lies before an origin
_FEWEST_ROWS = 5  # before an origin
_NEWEST = 3  # origins next to the cutoff, whatever the distance of the others
_JUDGED_STEPS = 24  # of a long horizon, evenly spread


class Origins(NamedTuple):
    """Where forecasts are judged.

    Attributes
    ----------
    offsets : ndarray of int, shape (K,)
        Rows that follow each origin, ascending: the newest origin comes first.
    steps : ndarray of int, shape (J,)
        Steps ahead that are looked at, ascending from 1 to the horizon.
    """

    offsets: np.ndarray
    steps: np.ndarray


def farthest_origin(rows: int, horizon: int) -> int:
    """How many rows at most follow the oldest origin of a series."""
    return max(min(_HORIZONS * horizon, rows // 2), min(_ORIGINS, rows - 1))


def rolling_origins(
    past: np.ndarray, horizon: int, periods: Sequence[int], n_series: int | None = None
) -> Origins:
    """Origins for a panel.

    Parameters
    ----------
    past : ndarray of shape (N, T)
        Newest row last.
    horizon : int
    periods : sequence of int
        With which the distance of the origins has no common divisor, so that all phases are judged.
    n_series : int, optional
        Of the panel that these are a sample of; None for as many as these.

    Examples
    --------
    >>> rolling_origins(np.zeros((3, 20)), horizon=6, periods=()).offsets.tolist()
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]
    """
    rows = int(np.median(np.isfinite(past).sum(axis=1)))
    farthest = farthest_origin(rows, horizon)
    count = min(_ORIGINS, max(1, _MOST_PLACES // (n_series or len(past))))
    widest = max(1, farthest // count)
    apart = next(
        (
            step
            for step in range(widest, 1, -1)
            if all(gcd(step, period) == 1 for period in periods)
        ),
        widest,
    )
    offsets = np.arange(apart, min(farthest, count * apart) + 1, apart)
    # The newest ones show who follows what has just changed.
    offsets = np.union1d(np.arange(1, min(_NEWEST, rows - 1) + 1), offsets)
    return Origins(offsets, judged_steps(horizon))


def judged_steps(horizon: int) -> np.ndarray:  # (J,)
    """Steps of a horizon that are looked at, evenly spread, the first and the last among them."""
    return np.unique(np.linspace(1, horizon, min(horizon, _JUDGED_STEPS)).round().astype(int))


def futures(past: np.ndarray, origins: Origins, periods: Sequence[int]) -> np.ndarray:
    """What followed each origin at the judged steps, (K, N, J).

    NaN where nothing was observed, and for origins that have too little before them.
    """
    n, rows = past.shape
    known = np.isfinite(past)
    total = known.sum(axis=1)
    needed = np.maximum(np.ceil(_KNOWN * total), _FEWEST_ROWS)
    for period in periods[:1]:
        # A season has to be seen twice, where the series is long enough for that.
        needed = np.where(total > 2 * period + 2, np.maximum(needed, 2 * period), needed)
    truth = np.full((len(origins.offsets), n, len(origins.steps)), np.nan)
    for place, offset in enumerate(origins.offsets):
        followed = origins.steps[origins.steps <= offset]
        enough = known[:, : rows - offset].sum(axis=1) >= needed
        truth[place, enough, : len(followed)] = past[enough][:, rows - offset + followed - 1]
    return truth
