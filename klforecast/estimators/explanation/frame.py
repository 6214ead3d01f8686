"""Contributions as a tidy frame."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from klforecast.core.explanation import lag_weights
from klforecast.core.linear_core import LinearCore
from klforecast.estimators.explanation.known import Block
from klforecast.estimators.frames.horizon import StepsAhead
from klforecast.estimators.frames.panel import Key, series_label

_COLUMNS = ["series", "channel", "step", "time", "part", "name", "lag", "value"]


def explanation_frame(
    blocks: Mapping[Key, list[Block]], ahead: StepsAhead, channels: pd.Index
) -> pd.DataFrame:
    """Put the contributions of all series into one frame.

    Returns
    -------
    DataFrame
        Columns series, channel, step, time, part, name, lag and value; lag is missing where it has no meaning.
    """
    parts = [
        _channel_frame(key, own, ahead, place).assign(channel=channel)
        for key, own in blocks.items()
        for place, channel in enumerate(channels)
    ]
    frame = pd.concat(parts, ignore_index=True)
    # Repeated once for each step: as categories they take a byte or two.
    return frame.astype({"part": "category", "name": "category"})[_COLUMNS]


def coefficient_frame(core: LinearCore, channels: pd.Index) -> pd.DataFrame:
    """Coefficients of the rows that a core reads, a row for each channel and step.

    Parameters
    ----------
    core : LinearCore
        In float64 on the CPU.
    channels : Index

    Returns
    -------
    DataFrame, (channels x horizon, depth)
    """
    maps = [
        lag_weights(core, place, core.horizon).weights.numpy() for place in range(len(core.weight))
    ]
    index = pd.MultiIndex.from_product(
        [channels, range(1, core.horizon + 1)], names=["channel", "step"]
    )
    lags = pd.RangeIndex(1, core.depth + 1, name="lag")
    if len(maps) == 1:
        maps = maps * len(channels)
    return pd.DataFrame(np.concatenate(maps)[:, ::-1], index, lags)


def _channel_frame(key: Key, blocks: list[Block], ahead: StepsAhead, place: int) -> pd.DataFrame:
    steps, stamps = ahead.steps[key], ahead.stamps[key]
    # Local experts without a share in a channel have nothing to do with it.
    used = [block for block in blocks if block.part != "local" or block.values[:, place].any()]
    values = np.concatenate([block.values[:, place] for block in used], axis=-1)
    part = np.repeat([block.part for block in used], [len(block.names) for block in used])
    name = np.array([name for block in used for name in block.names], dtype=object)
    lag = np.concatenate(
        [np.zeros(len(block.names)) if block.lags is None else block.lags for block in used]
    )
    step, item = np.indices(values.shape).reshape(2, -1)
    label = np.empty(len(item), dtype=object)
    label[:] = [series_label(key)] * len(item)
    lags = pd.array(lag[item], dtype="Int64")
    lags[lag[item] == 0] = pd.NA
    return pd.DataFrame(
        {
            "series": label,
            "step": steps[step],
            "time": stamps.take(step),
            "part": part[item],
            "name": name[item],
            "lag": lags,
            "value": values.reshape(-1),
        }
    ).infer_objects()
