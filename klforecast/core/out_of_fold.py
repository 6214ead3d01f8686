"""Weights of the experts from forecasts of windows that they were not solved on.

Some thousand windows, evenly spread, are cut into blocks of time. Each block is forecast by experts that were solved
on the windows before and after it, and the second moments of their errors give the weights
(`klforecast.core.mixture`). No step is a target both of a window that an expert was solved on and of one that it is
judged on.

Series that are too short for such blocks say nothing about experts that have something to fit. The forecast is then
left to those that have not, and these may be judged on every window.

Letters   C channels, S segments of the horizon, E experts, n windows, K blocks, H horizon, D depth, d coordinates
"""

import functools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates
from klforecast.core.experts import Expert, Moments, folded_gram, shares
from klforecast.core.mixture import weights_out_of_fold
from klforecast.core.plan import CorePlan
from klforecast.core.reversion import reversion_weight, variance_between_parts
from klforecast.core.rows import Rows, spread_over, spread_rows
from klforecast.ops.conformal import Residuals
from klforecast.ops.cycle_law import phase_gaps
from klforecast.ops.volatility import phase_volatility, recent_volatility
from klforecast.ops.workers import answers

# Windows that are looked at; neighbours are nearly equal, so more add little. Of many channels, which share what most
# experts are solved from, a smaller number: 21 channels of weather lose 0.2 % of the MASE by that, nothing in CRPS.
_N_WINDOWS, _N_OF_MANY = 2500, 1250
_N_JUDGED = 1000  # of these, windows whose forecasts are judged
_N_BLOCKS = 5  # of time, each left out once: four fifths of the windows remain to be learned from
_N_ROWS = 5000  # of a series, from which its wandering is judged
_KEPT_CHANNELS = 32  # some 15 MB each; where there are more, they are encoded twice instead
# Windows, of channels that are evenly spread, from which shared maps are solved that are judged: some hundred for each
# input. 20,000 of 100,000 windows at half the distance, of 160 hourly series, made forecasts 1 % worse.
_SHARED_WINDOWS = 100_000
MOST_ERRORS = 2**25  # single errors of experts that are kept by default: 128 MB


class SpreadWindows(NamedTuple):
    """Windows that are spread evenly over a panel, series after series.

    Attributes
    ----------
    series : Tensor of shape (n,)
        Position in the panel of the series that a window comes from.
    cutoff : Tensor of shape (n,)
        Step of that series at which the future of the window starts.
    stride : int
        Steps from one window to the next.
    """

    series: Tensor
    cutoff: Tensor
    stride: int


class Blocks(NamedTuple):
    """Which windows are for solving and which for judging.

    Attributes
    ----------
    trained : Tensor of shape (K, n), bool
        Windows that the experts of a block are solved on.
    judged : tuple of K Tensors of int
        Windows of the block that are judged.
    """

    trained: Tensor
    judged: tuple[Tensor, ...]


class OutOfFold(NamedTuple):
    """What held-out windows say.

    Attributes
    ----------
    weights : Tensor of shape (C, S, E), float64
        Share of each expert, non-negative, with sum one over the experts.
    residuals : Residuals or None
        Errors of the mixture; None where no expert can be judged.
    """

    weights: Tensor
    residuals: Residuals | None


class _Patterns(NamedTuple):
    """Which blocks windows are trained on for: the patterns that occur, (p, K), and that of each window, (n,)."""

    trained: Tensor
    of_window: Tensor


class _JudgedWindows(NamedTuple):
    """The judged windows of one channel in one block; the last three of those whose errors are kept."""

    past: Tensor  # (k, d), in coordinates
    future: Tensor  # (k, H)
    features: Tensor  # (n, F)
    phases: Tensor  # (n, P)
    of_phase: Tensor  # (n, S, L)


class _HeldOut(NamedTuple):
    """Errors of the experts: second moments (K, C, S, E, E), and some as they are, (C, E, n, H)."""

    moments: Tensor
    errors: Tensor
    features: Tensor  # (n, C, F), of the past of those windows
    phases: Tensor  # (n, C, P), likewise
    of_phase: Tensor  # (n, S, C, L), gaps of the law of the phase


