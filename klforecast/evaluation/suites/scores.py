"""Scores of point and quantile forecasts over many series, windows and channels.

    MASE  = mean |y - f| / s        s = mean |y_t - y_{t-m}| of the rows before the cutoff, a channel
    CRPS  = mean_p 2 sum (y - q_p) (p - [y < q_p]) / sum |y|             p = 0.1, 0.2 .. 0.9
    ND    = sum |y - f| / sum |y|
    sMAPE = mean 200 |y - f| / (|y| + |f|)                                           percent

The mean weighted quantile loss stands for the CRPS, as on the GIFT-Eval leaderboard (Aksu et al.
2024, arXiv:2410.10393), where it is also called WQL. All means are over every known value: a missing
one counts nowhere, and a channel whose past repeats itself exactly (s = 0) not in the MASE.
"""

from typing import NamedTuple

import numpy as np

LEVELS = np.array([0.05, *np.arange(1, 10) / 10, 0.95])
"""Levels of the quantiles: the ends for the coverage of 90 %, the nine between for the CRPS."""

_CRPS = slice(1, -1)  # of LEVELS, all but the two ends
_MEDIAN = LEVELS.tolist().index(0.5)  # place of the median


class Forecast(NamedTuple):
    """Forecast of one series from one cutoff.

    Attributes
    ----------
    point : ndarray, (horizon, channels)
        In the units of the series.
    quantiles : ndarray, (horizon, channels, levels), or None
        At `LEVELS`; None for a model that forecasts points only.
    """

    point: np.ndarray
    quantiles: np.ndarray | None


def seasonal_error(past: np.ndarray, season: int) -> np.ndarray:  # (time, channels) -> (channels,)
    """Mean absolute change over a season; over one step where the past is no longer than a season.

    NaN where no change is known.

    Examples
    --------
    >>> seasonal_error(np.array([[1.0], [2.0], [4.0]]), season=1)
    array([1.5])
    """
    lag = season if season < len(past) else 1
    changes = np.abs(past[lag:] - past[:-lag])
    n_known = np.isfinite(changes).sum(axis=0)
    return np.where(n_known > 0, np.nansum(changes, axis=0) / np.maximum(n_known, 1), np.nan)


class ScoreSums:
    """Running sums of the errors; `add` takes a forecast, `result` divides."""

    def __init__(self) -> None:
        self._scaled = self._scaled_median = self._absolute = self._size = self._smape = 0.0
        self._pinball = np.zeros(len(LEVELS[_CRPS]))
        self._n = self._n_scaled = self._inside_80 = self._inside_90 = 0
        self._has_quantiles = True

    def add(
        self,
        truth: np.ndarray,  # (horizon, channels)
        forecast: Forecast,
        scale: np.ndarray,  # (channels,), of `seasonal_error`
    ) -> None:
        """Add one series at one cutoff.

        Raises
        ------
        ValueError
            If the forecast has another shape than the truth, or holds NaN or infinite values.
        """
        _check(truth, forecast)
        known = np.isfinite(truth)
        error = np.abs(truth - forecast.point)
        usable = known & (scale > 0)
        units = np.where(scale > 0, scale, 1.0)
        self._scaled += float((error / units)[usable].sum())
        self._n_scaled += int(usable.sum())
        self._absolute += float(error[known].sum())
        self._size += float(np.abs(truth[known]).sum())
        total = np.abs(truth) + np.abs(forecast.point)
        # Zero truth forecast by zero is no error.
        self._smape += float((200 * error / np.where(total > 0, total, 1.0))[known].sum())
        self._n += int(known.sum())
        if forecast.quantiles is None:
            self._has_quantiles = False
            return
        quantiles = forecast.quantiles
        median_error = np.abs(truth - quantiles[..., _MEDIAN])
        self._scaled_median += float((median_error / units)[usable].sum())
        gap = truth[..., None] - quantiles[..., _CRPS]
        pinball = np.maximum(LEVELS[_CRPS] * gap, (LEVELS[_CRPS] - 1) * gap)
        self._pinball += pinball[known].sum(axis=0)
        self._inside_80 += _n_inside(truth, quantiles[..., 1], quantiles[..., -2])
        self._inside_90 += _n_inside(truth, quantiles[..., 0], quantiles[..., -1])

    def result(self) -> dict[str, float | None]:
        """Return the scores by their names in a row; None where nothing could be scored.

        `mase` is that of the point forecast, `mase_median` that of the quantile 0.5.
        """
        quantiles = self._has_quantiles
        return {
            "mase": _ratio(self._scaled, self._n_scaled),
            "mase_median": _ratio(self._scaled_median, self._n_scaled) if quantiles else None,
            "crps": _ratio(2 * float(self._pinball.mean()), self._size) if quantiles else None,
            "nd": _ratio(self._absolute, self._size),
            "smape": _ratio(self._smape, self._n),
            "coverage_80": _ratio(self._inside_80, self._n) if quantiles else None,
            "coverage_90": _ratio(self._inside_90, self._n) if quantiles else None,
        }


def _n_inside(truth: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> int:
    return int(((truth >= lower) & (truth <= upper)).sum())  # NaN lies in no interval


def _ratio(above: float, below: float) -> float | None:
    return above / below if below > 0 else None


def _check(truth: np.ndarray, forecast: Forecast) -> None:
    if forecast.point.shape != truth.shape:
        raise ValueError(
            f"a forecast has shape {forecast.point.shape}, wanted {truth.shape}: (horizon, channels)"
        )
    if forecast.quantiles is not None and forecast.quantiles.shape != (*truth.shape, len(LEVELS)):
        raise ValueError(
            f"quantiles have shape {forecast.quantiles.shape}, wanted "
            f"{(*truth.shape, len(LEVELS))}: (horizon, channels, levels)"
        )
    for values in forecast:
        if values is not None and not np.isfinite(values).all():
            n_bad = int((~np.isfinite(values)).sum())
            raise ValueError(f"{n_bad} of {values.size} forecast values are NaN or infinite")
