"""Forecasts from windows by ridge regression on their leading Karhunen-Loeve components, for scikit-learn."""

from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils import check_X_y
from sklearn.utils.validation import check_is_fitted, validate_data
from skorch import NeuralNet
from torch import nn

from klforecast.classify.solved_net import linear_net
from klforecast.estimators.arguments import (
    check_integer,
    check_magnitude,
    check_number,
)
from klforecast.estimators.saving.files import SavedEstimator
from klforecast.estimators.shrinking import warn_shrunk
from klforecast.ops.arrays import to_tensor
from klforecast.ops.kl_regression import kl_regression


class KLMemoryRegressor(SavedEstimator, MultiOutputMixin, RegressorMixin, BaseEstimator):
    """Forecast from windows by ridge regression on their leading K-L components.

    Columns of X are the steps of a window, oldest first; columns of y are the steps that follow it.
    The modes are those of the covariance over the steps, so that `n_components` modes are the best
    memory of that size for such windows (principal component regression, with a ridge).

    Parameters
    ----------
    n_components : int or None, default=None
        Components kept. None: all that the windows have.
    ridge : float, default=1e-4
        Strength of the ridge relative to the mean eigenvalue of the covariance.
    center : int, default=0
        The mean of the last `center` steps of a window is its level, which is taken off before
        and added to the forecast after. 0: none. 1 suits series that drift.

    Attributes
    ----------
    coef_ : ndarray, (horizon, length), or (length,) if y was one-dimensional
        Forecast = X coef_' + intercept_; centring is part of the map.
    intercept_ : ndarray, (horizon,), or float
    components_ : ndarray, (n_components_, length)
        Modes over the window, orthonormal rows, largest eigenvalue first.
    eigenvalues_ : ndarray, (n_components_,)
        Variance along each mode, in squared units of X.
    n_components_ : int
        Components used: at most the number of independent windows and of steps.
    n_features_in_ : int
        Length of a window.

    Notes
    -----
    `fit` takes O(n length^2 + length^3) time and O(length^2) memory beside X and y.

    Examples
    --------
    >>> import numpy as np
    >>> from numpy.lib.stride_tricks import sliding_window_view
    >>> from klforecast import KLMemoryRegressor
    >>> windows = sliding_window_view(np.sin(np.arange(300) * 2 * np.pi / 12), 36 + 6)
    >>> X, y = windows[:, :36], windows[:, 36:]
    >>> regressor = KLMemoryRegressor(n_components=2, ridge=0.0).fit(X[:200], y[:200])
    >>> bool(np.abs(regressor.predict(X[200:]) - y[200:]).max() < 1e-9)
    True
    """

    coef_: np.ndarray
    intercept_: np.ndarray | float
    components_: np.ndarray
    eigenvalues_: np.ndarray
    n_components_: int
    n_features_in_: int
    feature_names_in_: np.ndarray

    def __init__(self, n_components: int | None = None, *, ridge: float = 1e-4, center: int = 0):
        self.n_components = n_components
        self.ridge = ridge
        self.center = center

    def fit(self, X: Any, y: Any) -> Self:
        """Solve for the map from windows to what follows them.

        Parameters
        ----------
        X : array-like, (n, length)
            Windows, oldest step first.
        y : array-like, (n, horizon) or (n,)
            The steps after each window.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For parameters, windows or targets that cannot be used. The regressor stays as it was.
        """
        check_integer("n_components", self.n_components, minimum=1, optional=True)
        check_number("ridge", self.ridge, 0)
        check_integer("center", self.center, minimum=0)
        windows, future = check_X_y(
            X, y, dtype=np.float64, multi_output=True, y_numeric=True, estimator=self
        )
        if not isinstance(future, np.ndarray) or future.dtype.kind not in "biuf":
            raise TypeError(
                f"y holds {future.dtype} in {type(future).__name__}; pass an array of real numbers"
            )
        check_magnitude("X", windows)
        check_magnitude("y", future)
        n, length = windows.shape
        if self.center > length:
            raise ValueError(
                f"center={self.center} is longer than a window of {length} steps; pass at most "
                f"{length}"
            )
        found = kl_regression(
            to_tensor(windows),
            to_tensor(future.reshape(n, -1)).double(),
            self.n_components,
            self.ridge,
            self.center,
        )
        warn_shrunk("n_components", self.n_components, len(found.eigenvalues))
        coef, intercept = found.coef.mT.contiguous().numpy(), found.intercept.numpy()
        validate_data(self, X, skip_check_array=True)
        self.coef_ = coef[0] if future.ndim == 1 else coef
        self.intercept_ = intercept[0] if future.ndim == 1 else intercept
        self.components_ = found.modes.mT.contiguous().numpy()
        self.eigenvalues_ = found.eigenvalues.numpy()
        self.n_components_ = len(found.eigenvalues)
        return self

    @property
    def net_(self) -> NeuralNet:
        """The map as a fitted skorch net: one linear layer, whose weights are the solution.

        Made anew each time, so that fine-tuning it leaves the regressor as it is: ``net = r.net_``, then
        ``net.partial_fit(X, y)`` with windows (n, length) and futures (n, horizon), both float64.
        """
        if not hasattr(self, "coef_"):
            raise AttributeError("net_ is the solution of a fitted regressor; call fit first")
        coef = to_tensor(np.atleast_2d(self.coef_))
        layer = nn.Linear(coef.shape[1], len(coef), dtype=coef.dtype)
        with torch.no_grad():
            layer.weight.copy_(coef)
            layer.bias.copy_(to_tensor(np.atleast_1d(self.intercept_)))
        return linear_net(layer, criterion=nn.MSELoss)

    def predict(self, X: Any) -> np.ndarray:
        """Forecast the steps after each window.

        Parameters
        ----------
        X : array-like, (n, length)

        Returns
        -------
        ndarray, (n, horizon) or (n,)
            As y was in `fit`, float64.
        """
        check_is_fitted(self)
        windows = validate_data(self, X, reset=False, dtype=np.float64)
        check_magnitude("X", windows)
        return windows @ self.coef_.T + self.intercept_
