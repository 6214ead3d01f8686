"""Times of the samples as one channel of the series, and the gaps that they leave."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from klforecast.estimators.sequence_input import check_series
from klforecast.ops.arrays import to_tensor

# An even copy of a series is no longer than this many times its samples: one time far from all others
# would else fill the memory.
_LONGEST = 100


def timed_series(
    series: Sequence[np.ndarray],  # (channels, length) each
    place: int,
    n_channels: int | None,
    unit: float | None,
    owner: str = "classifier",
) -> tuple[list[Tensor], float]:
    """Turn a channel of times into gaps, which become the last row of each series.

    Parameters
    ----------
    series : sequence of ndarray, (channels, length) each
    place : int
        Which channel holds the times.
    n_channels : int or None
        Channels beside the times that the estimator was fitted on; None while it is being fitted.
    unit : float or None
        Time of a regular step; None for the median time between two samples.
    owner : str, default="classifier"
        What the estimator is, for the message.

    Returns
    -------
    list of Tensor, (channels, length) each
        Values without gaps, see `check_series`, and below them the time since the sample before.
    float
        The unit.

    Raises
    ------
    ValueError
        If a series has no such channel or no other, its times are missing or do not rise, or they
        span more than 100 regular steps a sample.
    """
    for number, values in enumerate(series):
        if not -len(values) <= place < len(values) or len(values) < 2:
            raise ValueError(
                f"series {number} of X has {len(values)} channels, and time_channel={place} asks for "
                "one of times and another one; pass series with both"
            )
    values_alone = [np.delete(values, place, axis=0) for values in series]
    checked = check_series(values_alone, n_channels, owner)
    times = [values[place, : part.shape[1]] for values, part in zip(series, checked, strict=True)]
    steps = [_steps(number, moments) for number, moments in enumerate(times)]
    unit = float(np.median(np.concatenate(steps))) if unit is None else unit
    timed = []
    for number, (part, between) in enumerate(zip(checked, steps, strict=True)):
        gaps = np.concatenate([[1.0], between / unit])
        if gaps.sum() > _LONGEST * len(gaps):
            raise ValueError(
                f"the times of series {number} of X span {gaps.sum():.0f} steps of {unit:g} with "
                f"{len(gaps)} samples; pass at least one sample in {_LONGEST} steps"
            )
        timed.append(torch.cat([part, to_tensor(gaps[None]).to(part.dtype)]))
    return timed, unit


def time_place(time_channel: Any, names: Sequence[Any] | None) -> int:
    """Where the channel of times stands: a position as it is, a name among the names."""
    if isinstance(time_channel, (int, np.integer)) and not isinstance(time_channel, bool):
        return int(time_channel)
    if names is None or time_channel not in names:
        known = "X has no names" if names is None else f"X has the channels {list(names)}"
        raise ValueError(
            f"time_channel is {time_channel!r} and {known}; pass the name or the position of the "
            "channel that holds the times, or None"
        )
    return list(names).index(time_channel)


def _steps(number: int, times: np.ndarray) -> np.ndarray:
    steps = np.diff(times)
    if not (np.isfinite(times).all() and (steps > 0).all()):
        raise ValueError(
            f"the times of series {number} of X are missing or do not rise; pass a time for each "
            "sample, in order, each once"
        )
    return steps
