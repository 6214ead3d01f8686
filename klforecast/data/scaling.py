"""Standardisation per channel, fitted on training rows only."""

from dataclasses import dataclass
from typing import Self

import numpy as np


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
        channel that is constant up to rounding.

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
    def fit(cls, rows: np.ndarray) -> Self:  # (time, channels)
        """Measure mean and scale of the training rows; missing values (NaN) are left out.

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
        mean = np.nanmean(rows, axis=0)
        scale = np.nanstd(rows, axis=0)
        # A constant channel has a deviation of rounding size, relative to its level, not of 0.
        constant = scale <= 10 * np.finfo(np.float64).eps * np.nanmax(np.abs(rows), axis=0)
        return cls(mean, np.where(constant, 1.0, scale))

    def transform(self, rows: np.ndarray) -> np.ndarray:  # (..., channels) -> (..., channels)
        """Units of the series to units of the training standard deviation."""
        return (np.asarray(rows, dtype=np.float64) - self.mean) / self.scale

    def inverse_transform(self, rows: np.ndarray) -> np.ndarray:  # (..., channels)
        """Units of the training standard deviation back to units of the series."""
        return np.asarray(rows, dtype=np.float64) * self.scale + self.mean