def judge_out_of_fold(
    panel: Sequence[Rows],  # (time, channels) each, at least one window long
    plan: CorePlan,
    coordinates: Coordinates,
    most_errors: int = MOST_ERRORS,
) -> OutOfFold:
    """Weights of the experts for every channel and segment, and what their mixture leaves over.

    Parameters
    ----------
    panel : sequence of Tensor or StreamRows, (time, channels) each
        Each series has at least one window of depth + padded horizon.
    plan : CorePlan
    coordinates : Coordinates
    most_errors : int, default=2**25
        Bound of n E H C, the single errors that are held until the weights are known; the windows
        are thinned evenly to it, to one for each block at least. 0 keeps none.

    Returns
    -------
    OutOfFold
        The residuals are those of the final weights.

    Notes
    -----
    Time O(C E K d^3 + C n d^2). Channels come one after another, so the memory holds the windows of one.
    """
    lengths = [len(series) for series in panel]
    windows = spread_windows(lengths, plan, panel[0].shape[1])
    blocks = time_blocks(windows, lengths, plan)
    usable = torch.ones(len(plan.experts), dtype=torch.bool)
    if not blocks.judged:
        usable = torch.tensor([expert.pooling == "none" for expert in plan.experts])
        everything = torch.arange(len(windows.cutoff))
        blocks = Blocks(torch.ones(1, len(everything), dtype=torch.bool), (everything,))
    weights = shares(plan.experts).repeat(panel[0].shape[1], len(plan.segments), 1)
    if not usable.any():
        return OutOfFold(_discount_reversion(weights, panel, plan), None)
    chosen = [expert for expert, use in zip(plan.experts, usable, strict=True) if use]
    held_out = _held_out_errors(
        panel, plan._replace(experts=tuple(chosen)), coordinates, windows, blocks, most_errors
    )
    rows_ahead = sum(rows - plan.depth for rows in lengths)
    weights.zero_()
    weights[..., usable] = weights_out_of_fold(
        held_out.moments,
        torch.tensor(segment_widths(plan.segments)),
        shares(chosen),
        plan.shrinkage,
        max(rows_ahead / plan.horizon - len(panel), 1.0),
        torch.tensor([expert not in plan.without_history.experts for expert in chosen]),
    )
    weights = _discount_reversion(weights, panel, plan)
    if most_errors == 0:
        return OutOfFold(weights, None)
    per_step = expand_segments(weights[..., usable], plan.segments).float()
    errors = torch.einsum("cenh,che->nhc", held_out.errors, per_step)
    residuals = Residuals(errors, held_out.features, rows_ahead, held_out.phases, held_out.of_phase)
    return OutOfFold(weights, residuals)


def _discount_reversion(weights: Tensor, panel: Sequence[Rows], plan: CorePlan) -> Tensor:
    """Take from the experts that return to the mean what the wandering of a channel speaks against."""
    between = [variance_between_parts(spread_rows(series, _N_ROWS)) for series in panel]
    weight = reversion_weight(torch.stack(between).mean(dim=0), seasonal=plan.period > 1)
    reverting = torch.tensor([expert.reverts for expert in plan.experts])
    kept = weights * torch.where(reverting, weight[:, None, None], 1.0)
    total = kept.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, kept / total, weights)


