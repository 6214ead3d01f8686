"""How estimators of both frameworks take their series: arrays of scikit-learn, panels of sktime."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from klforecast.estimators.sequence_input import (
    ANY_SHAPE_WITH_GAPS,
    channels_first,
    check_is_array,
    with_channels,
)


class ArraysOfSeries:
    """Mixin, before the base classes of scikit-learn: series in two or three dimensions, with gaps."""

    _of_panels: ClassVar[str]
    """Name of the estimator that takes containers of sktime."""

    def _check_is_array(self, X: Any) -> None:
        check_is_array(X, type(self).__name__, self._of_panels)

    def _checked(self, X: Any) -> list[np.ndarray]:  # (channels, length) each
        """Series for a fitted estimator."""
        check_is_fitted(self)
        self._check_is_array(X)
        return with_channels(validate_data(self, X, reset=False, **ANY_SHAPE_WITH_GAPS))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags


class PanelsOfSeries:
    """Mixin, before the base class of sktime: frames whose columns are told by their names."""

    channel_names_: list[Any]

    def _named(self, X: Sequence[pd.DataFrame]) -> list[np.ndarray]:  # (channels, length) each
        """Series to fit to, all with the columns of the first, whose names are kept."""
        if not len(X):
            raise ValueError("X has no series; pass at least one")
        names = X[0].columns
        self.channel_names_ = list(names)
        return channels_first(X, names, "the first one")

    def _in_order(self, X: Sequence[pd.DataFrame], owner: str) -> list[np.ndarray]:
        """Series for a fitted estimator, which is an `owner`, with the columns that it was fitted on."""
        names = pd.Index(self.channel_names_)
        return channels_first(X, names, f"those the {owner} was fitted on")
