"""The features of the sequence estimators as a transformer, for scikit-learn."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from klforecast.classify.filter_features import KINDS, FilterFeatures, n_groups
from klforecast.estimators.arguments import check_filters, check_seed, show
from klforecast.estimators.saving.files import SavedEstimator
from klforecast.estimators.sequence_input import (
    ANY_SHAPE_WITH_GAPS,
    check_series,
    with_channels,
)
from klforecast.estimators.series_input import ArraysOfSeries
from klforecast.training.rollback import unchanged_on_error
from klforecast.training.seeding import draw_seed


class FeatureBank:
    """Settings of both transformers, documented at `__init__`, and what they do alike.

    A base beside that of the framework: scikit-learn's or sktime's comes after it.
    """

    features_: FilterFeatures
    n_channels_: int

    def __init__(
        self,
        n_filters: int | None = None,
        *,
        kinds: Sequence[str] = KINDS,
        random_state: int | np.random.RandomState | None = None,
    ):
        """Store the settings; `fit` checks them.

        Parameters
        ----------
        n_filters : int or None, default=None
            Modes, rounded up to a multiple of 32; each gives 2 to 18 features. None: 1,536, fewer
            where the training part has very many steps.
        kinds : sequence of str, default=("sides", "peak", "contest", "shape")
            Which features: shares of steps above a bias, largest responses, how often and how
            strongly a mode leads its group of eight, and the series itself at 128 points.
        random_state : int, RandomState or None, default=None
            For everything that is drawn.
        """
        self.n_filters = n_filters
        self.kinds = kinds
        self.random_state = random_state
        # For sktime, whose base sets up its own state.
        super().__init__()

    def _learn(
        self,
        series: Sequence[np.ndarray],  # (channels, length) each
    ) -> None:
        """Draw the filters; or raise, unchanged."""
        check_filters(self.n_filters)
        check_seed("random_state", self.random_state)
        if isinstance(self.kinds, str) or not self.kinds or set(self.kinds) - set(KINDS):
            raise ValueError(
                f"kinds is {show(self.kinds)}; pass a list of some of {', '.join(map(repr, KINDS))}"
            )
        checked = check_series(series, owner="transformer")
        seed = draw_seed(self.random_state)
        self.features_ = FilterFeatures(n_groups(self.n_filters), seed).fit(checked)
        self.n_channels_ = len(checked[0])

    def _features(
        self,
        series: Sequence[np.ndarray],  # (channels, length) each
    ) -> np.ndarray:  # (n, features)
        checked = check_series(series, self.n_channels_, owner="transformer")
        found = self.features_.transform(checked)
        return torch.cat([found[kind].double() for kind in self.kinds], dim=1).numpy()

    def _names(self, channels: Sequence[str]) -> list[str]:
        names = self.features_.names(channels)
        return [name for kind in self.kinds for name in names[kind]]


class SpectralFeatures(
    FeatureBank, SavedEstimator, ArraysOfSeries, TransformerMixin, BaseEstimator
):
    """Turn series into features by fixed banks of spectral filters.

    The features under the ridge of `SpectralSSMClassifier`, for clustering, for pipelines and for
    other models. The filters are drawn at random and look at no label; only the scales of the
    channels and the biases are learned. Features of different kinds have different scales, so that
    most models want a `StandardScaler` after them.

    The settings are documented at `__init__`.

    Attributes
    ----------
    features_ : FilterFeatures
        The filters.
    n_channels_ : int
        Channels of the series.
    n_features_in_ : int
        Size of the second axis of X: the length of the series where X has two dimensions, else
        their channels.

    Notes
    -----
    `fit` filters eight series, `transform` all of them: about ten nanoseconds for each step and
    filter, and twice as much for both directions. Memory: 18 numbers for each filter and series.

    Examples
    --------
    >>> import numpy as np
    >>> from klforecast import SpectralFeatures
    >>> X = np.random.default_rng(0).normal(size=(20, 50))
    >>> features = SpectralFeatures(n_filters=32, kinds=["peak"], random_state=0).fit(X)
    >>> features.transform(X).shape
    (20, 64)
    >>> features.get_feature_names_out()[0]
    'series_endless_forward_group0_mode0_peak'
    """

    n_features_in_: int
    feature_names_in_: np.ndarray
    _of_panels = "SpectralPanelFeatures"

    def fit(self, X: Any, y: Any = None) -> Self:
        """Draw the filters and learn the scales.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)
            Series, oldest step first. NaN is a missing value: gaps are bridged by straight lines,
            and steps at the end without any value make a series shorter.
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
            self._check_is_array(X)
            values = validate_data(self, X, **ANY_SHAPE_WITH_GAPS)
            self._learn(with_channels(values))
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Features of each series.

        Parameters
        ----------
        X : array-like, (n, length) or (n, channels, length)

        Returns
        -------
        ndarray, (n, n_features_out)
            float64, or a frame as `set_output` asks for; columns as `get_feature_names_out` names
            them.
        """
        return self._features(self._checked(X))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features.

        Parameters
        ----------
        input_features : None
            Ignored: a feature is made of all steps.

        Returns
        -------
        ndarray of str, (n_features_out,)
        """
        check_is_fitted(self)
        channels = [f"channel{number}" for number in range(self.n_channels_)]
        return np.array(self._names(channels), dtype=object)
