"""What the constructor arguments of the forecaster may be: alone, together, and beside the rows of y."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from skorch.callbacks import Callback

from klforecast.estimators.arguments import (
    check_choice,
    check_device,
    check_flag,
    check_integer,
    check_number,
    check_seed,
    check_weights,
    show,
)
from klforecast.estimators.checks import check_channels, check_values, warn_of_coarse_rows
from klforecast.estimators.frames.panel import Key, TimeSeries
from klforecast.estimators.memory_options import MemoryOptions
from klforecast.modules.encoders import ENCODERS
from klforecast.training.callbacks import SCHEDULES
from klforecast.training.nets import LOSSES
from klforecast.training.processes import ACCELERATE

_MOST_RATE = 1e3  # any step of such a rate leaves the range of float32 in a few batches
_LEAST_STEPS = 10_000  # lengths that are taken as they are, however short the series
_STEPS_PER_ROW = 100  # of the horizon


def check_training(parameters: Mapping[str, Any]) -> None:
    """Raise unless the arguments that rule training make sense."""
    check_integer("batch_size", parameters["batch_size"], minimum=1)
    check_integer("max_epochs", parameters["max_epochs"], minimum=0)
    check_integer("patience", parameters["patience"], minimum=1, optional=True)
    check_integer("verbose", parameters["verbose"], minimum=0)
    check_choice("lr_schedule", parameters["lr_schedule"], tuple(SCHEDULES))
    check_choice("loss", parameters["loss"], tuple(LOSSES))
    check_number("validation_fraction", parameters["validation_fraction"], 0, 1)
    check_seed("random_state", parameters["random_state"])
    check_number("lr", parameters["lr"], 0, _MOST_RATE, above_low=True)
    check_number("weight_decay", parameters["weight_decay"], 0)


def check_encoder(parameters: Mapping[str, Any]) -> None:
    """Raise unless the arguments that shape a `ForecastModule` make sense."""
    for name in ("horizon", "memory_tokens", "d_model", "n_layers", "n_heads", "patch_length"):
        check_integer(name, parameters[name], minimum=1)
    for name in ("input_length", "memory_depth", "n_components", "d_ff"):
        check_integer(name, parameters[name], minimum=1, optional=True)
    check_choice("memory", parameters["memory"], ("history", "trajectory", "none"))
    check_choice("encoder", parameters["encoder"], ("linear", *ENCODERS))
    check_choice("token_mixer", parameters["token_mixer"], ("factorized", "dense", "bottleneck"))
    check_number("dropout", parameters["dropout"], 0, 1)


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise unless the constructor arguments of the forecaster make sense, alone and together."""
    check_encoder(parameters)
    check_training(parameters)
    check_integer("period", parameters["period"], minimum=1, optional=True)
    check_number("forgetting", parameters["forgetting"], 0, above_low=True)
    if parameters["forgetting"] > 1:
        raise ValueError(
            f"forgetting is {parameters['forgetting']}; pass a number with 0 < forgetting <= 1, "
            "the weight of a window relative to the next newer one"
        )
    check_flag("linear_core", parameters["linear_core"])
    check_flag("local_experts", parameters["local_experts"])
    check_flag("clean_outliers", parameters["clean_outliers"])
    check_device("device", parameters["device"], others=(ACCELERATE,))
    _check_callbacks(parameters["callbacks"])
    _check_together(parameters)
    _check_memory_options(parameters)


def check_sizes(parameters: Mapping[str, Any], rows: int, channels: int) -> None:
    """Raise a ValueError that names the largest possible number unless the sizes suit the data.

    Parameters
    ----------
    parameters : mapping
        Constructor arguments that passed `check_parameters`.
    rows, channels : int
        Of the longest series.
    """
    most = max(_LEAST_STEPS, rows)
    for name in ("input_length", "memory_depth", "period", "n_components", "patch_length"):
        _check_size(name, parameters[name], most, rows)
    _check_size("memory_tokens", parameters["memory_tokens"], most, rows)
    if (options := MemoryOptions.of(parameters["memory_options"])) is not None:
        for name in ("memory_depth", "row_length", "n_components", "memory_tokens"):
            _check_size(f"memory_options.{name}", getattr(options, name), most, rows)
    _check_size("horizon", parameters["horizon"], max(_LEAST_STEPS, _STEPS_PER_ROW * rows), rows)
    if parameters["encoder"] == "linear":
        return
    width, tokens = parameters["d_model"], parameters["memory_tokens"]
    inner = 2 * width if parameters["d_ff"] is None else parameters["d_ff"]
    weights = width * (parameters["n_layers"] * (4 * width + 2 * inner) + tokens)
    sizes = {"d_model": width, "n_layers": parameters["n_layers"], "d_ff": inner}
    check_weights(
        sizes | {"memory_tokens": tokens},
        weights,
        f"{rows} rows of {channels} channels",
        rows * channels,
    )


