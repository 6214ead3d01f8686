"""What the days of a month do to its total: weekdays that come five times, a leap day, Easter.

    log y_t = x_t b + n_t,    (1 - B)(1 - B^s) n_t = (1 - f B)(1 - f B^s) e_t        f = 0.6
    z, u    = x and log y, multiplied by both polynomials so that   u = z b + e
    b       = m + C z'(u - z m) / q,    C = (z'z / q + 1 / v)^-1                     q: mean of (u - z b)^2
    m, v    mean and variance of b in the panel, by the EM algorithm; one v for the seven weekdays; m = 0 of few series

Regressors that say nothing have v near zero, and no coefficient. Whether all of it is worth having is asked of eight
stretches of time, each judged by the others: series share shocks, and rows of one month say too much of each other.

Source    regression with errors of the airline model: Box & Jenkins (1970), "Time series analysis"; trading days and
          Easter: Bell & Hillmer (1983), Journal of the American Statistical Association 78(383), 526-534; variances of
          coefficients found from the data: MacKay (1992), Neural Computation 4(3), 415-447.
Letters   N series, T rows, K regressors, s rows of a year, B takes the row before
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from scipy.signal import lfilter

WEEKDAYS = 7
"""Regressors that share a variance, the first ones."""

_FORGETTING = 0.6  # f, as usual of monthly series of the economy
# Deviations beyond which an error is cut, and a row is not observed: a strike says nothing of Tuesdays.
_WILD, _FAR = 4.0, 6.0
_ROUNDS, _ROUNDS_OF_NOISE = (
    30,
    5,
)  # of the EM algorithm, and of the noise alone once m and v are known
_LEAST_NOISE = 1e-6  # of the mean square of the rows
_MANY = 4  # series from which on a mean coefficient is known
# Deviations of coefficients at most: a weekday of a tenth of a week less has a share of its own of -0.1 to 0.1 in the
# month; a leap day is a day of 28 in sums; the week before Easter seldom moves a tenth of a month.
_LARGEST = np.array([*[0.5] * WEEKDAYS, 1.0, 0.1])
_LEAST_VARIANCE = 1e-8  # of the largest
_STRETCHES = 8  # of time, each judged by what the others say
# Part of the squared errors that has to be saved, and how many rows' worth besides: of walks and noise, with gaps or
# with shocks in common, one in twenty saves as much.
_LEAST_GAIN, _CHANCE = 0.02, 8.0
_DEVIATION = 1.4826  # of a normal law, in units of its median distance
_EXACT = 1e-10  # of a relative change, below which it is rounding


class Innovations(NamedTuple):
    """What is new in the logarithm of a series and in its days, at the rows where both were seen.

    Attributes
    ----------
    rows : ndarray of shape (R,)
    days : ndarray of shape (R, K)
    months : ndarray of int, shape (R,)
        Of each row, counted alike for all series.
    """

    rows: np.ndarray
    days: np.ndarray
    months: np.ndarray

    @classmethod
    def of(
        cls,
        rows: np.ndarray,  # (T,), positive, NaN where nothing was observed
        days: np.ndarray,  # (T, K)
        months: np.ndarray,  # (T,) int
        year: int,
    ) -> Self | None:
        """Of a series and its days; None of one that is exact, or no longer than a year and a row."""
        if len(rows) < year + 2:
            return None
        changes = _changes(_tame(np.log(rows), year), year)
        seen = np.isfinite(changes)
        new = _filtered(np.where(seen, changes, 0.0), year)[seen]
        limit = _WILD * _DEVIATION * np.median(np.abs(new)) if len(new) else 0.0
        if limit < _EXACT:
            return None
        of_days = _filtered(np.where(seen[:, None], _changes(days, year), 0.0), year)[seen]
        return cls(np.clip(new, -limit, limit), of_days, months[year + 1 :][seen])

    @property
    def power(self) -> float:
        """Mean square of the rows."""
        return float(self.rows @ self.rows) / len(self.rows)


class DayPrior(NamedTuple):
    """Coefficients of a panel, mean and variance of each, (K,) both."""

    mean: np.ndarray
    variance: np.ndarray


def learn_day_prior(panel: Sequence[Innovations]) -> DayPrior:
    """Mean and variance of coefficients in a panel, or in a sample of it.

    Examples
    --------
    Series that all gain a fiftieth for a twentieth more of the first regressor:

    >>> rng = np.random.default_rng(0)
    >>> days = rng.normal(size=(120, 9)) * [*[0.02] * 7, 0.01, 0.2]
    >>> series = np.exp(0.01 * rng.normal(size=(20, 120)) + 0.4 * days[:, 0])
    >>> panel = [Innovations.of(rows, days, np.arange(120), 12) for rows in series]
    >>> learn_day_prior(panel).mean[0].round(1)
    np.float64(0.4)
    """
    return _prior_of(_sums(panel))


def _prior_of(sums: "_Sums") -> DayPrior:
    most = _LARGEST**2
    mean, variance, noise = np.zeros(len(most)), most, np.ones(len(sums.rows))
    for _ in range(_ROUNDS):
        coefficients, doubt = _posterior(sums, noise, DayPrior(mean, variance))
        noise = _noise(sums, coefficients, doubt)
        if len(noise) >= _MANY:
            mean = coefficients.mean(axis=0)
        found = ((coefficients - mean) ** 2 + np.einsum("nkk->nk", doubt)).mean(axis=0)
        found[:WEEKDAYS] = found[:WEEKDAYS].mean()
        variance = np.clip(found, _LEAST_VARIANCE * most, most)
    return DayPrior(mean, variance)


def day_coefficients(panel: Sequence[Innovations], prior: DayPrior) -> np.ndarray:  # (N, K)
    """Coefficients of each series by its own rows and by what is known of its panel; none of no series."""
    if not panel:
        return np.zeros((0, len(prior.mean)))
    return _settled(_sums(panel), prior)


def is_worth_having(panel: Sequence[Innovations]) -> bool:
    """Whether coefficients of other stretches of time make the errors of each stretch smaller."""
    first, last = (edge(edge(own.months) for own in panel) for edge in (min, max))
    edges = np.linspace(first, last + 1, _STRETCHES + 1)
    stretches = [_sums(panel, *ends) for ends in pairwise(edges.tolist())]
    whole = [sum(parts) for parts in zip(*stretches, strict=True)]
    before = after = 0.0
    for own in stretches:
        others = _Sums(*(total - part for total, part in zip(whole, own, strict=True)))
        coefficients = _settled(others, _prior_of(others))
        before += float(own.squares.sum())
        after += float((own.squares - _explained(own, coefficients)).sum())
    # In these units a row has a squared error of one.
    return after < (1 - _LEAST_GAIN) * before - _CHANCE


class _Sums(NamedTuple):
    """Products of days and rows, in units of the mean square of the rows of each series."""

    gram: np.ndarray  # (N, K, K)
    moment: np.ndarray  # (N, K)
    squares: np.ndarray  # (N,)
    rows: np.ndarray  # (N,) int


def _sums(panel: Sequence[Innovations], first: float = -np.inf, last: float = np.inf) -> _Sums:
    """Over the rows of the months from the first to before the last."""
    parts = []
    for own in panel:
        within = (own.months >= first) & (own.months < last)
        rows, days = own.rows[within], own.days[within]
        sums = days.T @ days, days.T @ rows, rows @ rows
        parts.append((*(part / own.power for part in sums), len(rows)))
    return _Sums(*map(np.array, zip(*parts, strict=True)))


def _posterior(
    sums: _Sums,
    noise: np.ndarray,  # (N,), in units of the mean square of the rows
    prior: DayPrior,
) -> tuple[np.ndarray, np.ndarray]:  # (N, K), (N, K, K)
    """Mean and covariance of the coefficients of each series."""
    doubt = np.linalg.inv(sums.gram / noise[:, None, None] + np.diag(1 / prior.variance))
    known = sums.moment / noise[:, None] + prior.mean / prior.variance
    return np.einsum("nkl,nl->nk", doubt, known), doubt


def _explained(sums: _Sums, coefficients: np.ndarray) -> np.ndarray:  # (N,)
    """Squares that coefficients take off."""
    fitted = np.einsum("nk,nkl,nl->n", coefficients, sums.gram, coefficients)
    explained: np.ndarray = 2 * (coefficients * sums.moment).sum(axis=1) - fitted
    return explained


def _noise(sums: _Sums, coefficients: np.ndarray, doubt: np.ndarray) -> np.ndarray:  # (N,)
    """Mean square that coefficients leave over, and that their doubt adds to it."""
    left = sums.squares - _explained(sums, coefficients)
    left += np.einsum("nkl,nlk->n", sums.gram, doubt)
    return np.maximum(left / np.maximum(sums.rows, 1), _LEAST_NOISE)


def _settled(sums: _Sums, prior: DayPrior) -> np.ndarray:  # (N, K)
    """Coefficients, with the noise that agrees with them."""
    noise = np.ones(len(sums.rows))
    for _ in range(_ROUNDS_OF_NOISE):
        noise = _noise(sums, *_posterior(sums, noise, prior))
    return _posterior(sums, noise, prior)[0]


def _tame(logarithms: np.ndarray, year: int) -> np.ndarray:  # (T,)
    """Rows that are far from those of a year before and after count as not observed.

    An error is cut where it is found, but those that the model makes of it last for years.
    """
    if len(logarithms) <= 2 * year:
        return logarithms
    around = (logarithms[: -2 * year] + logarithms[2 * year :]) / 2
    distance = np.abs(logarithms[year:-year] - around)
    seen = np.isfinite(distance)
    wild = np.zeros(len(logarithms), dtype=bool)
    if seen.any():
        wild[year:-year] = distance > _FAR * _DEVIATION * np.median(distance[seen])
    return np.where(wild, np.nan, logarithms)


def _changes(rows: np.ndarray, year: int) -> np.ndarray:  # (T, ...) -> (T - s - 1, ...)
    changes: np.ndarray = np.diff(rows, axis=0)
    return changes[year:] - changes[:-year]


def _filtered(changes: np.ndarray, year: int) -> np.ndarray:
    """Changes less what the airline model makes of those before."""
    of_year = np.zeros(year + 1)
    of_year[[0, -1]] = 1.0, -_FORGETTING
    filtered: np.ndarray = lfilter(
        [1.0], np.convolve([1.0, -_FORGETTING], of_year), changes, axis=0
    )
    return filtered
