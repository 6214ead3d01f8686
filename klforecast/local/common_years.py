"""Events of the year that the series of a panel have in common, and how much of them each has.

    z_it        rows of series i in units of its level
    p_t         mean of z_it over the series, those of little noise more      its events E_t: `klforecast.local.years`
    b_i         slope of z_i, less level and season, on E, shrunk to the mean of the panel
    effect_it   b_i E_t in the units of series i

The noise of a single series falls out of the mean of many, so that a panel knows events that none of its series could
be sure of, and a series of a few months has those of the others.

Source    shrinkage of each coefficient to that of the group: Efron & Morris (1975), Journal of the American
          Statistical Association 70(350), doi:10.1080/01621459.1975.10479864; their variance: DerSimonian &
          Laird (1986), Controlled Clinical Trials 7(3), doi:10.1016/0197-2456(86)90046-2.
Letters   T rows of a series, U of all dates, A rows ahead, C channels, B bands
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from klforecast.local.bands import local_means, widening_bands
from klforecast.local.panel import are_positive
from klforecast.local.years import Places, effects_of_years, mean_of_a_year, without_season

_MOST_WEIGHT = (
    0.1  # of the typical noise: less counts as this, so that a constant series is not the mean
)
_JUDGED = 5  # bands that slopes are found in: events of up to a month


class _Slopes(NamedTuple):
    """Least squares of a series on common events, by channel, and the squared errors of the slopes."""

    slope: np.ndarray
    error: np.ndarray


class CommonYears(NamedTuple):
    """Events that a panel has in common.

    Attributes
    ----------
    effects : ndarray of shape (len(bands), U + A, C)
        In units of the level of a series.
    slope, between : ndarray of shape (C,)
        Mean over the series of how much of them each has, and by what variance series differ in that.
    season, year : int
        Rows of a short season, 1 for none, and of a year.
    """

    effects: np.ndarray
    slope: np.ndarray
    between: np.ndarray
    season: int
    year: int

    def on(self, rows: np.ndarray, start: int) -> np.ndarray:
        """Effects on a series of the panel, or on one that is like its series.

        Parameters
        ----------
        rows : ndarray of shape (T, C)
            NaN where nothing was observed.
        start : int
            Place of its first row among the U dates.

        Returns
        -------
        ndarray of shape (len(bands), U + A - start, C)
            In the units of the series.

        Notes
        -----
        O(U) for each band and channel.
        """
        effects = self.effects[:, start:]
        if not effects.any():
            return effects
        units = _units(rows, effects.shape[1], self.year)
        own = _slopes(rows / units[: len(rows)], effects[-1], self.season)
        return effects * units * _shrunk(own, self.slope, self.between)


def learn_common_years(
    panel: Sequence[np.ndarray],
    starts: Sequence[int],
    places: Places,
    season: int,
    year: int,
    bands: Sequence[int],
) -> CommonYears:
    """What all series of a panel, or of a sample of it, have in common.

    Parameters
    ----------
    panel : sequence of ndarray of shape (T, C)
        NaN where nothing was observed; T differs.
    starts : sequence of int
        Places of their first rows among all U dates.
    places : Places
        Of the U dates and those ahead.
    season, year : int
        Rows of a short season, 1 for none, and of a year.
    bands : sequence of int
        Ascending; events that are wider than 2^bands rows are left to others.

    Examples
    --------
    Peaks of twice the noise in 30 series of three years, at the place 50 of each year:

    >>> rng = np.random.default_rng(0)
    >>> panel = [rng.normal(size=(260, 1)) for _ in range(30)]
    >>> for rows in panel:
    ...     rows[[50, 150, 250]] += 2
    >>> by_date = np.arange(360)[:, None] + np.array([-300, -200, -100, 100, 200])
    >>> by_date[(by_date < 0) | (by_date >= 260)] = -1
    >>> common = learn_common_years(panel, [0] * 30, Places(by_date, None), season=1, year=100, bands=[3])
    >>> np.mean([common.on(rows, 0) for rows in panel], axis=0)[0, [350, 320], 0].round(1)
    array([1.9, 0. ])
    """
    length, channels = len(places.by_date), panel[0].shape[1]
    scaled = [
        rows / _units(rows, length - start, year)[: len(rows)]
        for rows, start in zip(panel, starts, strict=True)
    ]
    dates = max(start + len(rows) for rows, start in zip(panel, starts, strict=True))
    pool = _weighted_mean(scaled, starts, _weights(scaled, season), dates)
    effects = effects_of_years(pool, places, season, year, bands)
    if not effects.any():
        return CommonYears(effects, np.ones(channels), np.zeros(channels), season, year)
    own = [
        _slopes(rows, effects[-1, start:], season)
        for rows, start in zip(scaled, starts, strict=True)
    ]
    return CommonYears(effects, *_of_panel(own), season, year)


def mean_of_panel(
    panel: Sequence[np.ndarray], starts: Sequence[int], dates: int
) -> np.ndarray:  # (U, C)
    """Mean of series less their own means, in units of their deviations; NaN at dates at which none is known.

    Parameters
    ----------
    panel, starts
        As for `learn_common_years`.
    dates : int
        Dates of all series.

    Examples
    --------
    >>> panel = [np.array([[1.0], [3.0]]), np.array([[10.0], [30.0]])]
    >>> mean_of_panel(panel, [0, 1], 3).ravel()
    array([-1.,  0.,  1.])
    """
    scaled = []
    for rows in panel:
        known = np.isfinite(rows)
        mean = np.where(known, rows, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        spread = np.sqrt(_mean_square(rows - mean))
        scaled.append((rows - mean) / np.where(spread > 0, spread, 1.0))
    return _weighted_mean(scaled, starts, np.ones((len(panel), panel[0].shape[1])), dates)


def _units(rows: np.ndarray, length: int, year: int) -> np.ndarray:  # (T + A, C)
    """Mean of the year before each row of what is above zero, one deviation of what is not."""
    spread = np.sqrt(_mean_square(rows - local_means(rows, len(rows))))
    otherwise = np.where(spread > 0, spread, 1.0)
    return np.where(are_positive(rows.T), mean_of_a_year(rows, length, year), otherwise)


def _weights(panel: Sequence[np.ndarray], season: int) -> np.ndarray:  # (series, C)
    """Of each series in the mean: one by what happens in it from row to row, squared."""
    noise = np.stack(
        [_mean_square(widening_bands(without_season(rows, season), 1)[0]) for rows in panel]
    )
    least = _MOST_WEIGHT * np.median(noise, axis=0)
    return 1 / np.where(noise > least, noise, np.where(least > 0, least, 1.0))


def _mean_square(rows: np.ndarray) -> np.ndarray:  # (C,)
    known = np.isfinite(rows)
    return (np.where(known, rows, 0.0) ** 2).sum(axis=0) / np.maximum(known.sum(axis=0), 1)


def _weighted_mean(
    panel: Sequence[np.ndarray], starts: Sequence[int], weights: np.ndarray, dates: int
) -> np.ndarray:  # (U, C)
    """Mean over the series that are known at each date; NaN where none is."""
    total, weight = np.zeros((2, dates, panel[0].shape[1]))
    for rows, start, own in zip(panel, starts, weights, strict=True):
        known, here = np.isfinite(rows), slice(start, start + len(rows))
        total[here] += own * np.where(known, rows, 0.0)
        weight[here] += own * known
    return np.where(weight > 0, total / np.where(weight > 0, weight, 1.0), np.nan)


def _slopes(rows: np.ndarray, common: np.ndarray, season: int) -> _Slopes:
    """Least squares of the bands of a series on those of common events."""
    deviations = _deviations(without_season(rows, season))
    events = _deviations(common[: len(rows)])
    known = np.isfinite(deviations) & np.isfinite(events)
    deviations, events = (np.where(known, part, 0.0) for part in (deviations, events))
    power = (events**2).sum(axis=0)
    seen = power > 0
    slope = np.where(seen, (deviations * events).sum(axis=0) / np.where(seen, power, 1.0), 0.0)
    left = ((deviations - slope * events) ** 2).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return _Slopes(slope, np.where(seen, left / np.where(seen, power, 1.0), np.inf))


def _deviations(rows: np.ndarray) -> np.ndarray:  # (T, C)
    return widening_bands(rows, _JUDGED).sum(axis=0)


def _of_panel(own: Sequence[_Slopes]) -> tuple[np.ndarray, np.ndarray]:  # (C,) both
    """Mean of the slopes of a panel, and their variance beyond what each is unsure of."""
    slope, error = (np.stack(part) for part in zip(*own, strict=True))
    known = np.isfinite(error) & (error > 0)
    weight = np.where(known, 1 / np.where(known, error, 1.0), 0.0)
    total = weight.sum(axis=0)
    mean = np.where(total > 0, (weight * slope).sum(axis=0) / np.where(total > 0, total, 1.0), 1.0)
    # What slopes differ by beyond their errors.
    excess = (weight * (slope - mean) ** 2).sum(axis=0) - np.maximum(known.sum(axis=0) - 1, 0)
    spread = np.maximum(total - (weight**2).sum(axis=0) / np.where(total > 0, total, 1.0), 0.0)
    between = np.where(spread > 0, np.maximum(excess, 0.0) / np.where(spread > 0, spread, 1.0), 0.0)
    return mean, between


def _shrunk(own: _Slopes, mean: np.ndarray, between: np.ndarray) -> np.ndarray:  # (C,)
    """Slopes between those of a series and those of its panel, by what it is sure of."""
    known = np.isfinite(own.error) & (own.error > 0)
    share = np.where(known, between / np.where(known, between + own.error, 1.0), 0.0)
    shrunk: np.ndarray = mean + share * np.where(known, own.slope - mean, 0.0)
    return shrunk
