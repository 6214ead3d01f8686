"""Fit the two nets to a panel: from scaled series to a net whose module maps past to forecast."""

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.core.linear_core import LinearCore
from klforecast.core.solve import Solved
from klforecast.modules.forecast import ForecastModule
from klforecast.ops.conformal import Residuals
from klforecast.ops.volatility import recent_volatility
from klforecast.training.nets import EncoderNet, LinearNet
from klforecast.training.options import EncoderOptions, TrainingOptions
from klforecast.training.seeding import seeded
from klforecast.training.windows import PanelWindows, validation_start

# The head learns nothing while the gate is at zero, so the gate moves faster than the rest.
_GATE_RATE = 5.0

_RESIDUAL_WINDOWS = 1000  # neighbours are nearly equal, so more add little
_MOST_RESIDUALS = 2**24  # 64 MB

Solver = Callable[[Sequence[Tensor]], Solved]
"""From a panel of scaled series to the core solved on all their rows."""


class Trained(NamedTuple):
    """A fitted net and its errors on windows that it was not fitted to, if there are any."""

    net: EncoderNet
    residuals: Residuals | None


def wrap_core(core: LinearCore, solve: Solver, training: TrainingOptions) -> LinearNet:
    """Wrap a solved core in a net that can be fine-tuned.

    Parameters
    ----------
    core : LinearCore
        Becomes ``module_``; ``partial_fit(panel)`` steps on from it.
    solve : callable
        What a later ``fit`` of the net calls, for example ``partial(solve_linear_core, horizon=96)``.
    training : TrainingOptions
        For later fine-tuning; solving is deterministic.

    Returns
    -------
    LinearNet
    """
    return LinearNet(solve=solve, **training.net_arguments()).adopt(core)


def fit_encoder_net(
    panel: Sequence[Tensor],  # (time, channels) each
    horizon: int,
    *,
    solved: Solved | None,
    solve: Solver | None,
    encoder: EncoderOptions,
    training: TrainingOptions,
) -> Trained:
    """Train an encoder with memory to correct a linear core.

    While the encoder trains, the core is that of the rows before the validation part, so that
    validation is honest: on it, the result is never worse than that core alone. Then the core of all
    rows takes its place, under the same correction; this last step uses more data and cannot be
    validated. The errors on the validation part, made before that step, are the residuals of the
    result; where there is no such part, those of the core remain, and their size does not follow the
    past.

    Parameters
    ----------
    panel : sequence of Tensor, each (time, channels)
        Scaled series.
    horizon : int
        Steps to forecast.
    solved : Solved or None
        The core of all rows. None trains the plain encoder.
    solve : callable or None
        From a panel to its core, for example ``partial(solve_linear_core, horizon=96)``. None with
        `solved`.
    encoder : EncoderOptions
    training : TrainingOptions

    Returns
    -------
    Trained
        The ``module_`` of its net maps (batch, module_.depth, channels) to (batch, horizon, channels).

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
    core = None if solved is None else _frozen(solved.core)
    channels = panel[0].shape[1]
    architecture = encoder.module_arguments()
    net = EncoderNet(
        module__horizon=horizon,
        module__n_channels=channels,
        module__core=core,
        **{f"module__{name}": value for name, value in architecture.items()},
        optimizer__param_groups=[("gate", {"lr": _GATE_RATE * training.lr, "weight_decay": 0.0})],
        **training.net_arguments(),
    )
    if solved is None or solve is None or core is None:
        net.fit(panel)
        return Trained(net, validation_residuals(net, panel, encoder.row_length or 1))
    with seeded(training.random_state):
        depth = ForecastModule(horizon, channels, core, **architecture).depth
    fraction = training.validation_fraction
    parts = PanelWindows(panel, depth, horizon).split(fraction)
    if not all(map(len, parts)):
        warnings.warn(
            f"series of {max(map(len, panel))} rows or fewer are too short to train and validate "
            f"an encoder with a depth of {depth} and a horizon of {horizon}; the forecast is that "
            "of the linear core alone",
            stacklevel=2,
        )
        residuals = solved.residuals
        if residuals is not None:
            unknown = torch.full_like(residuals.features, torch.nan)
            residuals = residuals._replace(features=unknown)
        with seeded(training.random_state, net.device):
            return Trained(net.initialize(), residuals)
    borders = [validation_start(len(series), horizon, fraction) for series in panel]
    known = [series[:border] for series, border in zip(panel, borders, strict=True) if border]
    net.module__core = _frozen(solve(known).core)
    net.fit(panel)
    residuals = validation_residuals(net, panel, encoder.row_length or 1)
    net.module__core = net.module_.core = core.to(net.device)
    return Trained(net, residuals)


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


def _frozen(core: LinearCore) -> LinearCore:
    # The encoder learns what the closed form leaves over, in the encoder's precision.
    return core.float().requires_grad_(False)
