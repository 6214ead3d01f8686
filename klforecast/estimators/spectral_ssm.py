"""Classify series with complex state-space modes, for scikit-learn."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data

from klforecast.estimators.saving.files import SavedEstimator
from klforecast.estimators.sequence_input import ANY_SHAPE_WITH_GAPS, with_channels
from klforecast.estimators.series_input import ArraysOfSeries
from klforecast.estimators.spectral_classifier import SpectralClassifier
from klforecast.training.rollback import unchanged_on_error


class SpectralSSMClassifier(
    SpectralClassifier, SavedEstimator, ArraysOfSeries, ClassifierMixin, BaseEstimator
):
    """Classify series with complex state-space modes.

    The settings are documented at `__init__`.

    Attributes
    ----------
    classes_ : ndarray, (n_classes,)
    model_ : ClosedFormClassifier or SequenceEnsemble
        The fitted model.
    n_channels_ : int
        Channels of the series.
    n_features_in_ : int
        Size of the second axis of X: the length of the series where X has two dimensions, else
        their channels.

    Notes
    -----
    Of the closed form, `fit` takes time in proportion to series times steps times filters, about
    twenty nanoseconds each, and O(n^3) for up to 2,500 series; beyond, the solution is spanned by
    2,000 of them.

    Examples
    --------
    >>> import numpy as np
    >>> from klforecast import SpectralSSMClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["slow", "fast"], 20)
    >>> turns = np.where(y == "slow", 3, 4)[:, None] * np.linspace(0, 2 * np.pi, 60)
    >>> X = np.sin(turns + rng.uniform(0, 6, (40, 1))) + 0.3 * rng.normal(size=(40, 60))
    >>> classifier = SpectralSSMClassifier(random_state=0).fit(X[::2], y[::2])
    >>> classifier.score(X[1::2], y[1::2])
    1.0
    """

    classes_: np.ndarray
    n_features_in_: int
    feature_names_in_: np.ndarray
    _of_panels = "SpectralSSMPanelClassifier"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Learn to tell the classes apart.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)
            Series, oldest step first. NaN is a missing value: gaps are bridged by straight lines,
            and steps at the end without any value make a series shorter.
        y : array-like, (n,)
            Class of each series.
        sample_weight : array-like of shape (n,) or None, default=None
            What each series counts for, at least 0; None: one each. Zero leaves a series out, and a
            whole number is so many copies of it.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For settings, series or classes that cannot be used. The classifier stays as it was.
        KLForecastError
            If the loss of a network is not finite while it trains.
        """
        with unchanged_on_error(self):
            self._check_is_array(X)
            values, labels = check_X_y(X, y, estimator=self, **ANY_SHAPE_WITH_GAPS)
            check_classification_targets(labels)
            self.classes_ = self._learn(with_channels(values), labels, sample_weight)
            validate_data(self, X, skip_check_array=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Most likely class of each series.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)

        Returns
        -------
        ndarray, (n,)
        """
        scores = self._scores(self._checked(X))
        return self.classes_[scores.numpy().argmax(axis=1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class for each series.

        Of the closed form: a softmax of the scores, at the temperature under which the training
        series are most likely, each scored by the model of all others.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)

        Returns
        -------
        ndarray, (n, n_classes)
            Columns in the order of `classes_`.
        """
        scores = self._scores(self._checked(X))
        return self.model_.probabilities(scores).numpy()

    def decision_function(self, X: Any) -> np.ndarray:
        """Score of each class for each series.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)

        Returns
        -------
        ndarray, (n, n_classes), or (n,) for two classes
            The larger, the more likely; of two classes, the score of the second less the first.
        """
        scores = self._scores(self._checked(X)).numpy()
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores
