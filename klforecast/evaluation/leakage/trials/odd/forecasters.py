"""Honest forecasters that look odd: they learn trend and season by heart, count, cache, or refuse."""

import time
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch
from sktime.forecasting.base import BaseForecaster

from klforecast.evaluation.leakage.trials.honest import (
    LENGTH,
    Cutoffs,
    Honest,
    HonestWindows,
    Rows,
)


class Counts(Honest):
    """It counts its calls."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.n_calls_ = 0

    def level(self, rows: np.ndarray) -> np.ndarray:
        self.n_calls_ += 1
        return super().level(rows)


class Times(HonestWindows):
    """It notes how long a batch took."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        begun = time.perf_counter()
        forecast = super().predict_windows(y, cutoffs)
        self.seconds_ = time.perf_counter() - begun
        return forecast


class NotesItsLastBatch(HonestWindows):
    """It keeps the cutoffs of the last batch."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        self.last_cutoffs_ = np.asarray(cutoffs)
        return super().predict_windows(y, cutoffs)


class LogsInItsClass(Honest):
    """Its class keeps a log."""

    calls: ClassVar[list[str]] = []

    def level(self, rows: np.ndarray) -> np.ndarray:
        self.calls.append(f"level of {len(rows)} rows")
        return super().level(rows)


class CountsInAFunction(Honest):
    """Its method counts its calls."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        kept = CountsInAFunction.level.__dict__
        kept["calls"] = kept.get("calls", 0) + 1
        return super().level(rows)


class MemorisesItsAnswers(HonestWindows):
    """Looks an answer up that it has given before, to the same rows."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._answers: dict[bytes, np.ndarray] = {}

    def level(self, rows: np.ndarray) -> np.ndarray:
        key = rows[-LENGTH:].tobytes()
        if key not in self._answers:
            self._answers[key] = super().level(rows)
        return self._answers[key]


@lru_cache
def _weights(length: int) -> np.ndarray:
    weights = 0.8 ** np.arange(length)[::-1]
    return weights / weights.sum()


class CachesOutside(HonestWindows):
    """Its weights are cached for all instances."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        few = rows[-LENGTH:]
        return _weights(len(few)) @ few


class PreparesLate(HonestWindows):
    """Computes its weights in the first forecast."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        if not hasattr(self, "_late"):
            self._late = np.full(LENGTH, 0.9 / LENGTH)
        return self._late @ rows[-LENGTH:]


class Smooths(Honest):
    """Exponential smoothing whose level moves on with `update`."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self._smooth = rows[0].astype(float)
        self._absorb(rows[1:])

    def _absorb(self, rows: np.ndarray) -> None:
        for row in rows:
            self._smooth = 0.6 * self._smooth + 0.4 * row

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._absorb(y.to_numpy())
        return super()._update(y, X, update_params)

    def level(self, rows: np.ndarray) -> np.ndarray:
        return (self._smooth - self.mean_) / self.scale_


class RefusesShortSeries(Honest):
    """It refuses fewer than 90 rows."""

    def _fit(self, y: pd.DataFrame, X: Any = None, fh: Any = None) -> Self:
        if len(y) < 90:
            raise ValueError(f"{len(y)} rows are too few; pass at least 90")
        return super()._fit(y, X, fh)


class RefusesOutliers(HonestWindows):
    """It refuses values above a thousand."""

    def predict_windows(self, y: Rows, cutoffs: Cutoffs) -> np.ndarray:
        rows = pd.DataFrame(y).to_numpy()
        if np.abs(rows).max() > 1e3:
            raise ValueError(f"{np.abs(rows).max()} is no value of this series")
        return super().predict_windows(y, cutoffs)


class MeanOfAll(HonestWindows):
    """Mean of all rows."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        return rows.mean(axis=0)


class Median(HonestWindows):
    """Median of the last rows."""

    def level(self, rows: np.ndarray) -> np.ndarray:
        return np.median(rows[-3 * LENGTH :], axis=0)


class ReadsLaggedX(Honest):
    """Adds what X was a horizon ago; it never reads X behind its cutoff."""

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def _fit(self, y: pd.DataFrame, X: Any = None, fh: Any = None) -> Self:
        self._past = X.to_numpy()
        return super()._fit(y, X, fh)

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        self._past = np.concatenate([self._past, X.to_numpy()])
        return super()._update(y, X, update_params)

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        return super()._predict(fh, X) + 0.1 * self._past[-LENGTH:, -1].mean()


class KnownX(HonestWindows):
    """Adds the known future of X, up to its horizon."""

    _tags: ClassVar[dict[str, Any]] = {"capability:exogenous": True}

    def predict_windows(self, y: Rows, cutoffs: Cutoffs, X: Any = None) -> np.ndarray:
        steps = np.asarray(cutoffs)[:, None] + np.arange(6)
        return super().predict_windows(y, cutoffs) + X.to_numpy()[steps][..., -1:]


class Draws(Honest):
    """Draws from the global generators of torch and numpy."""

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.mean_ = self.mean_ + torch.randn(1).numpy() + np.random.standard_normal()  # noqa: NPY002  (the oddity)


class DrawsSeeded(Honest):
    """It draws with a seed of its own."""

    def __init__(self, random_state: int | None = None):
        self.random_state = random_state
        super().__init__()

    def learn(self, rows: np.ndarray) -> None:
        super().learn(rows)
        self.mean_ = self.mean_ + np.random.default_rng(self.random_state).standard_normal()


class LearnsThePanel(BaseForecaster):
    """One autoregression of all series of a panel, which forecasts each from its own rows."""

    _tags: ClassVar[dict[str, Any]] = {
        "y_inner_mtype": ["pd.DataFrame", "pd-multiindex"],
        "X_inner_mtype": ["pd.DataFrame", "pd-multiindex"],
        "capability:exogenous": False,
        "requires-fh-in-fit": False,
    }

    def _series(self, y: pd.DataFrame) -> dict[Any, pd.DataFrame]:
        if isinstance(y.index, pd.MultiIndex):
            return {name: part.droplevel(0) for name, part in y.groupby(level=0)}
        return {None: y}

    def _fit(self, y: pd.DataFrame, X: Any = None, fh: Any = None) -> Self:
        self._parts = self._series(y)
        pairs = [part.to_numpy()[:, 0] for part in self._parts.values()]
        before = np.concatenate([values[:-1] for values in pairs])
        after = np.concatenate([values[1:] for values in pairs])
        self.weights_ = np.polyfit(before, after, 1)
        return self

    def _update(self, y: pd.DataFrame, X: Any = None, update_params: bool = True) -> Self:
        for name, part in self._series(y).items():
            self._parts[name] = pd.concat([self._parts[name], part])
        return self

    def _predict(self, fh: Any, X: Any = None) -> pd.DataFrame:
        stamps = fh.to_absolute_index(self.cutoff)
        parts = {}
        for name, part in self._parts.items():
            value, values = part.to_numpy()[-1, 0], []
            for _ in range(int(max(fh.to_relative(self.cutoff)))):
                value = np.polyval(self.weights_, value)
                values.append(value)
            ahead = np.asarray(fh.to_relative(self.cutoff)) - 1
            parts[name] = pd.DataFrame(np.array(values)[ahead], stamps, part.columns)
        if None in parts:
            return parts[None]
        return pd.concat(parts, names=self._y.index.names)