def spread_windows(lengths: Sequence[int], plan: CorePlan, channels: int = 1) -> SpreadWindows:
    """Spread some thousand windows over series of given lengths, at least one over each.

    Of many channels 1,250 at most.
    """
    counts = [rows - plan.depth - plan.padded_horizon + 1 for rows in lengths]
    many = channels > _KEPT_CHANNELS
    stride = max(1, math.ceil(sum(counts) / _N_OF_MANY) if many else sum(counts) // _N_WINDOWS)
    starts = [torch.arange(0, count, stride) for count in counts]
    series = [torch.full_like(start, i) for i, start in enumerate(starts)]
    return SpreadWindows(torch.cat(series), plan.depth + torch.cat(starts), stride)


def time_blocks(windows: SpreadWindows, lengths: Sequence[int], plan: CorePlan) -> Blocks:
    """Cut every series into blocks of time; blocks that leave nothing to train on or to judge are dropped.

    A window is trained on for a block if its targets end before the first target of the block, or start after the
    last one.
    """
    rows = torch.tensor(lengths)[windows.series]
    span = (rows - plan.horizon - plan.depth + 1).clamp(min=1)
    block = (windows.cutoff - plan.depth) * _N_BLOCKS // span
    trained, judged = [], []
    for k in range(_N_BLOCKS):
        start = plan.depth + k * span / _N_BLOCKS
        stop = plan.depth + (k + 1) * span / _N_BLOCKS
        before = windows.cutoff <= start - plan.padded_horizon
        after = windows.cutoff >= stop + plan.horizon
        held_out = (block == k).nonzero()[:, 0]
        if (before | after).any() and len(held_out):
            trained.append(before | after)
            judged.append(held_out[_every_few(windows.series[held_out])])
    if not judged:
        return Blocks(torch.zeros(0, len(block), dtype=torch.bool), ())
    return Blocks(torch.stack(trained), tuple(judged))


def _every_few(series: Tensor) -> Tensor:
    """Thin out windows to the number that is judged, in each series from its first one on."""
    step = math.ceil(len(series) * _N_BLOCKS / _N_JUDGED)
    place = torch.arange(len(series)) - torch.searchsorted(series, series)
    return place % step == 0


def _held_out_errors(
    panel: Sequence[Rows],
    plan: CorePlan,
    coordinates: Coordinates,
    windows: SpreadWindows,
    blocks: Blocks,
    most_errors: int,
) -> _HeldOut:
    """Errors of all experts on the judged windows."""
    channels = panel[0].shape[1]
    shared = [expert for expert in plan.experts if expert.pooling != "channel"]
    own = [expert for expert in plan.experts if expert.pooling == "channel"]
    n_experts = len(plan.experts)
    share = most_errors / (n_experts * plan.horizon * channels * sum(map(len, blocks.judged)))
    kept = [_spread_evenly(len(rows), min(1.0, share)) for rows in blocks.judged]
    inputs, ahead = coordinates.sizes[-1], slice(plan.depth, plan.depth + plan.horizon)
    patterns = _Patterns(*torch.unique(blocks.trained.T, dim=0, return_inverse=True))

    def of_channel(
        channel: int,
    ) -> tuple[list[Moments], list[_JudgedWindows]]:
        raw, encoded = _encode(panel, channel, windows, plan, coordinates)
        judged = []
        for rows, places in zip(blocks.judged, kept, strict=True):
            past, future = raw[rows[places], : plan.depth], raw[rows, ahead]
            judged.append(
                _JudgedWindows(
                    encoded[rows, :inputs],
                    future,
                    recent_volatility(past, plan.period),
                    phase_volatility(past, plan.period),
                    phase_gaps(past, future[places], plan.period),
                )
            )
        return _trained_moments(raw, encoded, patterns, plan), judged

    look_up = functools.cache(of_channel) if channels <= _KEPT_CHANNELS else of_channel
    # Those that are kept are encoded anyway.
    n_shared = channels * len(windows.cutoff) if channels > _KEPT_CHANNELS else 0
    apart = max(1, n_shared // _SHARED_WINDOWS)
    trained = answers(lambda channel: look_up(channel)[0], range(0, channels, apart))
    pooled = next(trained)
    for own_moments in trained:
        pooled = [*map(_sum_moments, zip(pooled, own_moments, strict=True))]
    shared_maps = [_solve(shared, moments, coordinates) for moments in pooled]
    size = (len(blocks.judged), channels, len(plan.segments), n_experts, n_experts)
    moments = torch.zeros(size, dtype=torch.float64)
    n_kept = sum(map(len, kept))
    errors = torch.empty(channels, n_experts, n_kept, plan.horizon, dtype=torch.float32)

    def judge(channel: int) -> tuple[Tensor, Tensor, Tensor]:
        trained, judged = look_up(channel)
        first = 0
        for block, part in enumerate(judged):
            maps = shared_maps[block] | _solve(own, trained[block], coordinates)
            error = torch.stack(
                [part.past @ maps[expert].T - part.future for expert in plan.experts]
            )
            moments[block, channel] = _error_moments(error, plan.segments)
            last = first + len(kept[block])
            errors[channel, :, first:last] = -error[:, kept[block]]
            first = last
        features = torch.cat([part.features for part in judged])
        phases = torch.cat([part.phases for part in judged])
        return features, phases, torch.cat([part.of_phase for part in judged])

    features, phases, gaps = zip(*answers(judge, range(channels)), strict=True)
    return _HeldOut(
        moments,
        errors,
        torch.stack(features, dim=1),
        torch.stack(phases, dim=1),
        torch.stack(gaps, dim=2),
    )


def _spread_evenly(count: int, share: float) -> Tensor:
    """Places of a share of `count` windows: none of a share of 0, else one at least."""
    n = max(1, round(share * count)) if share > 0 else 0
    return torch.linspace(0, count - 1, n).round().long()


def _encode(
    panel: Sequence[Rows],
    channel: int,
    windows: SpreadWindows,
    plan: CorePlan,
    coordinates: Coordinates,
) -> tuple[Tensor, Tensor]:  # (n, D + padded H), (n, d + r)
    """Windows of one channel, as they are and in their coordinates."""
    length = plan.depth + plan.padded_horizon
    raw = torch.cat([spread_over(series, channel, length, windows.stride) for series in panel])
    return raw, coordinates.encode_whole(raw[:, : plan.depth + plan.horizon])


def _trained_moments(
    raw: Tensor, encoded: Tensor, patterns: _Patterns, plan: CorePlan
) -> list[Moments]:
    """Moments of the windows that each block is trained on.

    Moments add up, so every window is looked at once, together with those that belong to the same blocks.
    """
    pieces = []
    for i in range(len(patterns.trained)):
        among = (patterns.of_window == i).nonzero()[:, 0]
        piece = encoded[among].double()
        folded = {}
        for fold in plan.folds:
            start = plan.depth - fold.cycles * fold.period
            stop = start + (raw.shape[1] - start) // fold.period * fold.period
            folded[fold] = folded_gram(raw[among, start:stop], fold)
        pieces.append(Moments(piece.T @ piece, folded))
    grams = _sums_over(patterns.trained, [piece.gram for piece in pieces])
    folded_grams = {
        fold: _sums_over(patterns.trained, [piece.folded[fold] for piece in pieces])
        for fold in plan.folds
    }
    return [
        Moments(gram, {fold: of_fold[block] for fold, of_fold in folded_grams.items()})
        for block, gram in enumerate(grams)
    ]


def _sums_over(trained: Tensor, grams: Sequence[Tensor]) -> Tensor:  # (p, K) -> (K, n, n)
    """Of each block, the sum over the patterns that it is trained on."""
    return torch.tensordot(trained.T.double(), torch.stack(list(grams)), dims=1)


def _sum_moments(parts: Sequence[Moments]) -> Moments:
    return Moments(
        torch.stack([part.gram for part in parts]).sum(dim=0),
        {
            fold: torch.stack([part.folded[fold] for part in parts]).sum(dim=0)
            for fold in parts[0].folded
        },
    )


def _solve(
    experts: Iterable[Expert], moments: Moments, coordinates: Coordinates
) -> dict[Expert, Tensor]:
    return {expert: expert.solve(moments, coordinates).float() for expert in experts}


def _error_moments(errors: Tensor, segments: Sequence[int]) -> Tensor:  # errors (E, k, H)
    """Second moments of the experts' errors, means over windows and steps of a segment, (S, E, E)."""
    return torch.stack(
        [
            torch.einsum("ekh,fkh->ef", part, part).double() / part[0].numel()
            for part in errors.split(segment_widths(segments), dim=-1)
        ]
    )


def segment_widths(segments: Sequence[int]) -> list[int]:
    """Steps of each segment of the horizon."""
    return [stop - start for start, stop in zip((0, *segments), segments, strict=False)]


def expand_segments(weights: Tensor, segments: Sequence[int]) -> Tensor:  # (C, S, E) -> (C, H, E)
    """Weights of every step from those of its segment."""
    return weights.repeat_interleave(torch.tensor(segment_widths(segments)), dim=1)