def check_fit(
    parameters: Mapping[str, Any],
    panel: Mapping[Key, TimeSeries],
    columns: pd.Index,
    channels: int | None,
) -> None:
    """Raise unless a fit of these rows with these arguments makes sense.

    Parameters
    ----------
    parameters : mapping
        Constructor arguments of the forecaster.
    panel : mapping of tuple to TimeSeries
    columns : Index
        Names of the channels.
    channels : int or None
        Of the pretrained net; None where there is none.
    """
    check_parameters(parameters)
    check_sizes(parameters, max(len(part.values) for part in panel.values()), len(columns))
    check_values(panel, columns)
    warn_of_coarse_rows(panel)
    if channels is not None:
        check_channels(channels, len(columns))


def _check_size(name: str, value: int | None, most: int, rows: int) -> None:
    if value is not None and value > most:
        raise ValueError(
            f"{name}={value} is far more than the {rows} rows of y can tell; pass at most {most}"
        )


def _check_callbacks(callbacks: Sequence | None) -> None:
    """Raise a TypeError unless each is a callback of skorch, or a pair of a name and one."""
    if callbacks is None:
        return
    wanted = "a list of skorch callbacks, or of pairs of a name and a callback, or None"
    if isinstance(callbacks, str) or not isinstance(callbacks, Sequence):
        raise TypeError(f"callbacks is {show(callbacks)}; pass {wanted}")
    for callback in callbacks:
        named = isinstance(callback, tuple) and len(callback) == 2 and isinstance(callback[0], str)
        inner = callback[1] if named else callback
        if not isinstance(inner, Callback) and not (
            isinstance(inner, type) and issubclass(inner, Callback)
        ):
            raise TypeError(f"callbacks holds {show(callback)}; pass {wanted}")


def _check_together(parameters: Mapping[str, Any]) -> None:
    window, depth = parameters["input_length"], parameters["memory_depth"]
    if window is not None and depth is not None and depth < window:
        raise ValueError(
            f"memory_depth={depth} is less than input_length={window}, but the memory reaches back "
            f"beyond the window; pass memory_depth >= {window}"
        )
    if parameters["memory"] == "trajectory" and parameters["encoder"] == "linear":
        raise ValueError(
            "memory='trajectory' holds summaries of training batches, and encoder='linear' is not "
            "trained in batches; pass another encoder or memory='history'"
        )
    if parameters["encoder"] == "linear" and not parameters["linear_core"]:
        raise ValueError(
            "encoder='linear' is the linear core and nothing else, and linear_core=False takes it "
            "away; pass another encoder or linear_core=True"
        )
    if parameters["encoder"] != "linear" and parameters["d_model"] % parameters["n_heads"]:
        raise ValueError(
            f"d_model={parameters['d_model']} cannot be shared among "
            f"n_heads={parameters['n_heads']}; pass a multiple of n_heads"
        )


def _check_memory_options(parameters: Mapping[str, Any]) -> None:
    options = MemoryOptions.of(parameters["memory_options"])
    if options is None:
        return
    if parameters["encoder"] == "linear":
        raise ValueError(
            "memory_options are those of an encoder's memory, and encoder='linear' has none; pass "
            "another encoder, or memory_options=None"
        )
    trajectory = (options.source or parameters["memory"]) == "trajectory"
    window, depth = parameters["input_length"], options.memory_depth
    if not trajectory and None not in (window, depth) and depth <= window:
        raise ValueError(
            f"memory_options.memory_depth={depth} is no more than input_length={window}, but the "
            f"history lies before the window; pass more than {window}"
        )
    if trajectory and options.solver == "online" and options.strategy != "empirical":
        raise ValueError(
            f"memory_options.solver='online' updates an empirical covariance, and "
            f"memory_options.strategy is {options.strategy!r}; pass solver='exact' or "
            "strategy='empirical'"
        )
    if trajectory and options.solver == "online" and not options.detach:
        raise ValueError(
            "memory_options.detach=False lets the writer of a trajectory learn from its rows, which "
            "memory_options.solver='online' does not keep; pass solver='exact' or detach=True"
        )
