"""Standardisation per channel, fitted on training rows only.

    unit = sqrt(mean_t (y_t - mean)^2)             the standard deviation, or
    unit = sqrt(mean_t (y_{t+lag} - y_t)^2)        the usual change over `lag` steps

The deviation of a series that wanders grows with its length; its change over a horizon is what a
forecast of that horizon has to deal with, so series of a panel are comparable in that unit.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

_LARGEST = np.finfo(np.float64).max
_HUGE = (
    1e290  # above it some deviations from the mean are beyond the floats before the mean is added
)
_HUGE_UNIT = 2.0**64  # exact, and far more than deviations of any forecast
_LEAST_CHANGE = 0.01  # in standard deviations


def binary_unit(largest: np.ndarray | float) -> np.ndarray:
    """The power of two in which numbers of up to a given magnitude are at most 2.

    Dividing by it is exact, and squares of what is left neither overflow nor vanish.

    Examples
    --------
    >>> binary_unit(np.array([0.75, 5.0, 1e300]))
    array([5.00000000e-001, 4.00000000e+000, 6.69692879e+299])
    """
    return np.ldexp(1.0, np.frexp(largest)[1] - 1)


def add_within_floats(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Sum of finite numbers; the largest float where it overflows.

    The end of an interval that no float can hold is then the last number that is.

    Examples
    --------
    >>> add_within_floats(np.array([1.0, 1e308]), np.array([2.0, 1e308]))
    array([3.00000000e+000, 1.79769313e+308])
    """
    with np.errstate(over="ignore"):
        return np.clip(first + second, -_LARGEST, _LARGEST)


