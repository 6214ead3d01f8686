"""What both classifiers share: checks of series and settings, and learning from them."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor

from klforecast.classify.closed_form import ClosedFormClassifier
from klforecast.classify.sequence_ensemble import SequenceEnsemble
from klforecast.classify.spectral_features import FILTERS_PER_GROUP
from klforecast.estimators.checks import (
    check_choice,
    check_device,
    check_integer,
    check_number,
    check_seed,
)
from klforecast.training.seeding import draw_seed

SOLVERS = ("closed-form", "gradient")

_NET = ("max_epochs", "batch_size", "lr", "patience", "device", "verbose")
_BACKBONE = (
    "d_model",
    "n_layers",
    "n_modes",
    "n_heads",
    "selective",
    "compression_ratio",
    "adaptive_mask",
    "spectral_norm",
    "attention_layers",
    "bidirectional",
    "dropout",
)
# Squares of larger numbers overflow.
_LARGEST = 1e100


class Learned(NamedTuple):
    """A fitted model and the classes it tells apart."""

    model: ClosedFormClassifier | SequenceEnsemble
    classes: np.ndarray


def check_settings(settings: Mapping[str, Any]) -> None:
    """Raise unless the constructor arguments of the classifiers make sense, alone and together."""
    check_choice("solver", settings["solver"], SOLVERS)
    check_integer("n_filters", settings["n_filters"], minimum=1, optional=True)
    for name in (
        "n_estimators",
        "d_model",
        "n_layers",
        "n_modes",
        "n_heads",
        "batch_size",
        "patience",
    ):
        check_integer(name, settings[name], minimum=1)
    check_integer("max_epochs", settings["max_epochs"], minimum=0, optional=True)
    check_integer("n_scales", settings["n_scales"], minimum=1, optional=True)
    check_integer("verbose", settings["verbose"], minimum=0)
    check_number("lr", settings["lr"], 0, above_low=True)
    check_number("dropout", settings["dropout"], 0, 1)
    check_number("validation_fraction", settings["validation_fraction"], 0, 1)
    ratio = settings["compression_ratio"]
    check_number("compression_ratio", ratio, 0, above_low=True)
    if ratio > 1:
        raise ValueError(f"compression_ratio is {ratio}; pass a share of modes in (0, 1]")
    if settings["d_model"] % settings["n_heads"]:
        raise ValueError(
            f"d_model={settings['d_model']} cannot be shared among n_heads={settings['n_heads']}; "
            "pass a multiple of n_heads"
        )
    if settings["n_scales"] is not None and settings["n_scales"] > settings["n_heads"]:
        raise ValueError(
            f"n_scales={settings['n_scales']} is more than n_heads={settings['n_heads']}, and a head "
            "has one time constant; pass fewer scales"
        )
    check_seed("random_state", settings["random_state"])
    check_device("device", settings["device"])


def check_series(series: Sequence[np.ndarray], n_channels: int | None = None) -> list[Tensor]:
    """Return series as float64 tensors; raise unless they can be classified.

    Parameters
    ----------
    series : sequence of ndarray, (channels, length) each
        Unequal lengths are fine.
    n_channels : int or None, default=None
        Channels that the classifier was fitted on; None while it is being fitted.

    Raises
    ------
    ValueError
        If there are no series, channels differ, a series has no steps, all have only one, or a
        value is not finite or above 1e100 in magnitude.
    """
    if not len(series):
        raise ValueError("X has no series; pass at least one")
    wanted = len(series[0]) if n_channels is None else n_channels
    for number, values in enumerate(series):
        if len(values) != wanted:
            origin = "the first one" if n_channels is None else "those the classifier was fitted on"
            raise ValueError(
                f"series {number} of X has {len(values)} channels and {origin} {wanted}; pass the "
                "same channels for every series"
            )
        if not values.size:
            raise ValueError(f"series {number} of X has {values.shape[1]} steps; leave it out")
        if not np.isfinite(values).all():
            raise ValueError(
                f"series {number} of X has NaN or infinite values; fill them first, for example "
                "by interpolation"
            )
        if np.abs(values).max() > _LARGEST:
            raise ValueError(
                f"series {number} of X reaches {np.abs(values).max():.0e} in magnitude; rescale "
                f"the series to less than {_LARGEST:.0e}"
            )
    if n_channels is None and max(values.shape[1] for values in series) < 2:
        raise ValueError(
            "every series of X has 1 step (n_features = 1 where X has two dimensions); pass series "
            "of at least 2 steps"
        )
    # Copied, because torch warns about views of read-only arrays.
    return [torch.tensor(np.asarray(values, dtype=np.float64)) for values in series]


def learn_classifier(
    series: Sequence[Tensor],  # (channels, length) each
    labels: np.ndarray,  # (n,)
    settings: Mapping[str, Any],
) -> Learned:
    """Fit the model that `settings`, the constructor arguments of a classifier, ask for.

    Raises
    ------
    ValueError
        If there are fewer than two series or two classes.
    """
    classes, indices = np.unique(labels, return_inverse=True)
    if len(series) < 2:
        raise ValueError("X has 1 sample; pass at least 2 series, of at least 2 classes")
    if len(classes) < 2:
        raise ValueError(f"y has one class only, {classes[0]!r}; pass series of at least 2 classes")
    weights = torch.tensor(
        compute_class_weight(settings["class_weight"], classes=classes, y=labels)
    ).double()
    if not (weights > 0).all():
        raise ValueError(
            f"class_weight gives the weights {weights.tolist()}; pass weights above 0, and leave "
            "out the series of a class that must not count"
        )
    seed = draw_seed(settings["random_state"])
    n_filters = settings["n_filters"]
    closed_form = ClosedFormClassifier(n_filters and -(-n_filters // FILTERS_PER_GROUP), seed)
    model: ClosedFormClassifier | SequenceEnsemble = closed_form
    if settings["solver"] == "gradient":
        model = SequenceEnsemble(
            settings["n_estimators"],
            seed,
            settings["validation_fraction"],
            start=closed_form if settings["refine"] else None,
            net={name: settings[name] for name in _NET},
            backbone={
                **{name: settings[name] for name in _BACKBONE},
                "n_scales": settings["n_scales"] or settings["n_heads"],
            },
        )
    return Learned(model.fit(series, torch.from_numpy(indices), weights), classes)
