"""`SpectralSSMRegressor` for the panels of sktime: unequal lengths, and a bridge to scikit-learn."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags
from sktime.regression.base import BaseRegressor

from klforecast.estimators.panel_bridge import PanelBridge
from klforecast.estimators.saving.sktime_state import SavedSktimeEstimator
from klforecast.estimators.series_input import PanelsOfSeries
from klforecast.estimators.spectral_regressor import SpectralRegressor
from klforecast.training.rollback import unchanged_on_error


class SpectralSSMPanelRegressor(
    SpectralRegressor, PanelsOfSeries, PanelBridge, SavedSktimeEstimator, BaseRegressor
):
    """Tell a number from each series of a panel with complex state-space modes.

    The same as `SpectralSSMRegressor`, for every panel container of sktime: series may have several
    channels and unequal lengths. Columns of a frame are told by their names, so that their order does
    not matter; where one side is an array, which has no names, they go by position. Works in
    scikit-learn's `cross_val_score`, `GridSearchCV`, `Pipeline` and voting too.

    The settings are documented at `__init__`.

    Attributes
    ----------
    model_ : ClosedFormRegressor
        The fitted model.
    n_channels_ : int
        Channels of the series.
    channel_names_ : list
        Their names, in the order of the first series.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from klforecast import SpectralSSMPanelRegressor
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(1, 3, 60)
    >>> X = [
    ...     pd.DataFrame({"level": scale * rng.normal(size=rng.integers(50, 80))}) for scale in y
    ... ]
    >>> regressor = SpectralSSMPanelRegressor(n_filters=64, random_state=0).fit(X[:40], y[:40])
    >>> bool(regressor.score(X[40:], y[40:]) > 0.8)
    True
    """

    _tags = {
        "authors": "The klforecast developers",
        "maintainers": "The klforecast developers",
        "python_dependencies": "torch",
        "X_inner_mtype": "df-list",
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": True,
        "capability:multithreading": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    def fit(self, X: Any, y: Any) -> Self:
        """Learn to tell the number from a series.

        Parameters
        ----------
        X : panel container of sktime
            Series, of unequal length if the container allows it. NaN is a missing value: gaps are
            bridged by straight lines, and steps at the end without any value make a series shorter.
        y : array-like, (n,)
            Number of each series.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For settings, series or numbers that cannot be used. The regressor stays as it was.
        """
        with unchanged_on_error(self):
            return super().fit(X, y)

    def _fit(self, X: Sequence[pd.DataFrame], y: np.ndarray) -> Self:
        self._learn(self._named(X), y)
        return self

    def _predict(self, X: Sequence[pd.DataFrame]) -> np.ndarray:
        return self._answer(self._in_order(X, "regressor")).numpy()

    def __sklearn_tags__(self) -> Tags:
        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(three_d_array=True),
        )

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings that fit in a moment, for the test suite of sktime."""
        return [{"n_filters": 16, "random_state": 0}, {"n_filters": 64, "random_state": 1}]
