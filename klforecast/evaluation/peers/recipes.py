"""The setting that each peer's authors published for each data set, taken from their own scripts.

Sources   NLinear, DLinear  github.com/cure-lab/LTSF-Linear, scripts/EXP-LongForecasting/Linear
          RLinear           github.com/plumprc/RTSF, script.md and run.py
          PatchTST          github.com/yuqinie98/PatchTST, PatchTST_supervised/scripts
          iTransformer      github.com/thuml/iTransformer, scripts/multivariate_forecasting
          Spectral Memory   the paper's section on training; its width is 512 and a token a step, see below
A data set that the authors did not run takes their ETTh1 setting, and ILI the lookback of 104 that
the others use on it. In the regime `lookback96` the lookback is cut to the regime's limit.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from torch import nn

from klforecast.evaluation.benchmark.protocol import Task
from klforecast.evaluation.peers.patchtst import PatchTST
from klforecast.evaluation.peers.spectral_memory import SpectralMemoryTransformer
from klforecast.evaluation.peers.training import PeerForecaster, Recipe
from klforecast.modules.encoders.dlinear import DLinear
from klforecast.modules.encoders.itransformer import ITransformer
from klforecast.modules.encoders.nlinear import NLinear
from klforecast.modules.encoders.rlinear import RLinear
from klforecast.modules.forecast import ForecastModule

# data set -> (windows per step, learning rate); horizons from 336 on may differ.
_LTSF_LINEAR = {
    "ETTh1": (32, 0.005),
    "ETTh2": (32, 0.05),
    "ETTm1": (8, 0.0001),
    "ETTm2": (32, 0.001),
    "Weather": (16, 0.0001),
    "Exchange": (8, 0.0005),
    "ILI": (32, 0.01),
}
# What the same scripts change for long horizons.
_LTSF_LINEAR_FROM_336 = {"ETTm2": (32, 0.01), "Exchange": (32, 0.0005)}


def _long_lookback(task: Task) -> int:
    return 104 if task.dataset == "ILI" else 336


def _ltsf_linear(task: Task) -> Recipe:
    settings = _LTSF_LINEAR.get(task.dataset, _LTSF_LINEAR["ETTh1"])
    if task.horizon >= 336:
        settings = _LTSF_LINEAR_FROM_336.get(task.dataset, settings)
    batch_size, learning_rate = settings
    return Recipe(_long_lookback(task), batch_size=batch_size, learning_rate=learning_rate)


def _peer(
    task: Task,
    build: Callable[[int, int, int], nn.Module],
    recipe: Recipe,
    params: dict[str, Any],
    device: str = "cpu",
    **architecture: Any,
) -> PeerForecaster:
    """Cut the recipe to the regime and put `params`, the user's changes to it, on top."""
    limit = task.past_limit or recipe.lookback
    recipe = replace(recipe, **{"lookback": min(recipe.lookback, limit), **params})
    return PeerForecaster(
        build,
        recipe,
        horizon=task.horizon,
        validation_rows=task.validation_rows,
        random_state=task.seed,
        device=device,
        **architecture,
    )


def _shared(
    network: Callable[..., nn.Module], lookback: int, horizon: int, channels: int, **settings: Any
) -> nn.Module:
    """Build a network whose weights are shared by all channels, however many there are."""
    return network(lookback, horizon, **settings)


def nlinear(task: Task, **params: Any) -> PeerForecaster:
    """NLinear by its authors' setting; `params` are fields of `Recipe`."""
    return _peer(task, partial(_shared, NLinear), _ltsf_linear(task), params)


def dlinear(task: Task, **params: Any) -> PeerForecaster:
    """DLinear by its authors' setting; `params` are fields of `Recipe`."""
    return _peer(task, partial(_shared, DLinear), _ltsf_linear(task), params)


def rlinear(task: Task, **params: Any) -> PeerForecaster:
    """RLinear by its authors' setting; `params` are fields of `Recipe`."""
    recipe = Recipe(
        _long_lookback(task),
        batch_size=256 if task.dataset == "ETTh2" else 128,
        max_epochs=15,
        patience=10,
        learning_rate=0.005,
    )
    return _peer(task, RLinear, recipe, params, dropout=0.1)


