"""A model of this harness as an sktime forecaster, so that sktime's own tools can run it."""

import warnings
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster, ForecastingHorizon

from klforecast.evaluation.benchmark.models import model
from klforecast.evaluation.benchmark.protocol import Task

_SHORT_EPOCH = 100  # steps; published recipes have hundreds in each of their ten epochs
# Ten times the published epochs, at a step size that does not fall: such series have few steps in all.
_LONG_TRAINING = {"max_epochs": 200, "patience": 20, "schedule": "constant"}


class HarnessForecaster(BaseForecaster):
    """Any model of the benchmark, made anew at each fit for the horizon that fit is given.

    `update` fits again on all rows, or with ``update_params=False`` forecasts from the new rows with
    the model as it is.

    On a series too short for a model's lookback, the lookback is cut, with a warning. On one that
    gives a network fewer than 100 steps per epoch, its published schedule, made for thousands,
    gives way to up to 200 epochs at a constant step size and a patience of 20.

    Parameters
    ----------
    name : str, default="nlinear"
        Name in `klforecast.evaluation.benchmark.models.MODELS`.
    period : int, default=1
        Steps of one season.
    validation_fraction : float, default=0.2
        Share of the rows, the latest, that a network stops early on.
    params : mapping or None, default=None
        Settings to change, as `klforecast benchmark --param` does.
    random_state : int, default=0
        Seed of the model.

    Attributes
    ----------
    model_ : WindowModel
        The fitted model.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from klforecast.evaluation.benchmark.adapter import HarnessForecaster
    >>> forecaster = HarnessForecaster("seasonal-naive", period=12)
    >>> y = load_airline()
    >>> bool(forecaster.fit_predict(y, fh=[1]).iloc[0] == y.iloc[-12])
    True
    """

    _tags = {
        "authors": ["klforecast developers"],
        "maintainers": ["klforecast developers"],
        "python_dependencies": ["torch"],
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
        "capability:multivariate": True,
        "capability:exogenous": False,
        "capability:insample": False,
        "capability:update": True,
        "capability:missing_values": False,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "requires-fh-in-fit": True,
    }
    # The rows are kept below, in the form in which they are used.
    _config = {"remember_data": False}

    def __init__(
        self,
        name: str = "nlinear",
        period: int = 1,
        validation_fraction: float = 0.2,
        params: Mapping[str, Any] | None = None,
        random_state: int = 0,
    ):
        self.name = name
        self.period = period
        self.validation_fraction = validation_fraction
        self.params = params
        self.random_state = random_state
        super().__init__()

    def __post_init__(self) -> None:
        """Declare what sktime keeps when a user asks it to remember data."""
        self._y = None
        self._X = None

    def _fit(self, y: pd.DataFrame, X: Any, fh: ForecastingHorizon) -> Self:
        horizon = int(max(fh.to_relative(self.cutoff)))
        task = Task(
            dataset="",
            horizon=horizon,
            period=self.period,
            past_limit=None,
            validation_rows=max(horizon, int(len(y) * self.validation_fraction)),
            seed=self.random_state,
        )
        make = model(self.name).make
        changes = dict(self.params or {})
        settings = make(task, **changes).get_params()
        if len(y) < _SHORT_EPOCH * settings.get("batch_size", 0):
            changes = {**_LONG_TRAINING, **changes}
        wanted = settings.get("lookback", 0)
        # As many windows as steps in one: fewer leave nothing to train on.
        most = (len(y) - task.validation_rows - horizon) // 2
        if wanted > most >= 1:
            warnings.warn(
                f"{len(y)} rows are too few for a lookback of {wanted}; {self.name} gets {most}",
                stacklevel=2,
            )
            changes["lookback"] = most
        self.model_ = make(task, **changes)
        self.model_.fit(y)
        self._rows = y
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        """Join the new rows to the known ones, which they replace at the same stamps, and fit again."""
        before = self._rows[: self._rows.index.searchsorted(y.index[0])]
        after = self._rows[self._rows.index.searchsorted(y.index[-1], side="right") :]
        self._rows = pd.concat([before, y, after])
        return self._fit(self._rows, X, self.fh) if update_params else self

    def _predict(self, fh: ForecastingHorizon, X: Any) -> pd.DataFrame:
        forecast = self.model_.predict_windows(self._rows, [len(self._rows)])[0]
        ahead = np.asarray(fh.to_relative(self.cutoff)) - 1
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(forecast[ahead], index, self._rows.columns)

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Small settings with which sktime's checks run in seconds."""
        return [{"name": "persistence"}, {"name": "nlinear", "params": {"max_epochs": 1}}]
