"""The forecaster under test, and the versions of the data that it is shown.

A leak needs rows that the forecaster should not have seen, so a check compares two worlds whose
rows differ where a forecast must not look. A world holds the unfitted forecaster too: one that was
prepared from the data (a fitted scaler, a validation set) is prepared anew in each world.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from typing import Any

import numpy as np
import pandas as pd
from sktime.forecasting.base import BaseForecaster

from klforecast.data.scaling import Standardizer
from klforecast.evaluation.leakage.seeds import global_seeds
from klforecast.evaluation.leakage.state import HUNG, state_of

_MOST_CUTOFFS = 64  # windows of one batch; enough for any rule that looks at their number or place

Make = Callable[[Any], BaseForecaster]
Features = Callable[[Any], pd.DataFrame]


@dataclass(frozen=True)
class World:
    """One version of the data.

    Parameters
    ----------
    y : Series or DataFrame
        All rows, before and after every cutoff.
    X : DataFrame or None
        Features, with the rows of y; None also where the forecaster ignores features.
    unfitted : BaseForecaster
        As it was prepared from this version.
    """

    y: Any
    X: pd.DataFrame | None
    unfitted: BaseForecaster
    _fitted: dict[str, BaseForecaster | None] = field(default_factory=dict, compare=False)

    @property
    def handed(self) -> Any:
        """The rows of y as a copy with an index of its own, on which nothing of earlier calls hangs."""
        rows = self.y.copy()
        rows.index = self.y.index.copy()
        return rows

    @property
    def values(self) -> np.ndarray:
        """The rows of y as (time, channels), a copy."""
        values = self.y.to_numpy(dtype=float, copy=True)
        return values[:, None] if values.ndim == 1 else values


@dataclass(frozen=True)
class Study:
    """A forecaster, the rows, and where they are cut.

    Parameters
    ----------
    make : callable
        `make(y)` returns the unfitted forecaster for a version of all rows.
    prepared : bool
        Whether `make` reads the rows; if not, every world has a clone of the same forecaster.
    y : Series or DataFrame
        The true rows.
    features : callable or None
        `features(y)` returns X.
    derived : bool
        Whether `features` reads the rows.
    fh : ndarray of int
        Steps ahead, increasing.
    cutoffs : ndarray of int
        Increasing positions in y. The rows before the first are the training part.
    seed : int
        Of all randomness.
    """

    make: Make
    prepared: bool
    y: Any
    features: Features | None
    derived: bool
    fh: np.ndarray
    cutoffs: np.ndarray
    seed: int

    @property
    def train_end(self) -> int:
        """Number of training rows."""
        return int(self.cutoffs[0])

    @property
    def horizon(self) -> int:
        """The furthest step ahead."""
        return int(self.fh[-1])

    @cached_property
    def many_cutoffs(self) -> np.ndarray:
        """Up to 64 cutoffs from the end of training on: all, or a run at the end and some before."""
        every = np.arange(self.train_end, len(self.y) - self.horizon + 1)
        if len(every) <= _MOST_CUTOFFS:
            return every
        before, run = every[: -_MOST_CUTOFFS // 2], every[-_MOST_CUTOFFS // 2 :]
        chosen = self.rng("cutoffs").permutation(len(before) - 1)[: _MOST_CUTOFFS // 2 - 1] + 1
        return np.concatenate([before[:1], np.sort(before[chosen]), run])

    @cached_property
    def truth(self) -> World:
        """The world with the true rows."""
        return self._world(self.y)

    @cached_property
    def scaler(self) -> Standardizer:
        """Mean and deviation of the training rows; gaps are stated in these deviations."""
        return Standardizer.fit(self.truth.values[: self.train_end])

    @property
    def has_windows(self) -> bool:
        """Whether the forecaster offers `predict_windows(y, cutoffs)`."""
        return hasattr(self.truth.unfitted, "predict_windows")

    def rng(self, name: str) -> np.random.Generator:
        """Return a generator of this study's seed, one per name."""
        return np.random.default_rng([self.seed, *name.encode()])

    def world(self, values: np.ndarray) -> World:  # (time, channels)
        """Return the world with other values in the rows of y."""
        like = self.y
        if isinstance(like, pd.Series):
            y = pd.Series(values[:, 0], like.index.copy(), name=like.name)
        else:
            y = pd.DataFrame(values, like.index.copy(), like.columns)
        y.attrs = copy.deepcopy(
            like.attrs
        )  # what is attached to the true rows is attached to these
        return self._world(y)

    def _world(self, y: Any) -> World:
        unfitted = copy.deepcopy(self.make(y))
        for name, value in unfitted.get_params().items():
            if value is None and name.split("__")[-1] == "random_state":
                unfitted = unfitted.set_params(**{name: self.seed})
        uses_features = self.features is not None and unfitted.get_tag("capability:exogenous")
        return World(y, self.features(y) if uses_features and self.features else None, unfitted)

    def fit(self, world: World, end: int | None = None, seed: int | None = None) -> BaseForecaster:
        """Return a copy, fitted on the first `end` rows (default: the training part)."""
        return self.refit(self.unfitted(world), world, end, seed)

    def unfitted(self, world: World) -> BaseForecaster:
        """Return a new object. Not a clone: that would empty parameters that are fitted already."""
        return copy.deepcopy(world.unfitted)

    @cached_property
    def first_forecast(self) -> np.ndarray:
        """Forecast from the end of the training part, before any other row was shown."""
        return self.predict(self.fitted(self.truth), self.truth, self.train_end)

    def refit(
        self,
        forecaster: BaseForecaster,
        world: World,
        end: int | None = None,
        seed: int | None = None,
    ) -> BaseForecaster:
        """Fit this very object on the first `end` rows (default: the training part)."""
        rows = slice(0, self.train_end if end is None else end)
        with global_seeds(self.seed if seed is None else seed):
            return forecaster.fit(
                world.y.iloc[rows],
                X=None if world.X is None else world.X.iloc[rows],
                fh=self.fh.tolist(),
            )

    def fitted(self, world: World) -> BaseForecaster:
        """Return a forecaster fitted on the training part of a world, free to be changed.

        Where nothing was prepared from the rows and the training rows are the true ones, `fit`
        would be handed the same arguments again: a copy of the first one is returned.
        """
        same_rows = np.array_equal(
            world.values[: self.train_end], self.truth.values[: self.train_end], equal_nan=True
        )
        same_features = (
            world.X is None
            or self.truth.X is None
            or world.X.iloc[: self.train_end].equals(self.truth.X.iloc[: self.train_end])
        )
        if not self.prepared and same_rows and same_features:
            world = self.truth
        if "fitted" not in world._fitted:
            fitted = self.fit(world)
            # A copy loses what hangs on an index or a horizon: such a forecaster is fitted anew.
            copies = not any(HUNG in path for path in state_of(fitted))
            world._fitted["fitted"] = fitted if copies else None
        original = world._fitted["fitted"]
        return self.fit(world) if original is None else copy.deepcopy(original)

    def predict(self, forecaster: BaseForecaster, world: World, cutoff: int) -> np.ndarray:
        """Forecast with `predict(fh)` after row `cutoff`: (steps, channels)."""
        rows = slice(cutoff, cutoff + self.horizon)
        with global_seeds(self.seed):
            forecast = forecaster.predict(
                fh=self.fh.tolist(), X=None if world.X is None else world.X.iloc[rows]
            )
        return np.asarray(forecast, dtype=float).reshape(len(self.fh), -1)

    def update(
        self, forecaster: BaseForecaster, world: World, start: int, end: int
    ) -> BaseForecaster:
        """Hand over the rows start .. end - 1, without learning from them."""
        if start == end:
            return forecaster
        with global_seeds(self.seed):
            return forecaster.update(
                world.y.iloc[start:end],
                X=None if world.X is None else world.X.iloc[start:end],
                update_params=False,
            )

    def predict_windows(
        self, forecaster: BaseForecaster, world: World, cutoffs: np.ndarray
    ) -> np.ndarray:  # (n, steps, channels)
        """Forecast with `predict_windows`, which is handed all rows of the world."""
        return self.windows_of(forecaster, world.handed, world.X, cutoffs)

    def windows_of(
        self, forecaster: BaseForecaster, y: Any, X: pd.DataFrame | None, cutoffs: np.ndarray
    ) -> np.ndarray:  # (n, steps, channels)
        """Forecast with `predict_windows` from these very rows."""
        features = {}
        if X is not None and "X" in signature(forecaster.predict_windows).parameters:
            features["X"] = X.copy()
        with global_seeds(self.seed):
            forecasts = np.asarray(
                forecaster.predict_windows(y, np.asarray(cutoffs), **features), dtype=float
            )
        if forecasts.ndim != 3 or len(forecasts) != len(cutoffs):
            raise ValueError(
                f"predict_windows returned shape {forecasts.shape} for {len(cutoffs)} cutoffs; "
                f"it has to be (cutoffs, horizon, channels)"
            )
        if forecasts.shape[1] < self.horizon:
            raise ValueError(
                f"predict_windows forecasts {forecasts.shape[1]} steps, fewer than the last of fh, "
                f"{self.horizon}; pass a shorter fh"
            )
        return forecasts[:, self.fh - 1]

    def truth_at(self, cutoffs: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
        """Return the rows that the forecasts are about: (n, steps, channels)."""
        rows = self.truth.values if values is None else values
        return rows[np.asarray(cutoffs)[:, None] + self.fh - 1]

    def gap(self, first: np.ndarray, second: np.ndarray) -> float:
        """Return the largest difference of two forecasts, in training deviations; 0 if equal."""
        if np.array_equal(first, second, equal_nan=True):
            return 0.0
        difference = np.abs(first - second) / self.scaler.scale
        one_missing = np.isnan(first) != np.isnan(second)
        return np.inf if one_missing.any() else float(np.nanmax(difference))
