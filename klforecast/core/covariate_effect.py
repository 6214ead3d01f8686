"""The effect of covariates on a series, solved on what the series' own past does not forecast.

    y_t = phi_t' beta + r_t,        r forecast by the linear core

The past of y holds the past of phi, so a plain regression of y on phi would give the covariates what the memory
already knows. Both sides are therefore freed of what a pilot core W forecasts (partialling out, Frisch & Waugh 1933;
with W for the whitening filter, generalised least squares),

    y_{t+h} - (W y)_{t,h}   =   (phi_{t+h} - (W phi)_{t,h})' beta + noise         all h up to the horizon,

on windows of a block of time that the pilot was not solved on. Columns join one by one, with as many terms as pay,
as long as the blocks agree (one-sided t-test, 5 %) that the error of the others' beta falls; the ridge is chosen
likewise. What does not help out of fold has no effect at all.

Covariates whose future is not known explain the past: the part s_t = phi_t' beta becomes one more series, which has
a core of its own, if r and s forecast apart are better out of fold than y as one.

Letters   C channels, k columns, p terms, H horizon, K blocks
"""

from collections.abc import Sequence
from typing import NamedTuple

import scipy.stats
import torch
from torch import Tensor

from klforecast.core.coordinates import Coordinates, window_coordinates
from klforecast.core.covariate_terms import CovariateBasis, covariate_basis
from klforecast.core.experts import Moments, RidgeExpert, shares
from klforecast.core.gram import window_gram, window_moments
from klforecast.core.out_of_fold import Blocks, SpreadWindows, spread_windows, time_blocks
from klforecast.core.plan import CorePlan

_STRENGTH = 0.01  # of the ridge while columns are chosen
_STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_LEAST_GAIN = 1e-3
_LEAST_BLOCKS = 3
_CONFIDENCE = 0.95
_WINDOWS_AT_ONCE = 32


class CovariateEffect(NamedTuple):
    """A linear map from the terms of covariates to their effect, in deviations of the series.

    Attributes
    ----------
    basis : CovariateBasis
        The terms that are used.
    coefficients : Tensor of shape (C, p)
    ratio : Tensor of shape (C,)
        Squared error out of fold with the effect over that without; 1 where a channel has none.
    """

    basis: CovariateBasis
    coefficients: Tensor
    ratio: Tensor

    def of(self, columns: Tensor, steps: Tensor) -> Tensor:  # (T, k), (T,) -> (T, C)
        """Effect of rows of the columns, see `CovariateBasis.evaluate`."""
        return self.basis.evaluate(columns, steps) @ self.coefficients.T

    def part(self, columns: Tensor) -> "CovariateEffect":  # (k,) bool
        """The effect of some of the columns alone."""
        chosen = self.basis.of_columns(columns)
        basis = self.basis._replace(terms=self.basis.terms[chosen])
        return self._replace(basis=basis, coefficients=self.coefficients[:, chosen])


class CovariatePanel(NamedTuple):
    """Series and the rows of their covariates.

    Attributes
    ----------
    series : sequence of Tensor of shape (time, C)
        Standardised, gaps filled.
    observed : sequence of Tensor of shape (time, C), bool
        False where a value was filled: it is no target.
    columns : sequence of Tensor of shape (time, k)
        Finite.
    steps : sequence of Tensor of shape (time,)
        Number of each row from a common origin, for the phase of the cycle.
    """

    series: Sequence[Tensor]
    observed: Sequence[Tensor]
    columns: Sequence[Tensor]
    steps: Sequence[Tensor]

    def longer_than(self, rows: int) -> "CovariatePanel":
        """Keep the series of at least so many rows."""
        kept = [i for i, series in enumerate(self.series) if len(series) >= rows]
        return CovariatePanel(*([part[i] for i in kept] for part in self))


def solve_effect(
    panel: CovariatePanel,
    plan: CorePlan,
    period: int,
    groups: Sequence[Sequence[int]],
    plain: Tensor,  # (k,) bool
) -> CovariateEffect:
    """Choose terms and solve for their coefficients.

    Parameters
    ----------
    panel : CovariatePanel
    plan : CorePlan
        Of the core that will forecast the rest.
    period : int
        Steps of one cycle; 1 for none.
    groups : sequence of sequences of int
        Columns that are used together or not at all.
    plain : Tensor of shape (k,), bool
        Columns that are used as they are, see `covariate_basis`.

    Returns
    -------
    CovariateEffect
        Without terms where nothing helps, or where the series are too short to hold blocks out.

    Notes
    -----
    O(n p D d) time for n = 1,000 windows of depth D in d coordinates, and O(p^3) for each choice.
    """
    basis = covariate_basis(panel.columns, period, plain)
    channels = panel.series[0].shape[1]
    nothing = CovariateEffect(
        basis._replace(terms=basis.terms[:0]),
        torch.zeros(channels, 0, dtype=torch.float64),
        torch.ones(channels, dtype=torch.float64),
    )
    usable = panel.longer_than(plan.depth + plan.padded_horizon)
    if not usable.series or len(basis.terms) == 0:
        return nothing
    pilot = _Pilot(usable.series, plan)
    if len(pilot.blocks.judged) < _LEAST_BLOCKS:
        return nothing
    moments = _held_out_moments(usable, pilot, basis)
    nested = [_nested_terms(basis, group) for group in groups]
    coefficients = torch.zeros(channels, len(basis.terms), dtype=torch.float64)
    ratio = nothing.ratio.clone()
    for channel in range(channels):
        own = moments[:, channel]
        chosen, strength = _choose(own, nested)
        if len(chosen):
            part = _among(own, chosen)
            coefficients[channel, chosen] = _solve(part.sum(dim=0), strength)
            ratio[channel] = _ratios(part, strength).mean()
    used = (coefficients != 0).any(dim=0)
    return CovariateEffect(basis._replace(terms=basis.terms[used]), coefficients[:, used], ratio)


