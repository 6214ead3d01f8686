"""What the linear core is made of, decided from the lengths of the series and their periods alone.

The numbers below were settled by out-of-fold errors on hourly, quarter-hourly, ten-minute, half-hourly and daily
series; `docs/linear_core.md` shows what each of them is worth.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from klforecast.core.experts import (
    DriftExpert,
    Expert,
    Fold,
    FoldedExpert,
    GrowthExpert,
    LevelExpert,
    RidgeExpert,
    SeasonalExpert,
)

_RECENT = 96  # steps that stay as they are, rounded up to whole cycles
_DEPTHS = (
    336,
    720,
    1440,
    2880,
)  # ages at which the blocks of the history end, rounded up to whole cycles
_ROWS_PER_DEPTH = 8  # a block is used where the series is this many times as long: every window costs its depth in rows
_CYCLES = 14  # cycles that a folded expert looks back
_WEEK = 7  # cycles of a day that make one of a week
_FOLDED_RANK = 3
_STRENGTH = 0.01
_N_COMPONENTS = 96
_N_OUTPUTS = 64
_REFERENCE = 0.1  # prior of an expert with nothing to fit, beside 1 for one that is fitted
_NAIVE = 0.3  # what the seasonal naive forecast gains where fitted experts are not trusted
_SHRINKAGE = 10.0
_SHRINKAGE_UNTRUSTED = (
    0.5  # experts with nothing to fit do not overfit, so their errors may be believed
)
_WINDOWS_PER_INPUT = 10  # windows for each input below which a fitted expert is trusted less


class CorePlan(NamedTuple):
    """The shape of a linear core.

    Attributes
    ----------
    horizon, padded_horizon : int
        Steps ahead, as asked for and rounded up to whole cycles.
    edges : tuple of int
        Ages in steps at which the blocks of a window end; the first is the input window, the last the depth.
    n_components, n_outputs : int
        Modes kept in each block of the history, and of the future.
    segments : tuple of int
        Steps ahead at which the segments of the horizon end; each has weights of its own.
    experts : tuple of Expert
        The members of the mixture.
    shrinkage : float
        Pull of the weights to the prior ones, per independent horizon of evidence.
    period : int
        Steps of the leading cycle; 1 for none.
    forgetting : float
        Weight of a window relative to the next newer one.
    """

    horizon: int
    padded_horizon: int
    edges: tuple[int, ...]
    n_components: int
    n_outputs: int
    segments: tuple[int, ...]
    experts: tuple[Expert, ...]
    shrinkage: float
    period: int
    forgetting: float = 1.0

    @property
    def depth(self) -> int:
        """Steps that a window looks back."""
        return self.edges[-1]

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds that the experts need."""
        return tuple(
            dict.fromkeys(
                expert.fold for expert in self.experts if isinstance(expert, FoldedExpert)
            )
        )


