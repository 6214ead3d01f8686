"""`SpectralSSMClassifier` for the panels of sktime: unequal lengths, and a bridge to scikit-learn."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags
from sklearn.utils.multiclass import check_classification_targets
from sktime.classification.base import BaseClassifier

from klforecast.estimators.panel_bridge import PanelBridge
from klforecast.estimators.saving.sktime_state import SavedSktimeEstimator
from klforecast.estimators.series_input import PanelsOfSeries
from klforecast.estimators.spectral_classifier import SpectralClassifier
from klforecast.training.rollback import unchanged_on_error


class SpectralSSMPanelClassifier(
    SpectralClassifier, PanelsOfSeries, PanelBridge, SavedSktimeEstimator, BaseClassifier
):
    """Classify the series of a panel with complex state-space modes.

    The same as `SpectralSSMClassifier`, for every panel container of sktime: series may have
    several channels and unequal lengths. Columns of a frame are told by their names, so that their
    order does not matter; where one side is an array, which has no names, they go by position.
    Works in scikit-learn's `cross_val_score`, `GridSearchCV`, `Pipeline`, voting and calibration too;
    these cannot split a frame with a MultiIndex, for which sktime has `TSCGridSearchCV`.

    The settings are documented at `__init__`.

    Attributes
    ----------
    classes_ : ndarray, (n_classes,)
    model_ : ClosedFormClassifier or SequenceEnsemble
        The fitted model; absent if y had one class only, which is then the answer.
    n_channels_ : int
        Channels of the series.
    channel_names_ : list
        Their names, in the order of the first series.

    Examples
    --------
    >>> from sktime.datasets import load_unit_test
    >>> from klforecast import SpectralSSMPanelClassifier
    >>> X, y = load_unit_test(split="train")
    >>> classifier = SpectralSSMPanelClassifier(n_filters=64, random_state=0).fit(X, y)
    >>> X_test, y_test = load_unit_test(split="test")
    >>> bool(classifier.score(X_test, y_test) > 0.8)
    True
    """

    _tags = {
        "authors": "The klforecast developers",
        "maintainers": "The klforecast developers",
        "python_dependencies": ["torch", "skorch"],
        "X_inner_mtype": "df-list",
        "y_inner_mtype": "numpy1D",
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": True,
        "capability:predict_proba": True,
        "capability:class_weight": True,
        "capability:multithreading": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    classes_: Any  # an array, (n_classes,); before a fit an empty list

    def fit(self, X: Any, y: Any) -> Self:
        """Learn to tell the classes apart.

        Parameters
        ----------
        X : panel container of sktime
            Series, of unequal length if the container allows it. NaN is a missing value: gaps are
            bridged by straight lines, and steps at the end without any value make a series shorter.
        y : array-like, (n,)
            Class of each series.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For settings, series or classes that cannot be used. The classifier stays as it was.
        """
        check_classification_targets(y)
        with unchanged_on_error(self):
            return super().fit(X, y)

    def _fit(self, X: Sequence[pd.DataFrame], y: np.ndarray) -> Self:
        self._learn(self._named(X), y)
        return self

    def _predict(self, X: Sequence[pd.DataFrame]) -> np.ndarray:
        return self.classes_[self._scores(self._in_order(X, "classifier")).argmax(dim=1).numpy()]

    def _predict_proba(self, X: Sequence[pd.DataFrame]) -> np.ndarray:
        return self.model_.probabilities(self._scores(self._in_order(X, "classifier"))).numpy()

    def __sklearn_tags__(self) -> Tags:
        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(three_d_array=True),
        )

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings that fit in a moment, for the test suite of sktime."""
        return [
            {"n_filters": 16, "random_state": 0},
            {
                "solver": "gradient",
                "n_filters": 16,
                "n_estimators": 1,
                "d_model": 8,
                "n_modes": 4,
                "n_heads": 2,
                "n_layers": 1,
                "max_epochs": 2,
                "random_state": 0,
            },
        ]
