"""Where the local experts are compared with a core: origins in the newest rows, which that core has not seen.

    spared = min(max(10 horizons, 14 cycles), a quarter of a typical series)      rows that the core is solved without
    error  = |y - forecast|                                       from 24 origins in these rows, at up to 24 steps

Letters   N series, T rows, K origins, J judged steps
"""

from collections.abc import Sequence

import numpy as np

from klforecast.local.fitting import Judged
from klforecast.local.model import LONGEST, LocalModel, forecast
from klforecast.local.origins import Origins, judged_steps
from klforecast.local.share import YOUNG

# Horizons that the newest rows hold: six and twenty are alike or worse (docs/method/local_experts.md).
_HORIZONS = 10
# Of the shortest season, where those are fewer: a fortnight of days, of which ten horizons of an hour are half a day.
_CYCLES = 14
_SHARE_SPARED = (
    4  # one part in so many of a typical series at most: the core is solved from the rest
)
_ORIGINS = 24  # as many as experts are weighed at
_MOST_PLACES = 20_000  # origins of all series together; a panel of many needs few of each
_FARTHEST = 64  # steps that a level and a slope are trusted with where there is no season


def rows_spared(lengths: Sequence[int], horizon: int, periods: Sequence[int]) -> int:
    """Newest rows without which a core is solved, to be compared with local experts; 0 where these are not asked.

    Far ahead, and without a season that was seen twice, a filter has only its level and slope to go on with.

    Examples
    --------
    >>> rows_spared([100, 120], horizon=12, periods=(12,)), rows_spared([1000], horizon=96, periods=())
    (27, 0)
    >>> rows_spared([5000], horizon=6, periods=(24, 168)), rows_spared([5000], horizon=48, periods=(24, 168))
    (336, 480)
    """
    typical = int(np.median(lengths))
    if horizon > _FARTHEST and not any(2 * period <= typical for period in periods):
        return 0
    cycles = _CYCLES * min(periods, default=0)
    return max(1, min(max(_HORIZONS * horizon, cycles), typical // _SHARE_SPARED))


def compared_origins(
    n_series: int, spared: int, horizon: int, judged: np.ndarray | None = None
) -> Origins:
    """Origins spread over the spared rows, and newest ones, where a surprise shows.

    Parameters
    ----------
    n_series : int
        Of the panel.
    spared : int
        Rows that the core has not seen.
    horizon : int
    judged : ndarray of int, shape (K,), optional
        Offsets of origins from which the local experts have forecast already, the newest of them within the spared
        rows: one that is no further than half of the way to the next serves in its place.

    Examples
    --------
    >>> compared_origins(n_series=10_000, spared=25, horizon=12).offsets.tolist()
    [1, 2, 3, 5, 8, 13, 25]
    >>> compared_origins(n_series=5_000, spared=40, horizon=12, judged=np.array([11, 22])).offsets.tolist()
    [1, 2, 3, 5, 8, 11, 13, 22, 30, 40]
    """
    count = max(1, min(_ORIGINS, spared, _MOST_PLACES // n_series))
    spread = np.linspace(1, spared, count + 1)[1:].round().astype(int)
    if judged is not None:
        within = judged[judged <= spared]
        nearest = within[np.abs(within - spread[:, None]).argmin(axis=1)]
        spread = np.where(np.abs(nearest - spread) <= spared / count / 2, nearest, spread)
    offsets = np.union1d(spread, [offset for offset in YOUNG if offset < spared])
    return Origins(offsets, judged_steps(horizon))


def followed(past: np.ndarray, origins: Origins) -> np.ndarray:  # (N, T) -> (K, N, J)
    """What followed each origin at the judged steps; NaN beyond the past, and for series that begin later."""
    rows = past.shape[1]
    truth = np.full((len(origins.offsets), len(past), len(origins.steps)), np.nan)
    for place, offset in enumerate(origins.offsets[origins.offsets < rows]):
        steps = origins.steps[origins.steps <= offset]
        begun = np.isfinite(past[:, : rows - offset]).any(axis=1)
        truth[place, begun, : len(steps)] = past[begun][:, rows - offset + steps - 1]
    return truth


def forecasts_from(
    model: LocalModel, judged: Judged, past: np.ndarray, origins: Origins
) -> np.ndarray:
    """What the local experts say at the origins, with the weights as they are.

    Parameters
    ----------
    model : LocalModel
    judged : Judged
        Of the model: at the origins that are among its own, the forecasts are known.
    past : ndarray of shape (N, T)
        Of the series of the model, newest row last; at least one row more than follow the oldest origin.
    origins : Origins

    Returns
    -------
    ndarray of shape (K, N, J)
        NaN at steps that were not yet over.
    """
    made = np.full((len(origins.offsets), len(past), len(origins.steps)), np.nan)
    for place, offset in enumerate(origins.offsets):
        steps = origins.steps[origins.steps <= offset]
        known = np.flatnonzero(judged.origins.offsets == offset)
        if len(known):
            made[place, :, : len(steps)] = judged.forecasts[known[0], :, : len(steps)]
            continue
        before = past[:, :-offset][:, -LONGEST:]
        made[place, :, : len(steps)] = forecast(model, list(before), int(steps[-1]))[:, steps - 1]
    return made
