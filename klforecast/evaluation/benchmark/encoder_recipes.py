"""The setting in which each encoder was published on ETTh1, as constructor arguments.

A recipe holds what the authors' script or paper says as far as `KLMemoryForecaster` has the option,
and says in words what it does otherwise. For every encoder, and not repeated below: windows are
normalised by their own mean and deviation before the encoder, whatever its own normalisation;
a gate per channel multiplies its forecast; no incomplete batch is dropped; no calendar marks are
read; weights are judged on the validation rows with the best gates.

Sources   github.com/cure-lab/LTSF-Linear, plumprc/RTSF, aitianma/MixLinear, LancelotXWX/SWIFT,
          jackyue1994/OLinear, yuqinie98/PatchTST, thuml/iTransformer, thuml/Autoformer,
          thuml/Time-Series-Library, wzhwzhwzh0921/S-D-Mamba: the scripts for ETTh1.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.benchmark.protocol import Task


@dataclass(frozen=True)
class EncoderRecipe:
    """A published setting.

    Attributes
    ----------
    settings : mapping
        Constructor arguments of `KLMemoryForecaster`.
    otherwise : str
        What of the script the estimator or the encoder does not follow.
    measured_as : str
        What the network was when its rows in ``docs/results`` were measured, if it has changed since.
    at_horizon : mapping of int to mapping
        Constructor arguments that differ at a horizon.
    """

    settings: Mapping[str, Any]
    otherwise: str
    at_horizon: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    measured_as: str = ""


# The loop that most scripts share: Adam, 10 epochs, halved from the second on, patience 3.
_COMMON: dict[str, Any] = {
    "linear_core": False,
    "memory": "none",
    "validation_fraction": 0.25,
    "weight_decay": 0.0,
    "lr_schedule": "halve",
    "max_epochs": 10,
    "patience": 3,
    "batch_size": 32,
}

ENCODER_RECIPES: dict[str, EncoderRecipe] = {
    "nlinear": EncoderRecipe(
        {"input_length": 336, "lr": 0.005}, "nothing; the number in print is at a tuned lookback"
    ),
    "dlinear": EncoderRecipe({"input_length": 336, "lr": 0.005}, "the paper does not normalise"),
    "rlinear": EncoderRecipe(
        {
            "input_length": 336,
            "lr": 0.005,
            "batch_size": 128,
            "max_epochs": 15,
            "patience": 10,
            "dropout": 0.1,
        },
        "nothing",
    ),
    "mixlinear": EncoderRecipe(
        {
            "input_length": 720,
            "lr": 0.03,
            "batch_size": 256,
            "max_epochs": 30,
            "patience": 10,
            "lr_schedule": "slow-decay",
        },
        "time and frequency without the weight and the cut-off that the script sets for each "
        "horizon, rate less by a tenth an epoch instead of a fifth",
    ),
    "swift": EncoderRecipe(
        {
            "input_length": 720,
            "lr": 0.02,
            "batch_size": 256,
            "max_epochs": 30,
            "patience": 5,
            "lr_schedule": "slow-decay",
            "dropout": 0.4,
        },
        "the window divided by its deviation, which the script leaves; rate less by a tenth an epoch "
        "instead of a fifth",
        {192: {"lr": 0.03}, 336: {"lr": 0.01, "batch_size": 128}, 720: {"lr": 0.03}},
    ),
    "olinear": EncoderRecipe(
        {
            "input_length": 96,
            "lr": 5e-4,
            "d_model": 512,
            "d_ff": 512,
            "n_layers": 2,
            "dropout": 0.2,
            "loss": "mae",
        },
        "the mean absolute error without its weights by step; 10 epochs instead of 30 and patience 3 "
        "instead of 8, the rate being halved after each",
        {720: {"lr": 1e-4}},
    ),
    "itransformer": EncoderRecipe(
        {
            "input_length": 96,
            "lr": 1e-4,
            "d_model": 256,
            "d_ff": 256,
            "n_layers": 2,
            "n_heads": 8,
        },
        "nothing",
        {336: {"d_model": 512, "d_ff": 512}, 720: {"d_model": 512, "d_ff": 512}},
    ),
    "s-mamba": EncoderRecipe(
        {"input_length": 96, "lr": 7e-5, "d_model": 256, "d_ff": 256, "n_layers": 2},
        "nothing",
        {336: {"lr": 5e-5}, 720: {"lr": 5e-5}},
    ),
    "timesnet": EncoderRecipe(
        {"input_length": 96, "lr": 1e-4, "d_model": 16, "d_ff": 32, "n_layers": 2},
        "periods of each window by itself",
        measured_as="2 periods of the training windows instead of 5 of the features, kernels of 1 and 3 "
        "steps instead of 1 to 11, no positions, no extension of the window before it is folded",
    ),
    "timexer": EncoderRecipe(
        {
            "input_length": 96,
            "lr": 1e-4,
            "batch_size": 4,
            "d_model": 256,
            "d_ff": 2048,
            "n_layers": 1,
            "n_heads": 8,
        },
        "layers normalised before instead of after",
        {
            192: {"d_model": 128, "n_layers": 2},
            336: {"d_model": 512, "d_ff": 1024, "batch_size": 16},
            720: {"d_ff": 1024, "batch_size": 16},
        },
    ),
    "autoformer": EncoderRecipe(
        {
            "input_length": 96,
            "lr": 1e-4,
            "d_model": 64,
            "d_ff": 256,
            "n_layers": 2,
            "dropout": 0.05,
        },
        "an eighth of the width (64 instead of 512), delays of each window by itself",
        measured_as="two linear maps over time instead of the decoder: without its attention it was "
        "DLinear",
    ),
    "patchtst": EncoderRecipe(
        {
            "input_length": 336,
            "lr": 1e-4,
            "batch_size": 128,
            "d_model": 16,
            "d_ff": 128,
            "n_layers": 3,
            "n_heads": 4,
            "dropout": 0.3,
            "lr_schedule": "slow-decay",
            "max_epochs": 100,
            "patience": 10,
        },
        "layer instead of batch normalisation, no patch that repeats the last value, patience of 10 "
        "epochs instead of 100",
    ),
    "transformer": EncoderRecipe(
        {"input_length": 96, "lr": 1e-4, "lr_schedule": "constant"},
        "an eighth of the width (64 instead of 512); no memory, which the published number has",
    ),
}
"""By the name of the encoder."""

_LANGUAGE = "measured on language; no result on this protocol was found"

UNPUBLISHED: dict[str, str] = {
    "gru": "older than the data; no result of the cell by itself on this protocol was found",
    "lstm": "as for gru",
    "s4d": "measured on Long Range Arena; S4 was held against Informer at other horizons",
    "lssl": "measured on classification and on signals",
    "mamba": "measured on language, sound and genes; S-Mamba is another network",
    "spacetime": "one channel of ETTh1 alone, 336 steps to 720: another task",
    "hiss": "measured on sensors",
    "spectral-ssm": "this package's own",
    "linear-attention": _LANGUAGE,
    "deltanet": _LANGUAGE,
    "deltaproduct": _LANGUAGE,
    "mlstm": "measured on language; xLSTM-Mixer puts it into another network",
    "mlstm-sigmoid": _LANGUAGE,
    "gated-kalmanet": _LANGUAGE,
    "mixture-of-memories": _LANGUAGE,
    "lightnet": "measured on language and images; no result on this protocol was found",
}
"""Encoders whose papers print no ETTh1 result to hold them to, and what they print."""


def make_encoder(task: Task, encoder: str, **params: Any) -> KLMemoryForecaster:
    """Return the unfitted forecaster of a recipe.

    Parameters
    ----------
    task : Task
        What is known of the cell. In the regime `lookback96` the lookback is cut to its limit.
    encoder : str
        A key of `ENCODER_RECIPES`.
    **params
        Changes to the recipe.
    """
    recipe = ENCODER_RECIPES[encoder]
    settings = {**_COMMON, **recipe.settings, **recipe.at_horizon.get(task.horizon, {})}
    if task.past_limit is not None:
        settings["input_length"] = min(settings["input_length"], task.past_limit)
    settings |= {"encoder": encoder, "random_state": task.seed, **params}
    return KLMemoryForecaster(task.horizon, **settings)
