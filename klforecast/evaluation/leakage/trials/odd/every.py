"""All odd forecasters, made anew. Those of sktime that run on statsmodels are left out where it is not installed."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeRegressor
from sktime.datasets import load_airline, load_lynx
from sktime.forecasting.base import BaseForecaster
from sktime.forecasting.compose import (
    BaggingForecaster,
    EnsembleForecaster,
    MultiplexForecaster,
    TransformedTargetForecaster,
    make_reduction,
)
from sktime.forecasting.croston import Croston
from sktime.forecasting.ltsf import LTSFNLinearForecaster
from sktime.forecasting.naive import NaiveForecaster
from sktime.forecasting.rbf import RBFForecaster
from sktime.forecasting.scinet import SCINetForecaster
from sktime.forecasting.stream import DontUpdate, UpdateRefitsEvery
from sktime.forecasting.trend import PolynomialTrendForecaster, TrendForecaster
from sktime.transformations.series.boxcox import LogTransformer
from sktime.transformations.series.detrend import Deseasonalizer, Detrender
from sktime.transformations.series.difference import Differencer

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.benchmark.adapter import HarnessForecaster
from klforecast.evaluation.leakage.trials.honest import (
    Honest,
    HonestWindows,
    ReadsX,
    Trial,
    wandering,
)
from klforecast.evaluation.leakage.trials.odd.forecasters import (
    CachesOutside,
    Counts,
    CountsInAFunction,
    Draws,
    DrawsSeeded,
    KnownX,
    LearnsThePanel,
    LogsInItsClass,
    MeanOfAll,
    Median,
    MemorisesItsAnswers,
    NotesItsLastBatch,
    PreparesLate,
    ReadsLaggedX,
    RefusesOutliers,
    RefusesShortSeries,
    Smooths,
    Times,
)


def _level_shift() -> pd.Series:
    values = np.random.default_rng(1).standard_normal(160)
    values[100:] += 5
    return pd.Series(values)


def _channels() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    values = np.zeros((160, 3))
    weights = np.array([[0.6, 0.3, 0.0], [0.0, 0.7, 0.2], [0.3, 0.0, 0.6]])
    for t in range(1, len(values)):
        values[t] = weights @ values[t - 1] + rng.standard_normal(3)
    return pd.DataFrame(values + np.arange(160)[:, None] * 0.05, columns=list("abc"))


def _weekly() -> pd.Series:
    steps = np.arange(200)
    noise = np.random.default_rng(6).standard_normal(len(steps))
    values = 20 + 0.1 * steps + 5 * np.sin(2 * np.pi * steps / 7) + noise
    return pd.Series(values, pd.date_range("2024-01-01", periods=len(steps), freq="D"))


def _of_statsmodels() -> list[Trial]:
    from sktime.forecasting.exp_smoothing import ExponentialSmoothing
    from sktime.forecasting.sarimax import SARIMAX
    from sktime.forecasting.structural import UnobservedComponents
    from sktime.forecasting.theta import ThetaForecaster
    from sktime.forecasting.trend import STLForecaster
    from sktime.forecasting.var import VAR

    airline, weekly = load_airline(), _weekly()
    return [
        Trial("VAR, three channels", lambda: VAR(maxlags=2), _channels()),
        Trial("STL, airline", lambda: STLForecaster(sp=12), airline, fh=12),
        Trial("STL, weekly", lambda: STLForecaster(sp=7), weekly),
        Trial("Theta", lambda: ThetaForecaster(sp=12), airline, fh=12),
        Trial(
            "ETS", lambda: ExponentialSmoothing(trend="add", seasonal="mul", sp=12), airline, fh=12
        ),
        Trial("ARIMA", lambda: SARIMAX((2, 0, 0)), wandering()),
        Trial("local level", lambda: UnobservedComponents("local level"), wandering()),
    ]


def _pipeline() -> BaseForecaster:
    return Deseasonalizer(sp=12) * Detrender() * NaiveForecaster()


def odd_ones() -> Sequence[Trial]:
    """Make all of them anew."""
    LogsInItsClass.calls.clear()
    y, airline, weekly, lynx = wandering(), load_airline(), _weekly(), load_lynx()
    shift, white = _level_shift(), pd.Series(np.random.default_rng(2).standard_normal(160))
    known = pd.DataFrame({"x": np.random.default_rng(7).standard_normal(160)}, y.index)
    lagged = pd.DataFrame({"before": y.shift(1).bfill()}, y.index)
    plain: list[Callable[[], Any]] = [
        Honest, HonestWindows, Counts, Times, NotesItsLastBatch, LogsInItsClass, CountsInAFunction,
        MemorisesItsAnswers, CachesOutside, PreparesLate, Smooths, RefusesShortSeries,
        RefusesOutliers, MeanOfAll, Median, Draws, DrawsSeeded, LearnsThePanel,
    ]  # fmt: skip
    return [
        *(Trial(kind.__name__, kind, y) for kind in plain),
        Trial("reads lagged X", lambda: ReadsLaggedX(), y, lagged),
        Trial("adds X", ReadsX, y, known),
        Trial("known X, windows", lambda: KnownX(), y, known),
        Trial("constant series", lambda: HonestWindows(), pd.Series(np.full(160, 3.0))),
        Trial("constant series, naive", lambda: NaiveForecaster(), pd.Series(np.full(160, 3.0))),
        Trial("constant series, K-L", lambda: KLMemoryForecaster(6), pd.Series(np.full(160, 3.0))),
        Trial("mean, level change", lambda: NaiveForecaster("mean"), shift),
        Trial("mean of all, level change", lambda: MeanOfAll(), shift),
        Trial("last, level change", lambda: NaiveForecaster(), shift),
        Trial("mean, white noise", lambda: NaiveForecaster("mean"), white),
        Trial("drift", lambda: NaiveForecaster("drift"), airline, fh=12),
        Trial("season", lambda: NaiveForecaster(sp=7), weekly),
        Trial("pipeline, airline", _pipeline, airline, fh=12),
        Trial("log pipeline", lambda: LogTransformer() * _pipeline(), airline, fh=12),
        Trial("differences", lambda: Differencer() * NaiveForecaster("mean"), airline, fh=12),
        Trial(
            "target pipeline",
            lambda: TransformedTargetForecaster([Detrender(), NaiveForecaster()]),
            y,
        ),
        Trial(
            "bagging, airline",
            lambda: BaggingForecaster(forecaster=NaiveForecaster(sp=12)),
            airline,
        ),
        Trial(
            "bagging, weekly", lambda: BaggingForecaster(sp=7, forecaster=NaiveForecaster()), weekly
        ),
        Trial("trend", lambda: TrendForecaster(), weekly),
        Trial("quadratic trend", lambda: PolynomialTrendForecaster(degree=2), airline, fh=12),
        Trial(
            "ensemble",
            lambda: EnsembleForecaster([("a", NaiveForecaster()), ("b", TrendForecaster())]),
            y,
        ),
        Trial("multiplex", lambda: MultiplexForecaster([("a", NaiveForecaster())], "a"), y),
        Trial("Croston", lambda: Croston(), lynx),
        Trial(
            "trees",
            lambda: make_reduction(DecisionTreeRegressor(random_state=0), window_length=12),
            airline,
            fh=6,
        ),
        Trial("neighbours", lambda: make_reduction(KNeighborsRegressor(), window_length=10), lynx),
        Trial(
            "direct",
            lambda: make_reduction(LinearRegression(), window_length=8, strategy="direct"),
            y,
        ),
        Trial("ridge", lambda: make_reduction(Ridge(), window_length=12), weekly),
        Trial("does not update", lambda: DontUpdate(NaiveForecaster()), y),
        Trial("refits in update", lambda: UpdateRefitsEvery(NaiveForecaster("mean")), y),
        Trial("NLinear", lambda: LTSFNLinearForecaster(24, 6, num_epochs=2), y),
        Trial("SCINet", lambda: SCINetForecaster(16, 6, num_epochs=1), y),
        Trial("RBF", lambda: RBFForecaster(epochs=5, dropout_rate=0.0), y),
        Trial("RBF, airline", lambda: RBFForecaster(epochs=5), airline),
        Trial("K-L memory, shift", lambda: KLMemoryForecaster(6), shift),
        Trial("K-L memory, airline", lambda: KLMemoryForecaster(12), airline, fh=12),
        Trial("harness, theta", lambda: HarnessForecaster("theta", period=12), airline, fh=12),
        *(_of_statsmodels() if find_spec("statsmodels") else []),
    ]
