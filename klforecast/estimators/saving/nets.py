"""A fitted net in parts: its settings, its weights and its history, without its classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from klforecast.training.nets import ForecastNet, LinearNet
from klforecast.training.seeding import seeded


def pack_net(net: ForecastNet) -> dict[str, Any]:
    """Take a fitted net apart.

    Parameters
    ----------
    net : LinearNet or EncoderNet

    Returns
    -------
    dict
        ``options``, the constructor arguments that are not classes; ``core`` of a linear net;
        ``weights`` of an encoder net, by name; ``history``, one dict per epoch.
    """
    options = {
        name: value
        for name, value in net.get_params(deep=False).items()
        if not isinstance(value, type) and not name.startswith("_")
    }
    linear = isinstance(net, LinearNet)
    return {
        "options": options,
        "core": net.module_ if linear else None,
        "weights": None if linear else dict(net.module_.state_dict()),
        "history": [dict(epoch) for epoch in net.history],
    }


def unpack_net(
    kind: type[ForecastNet],
    options: Mapping[str, Any],
    core: Any,
    weights: Mapping[str, Tensor] | None,
    history: Sequence[dict[str, Any]],
) -> ForecastNet:
    """Put a net together again; one that was on a GPU comes to the CPU where there is none."""
    device = torch.device(options["device"])
    available = device.type == "cpu" or torch.get_device_module(device).is_available()
    net = kind(**{**options, "device": str(device) if available else "cpu"})
    if isinstance(net, LinearNet):
        net.adopt(core)
    else:
        with seeded(0):  # the initial weights are overwritten
            net.initialize()
        net.module_.load_state_dict(weights)
    net.history.extend(history)
    return net
