"""The upper bound of shares, seen from their past: nothing above one is forecast for what lies right below it.

Letters   N series, T rows
"""

import numpy as np

from klforecast.local.panel import median

_FEWEST_ROWS = 30  # a month of days, none of them above one
_NEAR = 0.9  # median from which on intervals reach the bound
# Times as far below the median as above it that rows lie: a share is pressed against its bound, a rate that happens to
# be near one is not.
_SKEW = 2.0


def share_ceiling(past: np.ndarray) -> np.ndarray:  # (N, T) -> (N,)
    """One for series that are shares near their upper bound, else infinity.

    Examples
    --------
    >>> uptime = np.tile([0.99, 0.98, 0.97, 0.999, 0.9], 8)
    >>> share_ceiling(np.stack([uptime, 100 * uptime]))
    array([ 1., inf])
    """
    known = np.isfinite(past)
    low = np.where(known, past, np.inf).min(axis=1)
    high = np.where(known, past, -np.inf).max(axis=1)
    within = (known.sum(axis=1) >= _FEWEST_ROWS) & (low >= 0) & (high <= 1)
    ceiling = np.full(len(past), np.inf)
    if within.any():
        low, high, middle = low[within], high[within], median(past[within])[:, 0]
        is_share = (middle >= _NEAR) & (middle - low >= _SKEW * (high - middle))
        ceiling[within] = np.where(is_share, 1.0, np.inf)
    return ceiling
