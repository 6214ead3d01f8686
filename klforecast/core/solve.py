"""Solve the linear core in closed form: a mixture of linear experts, weighted by what they did out of fold.

1. The Gram matrix of all windows gives the coordinates (`klforecast.core.coordinates`).
2. Forecasts of windows that were held out give the weights (`klforecast.core.out_of_fold`).
3. The experts are solved from the Gram matrices of all windows and melt into one map, the `LinearCore`.

Channels are solved one after another, so the memory holds the matrices of one channel at a time.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates, window_coordinates
from klforecast.core.experts import Fold, Moments
from klforecast.core.gram import PooledMoments, center_gram, fold_gram, window_gram
from klforecast.core.linear_core import LinearCore, Mixture
from klforecast.core.moments import WindowMoments, window_moments
from klforecast.core.out_of_fold import MOST_ERRORS, expand_segments, judge_out_of_fold
from klforecast.core.plan import CoreOptions, CorePlan, plan_core
from klforecast.core.rows import Rows, check_lengths, remembered_rows
from klforecast.ops.conformal import Residuals
from klforecast.ops.workers import answers


class Solved(NamedTuple):
    """A core, and what it left over of windows that it was not solved on.

    Attributes
    ----------
    core : LinearCore
    residuals : Residuals or None
        Errors out of fold, from which intervals are made; None where there are none.
    """

    core: LinearCore
    residuals: Residuals | None


def solve_linear_core(
    panel: Sequence[Tensor],  # (time, channels) each, standardised
    horizon: int,
    periods: Sequence[int] = (),
    options: CoreOptions | None = None,
    **changes: Any,
) -> Solved:
    """Solve the core that the lengths of the series and their periods ask for.

    Parameters
    ----------
    panel : sequence of Tensor of shape (time, channels)
        Series with the same channels, standardised; the longest has more than `horizon` rows.
    horizon : int
        Steps ahead.
    periods : sequence of int
        Periods in steps, the leading one first.
    options, **changes
        As for `plan_core`.

    Returns
    -------
    Solved
        The `mixture` of its core tells the experts and their weights.

    See Also
    --------
    solve_from_plan : The same for a `CorePlan` of one's own.

    Examples
    --------
    >>> import torch
    >>> wave = torch.sin(torch.arange(400, dtype=torch.float64) * torch.pi / 6)[:, None]
    >>> core, _ = solve_linear_core([wave], horizon=12, periods=[12])
    >>> past, future = wave[:core.depth], wave[core.depth:core.depth + 12]
    >>> bool((core(past[None].float())[0] - future).abs().max() < 0.1)
    True
    """
    lengths, channels = [len(series) for series in panel], panel[0].shape[1]
    return solve_settled(panel, plan_core(lengths, channels, horizon, periods, options, **changes))


def solve_settled(panel: Sequence[Tensor], plan: CorePlan) -> Solved:
    """Solve the core that a plan describes, and once more without its history where that has no weight.

    Parameters
    ----------
    panel, plan
        As for `solve_from_plan`.

    Returns
    -------
    Solved
    """
    solved = solve_from_plan(panel, plan)
    settled = settled_plan(plan, solved)
    return solved if settled == plan else solve_from_plan(panel, settled)


def settled_plan(plan: CorePlan, solved: Solved) -> CorePlan:
    """The plan without its history, if experts of the history got no weight; else the plan.

    A core that does not read the history can be solved from the rows too at which no history ends.

    Parameters
    ----------
    plan : CorePlan
    solved : Solved
        From this plan.

    Returns
    -------
    CorePlan
    """
    assert solved.core.mixture is not None, "a solved core knows its experts"
    without = plan.without_history
    of_history = [expert not in without.experts for expert in plan.experts]
    return plan if solved.core.mixture.weights[..., of_history].any() else without


def solve_from_plan(
    panel: Sequence[Tensor], plan: CorePlan, most_errors: int = MOST_ERRORS
) -> Solved:
    """Solve the core that a plan describes.

    Parameters
    ----------
    panel : sequence of Tensor of shape (time, channels)
        Series with the same channels, standardised. Those shorter than a window are left out.
    plan : CorePlan
        Depth, coordinates and experts.
    most_errors : int, default=2**25
        Bound of the errors out of fold that are held; see `judge_out_of_fold`.

    Returns
    -------
    Solved
        Its residuals are None where `most_errors` is 0.

    Raises
    ------
    ValueError
        If no series is as long as one window.

    Notes
    -----
    Time O(C T log L + C L^2) for the Gram matrices of windows of L = depth + horizon steps, O(C E d^3) for E experts in
    d coordinates and O(b^3) for the longest block of b steps of the history. Memory O(C (L + H d) + L^2) beside the
    series: it does not grow with T.
    """
    check_lengths(panel, plan)
    usable = [series.double() for series in panel if len(series) >= plan.length]
    moments = [window_moments(series, plan.length, plan.forgetting) for series in usable]
    return solve_from_moments(moments, usable, plan, most_errors)


def solve_from_moments(
    moments: Sequence[WindowMoments] | PooledMoments,
    panel: Sequence[Rows],
    plan: CorePlan,
    most_errors: int = MOST_ERRORS,
) -> Solved:
    """Solve the core that a plan describes, when the moments of all windows are known.

    Parameters
    ----------
    moments : sequence of WindowMoments, or PooledMoments
        Of each series, with the plan's windows and forgetting.
    panel : sequence of Tensor or StreamRows
        The rows of the same series or of a sample of them, of which some thousand windows are read.
    plan : CorePlan
        Depth, coordinates and experts.
    most_errors : int, default=2**25
        As for `solve_from_plan`.

    Returns
    -------
    Solved

    Notes
    -----
    The cost does not depend on the length of the series; see `solve_from_plan` without its first term.
    """
    pooled = window_gram(moments)
    coordinates = _coordinates(pooled, plan)
    rows = remembered_rows(panel, plan)
    weights, residuals = judge_out_of_fold(rows, plan, coordinates, most_errors)
    return Solved(_melt(moments, pooled, plan, coordinates, weights), residuals)


def solve_from_weights(
    moments: Sequence[WindowMoments] | PooledMoments,
    plan: CorePlan,
    weights: Tensor,  # (C, S, E)
) -> LinearCore:
    """Solve the core that a plan describes, when the weights of its experts are known too.

    Parameters
    ----------
    moments : sequence of WindowMoments, or PooledMoments
        Of each series, with the plan's windows and forgetting.
    plan : CorePlan
        Depth, coordinates and experts.
    weights : Tensor of shape (channels, segments, experts)
        As a `Mixture` has them.

    Returns
    -------
    LinearCore
    """
    pooled = window_gram(moments)
    return _melt(moments, pooled, plan, _coordinates(pooled, plan), weights)


def _coordinates(pooled: Tensor, plan: CorePlan) -> Coordinates:
    size = plan.depth + plan.horizon
    return window_coordinates(
        pooled[:size, :size], plan.edges, plan.horizon, plan.n_components, plan.n_outputs
    )


def _melt(
    moments: Sequence[WindowMoments] | PooledMoments,
    pooled: Tensor,  # (L, L)
    plan: CorePlan,
    coordinates: Coordinates,
    weights: Tensor,  # (C, S, E)
) -> LinearCore:
    """All experts as one map."""
    readout = _readout(moments, pooled, plan, coordinates, weights)
    mixture = Mixture(tuple(map(str, plan.experts)), plan.segments, weights)
    bias = torch.zeros(readout.shape[:2], dtype=torch.float32)
    modes = coordinates.history_modes.float()
    return LinearCore(modes, readout, bias, coordinates.blocks(), mixture)


def expert_maps(
    moments: Sequence[WindowMoments] | PooledMoments,
    plan: CorePlan,
    weights: Tensor,  # (C, S, E)
) -> Iterator[Iterator[Tensor]]:
    """The map of each expert times its share, which `solve_from_weights` melts into one.

    Parameters
    ----------
    moments, plan, weights
        As for `solve_from_weights`.

    Yields
    ------
    iterator of Tensor of shape (H, d), float64
        For each channel, in the order of the experts; each is solved when it is asked for.
    """
    pooled = window_gram(moments)
    return _weighted_maps(moments, pooled, plan, _coordinates(pooled, plan), weights)


def _weighted_maps(
    moments: Sequence[WindowMoments] | PooledMoments,
    pooled: Tensor,  # (L, L)
    plan: CorePlan,
    coordinates: Coordinates,
    weights: Tensor,  # (C, S, E)
) -> Iterator[Iterator[Tensor]]:
    per_step = expand_segments(weights, plan.segments)
    shared = exact_moments(pooled, plan, coordinates)
    maps = {
        expert: expert.solve(shared, coordinates)
        for expert in plan.experts
        if expert.pooling != "channel"
    }

    def of_channel(channel: int, share: Tensor) -> Iterator[Tensor]:
        if len(maps) < len(plan.experts):
            own = exact_moments(window_gram(moments, channel), plan, coordinates)
        for i, expert in enumerate(plan.experts):
            weight = maps[expert] if expert in maps else expert.solve(own, coordinates)
            yield share[:, i, None] * weight

    return (of_channel(channel, share) for channel, share in enumerate(per_step))


def _readout(
    moments: Sequence[WindowMoments] | PooledMoments,
    pooled: Tensor,  # (L, L)
    plan: CorePlan,
    coordinates: Coordinates,
    weights: Tensor,  # (C, S, E)
) -> Tensor:  # (C, H, d), float32
    """The weighted sum of the maps of all experts, solved from all windows."""
    readout = torch.empty(len(weights), plan.horizon, coordinates.sizes[-1], dtype=torch.float32)

    def total(maps: Iterator[Tensor]) -> Tensor:
        sum_of_maps = torch.zeros(readout.shape[1:], dtype=torch.float64)
        for weight in maps:
            sum_of_maps += weight
        return sum_of_maps

    weighted = _weighted_maps(moments, pooled, plan, coordinates, weights)
    for channel, own in enumerate(answers(total, weighted)):
        readout[channel] = own
    return readout


def exact_moments(gram: Tensor, plan: CorePlan, coordinates: Coordinates) -> Moments:
    """Second moments of all windows in their coordinates, and over cycles."""
    size = plan.depth + plan.horizon
    folded = {fold: _fold_exactly(gram, fold, plan.depth) for fold in plan.folds}
    return Moments(coordinates.project(gram[:size, :size]), folded)


def _fold_exactly(gram: Tensor, fold: Fold, depth: int) -> Tensor:
    start = depth - fold.cycles * fold.period
    stop = start + (len(gram) - start) // fold.period * fold.period
    level = torch.zeros(stop - start, dtype=torch.float64)
    level[depth - start - fold.level * fold.period : depth - start] = 1 / (fold.level * fold.period)
    return fold_gram(center_gram(gram[start:stop, start:stop], level), fold.period)
