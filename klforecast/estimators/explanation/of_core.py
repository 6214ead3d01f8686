"""What lags, components and experts add to the forecast of the linear core, scaled; see `core.explanation`."""

from collections.abc import Sequence

import numpy as np
import torch

from klforecast.core.explanation import (
    component_parts,
    expert_part,
    lag_weights,
    windows_of_rounds,
)
from klforecast.core.linear_core import LinearCore
from klforecast.core.stream import expert_maps_of
from klforecast.estimators.explanation.known import Block, KnownPast, Split
from klforecast.estimators.fitting import OpenStream
from klforecast.estimators.summary import name_expert
from klforecast.ops.arrays import to_tensor

PART = "core"


def core_by_row(core: LinearCore, pasts: Sequence[KnownPast], size: int) -> list[Split]:
    """One contribution for so many of the rows that the core reads, the newest first."""
    steps, channels = pasts[0].steps, pasts[0].window.shape[1]
    maps = [lag_weights(core, place, steps) for place in range(len(core.weight))]
    own = [maps[channel if len(maps) > 1 else 0] for channel in range(channels)]
    weights = np.stack([part.weights.numpy() for part in own], axis=1)  # (steps, C, D)
    rest = np.stack([part.constant.numpy() for part in own], axis=1)
    splits = []
    for past in pasts:
        lags = np.arange(1, past.lags.max() + 1, size)
        parts = np.zeros((len(lags), steps, channels))
        # A short past stands in the window more than once.
        np.add.at(parts, (past.lags - 1) // size, np.moveaxis(weights * past.window.T, -1, 0))
        block = Block(PART, past.names_of(lags, size), lags, np.moveaxis(parts, 0, -1))
        splits.append(Split(block, rest))
    return splits


def core_by_component(core: LinearCore, pasts: Sequence[KnownPast]) -> list[Split]:
    """One contribution for the recent steps, and one for each component of the history."""
    names = [f"last {core.recent} steps"]
    for block, (_, columns) in enumerate(core.blocks, start=1):
        count = len(range(*columns.indices(core.modes.shape[1])))
        # The first mode of a block is constant.
        names += [f"block {block}, level"] * (count > 0)
        names += [f"block {block}, component {number}" for number in range(1, count)]
    splits = []
    for past in pasts:
        parts = component_parts(core, to_tensor(past.window), past.steps)
        values = torch.cat([parts.recent[..., None], parts.components], dim=-1).numpy()
        splits.append(Split(Block(PART, names, None, values), _bias(core, values)))
    return splits


def core_by_expert(
    core: LinearCore, pasts: Sequence[KnownPast], opened: OpenStream | None
) -> list[Split]:
    """One contribution for each expert, solved again from the moments of the windows.

    Without these, or without a mixture, the experts are one contribution. Weights of a core are in single precision and
    experts in double; the difference is a contribution of its own.
    """
    steps, channels = pasts[0].steps, pasts[0].window.shape[1]
    windows = [windows_of_rounds(core, to_tensor(past.window), steps) for past in pasts]
    with torch.no_grad():
        whole = np.stack([core(rounds).flatten(0, 1)[:steps].numpy() for rounds in windows])
    bias = _bias(core, whole[0])
    around = whole - bias
    if opened is None or core.mixture is None:
        names, values = ["all experts"], around[..., None]
    else:
        names = [*map(name_expert, core.mixture.experts), "rounding"]
        values = np.empty((*whole.shape, len(names)))
        maps = expert_maps_of(opened.stream, core.mixture.weights)
        for channel, of_channel in zip(range(channels), maps, strict=True):
            for place, weighted_map in enumerate(of_channel):
                for series, rounds in enumerate(windows):
                    part = expert_part(core, weighted_map, rounds, channel)
                    values[series, :, channel, place] = part[:steps].numpy()
        values[..., -1] = around - values[..., :-1].sum(axis=-1)
    return [Split(Block(PART, names, None, own), bias) for own in values]


def _bias(core: LinearCore, values: np.ndarray) -> np.ndarray:  # (steps, C, ...) -> (steps, C)
    steps, channels = values.shape[:2]
    bias = core.bias.detach().T.numpy()  # (H, maps)
    return np.broadcast_to(np.resize(bias, (steps, bias.shape[1])), (steps, channels))
