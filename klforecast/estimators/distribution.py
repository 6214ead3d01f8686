"""Forecasts of all series in one frame, as sktime asks for them: points, quantiles, variances, a distribution."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from klforecast.data.scaling import add_within_floats
from klforecast.estimators.arguments import check_magnitude

if TYPE_CHECKING:
    from skpro.distributions.empirical import Empirical

LEVELS = (np.arange(100) + 0.5) / 100
"""Quantile levels that stand for a whole distribution."""


class Distribution(NamedTuple):
    """Forecasts and their quantiles.

    Attributes
    ----------
    point : DataFrame, (rows, channels)
        In the units of the data, with the index levels of the data.
    around : ndarray of shape (rows, channels, Q) or None
        Quantiles as distances from it; None where only points were asked for.
    """

    point: pd.DataFrame
    around: np.ndarray | None

    def quantiles(self) -> np.ndarray:  # (rows, channels, Q)
        """The quantiles themselves; the largest float where one overflows."""
        return add_within_floats(self.point.to_numpy()[..., None], self._around())

    def quantile_frame(self, names: Sequence[Hashable], alpha: Sequence[float]) -> pd.DataFrame:
        """One column for each channel and level, channels outside."""
        values = self.quantiles()
        columns = pd.MultiIndex.from_product([names, alpha])
        return pd.DataFrame(values.reshape(len(values), -1), self.point.index, columns)

    def variance(self) -> pd.DataFrame:
        """Variance of each step and channel, over levels that stand for the whole.

        Raises
        ------
        ValueError
            If squares of the errors would overflow.
        """
        around = self._around()
        check_magnitude("the error of the forecasts", around)
        return pd.DataFrame(around.var(axis=-1), self.point.index, self.point.columns)

    def empirical(self) -> "Empirical":
        """Distribution of skpro with each quantile for a draw."""
        from skpro.distributions.empirical import Empirical

        point = self.point
        draws = [pd.DataFrame(draw, point.index, point.columns) for draw in self.quantiles().T.mT]
        return Empirical(pd.concat(dict(enumerate(draws))))

    def _around(self) -> np.ndarray:
        assert self.around is not None, "quantiles are forecast where they are asked for"
        return self.around


def joint_distribution(paths: pd.DataFrame) -> "Empirical":  # (n_paths x rows, channels)
    """Distribution of skpro whose draws are whole paths."""
    from skpro.distributions.empirical import Empirical

    return Empirical(paths, time_indep=False)
