"""Tell a number from a series with complex state-space modes, for scikit-learn."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_X_y
from sklearn.utils.validation import validate_data

from klforecast.estimators.saving.files import SavedEstimator
from klforecast.estimators.sequence_input import ANY_SHAPE_WITH_GAPS, with_channels
from klforecast.estimators.series_input import ArraysOfSeries
from klforecast.estimators.spectral_regressor import SpectralRegressor
from klforecast.training.rollback import unchanged_on_error


class SpectralSSMRegressor(
    SpectralRegressor, SavedEstimator, ArraysOfSeries, RegressorMixin, BaseEstimator
):
    """Tell a number from a series: extrinsic regression with complex state-space modes.

    The closed form of `SpectralSSMClassifier` with numbers in place of classes: a ridge regression
    on pooled responses of fixed modes, and extremely randomised trees on these and on statistics over
    intervals, mixed as they err least on series that they have not seen.

    The settings are documented at `__init__`.

    Attributes
    ----------
    model_ : ClosedFormRegressor
        The fitted model.
    n_channels_ : int
        Channels of the series.
    n_features_in_ : int
        Size of the second axis of X: the length of the series where X has two dimensions, else
        their channels.

    Notes
    -----
    `fit` takes time in proportion to series times steps times filters, about twenty nanoseconds each,
    O(n^3) for up to 2,500 series, and up to twenty seconds for the trees; beyond 2,500 series the ridge
    is spanned by 2,000 of them.

    Examples
    --------
    >>> import numpy as np
    >>> from klforecast import SpectralSSMRegressor
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(2, 6, 60)
    >>> turns = y[:, None] * np.linspace(0, 2 * np.pi, 60)
    >>> X = np.sin(turns + rng.uniform(0, 6, (60, 1))) + 0.2 * rng.normal(size=(60, 60))
    >>> regressor = SpectralSSMRegressor(random_state=0).fit(X[::2], y[::2])
    >>> bool(regressor.score(X[1::2], y[1::2]) > 0.9)
    True
    """

    n_features_in_: int
    feature_names_in_: np.ndarray
    _of_panels = "SpectralSSMPanelRegressor"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn to tell the number from a series.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)
            Series, oldest step first. NaN is a missing value: gaps are bridged by straight lines,
            and steps at the end without any value make a series shorter.
        y : array-like, (n,)
            Number of each series.
        sample_weight : array-like of shape (n,) or None, default=None
            What each series counts for, at least 0; None: one each. Zero leaves a series out, and a
            whole number is so many copies of it.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For settings, series or numbers that cannot be used. The regressor stays as it was.
        """
        with unchanged_on_error(self):
            self._check_is_array(X)
            values, target = check_X_y(X, y, y_numeric=True, estimator=self, **ANY_SHAPE_WITH_GAPS)
            self._learn(with_channels(values), target, sample_weight)
            validate_data(self, X, skip_check_array=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Number of each series.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)

        Returns
        -------
        ndarray, (n,)
            In the unit of y, float64.
        """
        return self._answer(self._checked(X)).numpy()
