"""Counts with many zeros: rare demand, whose median says little and whose newest zeros say nothing.

Letters   N series, T rows
"""

import numpy as np

_INTERMITTENT = 0.25  # zeros among counts
_LARGEST_COUNT = 1000  # what has more sizes is measured, as light and rain are, and not counted


def count_size(past: np.ndarray) -> np.ndarray:  # (N, T) -> (N,)
    """Size of one in counts with many zeros, in any unit; 0 for rows that are none.

    The median of such rows says little, so that they are forecast by their mean.

    Examples
    --------
    >>> sold = np.array([0.0, 0.0, 2.0, 0.0, 3.0])
    >>> count_size(np.stack([sold, sold / 4, sold + 1]))
    array([1.  , 0.25, 0.  ])
    """
    known = np.isfinite(past)
    zeros = (past == 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    found = (~known | (past >= 0)).all(axis=1) & (zeros >= _INTERMITTENT)
    size = found.astype(np.float64)
    for series in np.flatnonzero(found):
        values = np.unique(past[series, known[series]])
        if len(values) > 1:
            one = np.diff(values).min()
            few = values[-1] <= _LARGEST_COUNT * one
            counted = few and np.allclose(values / one, np.round(values / one))
            size[series] = one if counted else 0.0
    return size