def patchtst(task: Task, **params: Any) -> PeerForecaster:
    """PatchTST/42 by its authors' setting; `params` are fields of `Recipe`.

    Patience is 10 epochs where the authors' ETTh scripts say 100: their learning rate falls by a
    tenth per epoch, so that late epochs hardly move the weights.
    """
    architecture, recipe = _patchtst_42(task)
    if task.dataset == "ILI":
        architecture["patch_stride"] = 2
    architecture["d_feedforward"] = architecture.pop("d_ff")
    return _peer(task, partial(PatchTST, **architecture), recipe, params, **architecture)


def patchtst_built_in(task: Task, **params: Any) -> PeerForecaster:
    """PatchTST/42 on this package's own encoder, which needs no further library.

    The setting is that of `patchtst`. The network has layer instead of batch normalisation, no
    patch that repeats the last value, and patches that overlap by half on ILI too.
    """
    architecture, recipe = _patchtst_42(task)
    return _peer(task, partial(_patchtst_encoder, **architecture), recipe, params, **architecture)


def _patchtst_42(task: Task) -> tuple[dict[str, Any], Recipe]:
    """Sizes of the network, and the recipe that trains it."""
    small = task.dataset not in ("ETTm1", "ETTm2", "Weather")
    architecture: dict[str, Any] = {
        "d_model": 16 if small else 128,
        "n_heads": 4 if small else 16,
        "d_ff": 128 if small else 256,
        "dropout": 0.3 if small else 0.2,
    }
    recipe = Recipe(
        336,
        batch_size=128,
        max_epochs=100,
        patience=10,
        learning_rate=1e-4,
        schedule="slow-decay",
    )
    if task.dataset == "ILI":
        architecture["patch_length"] = 24
        recipe = replace(
            recipe, lookback=104, batch_size=16, learning_rate=0.0025, schedule="constant"
        )
    return architecture, recipe


def _patchtst_encoder(
    lookback: int, horizon: int, channels: int, **architecture: Any
) -> ForecastModule:
    return ForecastModule(
        horizon,
        channels,
        encoder="patchtst",
        memory="none",
        input_length=lookback,
        n_layers=3,
        **architecture,
    )


def itransformer(task: Task, **params: Any) -> PeerForecaster:
    """Make iTransformer by its authors' setting; `params` are fields of `Recipe`."""
    width = {"Weather": 512, "ETTh2": 128, "ETTm1": 128, "ETTm2": 128, "Exchange": 128}
    architecture: dict[str, Any] = {
        "d_model": width.get(task.dataset, 256 if task.horizon < 336 else 512),
        "n_layers": 3 if task.dataset == "Weather" else 2,
    }
    return _peer(
        task,
        partial(_shared, ITransformer, **architecture),
        Recipe(36 if task.dataset == "ILI" else 96, learning_rate=1e-4),
        params,
        **architecture,
    )


def spectral_memory(task: Task, readout: str = "frozen", **params: Any) -> PeerForecaster:
    """Make the transformer of Spectral Memory; `params` are fields of `Recipe`, its two sizes, or `device`.

    The width is 64, an eighth of the published one, and a token is a patch of 16 steps. The published
    sizes, ``d_model=512, patch_length=1``, would take days on a CPU; ``device="cuda"`` has them trained
    elsewhere (`klforecast.evaluation.studies.spectral_memory_literally`).
    """
    device = params.pop("device", "cpu")
    architecture = {
        "d_model": params.pop("d_model", 64),
        "patch_length": params.pop("patch_length", 16),
        "readout": readout,
    }
    return _peer(
        task,
        partial(SpectralMemoryTransformer, **architecture),
        Recipe(36 if task.dataset == "ILI" else 96, learning_rate=1e-4, schedule="constant"),
        params,
        device=device,
        **architecture,
    )
