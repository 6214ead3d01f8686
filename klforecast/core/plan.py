"""What the linear core is made of, decided from the lengths of the series and their periods alone.

The numbers below were settled by out-of-fold errors on hourly, quarter-hourly, ten-minute, half-hourly and daily
series; `docs/method/linear_core.md` shows what each of them is worth.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from klforecast.core.experts import EXPERTS, Expert, Fold, RidgeExpert, Setting
from klforecast.core.experts.base import CYCLES_OF_A_WEEK

# Steps that stay as they are: where the older ones become modes, nothing of a day of quarter-hours is lost.
_RECENT = 96
# Ages at which the blocks of the history end: each about twice as old as the one before, since what is older is
# coarser; the first two are the lookbacks at which linear forecasts of hours are published.
_DEPTHS = (336, 720, 1440, 2880)
# A block is used where the series is this many times as long: every window costs its depth in rows.
_ROWS_PER_DEPTH = 8
_CYCLES = 14  # that a folded expert looks back: two weeks of days
_LEAST_CYCLES = 3  # of a fold: fewer leave nothing to tell a slope from noise
_N_COMPONENTS = (
    96  # modes a block; 24 cost 0.7 % on ETTh1, 192 gain nothing (docs/method/linear_core.md)
)
# Of a short series, whose history is one block. Fewer raw steps and a few modes of the older ones: two cycles and a
# quarter of the rows lower the CRPS by 6 % with the core alone and by 3 % in the pool on seven short sets before their
# test parts, by 2 % in the pool on eleven cut-outs of long ones; a third of the rows gains half as much, 8 or 16 modes
# two thirds (docs/method/linear_core.md). Where a quarter of the rows holds nothing older than two cycles, the second
# one is the memory.
_SHORT_CYCLES, _SHORT_SHARE, _SHORT_COMPONENTS = 2, 4, 24
_N_OUTPUTS = 64  # modes of the future: those beyond carry less than the ridge takes away
_SHRINKAGE = 10.0  # to the prior, for each independent horizon; none costs 2 % on ETTh1 (docs/method/linear_core.md)
_SHRINKAGE_WITHOUT_PRIOR = (
    0.5  # experts with nothing to fit do not overfit, so their errors may be believed
)
_WINDOWS_PER_INPUT = 10  # windows for each input below which the prior of a fitted expert falls


@dataclass(frozen=True)
class CoreOptions:
    """What a user may ask of a linear core; the defaults of every caller stand here.

    Parameters
    ----------
    input_length : int, optional
        Steps that enter as they are; None takes 96, in whole cycles.
    memory_depth : int, optional
        Most steps to look back; None takes what the length of the series supports, at most 2,880.
    n_components : int, optional
        Modes kept in each block of the history; None takes 96, 24 of the history of a short series, and all where
        that is no more than the second last cycle.
    memory : {"history", "none"}
        "none" looks back no further than the input window.
    forgetting : float
        Weight of a window relative to the next newer one. Below 1, a series counts as no more windows than it
        remembers, 1 / (1 - forgetting), and supports the depth of a series of that many.
    """

    input_length: int | None = None
    memory_depth: int | None = None
    n_components: int | None = None
    memory: str = "history"
    forgetting: float = 1.0


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
    doubted : bool
        Whether the history has to show that it helps: where there is no season and no depth was asked for.
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
    doubted: bool = False

    @property
    def depth(self) -> int:
        """Steps that a window looks back."""
        return self.edges[-1]

    @property
    def folds(self) -> tuple[Fold, ...]:
        """The folds that the experts need."""
        return tuple(dict.fromkeys(fold for expert in self.experts for fold in expert.folds))

    @property
    def without_history(self) -> "CorePlan":
        """The input window alone, if the history is doubted; else the same plan."""
        if not self.doubted:
            return self
        recent = self.edges[0]
        experts = [e for e in self.experts if not (isinstance(e, RidgeExpert) and e.depth > recent)]
        return self._replace(edges=(recent,), experts=tuple(experts), doubted=False)

    @property
    def length(self) -> int:
        """Rows of a window, the whole cycles ahead of it included."""
        return self.depth + self.padded_horizon


def plan_core(
    lengths: Sequence[int],
    channels: int,
    horizon: int,
    periods: Sequence[int] = (),
    options: CoreOptions | None = None,
    **changes: Any,
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
    periods : sequence of int
        Periods in steps, the leading one first.
    options : CoreOptions, optional
        None takes the defaults.
    **changes
        Of single options.

    Returns
    -------
    CorePlan

    Examples
    --------
    >>> plan = plan_core([11_520], channels=7, horizon=96, periods=[24])
    >>> plan.edges
    (96, 336, 720, 1440)
    """
    options = replace(options or CoreOptions(), **changes)
    remembered = math.ceil(1 / (1 - options.forgetting)) if options.forgetting < 1 else max(lengths)
    # A depth that was asked for needs rows; one that is chosen needs windows that count.
    supported = max(lengths) if options.memory_depth else min(max(lengths), horizon + remembered)
    period = periods[0] if periods else 1
    edges, n_components = _blocks(supported, horizon, period, options)
    depth = edges[-1]
    folds = _folds(period, depth, max(lengths) - horizon) if options.memory == "history" else ()
    windows = sum(min(max(0, rows - depth - horizon + 1), remembered) for rows in lengths)
    windows *= channels
    setting = Setting(edges, folds, period, channels, prior=1.0)
    prior = min(1.0, windows / (_WINDOWS_PER_INPUT * setting.near))
    setting = setting._replace(prior=prior if windows >= setting.near else 0.0)
    experts = tuple(expert for kind in EXPERTS.values() for expert in kind.propose(setting))
    return CorePlan(
        horizon,
        max([horizon, *(-(-horizon // fold.period) * fold.period for fold in folds)]),
        edges,
        n_components if options.n_components is None else options.n_components,
        _N_OUTPUTS,
        _segments(horizon),
        experts,
        setting.prior * _SHRINKAGE + (1 - setting.prior) * _SHRINKAGE_WITHOUT_PRIOR,
        period,
        options.forgetting,
        doubted=period == 1 and len(edges) > 1 and options.memory_depth is None,
    )


def _blocks(
    rows: int,
    horizon: int,
    period: int,
    options: CoreOptions,
) -> tuple[tuple[int, ...], int]:
    """Edges of the blocks, and how many modes of each are kept by default."""
    most = max(1, rows - horizon)
    recent = (
        -(-_RECENT // period) * period if options.input_length is None else options.input_length
    )
    # A short series still looks back over two whole cycles, without which growth cannot be told from season, or over
    # one, without which nothing seasonal can be said.
    recent = min(recent, max(most // 3, min(2 * period, most - period), min(period, most - 1), 1))
    if options.memory_depth is not None:
        recent = min(recent, options.memory_depth)
    edges = [recent]
    if options.memory == "history":
        deepest = min(rows // _ROWS_PER_DEPTH, most // 3)
        if options.memory_depth is not None:
            deepest = min(most - 1, options.memory_depth)
        for depth in _DEPTHS:
            depth = min(-(-depth // period) * period, deepest)
            # A sliver of a block would cost as much as a whole one.
            if 4 * depth >= 5 * edges[-1]:
                edges.append(depth)
        if len(edges) == 1 and period > 1 and options.memory_depth is None:
            return _short_blocks(recent, most, period, options)
    return tuple(edges), _N_COMPONENTS


def _short_blocks(
    recent: int, most: int, period: int, options: CoreOptions
) -> tuple[tuple[int, ...], int]:
    """Two cycles as they are and what is older in one block, if that is more than a sliver; else one cycle.

    The second cycle in all of its modes is the second cycle: fewer of them make worse forecasts unless they are asked
    for (docs/method/linear_core.md).
    """
    if options.input_length is None:
        recent = min(recent, _SHORT_CYCLES * period)
    deepest = most // _SHORT_SHARE
    if 4 * deepest >= 5 * recent:
        return (recent, deepest), _SHORT_COMPONENTS
    if options.input_length is None and recent > period:
        return (period, recent), period
    return (recent,), _SHORT_COMPONENTS


def _folds(period: int, depth: int, most: int) -> tuple[Fold, ...]:
    """By the leading period and by seven of it, as far as the depth holds three cycles or more."""
    folds = []
    for length in (period, CYCLES_OF_A_WEEK * period):
        cycles = min(_CYCLES, depth // length)
        # The horizon is rounded up to whole cycles, for which the longest series must have the rows.
        if period > 1 and cycles >= _LEAST_CYCLES and depth + length <= most:
            folds.append(Fold(length, cycles, 1))
    return tuple(folds)


def _segments(horizon: int) -> tuple[int, ...]:
    """3, 6, 12, ... steps ahead, and the horizon."""
    stops = [3]
    while stops[-1] < horizon:
        stops.append(2 * stops[-1])
    return (*[stop for stop in stops if stop < horizon], horizon)