def multiply_within_floats(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Product of finite numbers; the largest float where it overflows."""
    with np.errstate(over="ignore"):
        return np.clip(first * second, -_LARGEST, _LARGEST)


def divide_within_floats(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Quotient by positive numbers; the largest float where it overflows."""
    with np.errstate(over="ignore"):
        return np.clip(first / second, -_LARGEST, _LARGEST)


@dataclass(frozen=True)
class Standardizer:
    """Mean and standard deviation of each channel, in the series' own unit.

    Made by `Standardizer.fit`. An instance never changes, so statistics of the training rows
    cannot be overwritten by those of later ones.

    Parameters
    ----------
    mean : ndarray of shape (channels,), float64
    scale : ndarray of shape (channels,), float64
        Standard deviation over time (divided by the number of rows, not by one less), or the root
        mean square change; 1 for a channel that is constant up to rounding, or the size of its
        rounding if that is more.

    Examples
    --------
    >>> rows = np.array([[1.0, 5.0], [3.0, 5.0]])
    >>> standardizer = Standardizer.fit(rows)
    >>> standardizer.transform(rows)
    array([[-1.,  0.],
           [ 1.,  0.]])
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(
        cls,
        rows: np.ndarray,  # (time, channels)
        forgetting: float = 1.0,
        lag: int | None = None,
    ) -> "Standardizer":
        """Measure mean and scale of the training rows; missing values (NaN) are left out.

        Parameters
        ----------
        rows : ndarray of shape (time, channels)
            Oldest row first.
        forgetting : float, default=1.0
            Weight of a row relative to the next newer one, in (0, 1].
        lag : int, optional
            The scale is the root mean square change over so many steps, at most a third of the
            rows, and at least a hundredth of the standard deviation. None takes the latter.

        Raises
        ------
        ValueError
            If `rows` is not two-dimensional, has no row or a channel without any value, or holds
            infinite values.
        """
        rows = np.asarray(rows, dtype=np.float64)
        if rows.ndim != 2 or len(rows) == 0:
            raise ValueError(
                f"rows must have shape (time, channels) with at least one row, got {rows.shape}"
            )
        if np.isinf(rows).any():
            raise ValueError(
                f"rows hold {int(np.isinf(rows).sum())} infinite values; replace them first"
            )
        empty = np.flatnonzero(np.isnan(rows).all(axis=0))
        if len(empty):
            raise ValueError(f"channels {empty.tolist()} have no value at all; drop them first")
        return RowStatistics.of(rows, forgetting, lag).standardizer()

    def transform(self, rows: np.ndarray) -> np.ndarray:  # (..., channels) -> (..., channels)
        """Units of the series to units of the training standard deviation."""
        rows = np.asarray(rows, dtype=np.float64)
        largest = np.fmax.reduce(np.abs(rows), axis=None, initial=0.0)
        # Two of the largest floats differ by more than one of them; halves do not, and are exact.
        half = 0.5 if largest > _LARGEST / 4 else 1.0
        return (half * rows - half * self.mean) / (half * self.scale)

    def then(self, other: "Standardizer") -> "Standardizer":
        """One standardiser for this one and then another, which is in units of this one."""
        return Standardizer(self.mean + self.scale * other.mean, self.scale * other.scale)

    def apart(self, count: int) -> list["Standardizer"]:
        """One standardiser for each of so many series, whose channels follow each other."""
        means, scales = self.mean.reshape(count, -1), self.scale.reshape(count, -1)
        return [Standardizer(mean, scale) for mean, scale in zip(means, scales, strict=True)]

    def inverse_transform(self, rows: np.ndarray) -> np.ndarray:  # (..., channels)
        """Units of the training standard deviation back to units of the series, the largest floats at most."""
        unit = np.where(np.maximum(self.scale, np.abs(self.mean)) > _HUGE, _HUGE_UNIT, 1.0)
        with np.errstate(over="ignore"):
            small = np.asarray(rows, dtype=np.float64) * (self.scale / unit) + self.mean / unit
        return multiply_within_floats(small, unit)


class ChangeStatistics(NamedTuple):
    """The usual change of a stream over some steps.

    Attributes
    ----------
    weight : float
        Sum of the weights of all changes; that of the newest one is 1.
    size : ndarray of shape (channels,), float64
        Weighted root mean square of the changes.
    tail : ndarray of shape (steps, channels), float64
        The newest rows, from which the next changes start.
    forgetting : float
        Weight of a change relative to the next newer one, in (0, 1].
    """

    weight: float
    size: np.ndarray
    tail: np.ndarray
    forgetting: float

    @classmethod
    def of(cls, rows: np.ndarray, steps: int, forgetting: float) -> Self:  # (time, channels)
        """Measure the first rows, more than `steps`."""
        unit = binary_unit(np.nanmax(np.abs(rows), axis=0))
        scaled = rows / unit
        weights = _weights(len(rows) - steps, forgetting)
        size = np.sqrt(_mean(np.square(scaled[steps:] - scaled[:-steps]), weights))
        return cls(
            float(weights.sum()), multiply_within_floats(size, unit), rows[-steps:], forgetting
        )

    def apart(self, count: int) -> list[Self]:
        """Of each of so many series, whose channels follow each other."""
        sizes = self.size.reshape(count, -1)
        tails = self.tail.reshape(len(self.tail), count, -1).swapaxes(0, 1)
        return [
            self._replace(size=size, tail=tail) for size, tail in zip(sizes, tails, strict=True)
        ]

    def extend(self, rows: np.ndarray) -> Self:  # (time, channels)
        """Add newer rows, at least one."""
        joined = np.concatenate([self.tail, rows])
        new = type(self).of(joined, len(self.tail), self.forgetting)
        kept = self.forgetting ** len(rows) * self.weight
        weight = kept + new.weight
        size = np.hypot((kept / weight) ** 0.5 * self.size, (new.weight / weight) ** 0.5 * new.size)
        return new._replace(weight=weight, size=size)


class RowStatistics(NamedTuple):
    """What a stream must remember so that its `Standardizer` can be written down at any time.

    Rows are added at a cost that does not depend on how many came before, by the rule for two
    samples of Chan, Golub & LeVeque 1979. The newest row has the weight 1.

    Attributes
    ----------
    weight : float
        Sum of the weights of all rows.
    mean, spread, largest : ndarray of shape (channels,), float64
        Weighted mean and standard deviation; largest magnitude.
    forgetting : float
        Weight of a row relative to the next newer one, in (0, 1].
    changes : ChangeStatistics or None
        Where the unit is the change over a lag; None where it is the standard deviation.

    Examples
    --------
    >>> statistics = RowStatistics.of(np.array([[1.0], [3.0]])).extend(np.array([[5.0]]))
    >>> statistics.mean, statistics.spread**2
    (array([3.]), array([2.66666667]))
    """

    weight: float
    mean: np.ndarray
    spread: np.ndarray
    largest: np.ndarray
    forgetting: float
    changes: ChangeStatistics | None

    @classmethod
    def of(
        cls,
        rows: np.ndarray,  # (time, channels)
        forgetting: float = 1.0,
        lag: int | None = None,
    ) -> Self:
        """Measure the first rows, at least one; a lag is cut to a third of them.

        Missing values (NaN) are left out; a channel has at least one value.
        """
        largest = np.nanmax(np.abs(rows), axis=0)
        unit = binary_unit(largest)
        scaled = rows / unit
        weights = _weights(len(rows), forgetting)
        weight = float(weights.sum())
        mean = _mean(scaled, weights)
        spread = np.sqrt(_mean(np.square(scaled - mean), weights))
        changes = None
        if lag is not None and len(rows) > 1:
            steps = max(1, min(lag, len(rows) // 3))
            changes = ChangeStatistics.of(rows, steps, forgetting)
        return cls(weight, mean * unit, spread * unit, largest, forgetting, changes)

    def extend(self, rows: np.ndarray) -> Self:  # (time, channels)
        """Add newer rows, at least one."""
        new = type(self).of(rows, self.forgetting)
        kept = self.forgetting ** len(rows) * self.weight
        weight = kept + new.weight
        gap = new.mean - self.mean
        within = np.hypot(
            (kept / weight) ** 0.5 * self.spread, (new.weight / weight) ** 0.5 * new.spread
        )
        return self._replace(
            weight=weight,
            mean=self.mean + gap * (new.weight / weight),
            spread=np.hypot(within, (kept * new.weight) ** 0.5 / weight * gap),
            largest=np.maximum(self.largest, new.largest),
            changes=None if self.changes is None else self.changes.extend(rows),
        )

    def apart(self, count: int) -> list[Self]:
        """Of each of so many series, whose channels follow each other.

        Examples
        --------
        >>> both = RowStatistics.of(np.array([[1.0, 5.0], [3.0, 5.0]]))
        >>> [statistics.mean.tolist() for statistics in both.apart(2)]
        [[2.0], [5.0]]
        """
        means, spreads, sizes = (
            part.reshape(count, -1) for part in (self.mean, self.spread, self.largest)
        )
        changes = [None] * count if self.changes is None else self.changes.apart(count)
        return [
            self._replace(mean=mean, spread=spread, largest=largest, changes=of_series)
            for mean, spread, largest, of_series in zip(means, spreads, sizes, changes, strict=True)
        ]

    def standardizer(self) -> Standardizer:
        """Mean and scale of all rows."""
        scale = self.spread
        if self.changes is not None:
            # A series that repeats itself after the lag does not change, but has a size.
            scale = np.maximum(self.changes.size, _LEAST_CHANGE * scale)
        # A constant channel has a deviation of rounding size, relative to its level, not of 0.
        rounding = 10 * np.finfo(np.float64).eps * self.largest
        constant = self.spread <= rounding
        return Standardizer(self.mean, np.where(constant, np.maximum(1.0, rounding), scale))


def _mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:  # (n, C), (n,) -> (C,)
    """Weighted mean of what is known in each column; zero where nothing is."""
    if (weights == 1).all() and not np.isnan(values).any():
        return values.mean(axis=0)
    known = ~np.isnan(values)
    total = weights @ known
    return weights @ np.where(known, values, 0.0) / np.where(total > 0, total, 1.0)


def _weights(n: int, forgetting: float) -> np.ndarray:
    return forgetting ** np.arange(n - 1.0, -1.0, -1.0)
