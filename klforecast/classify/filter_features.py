"""Features of a series from fixed banks of spectral filters: drawn once, pooled over time.

Two signals are filtered, the series and its differences, each scaled by the standard deviation of
its channel over the training part, by two families of modes: the endless ones of `ops.filter_bank`
and the windowed ones of `ops.windowed_bank`. Every mode runs forward and backward. Four kinds of
features come out, see `ops.pooling`: "sides", "peak" and "contest", and "shape", the series itself
at `SHAPE_STEPS` points, which tells classes apart where series are aligned.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from klforecast.ops.filter_bank import (
    CHUNK,
    Blocks,
    FilterBank,
    draw_bank,
    filter_blocks,
    to_blocks,
)
from klforecast.ops.pooling import draw_biases, pool_contest, pool_peak, pool_sides
from klforecast.ops.windowed_bank import WindowedBank, draw_windowed, filter_windowed


class _Family(NamedTuple):
    """Modes of one form: how they are drawn, how they respond, and to chunks of which length."""

    name: str
    draw: Callable[..., Any]
    respond: Callable[..., Tensor]
    chunk: int


POOLED = ("sides", "peak", "contest")
KINDS = (*POOLED, "shape")
SHAPE_STEPS = 128  # of the shape: a series of some hundred steps keeps all that lasts longer than a few of them
MODES_PER_GROUP = 8  # of one combination of channels: the contest at each step is among them
BIASES = 4  # quantiles of responses, a coarse picture of their distribution

_SIGNALS = ("series", "differences")
# With the steps of a chunk: windowed modes take a series as it is.
_FAMILIES = (
    _Family("endless", draw_bank, filter_blocks, CHUNK),
    _Family("windowed", draw_windowed, filter_windowed, 1),
)
_BANKS = tuple(product(range(len(_SIGNALS)), _FAMILIES))
_DIRECTIONS = ("forward", "backward")
# What is pooled from a response, in the order of `ops.pooling`.
_POOLS = {
    "sides": tuple(f"above{bias}" for bias in range(BIASES)),
    "peak": ("peak",),
    "contest": ("wins_largest", "size_largest", "wins_smallest", "size_smallest"),
}
FILTERS_PER_GROUP = len(_BANKS) * MODES_PER_GROUP
_RUNS = len(_DIRECTIONS) * len(_BANKS)
_BIAS_SERIES = 8  # responses to so many series give the biases
_GROUPS_AT_ONCE = 4  # filtered in one pass, as far as `_VALUES_AT_ONCE` allows
_VALUES_AT_ONCE = 1_000_000  # responses held at a time, so that pooling finds them in the cache
_MOST_GROUPS, _LEAST_GROUPS = 48, 4  # in each bank
# Work of a fit: steps times modes in both directions, of the series and of those that give biases.
_STEPS_OF_MODES = 2e9
_STEPS_IN_DOUBLE = 2e8  # up to this much work, precision costs little
_FEATURE_VALUES = 1e8  # memory of the features: rows times features


class FilterFeatures:
    """Draw banks for a training part; then turn series into features.

    Parameters
    ----------
    n_groups : int or None, default=None
        Groups of modes in each of the four banks, one for each signal and family. None: 48, fewer
        for large training parts.
    seed : int, default=0
        For the modes and the biases.

    Attributes
    ----------
    n_groups_ : int
        Groups of modes in use in each bank.
    """

    n_groups: int | None
    seed: int
    n_groups_: int
    mean_: Tensor
    scale_: Tensor
    step_scale_: Tensor
    dtype_: torch.dtype
    banks_: list[FilterBank | WindowedBank]
    biases_: list[Tensor]

    def __init__(self, n_groups: int | None = None, seed: int = 0):
        self.n_groups = n_groups
        self.seed = seed

    def fit(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> "FilterFeatures":
        """Learn scales, draw modes and biases; labels are not looked at."""
        generator = torch.Generator().manual_seed(self.seed)
        n_channels = series[0].shape[0]
        lengths = torch.tensor([values.shape[1] for values in series])
        steps = torch.cat(list(series), dim=1)
        self.mean_ = steps.mean(1, keepdim=True)
        self.scale_ = channel_scale(steps)
        self.step_scale_ = channel_scale(
            torch.cat([_differences(values) for values in series], dim=1)
        )
        picked = torch.randperm(len(series), generator=generator)[:_BIAS_SERIES]
        n_steps = int(lengths.sum() + lengths[picked].sum())
        self.n_groups_ = self.n_groups or _choose_groups(len(series), n_steps)
        work = float(_RUNS * self.n_groups_ * MODES_PER_GROUP * lengths.sum())
        self.dtype_ = torch.float64 if work <= _STEPS_IN_DOUBLE else torch.float32
        self.banks_ = []
        self.biases_ = []
        length = float(lengths.double().median())
        for number, family in _BANKS:
            bank = family.draw(self.n_groups_, MODES_PER_GROUP, n_channels, length, generator)
            blocks = to_blocks(
                [self._signal(series[i], number) for i in picked.tolist()], family.chunk
            )
            biases = [
                torch.stack([draw_biases(y, blocks, BIASES, generator) for y in directions])
                for directions in _responses(blocks, bank, self.n_groups_, family)
            ]
            self.banks_.append(bank)
            self.biases_.append(torch.cat(biases, dim=1))
        return self

    def check_parts(self) -> None:
        """Raise a ValueError unless every bank has its groups; for features read from a file."""
        groups = {biases.shape[1] for biases in self.biases_}
        if groups != {self.n_groups_} or not len(self.banks_) == len(self.biases_) == len(_BANKS):
            raise ValueError(f"{self.n_groups_} groups, and biases for {groups}")

    def transform(
        self,
        series: Sequence[Tensor],  # (channels, length) each
    ) -> dict[str, Tensor]:  # (n, features of the kind) for each kind
        """Features of every series; those of one do not depend on the others."""
        order = sorted(range(len(series)), key=lambda i: series[i].shape[1])
        longest = series[order[-1]].shape[1]
        at_once = max(1, int(_VALUES_AT_ONCE / (_GROUPS_AT_ONCE * MODES_PER_GROUP * longest)))
        features: dict[str, Tensor] = {}
        for start in range(0, len(order), at_once):
            places = order[start : start + at_once]
            for kind, pooled in self._pool([series[i] for i in places]).items():
                if kind not in features:
                    # Filled part by part: they are the largest thing in memory, and are there once.
                    features[kind] = pooled.new_empty(len(series), pooled.shape[1])
                features[kind][places] = pooled
        return features

    def names(self, channels: Sequence[str]) -> dict[str, list[str]]:
        """Name the features of each kind, in their order.

        A response is named by what is filtered, the family, the direction, the group and the mode;
        the shape by the channel and the point.
        """
        names: dict[str, list[str]] = {kind: [] for kind in KINDS}
        for number, family in _BANKS:
            for start in range(0, self.n_groups_, _GROUPS_AT_ONCE):
                stop = min(start + _GROUPS_AT_ONCE, self.n_groups_)
                for direction, group in product(_DIRECTIONS, range(start, stop)):
                    bank = f"{_SIGNALS[number]}_{family.name}_{direction}_group{group}"
                    for kind, pools in _POOLS.items():
                        names[kind] += [
                            f"{bank}_mode{mode}_{pool}"
                            for pool, mode in product(pools, range(MODES_PER_GROUP))
                        ]
        names["shape"] = [
            f"{channel}_point{point}" for channel, point in product(channels, range(SHAPE_STEPS))
        ]
        return names

    def _pool(self, series: Sequence[Tensor]) -> dict[str, Tensor]:
        pooled: dict[str, list[Tensor]] = {kind: [] for kind in POOLED}
        for (number, family), bank, biases in zip(_BANKS, self.banks_, self.biases_, strict=True):
            blocks = to_blocks([self._signal(values, number) for values in series], family.chunk)
            start = 0
            for directions in _responses(blocks, bank, self.n_groups_, family):
                stop = start + len(directions[0])
                for y, bias in zip(directions, biases, strict=True):
                    pooled["sides"].append(pool_sides(y, blocks, bias[start:stop]).flatten(0, 1))
                    pooled["peak"].append(pool_peak(y, blocks).flatten(0, 1))
                    pooled["contest"].append(pool_contest(y, blocks).flatten(0, 1))
                start = stop
        features = {kind: torch.cat(values).T for kind, values in pooled.items()}
        features["shape"] = torch.cat([self._shape(values) for values in series])
        return features

    def _signal(self, values: Tensor, number: int) -> Tensor:
        if _SIGNALS[number] == "series":
            return ((values - self.mean_) / self.scale_).to(self.dtype_)
        return (_differences(values) / self.step_scale_).to(self.dtype_)

    def _shape(self, values: Tensor) -> Tensor:
        scaled = (values - self.mean_) / self.scale_
        resampled = F.interpolate(scaled[None], SHAPE_STEPS, mode="linear", align_corners=True)
        return resampled.flatten(1).to(self.dtype_)


def _responses(
    blocks: Blocks, bank: Any, n_groups: int, family: _Family
) -> Iterator[tuple[Tensor, Tensor]]:
    for start in range(0, n_groups, _GROUPS_AT_ONCE):
        part = bank.part(start, start + _GROUPS_AT_ONCE)
        yield family.respond(blocks, part), family.respond(blocks, part, backward=True)


def _differences(values: Tensor) -> Tensor:
    return values.diff(dim=1, prepend=values[:, :1])


def n_groups(n_filters: int | None) -> int | None:
    """Groups in each bank that hold at least so many filters in all; None stays None."""
    return None if n_filters is None else -(-n_filters // FILTERS_PER_GROUP)


def channel_scale(
    steps: Tensor,  # (channels, all steps)
) -> Tensor:  # (channels, 1)
    """Standard deviation of each channel; infinite where it is zero to rounding.

    Nothing is known about a channel that does not vary. Divided by infinity it is zero, and stays so
    in series in which it varies.
    """
    deviation = steps.std(1, keepdim=True, correction=0)
    floor = 1e-12 * steps.abs().amax(1, keepdim=True)
    return torch.where(deviation > floor, deviation, torch.inf)


def _choose_groups(
    n: int,  # series
    n_steps: int,  # that are filtered
) -> int:
    per_mode = BIASES + 1 + 4  # biases, peak and contest
    affordable = min(
        _STEPS_OF_MODES / (_RUNS * MODES_PER_GROUP * n_steps),
        _FEATURE_VALUES / (_RUNS * MODES_PER_GROUP * per_mode * n),
    )
    return int(min(_MOST_GROUPS, max(_LEAST_GROUPS, affordable)))
