"""A fitted net in parts: its settings, its weights and its history, without its classes.

A file holds of the settings those that are named here, each of the type of the argument that it
goes to. Module, loss and optimiser are always ours. Before a module is made, it is made without
memory (on torch's device "meta") and held against the weights, so that the weights in the file bound
what is allocated.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn

from klforecast.classify.sequence_net import SequenceNet
from klforecast.core.linear_core import LinearCore
from klforecast.estimators.arguments import check_integer, check_number
from klforecast.estimators.parameters import check_encoder, check_training
from klforecast.estimators.saving.grammar import Codec, Field, Named, parameters_of
from klforecast.modules.forecast import ForecastModule
from klforecast.modules.memory.kl_memory import KLMemory
from klforecast.modules.ssm.heads import SequencePredictor
from klforecast.modules.ssm.spectral_ssm import SpectralSSM
from klforecast.modules.states import in_double
from klforecast.training.judged_net import JudgedNet
from klforecast.training.nets import EncoderNet, ForecastNet, LinearNet
from klforecast.training.seeding import seeded

_FREE_LAYERS = 100  # allowed without weights: some encoders have no layers, whatever n_layers says
_DEVICES = ("cpu", "cuda", "mps", "xpu")

_RATES = list[tuple[Literal["gate"], dict[Literal["lr", "weight_decay"], float]]]


def _required(**hints: Any) -> dict[str, Field]:
    return {name: Field(hint, optional=False) for name, hint in hints.items()}


def _arguments(prefix: str, make: Callable, *, without: Sequence[str]) -> dict[str, Field]:
    """Arguments of a constructor, under the names that skorch gives them."""
    fields = parameters_of(make.__init__)
    return {f"{prefix}{name}": field for name, field in fields.items() if name not in without}


_NOT_IN_FILES = ("module", "criterion", "optimizer", "train_split", "processes")
_OF_SKORCH = _required(max_epochs=int, batch_size=int, lr=float, device=str, verbose=int)
_TRAINING = {
    **_OF_SKORCH,
    **_arguments("", ForecastNet, without=_NOT_IN_FILES),
    **_required(callbacks=None, optimizer__weight_decay=float),
}
_LINEAR = {**_TRAINING, **_required(solve=partial)}
# Sizes and source of a memory are arguments of the module itself.
_MEMORY = {
    name: Field(field.hint, optional=True)
    for name, field in parameters_of(KLMemory.__init__).items()
    if name not in (*parameters_of(ForecastModule.__init__), "source", "state_size", "return")
}
_ENCODER = {
    **_TRAINING,
    "optimizer__param_groups": Field(_RATES, optional=True),
    **_arguments("module__", ForecastModule, without=()),
    "module__memory_options": Field(Annotated[dict, Named(_MEMORY)] | None, optional=True),
}
_SEQUENCE = {
    **_arguments("", SequenceNet, without=("module", "criterion", "optimizer")),
    **_OF_SKORCH,
    **_required(max_epochs=int, criterion__weight=Tensor, criterion__label_smoothing=float),
    **_arguments("module__", SequencePredictor, without=()),
    **_arguments("module__", SpectralSSM, without=("vocab_size",)),
}

# What version 1 of the format wrote besides; all at the defaults of skorch, which every net has.
_UNREAD = {
    "train_split": Field(None, optional=True),
    "warm_start": Field(Literal[False], optional=True),
    "compile": Field(Literal[False], optional=True),
    "predict_nonlinearity": Field(Literal["auto"], optional=True),
    "use_caching": Field(Literal["auto"], optional=True),
    "torch_load_kwargs": Field(None, optional=True),
}

History = list[dict[str, Any]]


def _pack_net(fields: Mapping[str, Field], net: JudgedNet) -> dict[str, Any]:
    """Take a fitted net apart.

    Returns
    -------
    dict
        ``options``, the settings that a file may name; ``core`` of a linear net; ``weights`` of
        another net, by name; ``history``, one dict per epoch.
    """
    options = {name: value for name, value in net.get_params(deep=False).items() if name in fields}
    linear = isinstance(net, LinearNet)
    return {
        "options": options,
        "core": net.module_ if linear else None,
        "weights": None if linear else dict(net.module_.state_dict()),
        "history": [dict(epoch) for epoch in net.history],
    }


def _unpack_linear_net(
    options: Annotated[dict, Named({**_LINEAR, **_UNREAD})],
    core: LinearCore,
    weights: None,
    history: History,
) -> LinearNet:
    options = _read_options(options)
    check_training({**options, "weight_decay": options["optimizer__weight_decay"]})
    net = LinearNet(**options).adopt(core)
    net.history.extend(history)
    return net


def _unpack_encoder_net(
    options: Annotated[dict, Named({**_ENCODER, **_UNREAD})],
    core: None,
    weights: dict[str, Tensor],
    history: History,
) -> EncoderNet:
    options = _read_options(options)
    check_training({**options, "weight_decay": options["optimizer__weight_decay"]})
    module = _of_module(options)
    check_encoder(module)
    check_integer("row_length", module["row_length"], minimum=0)
    # The core has been made already, of its own tensors.
    others = {name: weight for name, weight in weights.items() if not name.startswith("core.")}
    _check_weights(partial(ForecastModule, **{**module, "core": None}), module, others)
    net = EncoderNet(**options)
    with seeded(0):  # the initial weights are overwritten
        net.initialize()
    net.module_.load_state_dict(weights)
    net.history.extend(history)
    return net


def _unpack_sequence_net(
    options: Annotated[dict, Named({**_SEQUENCE, **_UNREAD})],
    core: None,
    weights: dict[str, Tensor],
    history: History,
) -> SequenceNet:
    options = _read_options(options)
    for name in ("max_epochs", "batch_size", "patience", "module__n_outputs", "module__n_channels"):
        check_integer(name, options[name], minimum=1)
    for name in ("d_model", "n_layers", "n_modes", "n_heads", "n_scales", "max_length"):
        check_integer(name, options[f"module__{name}"], minimum=1)
    check_number("lr", options["lr"], 0, above_low=True)
    check_number("dropout", options["module__dropout"], 0, 1)
    # A compressed network has fewer modes than it was made with, no masks and no normalisation.
    modes = [len(weight) for name, weight in weights.items() if name.endswith("mask.kept")]
    options["module__n_modes"] = min([options["module__n_modes"], *modes])
    options["module__adaptive_mask"] = any(name.endswith("mask.logits") for name in weights)
    normed = any("parametrizations" in name for name in weights)
    arguments = _of_module(options)
    _check_weights(lambda: _fixed(SequencePredictor(**arguments), normed), arguments, weights)
    net = SequenceNet(**options)
    with seeded(options["seed"]):
        net.initialize()
    # In double precision, as it answers.
    in_double(_fixed(net.module_, normed)).load_state_dict(weights)
    net.history.extend(history)
    return net


def _fixed(module: SequencePredictor, normed: bool) -> SequencePredictor:
    """The module without spectral normalisation where its weights have none any more."""
    for layer in module.backbone.spectral_layers:
        if not normed:
            layer.fix_norms()
    return module


def _read_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options for a constructor; a net that was on a GPU comes to the CPU where there is none."""
    name, _, number = options["device"].partition(":")
    if name not in _DEVICES or not (number.isdecimal() or not number):
        raise ValueError(f"{options['device']!r} is no device")
    available = name == "cpu" or torch.get_device_module(torch.device(name)).is_available()
    kept = {key: value for key, value in options.items() if key not in _UNREAD}
    return kept if available else {**kept, "device": "cpu"}


def _of_module(options: Mapping[str, Any]) -> dict[str, Any]:
    prefix = "module__"
    return {
        name.removeprefix(prefix): value
        for name, value in options.items()
        if name.startswith(prefix)
    }


def _check_weights(
    make: Callable[[], nn.Module], arguments: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Raise unless what `make` makes has exactly these weights; nothing is allocated."""
    if arguments["n_layers"] > max(_FREE_LAYERS, len(weights)):
        raise ValueError(f"{arguments['n_layers']} layers have {len(weights)} weights")
    with torch.device("meta"):
        module = make()
    module.load_state_dict({name: weight.to("meta") for name, weight in weights.items()})


NETS: tuple[Codec, ...] = (
    Codec(LinearNet, partial(_pack_net, _LINEAR), _unpack_linear_net, plain=False),
    Codec(EncoderNet, partial(_pack_net, _ENCODER), _unpack_encoder_net, plain=False),
    Codec(SequenceNet, partial(_pack_net, _SEQUENCE), _unpack_sequence_net, plain=False),
)
"""The nets that a file may hold."""