def apart_is_better(panel: CovariatePanel, plan: CorePlan, effects: Sequence[Tensor]) -> bool:
    """Tell whether a series is forecast better in two parts, the effect of covariates and the rest.

    Parameters
    ----------
    panel : CovariatePanel
    plan : CorePlan
    effects : sequence of Tensor of shape (time, C)
        The part of each series that is to be forecast by a core of its own.

    Returns
    -------
    bool
        True if the blocks agree, as for columns in `solve_effect`.
    """
    length = plan.depth + plan.padded_horizon
    long = [i for i, series in enumerate(panel.series) if len(series) >= length]
    if not long:
        return False
    whole = [panel.series[i] for i in long]
    parts = [effects[i] for i in long]
    rests = [series - part for series, part in zip(whole, parts, strict=True)]
    pilots = [_Pilot(series, plan) for series in (whole, parts, rests)]
    if len(pilots[0].blocks.judged) < _LEAST_BLOCKS:
        return False
    ratios = []
    for block in range(len(pilots[0].blocks.judged)):
        together, apart = 0.0, 0.0
        for windows, i in pilots[0].batches(block):
            known = _windows(panel.observed[long[i]].T, windows, plan)[..., plan.depth :]
            errors = [
                pilot.errors(block, _windows(series[i].T, windows, plan))
                for pilot, series in zip(pilots, (whole, parts, rests), strict=True)
            ]
            together += float((errors[0] * known).square().sum())
            apart += float(((errors[1] + errors[2]) * known).square().sum())
        ratios.append(apart / together)
    return _agree(torch.tensor(ratios) - 1)


class _Pilot:
    """Maps from the past of a window to its future, one for each block of time, solved without it.

    They are the mixture by prior weights of the ridge experts that all channels share; of those with nothing to fit
    where the series are too short for any.
    """

    def __init__(self, panel: Sequence[Tensor], plan: CorePlan):
        self.plan = plan
        lengths = [len(series) for series in panel]
        self.windows: SpreadWindows = spread_windows(lengths, plan)
        self.blocks: Blocks = time_blocks(self.windows, lengths, plan)
        size = plan.depth + plan.horizon
        gram = window_gram([window_moments(series, size) for series in panel])
        self.coordinates: Coordinates = window_coordinates(
            gram, plan.edges, plan.horizon, plan.n_components, plan.n_outputs
        )
        shared = [expert for expert in plan.experts if expert.pooling != "channel"]
        fitted = any(isinstance(expert, RidgeExpert) for expert in shared)
        experts = [
            expert
            for expert in shared
            if (isinstance(expert, RidgeExpert) if fitted else expert.pooling == "none")
        ]
        trained = self._trained_grams(panel)
        self._maps = []
        for gram in trained:
            maps = [expert.solve(Moments(gram, {}), self.coordinates) for expert in experts]
            self._maps.append(torch.einsum("e,ehd->hd", shares(experts), torch.stack(maps)).float())

    def _trained_grams(self, panel: Sequence[Tensor]) -> Tensor:  # (K, d + r, d + r)
        size = self.coordinates.sizes[-1] + self.coordinates.output_modes.shape[1]
        grams = torch.zeros(len(self.blocks.judged), size, size, dtype=torch.float64)
        for i, series in enumerate(panel):
            own = (self.windows.series == i).nonzero()[:, 0]
            for channel in range(series.shape[1]):
                raw = _windows(series[:, channel], self.windows.cutoff[own], self.plan)
                encoded = self.coordinates.encode_whole(raw).double()
                for gram, trained in zip(grams, self.blocks.trained, strict=True):
                    among = encoded[trained[own]]
                    gram += among.T @ among
        return grams

    def batches(self, block: int) -> list[tuple[Tensor, int]]:
        """Judged windows of a block whose targets are in no other block: cutoffs, of one series each."""
        elsewhere = self.blocks.trained.sum(dim=0) == len(self.blocks.trained) - 1
        judged = self.blocks.judged[block]
        judged = judged[elsewhere[judged]]
        return [
            (self.windows.cutoff[few], i)
            for i in self.windows.series[judged].unique().tolist()
            for few in judged[self.windows.series[judged] == i].split(_WINDOWS_AT_ONCE)
        ]

    def errors(self, block: int, windows: Tensor) -> Tensor:  # (..., D + H) -> (..., H)
        """What the pilot leaves over of the futures of windows."""
        past, future = windows[..., : self.plan.depth], windows[..., self.plan.depth :]
        return future - self.coordinates.encode(past) @ self._maps[block].T


