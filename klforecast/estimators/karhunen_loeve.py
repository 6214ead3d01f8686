"""Karhunen-Loeve transform of rows as a scikit-learn transformer, exact or one row at a time.

The rows are draws, the columns are the axis whose covariance is decomposed. Rows of windows
(n_windows, length) give modes over time; rows of steps (time, channels) give the combinations of
channels that vary together, and their scores are the modes over time of
`klforecast.ops.kl.empirical_kl`.
"""

import warnings
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_array
from sklearn.utils.validation import check_is_fitted, validate_data

from klforecast.estimators.arguments import check_choice, check_magnitude
from klforecast.estimators.saving.files import SavedEstimator
from klforecast.ops.arrays import to_tensor
from klforecast.ops.matched_bases import (
    FIXED_BASES,
    fixed_basis_modes,
    matched_basis,
    symmetry_residuals,
)
from klforecast.ops.online import KLState, absorb, empty_state, feature_modes

_SOLVERS = ("exact", "online")
_BASES = ("kl", *FIXED_BASES, "auto")


class KarhunenLoeve(
    SavedEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Karhunen-Loeve transform with a memory of fixed size.

    The covariance C = sum_i w_i (x_i - mean)(x_i - mean)' / sum_i w_i of the rows is decomposed
    into C = V L V'. `transform` gives the scores (x - mean) V, uncorrelated and in descending
    order of variance. The weight of a row that is a rows old is w = forgetting**a.

    `fit` forgets everything and learns the rows of one table; `partial_fit` goes on from what is
    there and costs the same per row however many rows came before. The two agree, and both are
    exact, as long as the centred rows have no more than `n_components_` independent directions.
    Beyond that the online solver cuts the smallest directions of every block of rows.

    Parameters
    ----------
    n_components : int, default=None
        Number of components kept. None keeps all: min(n_rows, n_features) in `fit`, n_features in
        a first `partial_fit`. More than that is reduced with a warning.
    solver : {"exact", "online"}, default="exact"
        How `fit` learns: "exact" by one singular value decomposition of all rows, the best
        approximation of its rank; "online" by one pass of `partial_fit` over the rows.
    forgetting : float, default=1.0
        Weight of a row relative to the row after it, in (0, 1]. 1 forgets nothing; f remembers
        about 1 / (1 - f) rows.
    whiten : bool, default=False
        Divide every score by its standard deviation over the rows seen.
    basis : {"kl", "dct", "dft", "haar", "auto"}, default="kl"
        Where the components come from: "kl" takes the eigenvectors of the covariance; the others take those vectors of
        a fixed basis over the columns along which the rows vary most, which needs their variances only and holds up
        where rows are few. "auto" takes the fixed basis of the largest symmetry that the covariance keeps. Fixed bases
        are for columns that are steps in time order.

    Attributes
    ----------
    components_ : ndarray of shape (n_components_, n_features_in_)
        Eigenvectors V', orthonormal rows, largest eigenvalue first. The entry of largest magnitude
        of each is positive: in a stream a component is negated when another entry, of the other
        sign, becomes its largest; `klforecast.ops.linalg.follow_signs` undoes that for those who
        learn from scores. Where the eigenvalue is zero to rounding, the row is zero. Of a fixed basis: its vectors,
        as they are.
    eigenvalues_ : ndarray of shape (n_components_,)
        Variance of each score (divided by the number of rows, not by one less), in squared units
        of the rows. Scores on a fixed basis are correlated, and these are their variances only.
    explained_variance_ratio_ : ndarray of shape (n_components_,)
        The same as fractions of the variance of all rows seen, cut directions included. Zeros if
        nothing varied.
    mean_ : ndarray of shape (n_features_in_,)
        Weighted mean of the rows seen.
    n_components_ : int
        Number of components after the reduction that the data asked for.
    basis_ : str
        The basis taken: `basis`, or what "auto" found.
    symmetry_residuals_ : dict of str to float
        By fixed basis, the share of the covariance that does not commute with its symmetry, 0 to 1: reversal for
        "dct", cyclic shifts for "dft", swaps in dyadic intervals for "haar" (for a power of two columns). Empty for
        "kl", which asks for none.
    weight_ : float
        Sum of the weights of the rows seen; their number if nothing is forgotten.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, if they all were strings.

    Warns
    -----
    UserWarning
        If `n_components` is more than the data allow.

    See Also
    --------
    klforecast.ops.online.absorb : The update, with its equations.
    sklearn.decomposition.IncrementalPCA : No forgetting; several rows are needed to start.

    Notes
    -----
    Cost, for n rows, d features and k components. "exact" `fit`: O(n d min(n, d)) time and O(n d)
    memory. "online" `fit` and `partial_fit`: O(d (k + 64)) time per row, or O(d k**2) for a row
    that comes alone, whatever came before; O(k d) memory. `transform`: O(d k) per row. A fixed basis
    keeps the whole covariance: as k = d, and O(d**3) for each call. Missing values are refused.

    References
    ----------
    Levy & Lindenbaum 2000, Sequential Karhunen-Loeve basis extraction and its application to
    images, IEEE Transactions on Image Processing 9, 1371-1374.

    Examples
    --------
    Windows of a sine of period 8 have two modes over time, whatever their length:

    >>> import numpy as np
    >>> from klforecast.estimators.karhunen_loeve import KarhunenLoeve
    >>> series = np.sin(2 * np.pi * np.arange(200) / 8)
    >>> windows = np.lib.stride_tricks.sliding_window_view(series, 24)[:176]
    >>> transform = KarhunenLoeve(n_components=3).fit(windows)
    >>> transform.explained_variance_ratio_.round(3)
    array([0.5, 0.5, 0. ])

    The same, from the windows in the order in which they come in:

    >>> stream = KarhunenLoeve(n_components=3)
    >>> for window in windows:
    ...     stream = stream.partial_fit(window[None])
    >>> np.allclose(stream.inverse_transform(stream.transform(windows)), windows)
    True

    They are whole cycles, so that the covariance is the same after any cyclic shift:

    >>> KarhunenLoeve(n_components=2, basis="auto").fit(windows).basis_
    'dft'
    """

    components_: np.ndarray
    eigenvalues_: np.ndarray
    explained_variance_ratio_: np.ndarray
    mean_: np.ndarray
    n_components_: int
    basis_: str
    symmetry_residuals_: dict[str, float]
    weight_: float
    n_features_in_: int
    feature_names_in_: np.ndarray
    _state: KLState

    def __init__(
        self,
        n_components: int | None = None,
        *,
        solver: str = "exact",
        forgetting: float = 1.0,
        whiten: bool = False,
        basis: str = "kl",
    ):
        self.n_components = n_components
        self.solver = solver
        self.forgetting = forgetting
        self.whiten = whiten
        self.basis = basis

    def fit(self, X: Any, y: None = None) -> Self:
        """Forget what was learned before and learn the rows of X.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite numbers, oldest row first.
        y : None
            Ignored.

        Returns
        -------
        KarhunenLoeve
            The transformer itself.
        """
        self._check_parameters()
        rows = self._check_rows(X)
        most = min(rows.shape)
        if self.basis == "kl":
            kept = rank = self._rank(most, f"{rows.shape[0]} rows of {rows.shape[1]} features")
        else:
            kept, rank = self._rank(rows.shape[1], f"{rows.shape[1]} features"), most
        block_length = len(rows) if self.solver == "exact" else None
        state = absorb(
            empty_state(rows.shape[1]), rows, rank, self.forgetting, block_length=block_length
        )
        # Names and width last, so that rows that are refused leave the old transform as it was.
        validate_data(self, X, skip_check_array=True)
        return self._learn(state, kept)

    def partial_fit(self, X: Any, y: None = None) -> Self:
        """Learn the rows of X on top of what is known, without going back to older rows.

        An `n_components` or a `basis` that was changed since holds from now on: directions that were
        cut before are not found again. None goes on with as many as there are.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite numbers, oldest row first, all of them after the rows seen before. One row is
            enough.
        y : None
            Ignored.

        Returns
        -------
        KarhunenLoeve
            The transformer itself.
        """
        self._check_parameters()
        first = not hasattr(self, "_state")
        if not first:
            validate_data(self, X, reset=False, skip_check_array=True)
        rows = self._check_rows(X)
        d = rows.shape[1]
        state = empty_state(d) if first else self._state
        kept = (
            self._rank(d, f"{d} features")
            if first
            else min(self.n_components or self.n_components_, d)
        )
        state = absorb(state, rows, kept if self.basis == "kl" else d, self.forgetting)
        if first:
            validate_data(self, X, skip_check_array=True)
        return self._learn(state, kept)

    def transform(self, X: Any) -> np.ndarray:
        """Scores of the rows on the components.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_features)
            Finite numbers.

        Returns
        -------
        ndarray of shape (n_rows, n_components_)
            (X - mean_) V, in units of the rows, or in standard deviations if whitened.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        check_magnitude("X", rows)
        scores = (rows - self.mean_) @ self.components_.T
        if self.whiten:
            # A component without variance is a row of zeros: its scores are 0, not 0 / 0.
            scores = scores / np.where(self.eigenvalues_ > 0, np.sqrt(self.eigenvalues_), 1.0)
        return scores

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Rows with the given scores: the way back, up to what the components do not hold.

        Parameters
        ----------
        X : array-like of shape (n_rows, n_components_)
            Scores as `transform` gives them.

        Returns
        -------
        ndarray of shape (n_rows, n_features_in_)
            mean_ + X V', in units of the rows.
        """
        check_is_fitted(self)
        scores = check_array(X, dtype=np.float64)
        if scores.shape[1] != self.n_components_:
            raise ValueError(
                f"got scores of {scores.shape[1]} components; pass the {self.n_components_} that "
                "transform gives"
            )
        if self.whiten:
            scores = scores * np.sqrt(self.eigenvalues_)
        return self.mean_ + scores @ self.components_

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def _check_parameters(self) -> None:
        k: Any = self.n_components
        forgetting: Any = self.forgetting
        if k is not None and (isinstance(k, bool) or not isinstance(k, Integral) or k < 1):
            raise ValueError(f"got n_components={k!r}; pass a positive integer or None for all")
        check_choice("solver", self.solver, _SOLVERS)
        check_choice("basis", self.basis, _BASES)
        number = isinstance(forgetting, Real)
        if not number or not 0 < forgetting <= 1:
            raise ValueError(f"got forgetting={forgetting!r}; pass a number in (0, 1]")

    def _check_rows(self, X: Any) -> torch.Tensor:  # -> (n_rows, n_features)
        rows = check_array(X, dtype=np.float64, estimator=self, input_name="X")
        check_magnitude("X", rows)
        return to_tensor(rows)

    def _rank(self, allowed: int, data: str) -> int:
        if self.n_components is None:
            return allowed
        if self.n_components > allowed:
            warnings.warn(
                f"n_components={self.n_components} is more than {data} allow; keeping {allowed}",
                UserWarning,
                stacklevel=3,
            )
        return min(int(self.n_components), allowed)

    def _learn(self, state: KLState, kept: int) -> Self:
        if self.basis == "kl":
            eigenvalues, modes = feature_modes(state)
            self.basis_, self.symmetry_residuals_ = "kl", {}
        else:
            covariance = state.root.mT @ state.root / state.weight
            residuals = symmetry_residuals(covariance)
            self.symmetry_residuals_ = residuals
            self.basis_ = matched_basis(residuals) if self.basis == "auto" else self.basis
            eigenvalues, modes = fixed_basis_modes(covariance, self.basis_, kept)
        total = float((state.root**2).sum()) + state.discarded
        self._state = state
        self.mean_ = state.mean.numpy()
        self.components_ = modes.mT.contiguous().numpy()
        self.eigenvalues_ = eigenvalues.numpy()
        self.explained_variance_ratio_ = self.eigenvalues_ * state.weight / (total or 1.0)
        self.n_components_ = len(self.eigenvalues_)
        self.weight_ = state.weight
        return self
