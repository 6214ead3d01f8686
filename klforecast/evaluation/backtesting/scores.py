"""Scores of a tidy frame of forecasts, over all of it or by series, step or cutoff.

    MAE     mean |y - f|                                                    units of the data
    MASE    mean |y - f| / a         a = mean |y_t - y_{t-m}| of the rows before the cutoff
    RMSSE   sqrt mean (y - f)^2 / b  b = mean (y_t - y_{t-m})^2 of the same rows
    sMAPE   mean 200 |y - f| / (|y| + |f|)                                  percent
    WQL     mean_p 2 sum (y - q_p) (p - [y < q_p]) / sum |y|                the CRPS of p = 0.1 .. 0.9
    coverage_c   share of truths within the central interval of c percent

Means are over every known value of a group. A missing truth counts nowhere; where the past of a channel
repeats itself exactly (a = 0) it counts in neither MASE nor RMSSE.

Sources   MASE: Hyndman & Koehler (2006), Int. J. Forecasting 22(4). RMSSE: Makridakis, Spiliotis &
          Assimakopoulos (2022), Int. J. Forecasting 38(4). WQL as on the GIFT-Eval leaderboard (Aksu et
          al. 2024, arXiv:2410.10393).
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from klforecast.estimators.frames.panel import Key, TimeSeries, series_label
from klforecast.estimators.rolling.cutoffs import Windows
from klforecast.estimators.rolling.tidy import quantile_name
from klforecast.evaluation.suites.scores import seasonal_error

GROUPS = ("series", "channel", "cutoff", "step")
"""Columns that scores can be broken down by."""

_KEYS = ["series", "channel", "cutoff"]


def seasonal_errors(
    panel: dict[Key, TimeSeries], channels: pd.Index, windows: Windows, season: int
) -> pd.DataFrame:
    """Errors of the seasonal naive forecast before each cutoff, the units of MASE and RMSSE.

    Returns
    -------
    DataFrame
        Columns series, channel, cutoff, absolute, squared. Where the past is no longer than a season
        the change is that of one step.
    """
    lines = []
    for key, rows in panel.items():
        for left in windows.left:
            past = rows.values[: len(rows.values) - left]
            absolute = seasonal_error(past, season)
            lag = season if season < len(past) else 1
            changes = (past[lag:] - past[:-lag]) ** 2
            known = np.isfinite(changes).sum(axis=0)
            squared = np.where(known > 0, np.nansum(changes, axis=0) / np.maximum(known, 1), np.nan)
            cutoff = rows.index[len(past) - 1]
            lines += [
                (series_label(key), channel, cutoff, absolute[place], squared[place])
                for place, channel in enumerate(channels)
            ]
    return pd.DataFrame(lines, columns=[*_KEYS, "absolute", "squared"])


def score_frame(
    forecasts: pd.DataFrame,
    naive: pd.DataFrame,
    levels: Sequence[float],
    by: Sequence[str] = (),
) -> pd.DataFrame:
    """Score a tidy frame of forecasts.

    Parameters
    ----------
    forecasts : DataFrame
        Of `tidy_frame`.
    naive : DataFrame
        Of `seasonal_errors`.
    levels : sequence of float
        Those of the quantiles in `forecasts`, ascending.
    by : sequence of str, default=()
        Columns to group by, of `GROUPS`; none gives one row.

    Returns
    -------
    DataFrame
        One row a group, in the order of the data. Columns mae, mase, rmsse, smape, then wql and the
        coverages where there are quantiles; NaN where nothing could be scored.
    """
    units = forecasts[_KEYS].merge(naive, on=_KEYS, how="left")
    truth, point = forecasts["truth"].to_numpy(), forecasts["forecast"].to_numpy()
    known = np.isfinite(truth)
    error = np.abs(truth - point)
    total = np.abs(truth) + np.abs(point)
    absolute, squared = units["absolute"].to_numpy(), units["squared"].to_numpy()
    terms = pd.DataFrame(
        {
            "mae": error,
            "mase": error / np.where(absolute > 0, absolute, np.nan),
            "rmsse": error**2 / np.where(squared > 0, squared, np.nan),
            # Zero truth forecast by zero is no error.
            "smape": 200 * error / np.where(total > 0, total, 1.0),
        },
        forecasts.index,
    )
    sums = pd.DataFrame({"size": np.abs(truth)}, forecasts.index)
    if levels:
        quantiles = forecasts[[quantile_name(level) for level in levels]].to_numpy()
        gap = truth[:, None] - quantiles
        below = np.asarray(levels)
        sums["pinball"] = 2 * np.maximum(below * gap, (below - 1) * gap).mean(axis=1)
        for name, lower, upper in _intervals(levels):
            inside = (truth >= quantiles[:, lower]) & (truth <= quantiles[:, upper])
            terms[name] = np.where(known, inside, np.nan)
    groups = [forecasts[name] for name in by] or [pd.Series(0, forecasts.index)]
    scores = terms.groupby(groups, sort=False).mean()
    scores["rmsse"] = np.sqrt(scores["rmsse"])
    if levels:
        summed = sums.groupby(groups, sort=False).sum()
        size = summed["size"].where(summed["size"] > 0)
        scores.insert(4, "wql", summed["pinball"] / size)
    return scores if by else scores.reset_index(drop=True)


def _intervals(levels: Sequence[float]) -> list[tuple[str, int, int]]:
    """Names of the central intervals that pairs of levels bound, and the places of their ends."""
    return [
        (f"coverage_{100 * (levels[upper] - levels[lower]):g}", lower, upper)
        for lower in range(len(levels) // 2)
        for upper in [_place(levels, 1 - levels[lower])]
        if upper is not None and upper > lower
    ]


def _place(levels: Sequence[float], wanted: float) -> int | None:
    close = np.flatnonzero(np.isclose(levels, wanted, rtol=0, atol=1e-9))
    return int(close[0]) if len(close) else None


def check_levels(levels: Sequence[float]) -> tuple[float, ...]:
    """Return levels of quantiles as ascending floats.

    Raises
    ------
    ValueError
        If one does not lie between 0 and 1, or two are not ascending.
    """
    found = tuple(float(level) for level in levels)
    inside = all(0 < level < 1 for level in found)
    if not inside or any(first >= second for first, second in pairwise(found)):
        raise ValueError(
            f"levels={list(levels)}; pass ascending levels of quantiles between 0 and 1, as "
            "[0.1, 0.5, 0.9]"
        )
    return found
