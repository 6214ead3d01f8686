"""Standardisation per channel, fitted on training rows only."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np


def binary_unit(largest: np.ndarray | float) -> np.ndarray:
    """The power of two in which numbers of up to a given magnitude are at most 2.

    Dividing by it is exact, and squares of what is left neither overflow nor vanish.

    Examples
    --------
    >>> binary_unit(np.array([0.75, 5.0, 1e300]))
    array([5.00000000e-001, 4.00000000e+000, 7.46109262e+299])
    """
    return np.ldexp(1.0, np.frexp(largest)[1] - 1)


@dataclass(frozen=True)
class Standardizer:
    """Mean and standard deviation of each channel, in the series' own unit.

    Made by `Standardizer.fit`. An instance never changes, so statistics of the training rows
    cannot be overwritten by those of later ones.

    Parameters
    ----------
    mean : ndarray of shape (channels,), float64
    scale : ndarray of shape (channels,), float64
        Standard deviation over time (divided by the number of rows, not by one less); 1 for a
        channel that is constant up to rounding, or the size of its rounding if that is more.

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
    def fit(cls, rows: np.ndarray, forgetting: float = 1.0) -> "Standardizer":  # (time, channels)
        """Measure mean and scale of the training rows.

        Parameters
        ----------
        rows : ndarray of shape (time, channels)
            Finite numbers, oldest row first.
        forgetting : float, default=1.0
            Weight of a row relative to the next newer one, in (0, 1].

        Raises
        ------
        ValueError
            If `rows` is not two-dimensional, has no row, or holds NaN or infinite values.
        """
        rows = np.asarray(rows, dtype=np.float64)
        if rows.ndim != 2 or len(rows) == 0:
            raise ValueError(
                f"rows must have shape (time, channels) with at least one row, got {rows.shape}"
            )
        if not np.isfinite(rows).all():
            n_bad = int((~np.isfinite(rows)).sum())
            raise ValueError(
                f"rows hold {n_bad} NaN or infinite values; fill them or drop their rows first"
            )
        return RowStatistics.of(rows, forgetting).standardizer()

    def transform(self, rows: np.ndarray) -> np.ndarray:  # (..., channels) -> (..., channels)
        """Units of the series to units of the training standard deviation."""
        return (np.asarray(rows, dtype=np.float64) - self.mean) / self.scale

    def inverse_transform(self, rows: np.ndarray) -> np.ndarray:  # (..., channels)
        """Units of the training standard deviation back to units of the series."""
        return np.asarray(rows, dtype=np.float64) * self.scale + self.mean


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

    @classmethod
    def of(cls, rows: np.ndarray, forgetting: float = 1.0) -> Self:  # (time, channels)
        """Measure the first rows, at least one."""
        largest = np.abs(rows).max(axis=0)
        unit = binary_unit(largest)
        scaled = rows / unit
        if forgetting == 1:
            mean, spread = scaled.mean(axis=0), scaled.std(axis=0)
            weight = float(len(rows))
        else:
            weights = forgetting ** np.arange(len(rows) - 1.0, -1.0, -1.0)
            weight = float(weights.sum())
            mean = weights @ scaled / weight
            spread = np.sqrt(weights @ (scaled - mean) ** 2 / weight)
        return cls(weight, mean * unit, spread * unit, largest, forgetting)

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
        )

    def standardizer(self) -> Standardizer:
        """Mean and scale of all rows."""
        # A constant channel has a deviation of rounding size, relative to its level, not of 0.
        rounding = 10 * np.finfo(np.float64).eps * self.largest
        constant = self.spread <= rounding
        return Standardizer(self.mean, np.where(constant, np.maximum(1.0, rounding), self.spread))
