"""Which cycles a fit looks for: those of the windows, one longer than any window, and seasons of local experts."""

from collections.abc import Sequence

import numpy as np
from pandas.tseries.offsets import BaseOffset

from klforecast.core.season import LONGEST_CYCLE
from klforecast.data.panel_periods import find_panel_periods
from klforecast.data.periods import candidate_seasons
from klforecast.estimators.shrinking import warn_no_season
from klforecast.ops.arrays import to_tensor
from klforecast.ops.missing import interpolate
from klforecast.ops.outliers import find_panel_outliers


def window_periods(
    panel: Sequence[np.ndarray],  # (time, channels) each
    frequency: BaseOffset | None,
    asked: int | None,
) -> list[int]:
    """Cycles of the series that fit into a window, in steps, the leading one first.

    Parameters
    ----------
    panel : sequence of ndarray of shape (time, channels)
        NaN where a value is missing.
    frequency : offset or None
        Step of the index; None for integers.
    asked : int or None
        The period that the user gave, 1 for none; None detects.
    """
    if asked is not None and asked <= LONGEST_CYCLE:
        return [asked] if asked > 1 else []
    return [period for period in _found(panel, frequency) if 1 < period <= LONGEST_CYCLE]


def long_season(rows: np.ndarray, frequency: BaseOffset | None, asked: int | None) -> int:
    """The leading cycle of one series, (time, channels), that fits into no window; 1 for none.

    A UserWarning says so where it was not seen twice.
    """
    if asked is not None and asked <= LONGEST_CYCLE:
        return 1
    periods = _found([rows], frequency) if asked is None else [asked]
    long = next((period for period in periods if period > LONGEST_CYCLE), 1)
    if len(rows) >= 2 * long:
        return long
    warn_no_season(long, len(rows))
    return 1


def local_seasons(
    periods: Sequence[int], frequency: BaseOffset | None, asked: int | None
) -> Sequence[int]:
    """What local experts take for seasons: the period asked for, or all that there may be."""
    return candidate_seasons(periods, frequency) if asked is None else periods


def outlier_seasons(seasons: Sequence[int], rows: int) -> tuple[int, ...]:
    """Those of the seasons of `local_seasons` by which outliers are told, where the longest series has so many rows.

    Examples
    --------
    >>> outlier_seasons((7, 365), rows=400), outlier_seasons((7, 365), rows=1095)
    ((7,), (7, 365))
    """
    return tuple(season for season in seasons if season <= min(rows // 3, LONGEST_CYCLE))


def _found(panel: Sequence[np.ndarray], frequency: BaseOffset | None) -> tuple[int, ...]:
    """Cycles of the rows as they are; where these show none, of the rows without outliers, which hide any."""
    whole = [
        interpolate(to_tensor(rows), 1).numpy() if np.isnan(rows).any() else rows for rows in panel
    ]
    found = find_panel_periods(whole, frequency)
    if found:
        return found
    told_by = outlier_seasons(candidate_seasons((), frequency), max(map(len, whole)))
    outliers = find_panel_outliers(whole, told_by)
    if not any(own.runs for own in outliers):
        return found
    return find_panel_periods([own.without() for own in outliers], frequency)
