"""Seasonal periods that the series of a panel share.

One series may be too short or too wild to show the season that all others have, and may show one of its own. So at
most 25 series are asked, evenly spread over the longer half, and each has a vote for every period that it shows
(`periods`):

    1. neighbours are one period, that of most votes among them: 50 and 52 weeks are the year
    2. where two series show a period, those whose changes are its cycle beyond chance show it too, unless it is a
       multiple of one that more series show; it counts where a fifth of them do
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from klforecast.data.periods import find_periods, repeats_beyond_chance

_ASKED = 25  # a season of a fifth of all series is shown by one of them with 99.6 % probability
_MOST = 3  # seasons, as for one series: each further one has fewer rows that show it
_SHOWN = 0.2  # share of the series asked that show a period
# Series that have to show a period before the others are asked for it alone, which needs less evidence than a search.
# Of M3's quarters six years before their test part 3 in 25 show four of themselves, and 8 when asked; the MASE is
# 14 % lower with it. Months of hospitals: 1 and 5. Where there is no season at most one in twenty does when asked.
_ASK_OTHERS = 2
_NEIGHBOUR = 10  # a period's part that lies between it and what may be the same, as for one series
_ROUNDED = 50  # a period's part that a multiple of a rounded one is beside it


def find_panel_periods(
    panel: Sequence[np.ndarray],  # (time, channels) each
    freq: str | pd.offsets.BaseOffset | None = None,
) -> tuple[int, ...]:
    """Seasonal periods that the series of a panel share.

    Parameters
    ----------
    panel : sequence of ndarray, (time, channels) each
        At least one series, without NaN.
    freq : str, DateOffset or None, default=None
        As for `find_periods`.

    Returns
    -------
    tuple of int
        In steps, the one that most series show first, three at most.

    Examples
    --------
    >>> time = np.arange(100.0)
    >>> shapes = [np.sin(2 * np.pi * time / 7), np.cos(2 * np.pi * time / 7), time % 11]
    >>> find_panel_periods([shape[:, None] for shape in shapes])[0]
    7
    """
    longest_first = sorted(panel, key=len, reverse=True)
    longer = longest_first[: max(1, (len(panel) + 1) // 2)]
    asked = longer[:: -(-len(longer) // _ASKED)]
    if len(asked) == 1:
        return find_periods(asked[0], freq)
    votes = _joined(Counter(period for rows in asked for period in find_periods(rows, freq)))
    shared: dict[int, int] = {}
    for period, count in votes.items():
        if count >= _ASK_OTHERS and not any(_is_multiple(period, known) for known in shared):
            count = max(count, sum(repeats_beyond_chance(rows, period) for rows in asked))
        if count >= _SHOWN * len(asked):
            shared[period] = count
    return tuple(sorted(shared, key=lambda period: -shared[period])[:_MOST])


def _joined(votes: Counter[int]) -> dict[int, int]:
    """Votes of each period with those of its neighbours, most first."""
    joined: dict[int, int] = {}
    for period, count in votes.most_common():
        same = (known for known in joined if abs(period - known) <= known // _NEIGHBOUR)
        known = next(same, period)
        joined[known] = joined.get(known, 0) + count
    return dict(sorted(joined.items(), key=lambda item: -item[1]))


def _is_multiple(period: int, known: int) -> bool:
    """Whether a period is a multiple of another as far as rows tell: 313 weeks are six years."""
    cycles = round(period / known)
    return cycles > 1 and abs(period - cycles * known) <= max(1, period // _ROUNDED)
