"""`SpectralFeatures` for the panels of sktime."""

from collections.abc import Sequence
from typing import Any, Self

import pandas as pd
from sktime.transformations.base import BaseTransformer

from klforecast.estimators.saving.sktime_state import SavedSktimeEstimator
from klforecast.estimators.series_input import PanelsOfSeries
from klforecast.estimators.spectral_features import FeatureBank
from klforecast.training.rollback import unchanged_on_error


class SpectralPanelFeatures(FeatureBank, PanelsOfSeries, SavedSktimeEstimator, BaseTransformer):
    """Turn the series of a panel into features by fixed banks of spectral filters.

    The same as `SpectralFeatures`, for every panel container of sktime: series may have several
    channels and unequal lengths, and columns of a frame are told by their names.

    The settings are documented at `__init__`.

    Attributes
    ----------
    features_ : FilterFeatures
        The filters.
    n_channels_ : int
        Channels of the series.
    channel_names_ : list
        Their names, in the order of the first series.

    Examples
    --------
    >>> from sktime.datasets import load_unit_test
    >>> from klforecast import SpectralPanelFeatures
    >>> X, _ = load_unit_test(split="train")
    >>> SpectralPanelFeatures(n_filters=32, kinds=["shape"], random_state=0).fit_transform(X).shape
    (20, 128)
    """

    _tags = {
        "authors": "The klforecast developers",
        "maintainers": "The klforecast developers",
        "python_dependencies": "torch",
        "scitype:transform-input": "Series",
        "scitype:transform-output": "Primitives",
        "scitype:instancewise": False,
        "X_inner_mtype": "df-list",
        "y_inner_mtype": "None",
        "fit_is_empty": False,
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": True,
        "capability:missing_values:removes": True,
        "capability:categorical_in_X": False,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the filters and learn the scales.

        Parameters
        ----------
        X : panel container of sktime
            Series, of unequal length if the container allows it. NaN is a missing value: gaps are
            bridged by straight lines, and steps at the end without any value make a series shorter.
        y : None
            Ignored.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            For settings or series that cannot be used. The transformer stays as it was.
        """
        with unchanged_on_error(self):
            return super().fit(X, y)

    def _fit(self, X: Sequence[pd.DataFrame], y: None = None) -> Self:
        self._learn(self._named(X))
        return self

    def _transform(self, X: Sequence[pd.DataFrame], y: None = None) -> pd.DataFrame:
        columns = self._names([str(name) for name in self.channel_names_])
        return pd.DataFrame(self._features(self._in_order(X, "transformer")), columns=columns)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Settings that fit in a moment, for the test suite of sktime."""
        return [
            {"n_filters": 16, "random_state": 0},
            {"n_filters": 16, "kinds": ["peak", "shape"], "random_state": 1},
        ]
