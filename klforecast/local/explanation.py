"""What the rows of a series, and the copies of the bank, add to its local forecast.

    forecast_h = sum_c  sum_{e in c} w_eh f_eh                          copies c of the series, experts e
    forecast_h = t_h(m) + sum_k  df_h/dy_k (y_k - m)                    rows k, around any level m

The first sum is exact: weights do not depend on the past. A filter of the series as it is, or less its season, is
linear in the rows with what it found in them, a season's strength among it; one of the logarithm is not. Multiplied
by a number, rows give a forecast multiplied by the same (a past that is twice as high has a future twice as high), so
that by Euler's theorem the tangent at the past, t_h, passes through the origin: no part of the forecast is left over.
t_h(m) is m where the experts that have a share are linear.

Letters   N series, T rows, H steps, E experts
"""

import numpy as np

from klforecast.local.experts import expert_copies, expert_forecasts
from klforecast.local.model import (
    LONGEST,
    LocalModel,
    forecast,
    known_panel,
    near_steps,
)
from klforecast.local.panel import are_positive

_STEP = 1e-6  # of the distance to the level: rounding and curvature then cost about 1e-9 of the forecast each
_AT_ONCE = 256  # rows or cycles, moved up and down: 3,000 rows of all these pasts take 12 MB


def row_parts(
    model: LocalModel, past: np.ndarray, steps: int, around: float, size: int = 1
) -> np.ndarray:  # (groups, H)
    """What rows add to the forecast of one series, along its tangent at the past.

    Parameters
    ----------
    model : LocalModel
        Of one series, see `LocalModel.alone`.
    past : ndarray of shape (time,)
        Its rows, NaN where nothing was observed; the newest 3,000 are looked at.
    steps : int
        Steps ahead.
    around : float
        Level from which rows are counted.
    size : int, default=1
        Rows that count together, from the newest one on.

    Returns
    -------
    ndarray of shape (groups, H)
        Newest rows first; central differences. Zero for rows that were not observed.

    Notes
    -----
    Two forecasts for each group, O(T E): of all rows of a past of 150 0.05 s, of 3,000 half a minute.

    Examples
    --------
    >>> from klforecast.local.fitting import fit_local
    >>> line = np.arange(5.0, 65.0, 2.0)
    >>> row_parts(fit_local([line], horizon=3), line, steps=3, around=0.0).sum(axis=0).round(6)
    array([65., 67., 69.])
    """
    rows = past[-LONGEST:]
    distance = np.where(np.isfinite(rows), rows - around, 0.0)
    group = np.arange(len(rows) - 1, -1, -1) // size
    parts = np.zeros((group[0] + 1, steps))
    for start in range(0, len(parts), _AT_ONCE):
        places = np.arange(start, min(start + _AT_ONCE, len(parts)))
        direction = np.where(group == places[:, None], distance, 0.0)
        change = _STEP * _within(rows, direction) if model.positive[0] else np.array(_STEP)
        moved = change[..., None] * direction
        pasts = np.concatenate([rows + moved, rows - moved])
        upper, lower = np.split(forecast(model.repeated(len(pasts)), list(pasts), steps), 2)
        parts[places] = (upper - lower) / (2 * change[..., None])
    return parts


def _within(rows: np.ndarray, direction: np.ndarray) -> np.ndarray:  # (T,), (G, T) -> (G,)
    """Share of each direction, at most 1, that moves no row of a positive series by more than itself."""
    size = np.abs(direction)
    return np.where(size > 0, rows / np.where(size > 0, size, 1.0), 1.0).min(axis=1).clip(max=1.0)


def copy_parts(model: LocalModel, past: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """What the experts of each copy of one series add to its forecast, around zero.

    Parameters
    ----------
    model : LocalModel
        Of one series.
    past : ndarray of shape (time,)
    steps : int

    Returns
    -------
    dict of str to ndarray of shape (2, H)
        By the words of `expert_copies`: weight and weighted forecast.

    Examples
    --------
    >>> from klforecast.local.fitting import fit_local
    >>> line = np.arange(5.0, 65.0, 2.0)
    >>> parts = copy_parts(fit_local([line], horizon=3), line, steps=3)
    >>> sum(part[1] for part in parts.values()).round(6)
    array([65., 67., 69.])
    """
    ahead = np.arange(1, steps + 1)
    bank = model.bank()
    rows = known_panel(model, [past])
    positive = model.positive & are_positive(rows)
    made = expert_forecasts(rows, bank, ahead, positive)
    part = np.where(ahead <= near_steps(model.horizon), 0, 1)
    weights = model.weights[0, part].T  # (E, H)
    names = expert_copies(bank, bool(positive[0]))
    parts: dict[str, np.ndarray] = {}
    for name, weight, own in zip(names, weights, made[0], strict=True):
        parts[name] = parts.get(name, 0.0) + np.stack([weight, weight * own])
    return parts