def plan_core(
    lengths: Sequence[int],
    channels: int,
    horizon: int,
    *,
    memory_depth: int | None = None,
    input_length: int | None = None,
    periods: Sequence[int] = (),
    n_components: int | None = None,
    memory: str = "history",
    forgetting: float = 1.0,
) -> CorePlan:
    """Choose depth, coordinates and experts.

    Parameters
    ----------
    lengths : sequence of int
        Rows of each series; one has at least `horizon` + 1.
    channels : int
        Channels of each series.
    horizon : int
        Steps ahead.
    memory_depth : int, optional
        Most steps to look back; None takes what the length of the series supports, at most 2,880.
    input_length : int, optional
        Steps that enter as they are; None takes 96, in whole cycles.
    periods : sequence of int
        Periods in steps, the leading one first.
    n_components : int, optional
        Modes kept in each block of the history; None takes 96.
    memory : {"history", "none"}
        "none" looks back no further than the input window.
    forgetting : float
        Weight of a window relative to the next newer one. Below 1, a series counts as no more windows than it
        remembers, 1 / (1 - forgetting), and supports the depth of a series of that many.

    Returns
    -------
    CorePlan

    Examples
    --------
    >>> plan = plan_core([11_520], channels=7, horizon=96, periods=[24])
    >>> plan.edges
    (96, 336, 720, 1440)
    """
    remembered = math.ceil(1 / (1 - forgetting)) if forgetting < 1 else max(lengths)
    # A depth that was asked for needs rows; one that is chosen needs windows that count.
    supported = max(lengths) if memory_depth else min(max(lengths), horizon + remembered)
    period = periods[0] if periods else 1
    edges = _edges(supported, horizon, period, memory_depth, input_length, memory)
    depth = edges[-1]
    folds = _folds(period, depth, max(lengths) - horizon) if memory == "history" else ()
    windows = sum(min(max(0, rows - depth - horizon + 1), remembered) for rows in lengths)
    windows *= channels
    trust = min(1.0, windows / (_WINDOWS_PER_INPUT * edges[0])) if windows >= edges[0] else 0.0
    experts = _fitted(edges, folds, channels, trust) if trust > 0 else []
    experts += _references(period, edges[0], depth, trust)
    return CorePlan(
        horizon,
        max(-(-horizon // fold.period) * fold.period for fold in (Fold(1, 1, 1), *folds)),
        edges,
        _N_COMPONENTS if n_components is None else n_components,
        _N_OUTPUTS,
        _segments(horizon),
        tuple(experts),
        trust * _SHRINKAGE + (1 - trust) * _SHRINKAGE_UNTRUSTED,
        period,
        forgetting,
    )


def _fitted(
    edges: tuple[int, ...], folds: tuple[Fold, ...], channels: int, trust: float
) -> list[Expert]:
    """Experts that are solved from the windows, shared by all channels and for each channel."""
    poolings = ("shared", "channel") if channels > 1 else ("shared",)
    experts: list[Expert] = []
    for pooling in poolings:
        experts += [
            RidgeExpert(edge, True, pooling, _STRENGTH, trust) for edge in edges[1:] or edges
        ]
        experts += [RidgeExpert(edges[-1], False, pooling, 10 * _STRENGTH, 0.3 * trust)]
        if len(edges) > 1:
            experts += [RidgeExpert(edges[0], True, pooling, _STRENGTH, 0.3 * trust)]
    experts += [
        FoldedExpert(fold, pooling, _STRENGTH, _FOLDED_RANK, trust)
        for fold in folds
        for pooling in poolings
    ]
    return experts


def _references(period: int, recent: int, depth: int, trust: float) -> list[Expert]:
    """Experts with nothing to fit: a few beside trusted ones, more where there is little to fit from."""
    levels = dict.fromkeys((0, 1, period, _WEEK * period))
    seasonal = 1 < period <= recent
    # A period is only given where there is a season: levels, which have none, are then trusted no more than what is
    # fitted, and the last cycle gets the share that both lose.
    share = trust * _REFERENCE if seasonal else _REFERENCE
    experts: list[Expert] = [LevelExpert(steps, share) for steps in levels if steps <= depth]
    if seasonal:
        experts.append(SeasonalExpert(period, 1, _REFERENCE + (1 - trust) * _NAIVE))
    if trust == 1:
        return experts
    prior = (1 - trust) * _REFERENCE
    if period == 1:
        drifts = dict.fromkeys((2, recent // 4, recent - 1))
        return experts + [DriftExpert(steps, prior) for steps in drifts if 0 < steps < recent]
    gains = dict.fromkeys((1, max(1, period // 4), period))
    experts += [GrowthExpert(period, steps, prior) for steps in gains if period + steps <= recent]
    if 2 * period <= recent:
        experts.append(SeasonalExpert(period, recent // period, prior))
    return experts


def _edges(
    rows: int,
    horizon: int,
    period: int,
    memory_depth: int | None,
    input_length: int | None,
    memory: str,
) -> tuple[int, ...]:
    most = max(1, rows - horizon)
    recent = -(-_RECENT // period) * period if input_length is None else input_length
    # A short series still looks back over two whole cycles, without which growth cannot be told from season, or over
    # one, without which nothing seasonal can be said.
    recent = min(recent, max(most // 3, min(2 * period, most - period), min(period, most - 1), 1))
    if memory_depth is not None:
        recent = min(recent, memory_depth)
    edges = [recent]
    if memory == "history":
        deepest = min(rows // _ROWS_PER_DEPTH, most // 3)
        if memory_depth is not None:
            deepest = min(most - 1, memory_depth)
        for depth in _DEPTHS:
            depth = min(-(-depth // period) * period, deepest)
            # A sliver of a block would cost as much as a whole one.
            if 4 * depth >= 5 * edges[-1]:
                edges.append(depth)
    return tuple(edges)


def _folds(period: int, depth: int, most: int) -> tuple[Fold, ...]:
    """By the leading period and by seven of it, as far as the depth holds three cycles or more."""
    folds = []
    for length in (period, _WEEK * period):
        cycles = min(_CYCLES, depth // length)
        # The horizon is rounded up to whole cycles, for which the longest series must have the rows.
        if period > 1 and cycles >= 3 and depth + length <= most:
            folds.append(Fold(length, cycles, 1))
    return tuple(folds)


def _segments(horizon: int) -> tuple[int, ...]:
    """3, 6, 12, ... steps ahead, and the horizon."""
    stops = [3]
    while stops[-1] < horizon:
        stops.append(2 * stops[-1])
    return (*[stop for stop in stops if stop < horizon], horizon)
