"""Standardisation per channel, fitted on training rows only.

    unit = sqrt(mean_t (y_t - mean)^2)             the standard deviation, or
    unit = sqrt(mean_t (y_{t+lag} - y_t)^2)        the usual change over `lag` steps

The deviation of a series that wanders grows with its length; its change over a horizon is what a
forecast of that horizon has to deal with, so series of a panel are comparable in that unit.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

_LEAST_CHANGE = 0.01  # in standard deviations


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
        mean square change; 1 for a channel in which it is zero up to rounding.

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
        lag: int | None = None,
    ) -> Self:
        """Measure mean and scale of the training rows.

        Parameters
        ----------
        rows : ndarray of shape (time, channels)
        lag : int, optional
            The scale is the root mean square change over so many steps, at most a third of the
            rows, and at least a hundredth of the standard deviation. None takes the latter.

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
        mean = rows.mean(axis=0)
        scale = rows.std(axis=0)
        if lag is not None and len(rows) > 1:
            steps = max(1, min(lag, len(rows) // 3))
            change = np.sqrt(np.square(rows[steps:] - rows[:-steps]).mean(axis=0))
            # A series that repeats itself after `lag` steps does not change, but has a size.
            scale = np.maximum(change, _LEAST_CHANGE * scale)
        # A constant channel has a deviation of rounding size, relative to its level, not of 0.
        constant = scale <= 10 * np.finfo(np.float64).eps * np.abs(rows).max(axis=0)
        return cls(mean, np.where(constant, 1.0, scale))

    def transform(self, rows: np.ndarray) -> np.ndarray:  # (..., channels) -> (..., channels)
        """Units of the series to units of the training standard deviation."""
        return (np.asarray(rows, dtype=np.float64) - self.mean) / self.scale

    def inverse_transform(self, rows: np.ndarray) -> np.ndarray:  # (..., channels)
        """Units of the training standard deviation back to units of the series."""
        return np.asarray(rows, dtype=np.float64) * self.scale + self.mean
