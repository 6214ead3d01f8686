"""What years have in common: deviations from the level that return at the same place of every year.

    b_jt        band j of the rows less their short season                     `bands`
    m_jt        mean of b_j over the n years at the place of t,    v_jt their variance between years
    k_jt        = max(0, 1 - F v_jt / (n S_jt))                                S: mean of m^2 around t
    effect_t    = sum_j k_jt (mean of b_j over the other years at the place of t)

This is the estimator of James & Stein for each neighbourhood of each band: a peak of a day is kept in the bands and at
the days where years agree on it, and nothing elsewhere. F is the point of Fisher's distribution beyond which a mean of
years without anything in common lies in one of a hundred neighbourhoods; v is that of the neighbourhood or of the
whole band, whichever is larger, so that one wild year is no event of the year.

The effect on a row is what the *other* years say, so that rows less their effect are as noisy as rows to come.
A level that grows takes its events along: the same is done with rows in units of the mean of the year before them, and
in units of that mean times the index of their phase in the short season, whose swing then grows with the events. The
form that leaves less is taken.

Source    blocks of neighbouring coefficients: Cai (1999), Annals of Statistics 27(3), doi:10.1214/aos/1018031262.
Letters   T known rows, A rows ahead, C channels, J other years, P rows of a short season
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import f as fisher

from klforecast.local.bands import local_means, widening_bands
from klforecast.local.panel import are_positive

_CHANCE = 0.01  # of a neighbourhood that years have nothing in common in, the usual strict level
_REACH = 2  # times the width of a band to both sides: some three independent values
_WIDTH = 1.5  # times 2^j rows between independent values of band j, the width of its kernel at half height
_SEASONS = 8  # before and after a row that say what is usual: with weeks a third of a year
# Of what is left over that a week in per cent, or feasts that move, have to save: births, whose holidays are no matter
# of per cent, save 1 % so and are forecast 2 % worse; a December of 25 days saves 12 %.
_LEAST_SAVED = 0.02
_FEASTS = 6  # bands in which feasts that move are looked for: events of up to two months
_JUDGED = 5  # bands in which the two forms are compared: events of up to a month


class Places(NamedTuple):
    """Where other years were at the place of each row.

    Attributes
    ----------
    by_date : ndarray of int, shape (T + A, J)
        Known rows at the same place of other years; -1 for none.
    by_season : ndarray of int, shape (T + A, J), or None
        The nearest rows to these at the same phase of the short season, as events that keep to a day of the week ask
        for; None without such a season.
    by_feast : ndarray of int, shape (T + A, J), or None, default=None
        Known rows as far from Easter in other years, of rows near feasts that move with it; -1 for others. None
        without dates.
    """

    by_date: np.ndarray
    by_season: np.ndarray | None
    by_feast: np.ndarray | None = None


def places_of(
    by_date: np.ndarray, rows: int, season: int, by_feast: np.ndarray | None = None
) -> Places:
    """Places by date, those next to them at the same phase of a short season, and those by feast.

    Parameters
    ----------
    by_date : ndarray of int, shape (T + A, J)
        -1 for none.
    rows : int
        T.
    season : int
        1 for none.
    by_feast : ndarray of int, shape (T + A, J), optional

    Examples
    --------
    >>> places_of(np.array([[365], [366], [-1]]), rows=1000, season=7).by_season.ravel()
    array([364, 365,  -1])
    """
    if season == 1:
        return Places(by_date, None, by_feast)
    here = np.arange(len(by_date))[:, None]
    near = here - season * np.round((here - by_date) / season).astype(int)
    by_season = np.where((by_date >= 0) & (near >= 0) & (near < rows), near, -1)
    return Places(by_date, by_season, by_feast)


def effects_of_years(
    rows: np.ndarray, places: Places, season: int, year: int, bands: Sequence[int]
) -> np.ndarray:
    """What other years say of every known row and of those ahead.

    Parameters
    ----------
    rows : ndarray of shape (T, C)
        NaN where nothing was observed.
    places : Places
    season : int
        Rows of a short season, which is no matter of the year; 1 for none.
    year : int
        Rows of a year.
    bands : sequence of int
        Ascending; events that are wider than 2^bands rows are left to others.

    Returns
    -------
    ndarray of shape (len(bands), T + A, C)
        To be taken off the rows; zero where years have nothing in common, or fewer than two were seen.

    Notes
    -----
    O((T + A) J) for each band and channel.

    Examples
    --------
    A peak at the place 50 of years of 100 rows, and two years of noise without any:

    >>> noise = np.random.default_rng(0).normal(size=(260, 2))
    >>> noise[[50, 150, 250], 0] += 20
    >>> by_date = np.arange(360)[:, None] + np.array([-300, -200, -100, 100, 200])
    >>> by_date[(by_date < 0) | (by_date >= 260)] = -1
    >>> places = Places(by_date, None)
    >>> effects_of_years(noise, places, season=1, year=100, bands=[3])[0, [350, 320]].round()
    array([[18.,  0.],
           [ 0.,  0.]])
    """
    effects, left = _by_units(rows, places._replace(by_feast=None), season, year, bands)
    if places.by_feast is not None:
        moving, less = _by_units(rows, places, season, year, bands)
        moves = less < (1 - _LEAST_SAVED) * left
        effects[..., moves] = moving[..., moves]
    return effects


def _by_units(
    rows: np.ndarray, places: Places, season: int, year: int, bands: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:  # (len(bands), T + A, C), (C,)
    """Effects in the units that leave least, and what they leave."""
    effects = _effects(rows, places, season, bands)
    least = _left_over(rows, effects[-1], season)
    growing = np.flatnonzero(are_positive(rows.T))
    if not len(growing):
        return effects, least
    known = rows[:, growing]
    mean = mean_of_a_year(known, len(places.by_date), year)
    swinging = mean * _season_indices(known, len(places.by_date), season)
    for units, saved in ((mean, 0.0), (swinging, _LEAST_SAVED)):
        scaled = _effects(known / units[: len(rows)], places, season, bands) * units
        left = _left_over(known, scaled[-1], season)
        better = left < (1 - saved) * least[growing]
        least[growing[better]] = left[better]
        effects[..., growing[better]] = scaled[..., better]
    return effects, least


def without_season(rows: np.ndarray, season: int) -> np.ndarray:  # (T, C)
    """Rows less the median of the deviations at their phase in the neighbouring seasons."""
    if season == 1:
        return rows
    return rows - _usual(rows - local_means(rows, season // 2), season, otherwise=0.0)


def _season_indices(rows: np.ndarray, length: int, season: int) -> np.ndarray:  # (T + A, C)
    """Median of the ratios to the level at the phase of each row; beyond the rows those of the last season."""
    if season == 1:
        return np.ones((length, rows.shape[1]))
    indices = _usual(rows / local_means(rows, season // 2), season, otherwise=1.0)
    ahead = np.arange(length - len(rows)) % season - season
    return np.concatenate([indices, indices[ahead]])


def _usual(deviations: np.ndarray, season: int, otherwise: float) -> np.ndarray:  # (T, C)
    """Median at the phase of each row in the neighbouring seasons."""
    around = season * _SEASONS
    padded = np.pad(deviations, ((around, around), (0, 0)), constant_values=np.nan)
    lags = range(0, 2 * around + 1, season)
    alike = np.stack([padded[lag : lag + len(deviations)] for lag in lags])
    known = np.isfinite(alike).sum(axis=0)
    ordered = np.sort(alike, axis=0)  # NaN last
    lower, upper = (
        np.take_along_axis(ordered, np.maximum(at, 0)[None], axis=0)[0]
        for at in ((known - 1) // 2, known // 2)
    )
    return np.where(known > 0, (lower + upper) / 2, otherwise)


def _effects(
    rows: np.ndarray, places: Places, season: int, bands: Sequence[int]
) -> np.ndarray:  # (len(bands), T + A, C)
    effects = np.zeros((bands[-1], len(places.by_date), rows.shape[1]))
    for number, left in enumerate(widening_bands(without_season(rows, season), bands[-1])):
        for others in (
            places.by_feast if number < _FEASTS else None,
            places.by_date,
            places.by_season if 2 ** (number + 1) < season else None,
        ):
            if others is not None:
                found = _shared(left, others, 2**number)
                effects[number] += found
                left = left - found[: len(rows)]
    return np.cumsum(effects, axis=0)[np.array(bands) - 1]


def _shared(band: np.ndarray, others: np.ndarray, width: int) -> np.ndarray:  # (T, C) -> (T + A, C)
    """What the other years say of a band, as far as years agree."""
    ahead = np.full((len(others) - len(band), band.shape[1]), np.nan)
    own = np.concatenate([band, ahead])[:, None]
    elsewhere = np.where((others >= 0)[..., None], band[others], np.nan)  # (T + A, J, C)
    mean, variance, count = _moments(np.concatenate([own, elsewhere], axis=1))
    judged = count > 1
    if judged.sum() <= _WIDTH * width:
        return np.zeros_like(mean)
    mean, variance = (np.where(judged, part, np.nan) for part in (mean, variance))
    reach = _REACH * width
    energy, nearby = local_means(mean**2, reach), local_means(variance, reach)
    seen = judged.sum(axis=0)
    usual = np.where(judged, variance, 0.0).sum(axis=0) / np.maximum(seen, 1)
    # A place of the year tells its variance once, whichever of its rows is looked at.
    freedom = np.where(judged, (count - 1) / np.maximum(count, 1), 0.0).sum(axis=0)
    limit = fisher.isf(
        _CHANCE, (2 * reach + 1) / (_WIDTH * width), np.maximum(freedom / (_WIDTH * width), 1.0)
    )
    noise = limit * np.maximum(usual, nearby) / np.maximum(count, 1)
    kept = np.where(judged & (energy > noise), 1 - noise / np.where(energy > 0, energy, 1.0), 0.0)
    return kept * _moments(elsewhere)[0]


def _moments(years: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # (T, J, C)
    """Mean and variance over years, zero where there are too few, and how many there are, (T, C)."""
    known = np.isfinite(years)
    count = known.sum(axis=1)
    mean = np.where(known, years, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = np.where(known, years - mean[:, None], 0.0) ** 2
    return mean, squares.sum(axis=1) / np.maximum(count - 1, 1), count


def mean_of_a_year(rows: np.ndarray, length: int, year: int) -> np.ndarray:  # (T + A, C)
    """Mean of the year before each row; of the first year for the rows in it."""
    known = np.isfinite(rows)
    sums, counts = (
        np.cumsum(np.pad(part, ((1, 0), (0, 0))), axis=0)
        for part in (np.where(known, rows, 0.0), known.astype(np.float64))
    )
    last = np.clip(np.arange(length), min(year, len(rows)), len(rows))
    first = np.maximum(last - year, 0)
    total, count = sums[last] - sums[first], counts[last] - counts[first]
    overall = sums[-1] / np.maximum(counts[-1], 1)
    return np.where(count > 0, total / np.maximum(count, 1), overall)


def _left_over(rows: np.ndarray, effect: np.ndarray, season: int) -> np.ndarray:  # (C,)
    """Mean absolute deviation from the level that an effect leaves."""
    left = without_season(rows - effect[: len(rows)], season)
    deviations = np.abs(widening_bands(left, _JUDGED).sum(axis=0))
    known = np.isfinite(deviations)
    return np.where(known, deviations, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
