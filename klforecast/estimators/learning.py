"""From the scaled rows of a panel to a fitted net: which setting goes to which part.

solver      horizon, input_length, memory_depth, n_components, periods -> the linear core
encoder     input_length, memory_depth, n_components, memory_*, mixer, d_model ... -> the module
training    max_epochs, batch_size, lr, patience ... random_state -> the net
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from torch import Tensor

from klforecast.core.linear_core import LinearCore
from klforecast.core.solve import solve_linear_core
from klforecast.ops.conformal import Calibration, calibrate
from klforecast.training.fit import fit_encoder_net, fit_linear_net, validation_residuals
from klforecast.training.nets import ForecastNet

_TRAINING = (
    "max_epochs",
    "batch_size",
    "lr",
    "lr_schedule",
    "weight_decay",
    "loss",
    "patience",
    "validation_fraction",
    "callbacks",
    "device",
    "verbose",
    "random_state",
)
_ENCODER = (
    "encoder",
    "memory",
    "memory_tokens",
    "mixer",
    "d_model",
    "n_layers",
    "n_heads",
    "d_ff",
    "patch_length",
    "dropout",
)

# What the encoder reads by default; tokens of a deeper history were found to overfit.
_WINDOW = 96
_ENCODER_DEPTH = 432
_ENCODER_COMPONENTS = 5


class Learned(NamedTuple):
    """A fitted net, what was chosen for it, and the errors that it made out of fold."""

    net: ForecastNet
    input_length: int
    n_components: int
    calibration: Calibration | None


def learn_net(
    panel: Sequence[Tensor],  # (time, channels) each, scaled
    horizon: int,
    periods: Sequence[int],
    settings: Mapping[str, Any],
) -> Learned:
    """Solve, and train where an encoder is asked for.

    Parameters
    ----------
    panel : sequence of Tensor, (time, channels) each
        Scaled rows of each series.
    horizon : int
        Steps to forecast at once.
    periods : sequence of int
        Cycles in steps, the leading one first; none if empty.
    settings : mapping
        Constructor arguments of `KLMemoryForecaster`.

    Returns
    -------
    Learned
    """
    solve = partial(solve_linear_core, horizon=horizon, periods=periods, **core_settings(settings))
    training = {name: settings[name] for name in _TRAINING}
    if settings["encoder"] == "linear":
        linear = fit_linear_net(panel, solve=solve, **training)
        core = linear.module_
        return Learned(linear, core.recent, _components_per_block(core), take_calibration(core))
    encoder = _encoder_settings(max(map(len, panel)), periods, settings)
    base = solve if settings["linear_core"] else None
    net = fit_encoder_net(panel, horizon, solve=base, **training, **encoder)
    core = net.module_.core
    calibration = (
        calibrate(validation_residuals(net, panel, periods[0] if periods else 1))
        if core is None
        else take_calibration(core)
    )
    return Learned(net, encoder["input_length"], encoder["n_components"], calibration)


def take_calibration(core: LinearCore) -> Calibration | None:
    """Turn the errors out of fold that a core holds into what intervals need, and drop them."""
    residuals, core.residuals = core.residuals, None  # kept once, sorted
    return None if residuals is None else calibrate(residuals)


def core_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Which of the constructor arguments shape the linear core."""
    memory = settings["memory"]
    return {
        # The depth of a trajectory is counted in batches, and only an encoder reads it.
        "memory_depth": None if memory == "trajectory" else settings["memory_depth"],
        "input_length": settings["input_length"],
        "n_components": settings["n_components"],
        "memory": "history" if memory == "history" else "none",
        "forgetting": settings["forgetting"],
    }


def _encoder_settings(
    rows: int, periods: Sequence[int], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Window and memory of the encoder are no longer than a quarter and a half of the rows."""
    # The history is read by cycles or, where there are none, by patches.
    row_length = periods[0] if periods else 0
    window = settings["input_length"] or max(1, min(_WINDOW, rows // 4))
    depth = settings["memory_depth"] or min(_ENCODER_DEPTH, rows // 2)
    return {
        **{name: settings[name] for name in _ENCODER},
        "input_length": window,
        "memory_depth": max(depth, window + (row_length or settings["patch_length"])),
        "row_length": row_length,
        "n_components": settings["n_components"] or _ENCODER_COMPONENTS,
    }


def _components_per_block(core: LinearCore) -> int:
    if core.modes.shape[1] == 0:
        return 0
    # The first mode of a block is its level, which the solver keeps beside the components.
    return max(columns.stop - columns.start for _, columns in core.blocks) - 1
