"""The flat constructor arguments of a forecaster, sorted by who reads them."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, NamedTuple

from klforecast.core.plan import CoreOptions
from klforecast.estimators.memory_options import MemoryOptions
from klforecast.training.options import EncoderOptions, TrainingOptions

LINEAR = "linear"
"""Name of the encoder that is none: the closed form alone."""


class Options(NamedTuple):
    """What the stages of a fit are told, made once.

    Attributes
    ----------
    core : CoreOptions
    encoder : EncoderOptions or None
        None for the linear core alone.
    training : TrainingOptions
    linear_core : bool
        Whether an encoder corrects the core or forecasts alone.
    local_experts : bool
        Whether local experts are asked beside a linear core.
    horizon : int
        Steps ahead that were asked for.
    period : int or None
        Steps of the cycle that was asked for.
    clean_outliers : bool
        Whether outliers are read as what would have been usual.
    """

    core: CoreOptions
    encoder: EncoderOptions | None
    training: TrainingOptions
    linear_core: bool
    local_experts: bool
    horizon: int
    period: int | None
    clean_outliers: bool

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> "Options":
        """Sort the arguments of `KLMemoryForecaster`.

        The depth of a trajectory is counted in batches, and only an encoder reads it. What memory
        options say is of the encoder alone.
        """
        memory = arguments["memory"]
        apart = MemoryOptions.of(arguments["memory_options"])
        of_encoder = {**arguments, **(apart.of_encoder(arguments) if apart else {})}
        core = {
            "memory": "history" if memory == "history" else "none",
            "memory_depth": None if memory == "trajectory" else arguments["memory_depth"],
        }
        return cls(
            CoreOptions(**{**_among(CoreOptions, arguments), **core}),
            None
            if arguments["encoder"] == LINEAR
            else EncoderOptions(**_among(EncoderOptions, of_encoder)),
            TrainingOptions(**_among(TrainingOptions, arguments)),
            arguments["linear_core"],
            arguments["local_experts"] and arguments["encoder"] == LINEAR,
            arguments["horizon"],
            arguments["period"],
            arguments["clean_outliers"],
        )


def _among(record: type, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {
        field.name: arguments[field.name] for field in fields(record) if field.name in arguments
    }
