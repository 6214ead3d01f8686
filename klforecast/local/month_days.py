"""Whether rows seem to know the day of the month: a test that costs little, before what they know of it is found.

    r_t  =  y_t - (y_{t-s} + y_{t+s}) / 2        s: the short season; cut at 5 robust deviations
    t_d  =  mean of r on day d * sqrt(n_d) / deviation of r

Of a series that knows no days |t_d| exceeds 4 on some of the 62 days, from the start and from the end, in one of 250
cases. A day that is far from its neighbours has t_d of its distance in deviations times the root of the months.

Letters   T rows, C channels, D days
"""

import numpy as np

from klforecast.ops.far_rows import NORMAL, median_of_known

_CUT = 5.0  # robust deviations: one wild row is no day of the month
_SURPRISING = (
    4.0  # of |t_d|; normal rows without a month exceed it on some of 62 days in one of 250 cases
)


def seem_to_know_days(
    rows: np.ndarray,  # (T, C)
    days: np.ndarray,  # (T,) int
    season: int,
) -> np.ndarray:  # (C,) bool
    """Channels of which some day differs from the rows a season before and after it.

    Parameters
    ----------
    rows : ndarray of shape (T, C)
        NaN where nothing was observed.
    days : ndarray of int, shape (T,)
        Of the month, counted from 0.
    season : int
        Rows of a short season, 1 for none.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(size=(300, 2))
    >>> rows[4::30, 1] += 3
    >>> seem_to_know_days(rows, np.arange(300) % 30, season=7)
    array([False,  True])
    """
    if len(rows) <= 2 * season:
        return np.zeros(rows.shape[1], dtype=bool)
    around = (rows[: -2 * season] + rows[2 * season :]) / 2
    deviation = rows[season:-season] - around
    limit = _CUT * NORMAL * median_of_known(np.abs(deviation))[0]
    deviation = np.where(limit > 0, np.clip(deviation, -limit, limit), deviation)
    known = np.isfinite(deviation)
    values = np.where(known, deviation, 0.0)
    of_day = (days[season:-season] == np.unique(days)[:, None]).astype(np.float64)  # (D, T)
    count = of_day @ known
    total = np.abs(of_day @ values)
    spread = np.sqrt((values**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    surprising: np.ndarray = (total > _SURPRISING * spread * np.sqrt(count)).any(axis=0)
    return surprising
