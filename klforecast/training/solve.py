"""Solve the linear core in closed form: a mixture of linear experts, weighted by what they did out of fold.

1. The Gram matrix of all windows gives the coordinates (`klforecast.ops.coordinates`).
2. Some thousand windows, evenly spread, are cut into blocks of time. Each block is forecast by experts that were
   solved without it; the second moments of their errors give the weights (`klforecast.ops.mixture`).
3. The experts are solved once more from the Gram matrices of all windows and melt into one map, the `LinearCore`.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.modules.linear_core import LinearCore, Mixture
from klforecast.ops.coordinates import Coordinates, window_coordinates
from klforecast.ops.experts import Expert, Fold, FoldedExpert, Moments, folded_gram, shares
from klforecast.ops.gram import WindowMoments, centre_gram, fold_gram, window_gram, window_moments
from klforecast.ops.mixture import pooled_weights
from klforecast.training.plan import CorePlan, plan_core

_N_WINDOWS = (
    2500  # windows for the out-of-fold evidence; neighbours are nearly equal, so more add little
)
_N_JUDGED = 1000  # of these, windows whose forecasts are judged
_N_BLOCKS = 5
_SHRINKAGE = 10.0  # pull to the prior weights, per independent horizon of evidence


def solve_linear_core(
    panel: Sequence[Tensor],  # (time, channels) each, standardised
    horizon: int,
    *,
    memory_depth: int | None = None,
    input_length: int | None = None,
    periods: Sequence[int] = (),
    n_components: int | None = None,
    memory: str = "history",
) -> LinearCore:
    plan = plan_core(
        [len(series) for series in panel],
        panel[0].shape[1],
        horizon,
        memory_depth=memory_depth,
        input_length=input_length,
        periods=periods,
        n_components=n_components,
        memory=memory,
    )
    length = plan.edges[-1] + plan.padded_horizon
    usable = [series.double() for series in panel if len(series) >= length]
    moments = [window_moments(series, length) for series in usable]
    size = plan.edges[-1] + horizon
    pooled = window_gram(moments)
    coordinates = window_coordinates(
        pooled[:size, :size], plan.edges, horizon, plan.n_components, plan.n_outputs
    )
    weights = _weigh(usable, plan, coordinates)
    exact = _exact_moments(moments, plan, coordinates)
    return _melt(plan.experts, exact, coordinates, weights, plan.segments)


def _exact_moments(
    moments: Sequence[WindowMoments], plan: CorePlan, coordinates: Coordinates
) -> Moments:
    """Second moments of all windows in their coordinates, from the exact Gram matrix of one channel after another."""
    size = coordinates.depth + plan.horizon
    grams, folded = [], {fold: [] for fold in plan.folds}
    for channel in range(len(moments[0].products)):
        gram = window_gram(moments, channel)
        grams.append(coordinates.project(gram[:size, :size]))
        for fold in plan.folds:
            folded[fold].append(_fold_exactly(gram, fold, coordinates.depth))
    return Moments(torch.stack(grams), {fold: torch.stack(parts) for fold, parts in folded.items()})


def _fold_exactly(gram: Tensor, fold: Fold, depth: int) -> Tensor:
    start = depth - fold.cycles * fold.period
    stop = start + (len(gram) - start) // fold.period * fold.period
    level = torch.zeros(stop - start, dtype=torch.float64)
    level[depth - start - fold.level * fold.period : depth - start] = 1 / (fold.level * fold.period)
    return fold_gram(centre_gram(gram[start:stop, start:stop], level), fold.period)


class _Windows(NamedTuple):
    """Evenly spread windows in their coordinates, with the block of time that each belongs to."""

    encoded: Tensor  # (C, n, d + r)
    future: Tensor  # (C, n, H)
    series: Tensor  # (n,)
    cutoff: Tensor  # (n,)


def _weigh(panel: Sequence[Tensor], plan: CorePlan, coordinates: Coordinates) -> Tensor:
    """Weights of the experts for every channel and segment, (C, S, E)."""
    prior = shares(plan.experts)
    windows, raw = _spread_windows(panel, plan, coordinates)
    channels = windows.encoded.shape[0]
    errors = torch.zeros(channels, len(plan.segments), len(prior), len(prior), dtype=torch.float64)
    judged = 0
    for trained, held_out in _blocks(windows, panel, plan):
        held_out = held_out[:: max(1, math.ceil(len(held_out) * _N_BLOCKS / _N_JUDGED))]
        encoded = windows.encoded[:, trained].double()
        folded = {fold: _fold_windows(raw, fold, coordinates.depth, trained) for fold in plan.folds}
        moments = Moments(encoded.mT @ encoded, folded)
        maps = [expert.solve(moments, coordinates).float() for expert in plan.experts]
        errors += len(held_out) * _error_moments(windows, held_out, maps, plan.segments)
        judged += len(held_out)
    if judged == 0:
        return prior.expand(channels, len(plan.segments), -1)
    independent = sum(len(series) - coordinates.depth for series in panel) / plan.horizon - len(
        panel
    )
    return pooled_weights(errors / judged, prior, _SHRINKAGE / max(independent, 1.0))


def _spread_windows(
    panel: Sequence[Tensor], plan: CorePlan, coordinates: Coordinates
) -> tuple[_Windows, Tensor]:
    whole = coordinates.depth + plan.horizon
    length = coordinates.depth + plan.padded_horizon
    stride = max(1, sum(len(series) - length + 1 for series in panel) // _N_WINDOWS)
    views = [series.float().T.unfold(1, length, stride) for series in panel]  # (C, n, L) each
    raw = torch.cat(views, dim=1)
    encoded = coordinates.encode_whole(raw[..., :whole])
    future = raw[..., coordinates.depth : whole]
    series = torch.cat([torch.full((view.shape[1],), i) for i, view in enumerate(views)])
    cutoff = torch.cat([coordinates.depth + stride * torch.arange(view.shape[1]) for view in views])
    return _Windows(encoded, future, series, cutoff), raw


def _fold_windows(raw: Tensor, fold: Fold, depth: int, chosen: Tensor) -> Tensor:
    start = depth - fold.cycles * fold.period
    stop = start + (raw.shape[-1] - start) // fold.period * fold.period
    return torch.stack([folded_gram(channel[chosen, start:stop], fold) for channel in raw])


def _blocks(
    windows: _Windows, panel: Sequence[Tensor], plan: CorePlan
) -> Iterator[tuple[Tensor, Tensor]]:
    """Windows to solve on and windows to judge on, block of time after block; no step is a target on both sides."""
    first = plan.edges[-1]
    rows = torch.tensor([len(series) for series in panel])[windows.series]
    span = (rows - plan.horizon - first + 1).clamp(min=1)
    block = (windows.cutoff - first) * _N_BLOCKS // span
    for k in range(_N_BLOCKS):
        start, stop = first + k * span / _N_BLOCKS, first + (k + 1) * span / _N_BLOCKS
        apart = (windows.cutoff <= start - plan.horizon) | (windows.cutoff >= stop + plan.horizon)
        trained, held_out = apart.nonzero()[:, 0], (block == k).nonzero()[:, 0]
        if len(trained) and len(held_out):
            yield trained, held_out


def _error_moments(
    windows: _Windows, held_out: Tensor, maps: Sequence[Tensor], segments: Sequence[int]
) -> Tensor:
    """Second moments of the experts' errors on the held-out windows, (C, S, E, E)."""
    inputs = maps[0].shape[-1]
    moments = []
    for channel in range(len(windows.future)):
        encoded, future = (
            windows.encoded[channel, held_out, :inputs],
            windows.future[channel, held_out],
        )
        errors = torch.stack(
            [encoded @ weight[min(channel, len(weight) - 1)].T - future for weight in maps]
        )
        parts = [part.reshape(len(maps), -1) for part in errors.split(_widths(segments), dim=-1)]
        moments.append(torch.stack([(part @ part.T).double() / part.shape[1] for part in parts]))
    return torch.stack(moments)


def _widths(segments: Sequence[int]) -> list[int]:
    return [stop - start for start, stop in zip((0, *segments), segments, strict=False)]


def _melt(
    experts: Sequence[Expert],
    moments: Moments,
    coordinates: Coordinates,
    weights: Tensor,
    segments: Sequence[int],
) -> LinearCore:
    """One map for each channel from the maps of all experts and their weights."""
    per_step = weights.repeat_interleave(torch.tensor(_widths(segments)), dim=1)  # (C, H, E)
    readout = torch.zeros(
        len(weights), per_step.shape[1], coordinates.sizes[-1], dtype=torch.float64
    )
    for i, expert in enumerate(experts):
        readout += per_step[..., i, None] * expert.solve(moments, coordinates)
    bias = torch.zeros(readout.shape[:2])
    mixture = Mixture(tuple(str(expert) for expert in experts), tuple(segments), weights)
    return LinearCore(coordinates.history_modes.float(), readout.float(), bias, mixture)
