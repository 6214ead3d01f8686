"""The models of the benchmark by name, each made for one cell.

    make(name)(task, **params) -> an unfitted model with `fit` and `predict_windows`

Our own models run with their defaults; `params` of a row are whatever was changed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.benchmark.baselines import OLS, Persistence, SeasonalNaive
from klforecast.evaluation.benchmark.encoder_recipes import ENCODER_RECIPES, make_encoder
from klforecast.evaluation.benchmark.protocol import Task, WindowModel
from klforecast.evaluation.benchmark.theta import Theta
from klforecast.evaluation.needs import missing, require_installed
from klforecast.evaluation.peers import recipes
from klforecast.modules.encoders import ENCODERS
from klforecast.modules.forecast import MEMORIES

# What every cell of the group "encoders" may spend, the same for all of them.
ENCODER_BUDGET: dict[str, Any] = {
    "linear_core": False,
    "d_model": 32,
    "n_layers": 1,
    "patch_length": 24,
    "max_epochs": 1,
    "batch_size": 128,
    "lr": 3e-3,
}
_OLS_LOOKBACK = 720  # the lookback at which closed-form linear results are published


@dataclass(frozen=True)
class Model:
    """An entry of the registry.

    Parameters
    ----------
    make : callable
        `make(task, **params)` returns the unfitted model.
    about : str
        One line for listings.
    seeded : bool, default=False
        Whether the seed changes the result; if not, a benchmark runs one seed only.
    needs : tuple of str, default=()
        Distributions beyond klforecast's own that it runs on.
    ours : bool, default=False
        Whether it is one of this package's models rather than one to compare with.
    stand_in : str, default=""
        Name of a model that takes its place where a distribution is missing.
    """

    make: Callable[..., WindowModel]
    about: str
    seeded: bool = False
    needs: tuple[str, ...] = ()
    ours: bool = False
    stand_in: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """Distributions that it needs and that are not installed."""
        return missing(self.needs)


def _klmemory(task: Task, **params: Any) -> KLMemoryForecaster:
    settings = {
        "memory_depth": task.past_limit,
        # Filters of a series read all of its past, and its usual rows say which ones are outliers.
        "local_experts": task.past_limit is None,
        "clean_outliers": task.past_limit is None,
        "random_state": task.seed,
        **params,
    }
    return KLMemoryForecaster(horizon=task.horizon, **settings)


def _klmemory_transformer(task: Task, **params: Any) -> KLMemoryForecaster:
    return _klmemory(task, **{"encoder": "transformer", **params})


def _klmemory_none(task: Task, **params: Any) -> KLMemoryForecaster:
    return _klmemory(task, **{"memory": "none", **params})


def _persistence(task: Task) -> Persistence:
    return Persistence(task.horizon)


def _seasonal_naive(task: Task, **params: Any) -> SeasonalNaive:
    return SeasonalNaive(task.horizon, **{"period": task.period, **params})


def _theta(task: Task, **params: Any) -> Theta:
    return Theta(task.horizon, **{"period": task.period, "depth": task.past_limit, **params})


def _ols(task: Task, **params: Any) -> OLS:
    return OLS(task.horizon, **{"lookback": task.past_limit or _OLS_LOOKBACK, **params})


MODELS: dict[str, Model] = {
    "klmemory": Model(_klmemory, "KLMemoryForecaster, its defaults", ours=True),
    "klmemory-transformer": Model(
        _klmemory_transformer, "KLMemoryForecaster, encoder='transformer'", seeded=True, ours=True
    ),
    "klmemory-none": Model(_klmemory_none, "KLMemoryForecaster, memory='none'", ours=True),
    "persistence": Model(_persistence, "the last value"),
    "seasonal-naive": Model(_seasonal_naive, "the last season"),
    "theta": Model(_theta, "Theta method, fitted to each window"),
    "ols": Model(_ols, "least squares on centred windows, 720 steps"),
    "nlinear": Model(recipes.nlinear, "NLinear (Zeng et al. 2023), 336 steps", seeded=True),
    "dlinear": Model(recipes.dlinear, "DLinear (Zeng et al. 2023), 336 steps", seeded=True),
    "rlinear": Model(recipes.rlinear, "RLinear (Li et al. 2023), 336 steps", seeded=True),
    "patchtst": Model(
        recipes.patchtst,
        "PatchTST (Nie et al. 2023), 336 steps",
        seeded=True,
        needs=("transformers",),
        stand_in="patchtst-built-in",
    ),
    "patchtst-built-in": Model(
        recipes.patchtst_built_in,
        "the same on encoder='patchtst' of this package, which needs no transformers",
        seeded=True,
    ),
    "itransformer": Model(
        recipes.itransformer, "iTransformer (Liu et al. 2024), 96 steps", seeded=True
    ),
    "spectral-memory": Model(
        recipes.spectral_memory,
        "Spectral Memory (Marquez 2025), 96 steps, width 64, patches of 16, its training run's tokens",
        seeded=True,
    ),
    "spectral-memory-empty": Model(
        partial(recipes.spectral_memory, readout="empty"),
        "the same, tokens empty when it forecasts, as in its published code",
        seeded=True,
    ),
    "spectral-memory-none": Model(
        partial(recipes.spectral_memory, readout="none"), "the same without memory", seeded=True
    ),
}


def _encoder_cells() -> dict[str, Model]:
    cells = {
        f"linear/{memory}": Model(
            partial(_klmemory, memory=memory), f"the closed form, memory='{memory}'", ours=True
        )
        for memory in ("none", "history")
    }
    for encoder in ENCODERS:
        for memory in MEMORIES:
            settings = {"encoder": encoder, "memory": memory, **ENCODER_BUDGET}
            cells[f"{encoder}/{memory}"] = Model(
                partial(_klmemory, **settings),
                f"encoder='{encoder}', memory='{memory}', on a small budget",
                seeded=True,
                ours=True,
            )
    return cells


ENCODER_CELLS = _encoder_cells()
"""Every encoder with every memory, by names like ``"deltanet/history"``."""

PUBLISHED_CELLS: dict[str, Model] = {
    f"{encoder}/published": Model(
        partial(make_encoder, encoder=encoder),
        f"encoder='{encoder}' alone, in the setting of its authors on ETTh1",
        seeded=True,
        ours=True,
    )
    for encoder in ENCODER_RECIPES
}
"""Every encoder with a published ETTh1 result, by names like ``"nlinear/published"``."""

GROUPS: dict[str, tuple[str, ...]] = {
    "encoders": tuple(ENCODER_CELLS),
    "published-encoders": tuple(PUBLISHED_CELLS),
}
"""Names that stand for many models."""


def model(name: str) -> Model:
    """Return the entry of a name.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.
    ImportError
        If it needs a distribution that is not installed.
    """
    entry = MODELS.get(name) or ENCODER_CELLS.get(name) or PUBLISHED_CELLS.get(name)
    if entry is None:
        raise ValueError(
            f"unknown model {name!r}; pass one of {', '.join([*MODELS, *GROUPS])}, or an encoder "
            f"and its memory as in {next(iter(ENCODER_CELLS))!r}"
        )
    require_installed(name, entry.needs)
    return entry