def _windows(
    rows: Tensor, cutoffs: Tensor, plan: CorePlan
) -> Tensor:  # (..., T) -> (..., n, D + H)
    starts = cutoffs - plan.depth
    return rows.float().unfold(-1, plan.depth + plan.horizon, 1)[..., starts, :]


def _held_out_moments(panel: CovariatePanel, pilot: _Pilot, basis: CovariateBasis) -> Tensor:
    """Second moments of the errors of all terms and of a channel in each block, (K, C, p + 1, p + 1)."""
    terms = [
        basis.evaluate(columns, steps).T.float().contiguous()
        for columns, steps in zip(panel.columns, panel.steps, strict=True)
    ]
    size, channels = len(terms[0]) + 1, panel.series[0].shape[1]
    moments = torch.zeros(len(pilot.blocks.judged), channels, size, size, dtype=torch.float64)
    for block in range(len(moments)):
        for cutoffs, i in pilot.batches(block):
            of_terms = pilot.errors(block, _windows(terms[i], cutoffs, pilot.plan))
            for channel in range(channels):
                own = _windows(panel.series[i][:, channel], cutoffs, pilot.plan)
                known = _windows(panel.observed[i][:, channel], cutoffs, pilot.plan)
                errors = torch.cat([of_terms, pilot.errors(block, own)[None]])
                # What was filled is no target.
                flat = (errors * known[..., pilot.plan.depth :]).flatten(1)
                moments[block, channel] += (flat @ flat.T).double()
    return moments


def _nested_terms(basis: CovariateBasis, group: Sequence[int]) -> list[Tensor]:
    """Terms of a group of columns: the columns alone, their functions, and those at each phase."""
    column, function, harmonic = basis.terms.T
    own = torch.isin(column, torch.tensor(list(group)))
    levels = (own & (function == 0) & (harmonic == 0), own & (harmonic == 0), own)
    return [level.nonzero()[:, 0] for level in levels]


def _choose(moments: Tensor, nested: Sequence[Sequence[Tensor]]) -> tuple[Tensor, float]:
    """Terms for the last variable of the moments, and the strength of the ridge on them."""
    chosen: dict[int, Tensor] = {}
    reached = torch.ones(len(moments), dtype=torch.float64)
    while True:
        best, least = None, reached
        for group, levels in enumerate(nested):
            others = [terms for other, terms in chosen.items() if other != group]
            for level in levels:
                ratios = _ratios(_among(moments, torch.cat([*others, level])), _STRENGTH)
                if _agree(ratios - reached) and ratios.mean() < least.mean():
                    best, least = (group, level), ratios
        if best is None:
            break
        reached = least
        chosen[best[0]] = best[1]
    if not chosen:
        return torch.zeros(0, dtype=torch.int64), _STRENGTH
    terms = torch.cat(list(chosen.values()))
    part = _among(moments, terms)
    return terms, min(_STRENGTHS, key=lambda strength: float(_ratios(part, strength).mean()))


def _among(moments: Tensor, terms: Tensor) -> Tensor:  # (K, p + 1, p + 1) -> (K, q + 1, q + 1)
    """Moments of some of the terms and of the last variable."""
    kept = torch.cat([terms, torch.tensor([moments.shape[-1] - 1])])
    return moments[:, kept][:, :, kept]


def _agree(change: Tensor) -> bool:  # (K,)
    """Tell whether the blocks agree that an error falls."""
    gain = -float(change.mean())
    limit = float(scipy.stats.t.ppf(_CONFIDENCE, len(change) - 1))
    return gain > _LEAST_GAIN and gain > limit * float(change.std()) / len(change) ** 0.5


def _ratios(moments: Tensor, strength: float) -> Tensor:  # (K, p + 1, p + 1) -> (K,)
    """Squared error in each block with the coefficients of the others, over that without covariates."""
    solved = torch.stack([_solve(moments.sum(dim=0) - held_out, strength) for held_out in moments])
    full = torch.cat([solved, -torch.ones(len(solved), 1, dtype=solved.dtype)], dim=1)
    squares = torch.einsum("ki,kij,kj->k", full, moments, full)
    return squares / moments[:, -1, -1].clamp(min=torch.finfo(torch.float64).tiny)


def _solve(moments: Tensor, strength: float) -> Tensor:  # (p + 1, p + 1) -> (p,)
    gram, cross = moments[:-1, :-1], moments[:-1, -1]
    # A ridge in units of each term, so that the units of the columns do not matter.
    scale = gram.diagonal().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    penalised = gram / scale / scale[:, None]
    penalised += strength * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(penalised, cross / scale) / scale
