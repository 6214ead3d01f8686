"""Regressors on series: their settings, the checks of them, and learning, for both frameworks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from skorch import NeuralNet
from torch import Tensor

from klforecast.classify.closed_form_regressor import ClosedFormRegressor
from klforecast.classify.filter_features import n_groups
from klforecast.classify.solved_net import solved_net
from klforecast.classify.uneven import evenly
from klforecast.estimators.arguments import (
    check_filters,
    check_jobs,
    check_magnitude,
    check_seed,
)
from klforecast.estimators.distinct_series import distinct_series
from klforecast.estimators.sample_times import time_place, timed_series
from klforecast.estimators.sequence_input import check_series
from klforecast.ops.arrays import to_tensor
from klforecast.training.seeding import draw_seed


class SpectralRegressor:
    """Settings of both regressors, documented at `__init__`, and what they do alike.

    A base beside that of the framework: scikit-learn's or sktime's comes after it.
    """

    model_: ClosedFormRegressor
    n_channels_: int
    time_unit_: float

    def __init__(
        self,
        n_filters: int | None = None,
        *,
        time_channel: int | str | None = None,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        """Store the settings; `fit` checks them.

        Parameters
        ----------
        n_filters : int or None, default=None
            Modes, rounded up to a multiple of 32. None: 1,536, fewer where the training part has
            very many steps.
        time_channel : int, str or None, default=None
            Position, or in frames the name, of a channel that holds the time of each sample, in any
            unit, rising. It is then no channel of the series, which is read on an even grid, bridged by
            straight lines; a step of the grid is the median time between two samples of the training
            part. None: samples are evenly spaced.
        n_jobs : int or None, default=None
            Processors that grow the trees, -1 for all; None is one. The answers do not depend on it.
        random_state : int, RandomState or None, default=None
            For everything that is drawn.
        """
        self.n_filters = n_filters
        self.time_channel = time_channel
        self.n_jobs = n_jobs
        self.random_state = random_state
        # For sktime, whose base sets up its own state.
        super().__init__()

    @property
    def net_(self) -> NeuralNet:
        """The ridge of the closed form as a fitted skorch net, without the forests.

        Made anew each time, so that fine-tuning it leaves the regressor as it is: ``net = r.net_``, then
        ``net.partial_fit(X, y)`` with series (n, channels, length) and numbers (n, 1), float64, or
        ``net.predict(X)``.
        """
        if not hasattr(self, "model_"):
            raise AttributeError("net_ is the solved ridge of a fitted regressor; call fit first")
        return solved_net(self.model_)

    def _learn(
        self,
        series: Sequence[np.ndarray],  # (channels, length) each
        target: np.ndarray,  # (n,)
        sample_weight: Any = None,
    ) -> None:
        """Fit the model; or raise, unchanged."""
        check_filters(self.n_filters)
        check_jobs(self.n_jobs)
        check_seed("random_state", self.random_state)
        checked = self._read(series)
        if len(checked) < 2:
            raise ValueError("X has 1 sample; pass at least 2 series")
        numbers = np.asarray(target, dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise ValueError("y has missing or infinite values; leave these series out")
        check_magnitude("y", numbers)
        checked, numbers, weights = distinct_series(checked, numbers, sample_weight)
        seed = draw_seed(self.random_state)
        model = ClosedFormRegressor(n_groups(self.n_filters), seed, self.n_jobs)
        self.model_ = model.fit(checked, to_tensor(numbers), weights)
        self.n_channels_ = len(checked[0])

    def _answer(
        self,
        series: Sequence[np.ndarray],  # (channels, length) each
    ) -> Tensor:  # (n,)
        return self.model_.answer(self._read(series, self.n_channels_))

    def _read(
        self,
        series: Sequence[np.ndarray],  # (channels, length) each
        n_channels: int | None = None,  # None while fitting, which learns the unit of time
    ) -> list[Tensor]:
        """Series without gaps, on an even grid."""
        if self.time_channel is None:
            return check_series(series, n_channels, owner="regressor")
        place = time_place(self.time_channel, getattr(self, "channel_names_", None))
        unit = None if n_channels is None else self.time_unit_
        timed, learned = timed_series(series, place, n_channels, unit, owner="regressor")
        if unit is None:
            self.time_unit_ = learned
        return [evenly(values) for values in timed]
