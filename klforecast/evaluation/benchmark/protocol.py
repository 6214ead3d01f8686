"""The long-horizon protocol: one cell = data set x model x horizon x seed x regime -> one row.

    scaled = (series - mean) / deviation                 statistics of the training rows
    MSE = sum over test windows, steps and channels of (forecast - scaled)^2 / their number

Every window whose forecast lies in the test part is scored; none is dropped. A model is fitted on
the rows before the test part, and for each batch of cutoffs it is handed the rows before the last
of them. Two audits run inside every cell: the forecasts of the first and the last window must stay
the same when the model is handed only the rows before that cutoff, and, in the regime `lookback96`,
only the last 96 (36 for ILI) of those.

The numbers to check a harness by are those of the persistence forecast, which has neither training
nor lookback nor seed: 1.2944, 1.3249, 1.3299, 1.3351 on ETTh1.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
import pandas as pd

from klforecast.data.datasets import Dataset
from klforecast.data.scaling import Standardizer
from klforecast.data.splits import Borders, window_cutoffs
from klforecast.evaluation import machine
from klforecast.exceptions import KLForecastError

REGIMES = ("free", "lookback96")
FIT_ON = ("train+validation", "train")
_VALUES_AT_ONCE = 4_000_000  # forecast values held at once: 32 MB in float64
_AUDIT_TOLERANCE = 1e-4  # in training deviations; batches in float32 differ by some 1e-6


class ProtocolError(KLForecastError):
    """A model used what the protocol does not let it see, or returned no forecast for a window."""


class FittedModel(Protocol):
    """What scoring asks of a model."""

    def predict_windows(self, y: pd.DataFrame, cutoffs: Sequence[int] | np.ndarray) -> np.ndarray:
        """Forecast from each cutoff, from the rows before it: (cutoffs, horizon, channels)."""


class WindowModel(FittedModel, Protocol):
    """What the harness asks of a model; `fit` may leave fitted attributes, which the row quotes."""

    def fit(self, y: pd.DataFrame) -> Any:
        """Learn from the rows of `y`."""

    def get_params(self) -> dict[str, Any]:
        """Return every setting that decides the result."""


@dataclass(frozen=True)
class Cell:
    """One entry of a benchmark.

    Parameters
    ----------
    dataset, model : str
        Names known to `klforecast.data.datasets` and `klforecast.evaluation.benchmark.models`.
    horizon : int
        Steps ahead.
    seed : int, default=0
        Seed of the model.
    regime : {"free", "lookback96"}, default="free"
        How far back a forecast may look.
    fit_on : {"train+validation", "train"}, default="train+validation"
        Rows a model is fitted on. A model that stops early holds the validation rows out itself.
    params : mapping
        Settings that differ from the model's defaults in this harness.
    """

    dataset: str
    model: str
    horizon: int
    seed: int = 0
    regime: str = "free"
    fit_on: str = "train+validation"
    params: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value, known in (
            ("regime", self.regime, REGIMES),
            ("fit_on", self.fit_on, FIT_ON),
        ):
            if value not in known:
                raise ValueError(f"unknown {name} {value!r}; pass one of {', '.join(known)}")


@dataclass(frozen=True)
class Task:
    """What a model may know of a cell before it sees any value.

    Parameters
    ----------
    dataset : str
        Name, for settings published per data set.
    horizon, period : int
        Steps ahead; steps of the shortest season known from the calendar, 1 if there is none.
    past_limit : int or None
        Most steps before a cutoff that a forecast may use; None for all.
    validation_rows : int
        Of the rows handed to `fit`, how many at the end are the validation part.
    seed : int
        Seed of the model.
    """

    dataset: str
    horizon: int
    period: int
    past_limit: int | None
    validation_rows: int
    seed: int


def task_of(cell: Cell, data: Dataset) -> Task:
    """Return what the model of `cell` may know in advance.

    Fitted on the training part alone, a model that stops early holds out its last fifth.
    """
    borders = require_borders(data)
    on_both = cell.fit_on == "train+validation"
    return Task(
        dataset=data.name,
        horizon=cell.horizon,
        period=data.periods[0] if data.periods else 1,
        past_limit=past_limit(cell.regime, data.name),
        validation_rows=(
            borders.validation_end - borders.train_end if on_both else borders.train_end // 5
        ),
        seed=cell.seed,
    )


def past_limit(regime: str, dataset: str) -> int | None:
    """Return how many steps before a cutoff a forecast may use; None for all."""
    if regime == "free":
        return None
    return 36 if dataset == "ILI" else 96


def require_borders(data: Dataset) -> Borders:
    """Return the borders of `data`, or raise ValueError where the protocol has none."""
    if data.borders is None:
        raise ValueError(
            f"{data.name} has no training, validation and test part; the windows of the long-"
            f"horizon protocol need them"
        )
    return data.borders


def describe(cell: Cell, task: Task, make: Callable[..., WindowModel], data: Dataset) -> dict:
    """Return the fields of the row that are settled before the model is fitted."""
    return {
        "dataset": data.name,
        "dataset_sha256": data.sha256,
        "borders": None if data.borders is None else list(astuple(data.borders)),
        "params": make(task, **cell.params).get_params(),
    }


class Scores(NamedTuple):
    """Errors over all windows, and what the forecasts cost."""

    mse: float
    mae: float
    n_windows: int
    seconds: float


def score_windows(
    model: FittedModel,
    y: pd.DataFrame,
    cutoffs: np.ndarray,
    horizon: int,
) -> Scores:
    """Score the forecast from every cutoff: sums of errors over all windows, divided once.

    Parameters
    ----------
    model : FittedModel
    y : DataFrame of shape (time, channels)
        Standardised rows. The model is handed those before the last cutoff of a batch.
    cutoffs : ndarray of shape (n_windows,)
        Increasing positions of the first forecast steps.
    horizon : int
        Steps ahead.

    Raises
    ------
    ProtocolError
        If a forecast is missing, has another shape or is not finite.
    """
    values = y.to_numpy()
    batch = max(1, _VALUES_AT_ONCE // (horizon * values.shape[1]))
    squared = absolute = seconds = 0.0
    n_scored = 0
    for start in range(0, len(cutoffs), batch):
        chosen = cutoffs[start : start + batch]
        begun = time.perf_counter()
        forecast = np.asarray(model.predict_windows(y.iloc[: chosen[-1]], chosen))
        seconds += time.perf_counter() - begun
        truth = values[chosen[:, None] + np.arange(horizon)]
        if forecast.shape != truth.shape:
            raise ProtocolError(
                f"predict_windows returned shape {forecast.shape} for {truth.shape}: "
                f"(windows, horizon, channels)"
            )
        if not np.isfinite(forecast).all():
            n_bad = int((~np.isfinite(forecast)).any(axis=(1, 2)).sum())
            raise ProtocolError(f"{n_bad} of {len(chosen)} forecasts hold NaN or infinite values")
        error = forecast - truth
        squared += float(np.square(error).sum())
        absolute += float(np.abs(error).sum())
        n_scored += error.size
    return Scores(squared / n_scored, absolute / n_scored, len(cutoffs), seconds)


def audit(model: WindowModel, y: pd.DataFrame, cutoffs: np.ndarray, limit: int | None) -> None:
    """Refuse a model whose forecasts depend on rows after the cutoff or beyond the regime's limit.

    The first and the last window are forecast together, in the reach of all rows, and then each
    alone, from the rows before its cutoff (the last `limit` of them).

    Raises
    ------
    ProtocolError
        If the two differ by more than 1e-4 training deviations.
    """
    ends = np.unique([cutoffs[0], cutoffs[-1]])
    together = np.asarray(model.predict_windows(y, ends))
    for position, cutoff in enumerate(ends):
        first = 0 if limit is None else cutoff - limit
        alone = np.asarray(model.predict_windows(y.iloc[first:cutoff], [int(cutoff - first)]))[0]
        gap = float(np.abs(alone - together[position]).max())
        if not gap <= _AUDIT_TOLERANCE:
            reach = "rows before the cutoff" if limit is None else f"{limit} rows before the cutoff"
            raise ProtocolError(
                f"the forecast from row {cutoff} moves by {gap:.3g} when the model is handed only "
                f"the {reach}: it depends on rows that the protocol does not let it see"
            )


def run_windows(cell: Cell, make: Callable[..., WindowModel], data: Dataset) -> dict[str, Any]:
    """Fit and score one cell and return the fields of its row.

    Parameters
    ----------
    cell : Cell
        What to run.
    make : callable
        `make(task, **cell.params)` returns the unfitted model.
    data : Dataset
        With borders.

    Returns
    -------
    dict
        Those of `klforecast.evaluation.benchmark.rows.FIELDS` that are known only afterwards.

    Raises
    ------
    ProtocolError
        If the model breaks the protocol.
    """
    borders = require_borders(data)
    task = task_of(cell, data)
    y = standardize(data)
    cutoffs = window_cutoffs(*borders.test, cell.horizon)
    model = make(task, **cell.params)

    machine.reset_peak_memory()
    begun, cpu_begun = time.perf_counter(), time.process_time()
    fit_end = borders.validation_end if cell.fit_on == "train+validation" else borders.train_end
    model.fit(y.iloc[:fit_end])
    fit_seconds = time.perf_counter() - begun
    scores = score_windows(model, y, cutoffs, cell.horizon)
    cpu_seconds, peak_memory = time.process_time() - cpu_begun, machine.peak_memory_mb()
    audit(model, y, cutoffs, task.past_limit)

    return {
        "n_test_windows": scores.n_windows,
        "input_length": getattr(model, "input_length_", None),
        "memory_depth": getattr(model, "memory_depth_", None),
        "mse": scores.mse,
        "mae": scores.mae,
        "fit_seconds": fit_seconds,
        "predict_seconds": scores.seconds,
        "cpu_seconds": cpu_seconds,
        "peak_memory_mb": peak_memory,
        "n_parameters": count_parameters(model),
    }


def standardize(data: Dataset) -> pd.DataFrame:
    """Return the channels to forecast, up to the end of the test part, in training deviations."""
    borders = require_borders(data)
    rows = data.frame.iloc[: borders.test_end].drop(columns=list(data.covariates))
    scaler = Standardizer.fit(rows.iloc[: borders.train_end].to_numpy())
    return pd.DataFrame(scaler.transform(rows.to_numpy()), rows.index, rows.columns)


def count_parameters(model: Any) -> int | None:
    """Return how many numbers `fit` set in the model's network; None where it does not say."""
    if hasattr(model, "n_parameters_"):
        return int(model.n_parameters_)
    net = getattr(model, "net_", None)
    if net is None:
        return None
    return sum(p.numel() for p in net.module_.parameters() if p.requires_grad)
