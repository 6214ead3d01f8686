"""Fit the two nets to a panel: from scaled series to a net whose module maps past to forecast."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import Tensor

from klforecast.core.linear_core import LinearCore
from klforecast.modules.forecast import ForecastModule
from klforecast.ops.conformal import Residuals
from klforecast.ops.volatility import recent_volatility
from klforecast.training.nets import EncoderNet, LinearNet
from klforecast.training.seeding import seeded
from klforecast.training.windows import PanelWindows, validation_start

# The head learns nothing while the gate is at zero, so the gate moves faster than the rest.
_GATE_RATE = 5.0

_RESIDUAL_WINDOWS = 1000
_MOST_RESIDUALS = 2**24  # 64 MB

Solver = Callable[[Sequence[Tensor]], LinearCore]
"""From a panel of scaled series to the core solved on all their rows."""


def fit_linear_net(
    panel: Sequence[Tensor],  # (time, channels) each
    *,
    solve: Solver,
    callbacks: Sequence[Callback | tuple[str, Callback]] | None = None,
    device: str = "auto",
    random_state: int | np.random.RandomState | None = None,
    weight_decay: float = 1e-2,
    **options: Any,
) -> LinearNet:
    """Solve the linear core and wrap it in a net that can be fine-tuned.

    Parameters
    ----------
    panel : sequence of Tensor, each (time, channels)
        Scaled series.
    solve : callable
        From a panel to its core, for example ``partial(solve_linear_core, horizon=96)``.
    callbacks : sequence, default=None
        skorch callbacks for later fine-tuning; they are cloned.
    device : str, default="auto"
        "auto" is the first CUDA device if there is one, else the CPU.
    random_state : int, RandomState or None, default=None
        For later fine-tuning; solving is deterministic.
    weight_decay : float, default=1e-2
        Of AdamW in later fine-tuning.
    **options
        Of `ForecastNet`: max_epochs, batch_size, lr, lr_schedule, loss, patience,
        validation_fraction, verbose.

    Returns
    -------
    LinearNet
        ``module_`` is the core; ``partial_fit(panel)`` steps on from it.
    """
    net = LinearNet(
        solve=solve,
        callbacks=_cloned(callbacks),
        device=resolve_device(device),
        random_state=random_state,
        optimizer__weight_decay=weight_decay,
        **{"verbose": 0, **options},
    )
    return net.fit(panel)


def fit_encoder_net(
    panel: Sequence[Tensor],  # (time, channels) each
    horizon: int,
    *,
    solve: Solver | None,
    max_epochs: int = 10,
    batch_size: int = 64,
    lr: float = 1e-3,
    weight_decay: float = 1e-2,
    patience: int | None = 3,
    lr_schedule: str = "cosine",
    loss: str = "mse",
    validation_fraction: float = 0.2,
    callbacks: Sequence[Callback | tuple[str, Callback]] | None = None,
    device: str = "auto",
    verbose: int = 0,
    random_state: int | np.random.RandomState | None = None,
    **architecture: Any,
) -> EncoderNet:
    """Train an encoder with memory to correct a linear core.

    The core is solved twice. While the encoder trains, it is the core of the rows before the
    validation part, so that validation is honest: on it, the result is never worse than that core
    alone. Then the core of all rows takes its place, under the same correction; this last step
    uses more data and cannot be validated. The errors on the validation part, made before that
    step, become the `residuals` of the core; where there is no such part, those of the core remain,
    and their size does not follow the past.

    Parameters
    ----------
    panel : sequence of Tensor, each (time, channels)
        Scaled series.
    horizon : int
        Steps to forecast.
    solve : callable or None
        From a panel to its core, for example ``partial(solve_linear_core, horizon=96)``. None
        trains the plain encoder.
    max_epochs, batch_size : int, default=10, 64
        Passes over the training windows at most; windows in a step.
    lr, weight_decay : float, default=1e-3, 1e-2
        Of AdamW. A decay of 0 is Adam.
    patience : int or None, default=3
        Epochs without improvement after which training stops; None: never.
    lr_schedule : str, default="cosine"
        How the rate goes on from epoch to epoch: a key of `klforecast.training.callbacks.SCHEDULES`.
    loss : {"mse", "mae"}, default="mse"
        What training steps lower. Epochs are judged by their squared error all the same.
    validation_fraction : float, default=0.2
        Newest share of the rows of each series that validates, at least one horizon.
    callbacks : sequence, default=None
        skorch callbacks; they are cloned.
    device : str, default="auto"
        "auto" is the first CUDA device if there is one, else the CPU.
    verbose : int, default=0
        1 prints a line for each epoch.
    random_state : int, RandomState or None, default=None
        The same seed gives the same numbers on the same machine.
    **architecture
        Of `ForecastModule`: input_length, memory, memory_depth, n_components and so on.

    Returns
    -------
    EncoderNet
        ``module_`` maps (batch, module_.depth, channels) to (batch, horizon, channels).

    Raises
    ------
    ValueError
        If the panel is too short to train and validate the plain encoder.
    KLForecastError
        If the training loss is not finite.

    Warns
    -----
    UserWarning
        If the panel is too short to train and validate; the result is then the core alone.
    """
    core = solve and _solved(solve, panel)
    net = EncoderNet(
        module__horizon=horizon,
        module__n_channels=panel[0].shape[1],
        module__core=core,
        **{f"module__{name}": value for name, value in architecture.items()},
        max_epochs=max_epochs,
        batch_size=batch_size,
        lr=lr,
        loss=loss,
        lr_schedule=lr_schedule,
        optimizer__weight_decay=weight_decay,
        optimizer__param_groups=[("gate", {"lr": _GATE_RATE * lr, "weight_decay": 0.0})],
        patience=patience,
        validation_fraction=validation_fraction,
        callbacks=_cloned(callbacks),
        device=resolve_device(device),
        verbose=verbose,
        random_state=random_state,
    )
    if solve is None or core is None:
        return net.fit(panel)
    with seeded(random_state):
        depth = ForecastModule(horizon, panel[0].shape[1], core, **architecture).depth
    parts = PanelWindows(panel, depth, horizon).split(validation_fraction)
    if not all(map(len, parts)):
        warnings.warn(
            f"series of {max(map(len, panel))} rows or fewer are too short to train and validate "
            f"an encoder with a depth of {depth} and a horizon of {horizon}; the forecast is that "
            "of the linear core alone",
            stacklevel=2,
        )
        if core.residuals is not None:
            unknown = torch.full_like(core.residuals.features, torch.nan)
            core.residuals = core.residuals._replace(features=unknown)
        with seeded(random_state, net.device):
            return net.initialize()
    borders = [validation_start(len(series), horizon, validation_fraction) for series in panel]
    known = [series[:border] for series, border in zip(panel, borders, strict=True) if border]
    net.module__core = _solved(solve, known)
    net.fit(panel)
    period = architecture.get("row_length") or 1
    core.residuals = validation_residuals(net, panel, period)
    net.module__core = net.module_.core = core.to(net.device)
    return net


def validation_residuals(
    net: EncoderNet,
    panel: Sequence[Tensor],  # (time, channels) each
    period: int,
) -> Residuals:
    """Errors of a trained net on windows of its validation part, evenly spread.

    Parameters
    ----------
    net : EncoderNet
        As training left it.
    panel : sequence of Tensor, each (time, channels)
        What it was trained on.
    period : int
        Steps of one cycle, for the volatility of the past.

    Returns
    -------
    Residuals
        Of 1,000 windows, or as many as keep the errors below 2**24 numbers.
    """
    module = net.module_
    rows = [series.to(next(module.parameters()).dtype) for series in panel]
    windows = PanelWindows(rows, module.depth, module.horizon).split(net.validation_fraction)[1]
    most = max(1, min(_RESIDUAL_WINDOWS, _MOST_RESIDUALS // (module.horizon * rows[0].shape[1])))
    places = torch.linspace(0, len(windows) - 1, min(len(windows), most)).round().long()
    errors, features = [], []
    for few in places.split(net.batch_size):
        past, future = windows.__getitems__(few.tolist())
        forecast = net.evaluation_step((past, future))
        errors.append(future - forecast.to(future.device))
        features.append(recent_volatility(past.mT, period))
    borders = [
        validation_start(len(series), module.horizon, net.validation_fraction) for series in rows
    ]
    judged = sum(len(series) - border for series, border in zip(rows, borders, strict=True))
    return Residuals(torch.cat(errors), torch.cat(features), judged)


def resolve_device(device: str) -> str:
    """Name the device that "auto" stands for.

    Parameters
    ----------
    device : str
        "auto", or any device of torch.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device


def _solved(solve: Solver, panel: Sequence[Tensor]) -> LinearCore:
    # Frozen: the encoder learns what the closed form leaves over, in the encoder's precision.
    return solve(panel).float().requires_grad_(False)


def _cloned(callbacks: Sequence[Callback | tuple[str, Callback]] | None) -> list | None:
    return None if callbacks is None else clone(list(callbacks), safe=False)
