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

from klforecast.core.covariate_terms import CovariateBasis, covariate_basis
from klforecast.core.pilot import LEAST_BLOCKS, Pilot, cut_windows
from klforecast.core.plan import CorePlan
from klforecast.core.rows import remembered_rows
from klforecast.core.solve import solve_from_plan

_STRENGTH = 0.01  # of the ridge while columns are chosen
_STRENGTHS = (
    1e-4,
    1e-3,
    1e-2,
    1e-1,
    1.0,
)  # from none to half of the coefficients of standardised terms
_LEAST_GAIN = (
    1e-3  # of the squared error: a column that gives less is not worth the rows of X it asks for
)
_CONFIDENCE = 0.95  # one-sided, the usual level; see above
_ROUNDING = 1e-10  # squares of some thousand windows in float32, in deviations of the series


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

    def doubt(self, columns: Tensor, steps: Tensor) -> Tensor:  # (T, k), (T,) -> (T, C)
        """How far the effect, held at the edges of what was seen, is from one that goes on linearly."""
        free = self._replace(basis=self.basis.without_edges())
        return (free.of(columns, steps) - self.of(columns, steps)).abs()

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

    def remembered(self, plan: CorePlan) -> "CovariatePanel":
        """Keep the rows whose windows still count, see `remembered_rows`."""
        counts = [len(rows) for rows in remembered_rows(self.series, plan)]
        return CovariatePanel(
            *([rows[-count:] for rows, count in zip(part, counts, strict=True)] for part in self)
        )

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
        Of the pilot, see `plan_pilot`.
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
    basis = covariate_basis(panel.columns, panel.steps, period, plain)
    channels = panel.series[0].shape[1]
    nothing = _without_terms(basis, channels)
    usable = panel.longer_than(plan.depth + plan.padded_horizon).remembered(plan)
    if not groups or not usable.series or len(basis.terms) == 0:
        return nothing
    pilot = Pilot(usable.series, plan)
    if not pilot.is_enough:
        return nothing
    moments = _held_out_moments(usable, pilot, basis)
    nested = [_nested_terms(basis, group) for group in groups]
    coefficients = torch.zeros(channels, len(basis.terms), dtype=torch.float64)
    ratio = nothing.ratio.clone()
    for channel in range(channels):
        own = moments[:, channel]
        # A block whose targets were all filled, or forecast up to rounding, says nothing about what may explain them.
        own = own[own[:, -1, -1] > _ROUNDING]
        if len(own) < LEAST_BLOCKS:
            continue
        chosen, strength = _choose(own, nested)
        if len(chosen):
            part = _among(own, chosen)
            coefficients[channel, chosen] = _solve(part.sum(dim=0), strength)
            ratio[channel] = _ratios(part, strength).mean()
    used = (coefficients != 0).any(dim=0)
    return CovariateEffect(basis._replace(terms=basis.terms[used]), coefficients[:, used], ratio)


def _without_terms(basis: CovariateBasis, channels: int) -> CovariateEffect:
    return CovariateEffect(
        basis._replace(terms=basis.terms[:0]),
        torch.zeros(channels, 0, dtype=torch.float64),
        torch.ones(channels, dtype=torch.float64),
    )


def without_harm(panel: CovariatePanel, plan: CorePlan, effect: CovariateEffect) -> CovariateEffect:
    """Take the effect from channels that the whole core forecasts no better with it.

    The pilot is simpler than the core: a mixture by prior weights, which may leave to a covariate what the weighted
    one forecasts by itself, a calendar feature above all.

    Parameters
    ----------
    panel : CovariatePanel
    plan : CorePlan
        Of the core that will forecast the residual.
    effect : CovariateEffect
        As solved on the panel.

    Returns
    -------
    CovariateEffect
        Zero in the channels whose squared error out of fold does not fall; without terms if that is all of them.

    Notes
    -----
    Two cores are solved, of the series and of its residual.
    """
    residuals = [
        series - effect.of(*rows)
        for series, *rows in zip(panel.series, panel.columns, panel.steps, strict=True)
    ]
    with_it, alone = (_squared_error(series, plan) for series in (residuals, panel.series))
    helps = with_it < (1 - _LEAST_GAIN) * alone
    return CovariateEffect(
        effect.basis if helps.any() else effect.basis._replace(terms=effect.basis.terms[:0]),
        torch.where(helps[:, None], effect.coefficients, 0.0)
        if helps.any()
        else effect.coefficients[:, :0],
        torch.where(helps, effect.ratio, 1.0),
    )


def _squared_error(panel: Sequence[Tensor], plan: CorePlan) -> Tensor:  # (C,)
    residuals = solve_from_plan(panel, plan).residuals
    assert residuals is not None, "errors are held by default"
    return residuals.errors.double().square().mean(dim=(0, 1))


def apart_is_better(panel: CovariatePanel, plan: CorePlan, effects: Sequence[Tensor]) -> bool:
    """Tell whether a series is forecast better in two parts, the effect of covariates and the residual.

    Parameters
    ----------
    panel : CovariatePanel
    plan : CorePlan
        Of the pilots, see `plan_pilot`.
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
    residuals = [series - part for series, part in zip(whole, parts, strict=True)]
    pilots = [Pilot(series, plan) for series in (whole, parts, residuals)]
    if not pilots[0].is_enough:
        return False
    ratios = []
    for block in range(len(pilots[0].blocks)):
        together, apart = 0.0, 0.0
        for windows, i in pilots[0].batches(block):
            known = cut_windows(panel.observed[long[i]].T, windows, plan)[..., plan.depth :]
            errors = [
                pilot.errors(block, cut_windows(series[i].T, windows, plan))
                for pilot, series in zip(pilots, (whole, parts, residuals), strict=True)
            ]
            together += float((errors[0] * known).square().sum())
            apart += float(((errors[1] + errors[2]) * known).square().sum())
        if together > _ROUNDING:
            ratios.append(apart / together)
    return len(ratios) >= LEAST_BLOCKS and _agree(torch.tensor(ratios) - 1)


def _held_out_moments(panel: CovariatePanel, pilot: Pilot, basis: CovariateBasis) -> Tensor:
    """Second moments of the errors of all terms and of a channel in each block, (K, C, p + 1, p + 1)."""
    terms = [
        basis.evaluate(columns, steps).T.float().contiguous()
        for columns, steps in zip(panel.columns, panel.steps, strict=True)
    ]
    size, channels = len(terms[0]) + 1, panel.series[0].shape[1]
    moments = torch.zeros(len(pilot.blocks), channels, size, size, dtype=torch.float64)
    for block in range(len(moments)):
        for cutoffs, i in pilot.batches(block):
            of_terms = pilot.errors(block, cut_windows(terms[i], cutoffs, pilot.plan))
            for channel in range(channels):
                own = cut_windows(panel.series[i][:, channel], cutoffs, pilot.plan)
                known = cut_windows(panel.observed[i][:, channel], cutoffs, pilot.plan)
                errors = torch.cat([of_terms, pilot.errors(block, own)[None]])
                # What was filled is no target.
                flat = (errors * known[..., pilot.plan.depth :]).flatten(1)
                moments[block, channel] += (flat @ flat.T).double()
    return moments


def _nested_terms(basis: CovariateBasis, group: Sequence[int]) -> list[Tensor]:
    """Terms of a group of columns: the columns alone, their functions, and those at each phase."""
    column, function, harmonic = basis.terms.T
    own = torch.isin(column, torch.tensor(list(group)))
    nested = (own & (function == 0) & (harmonic == 0), own & (harmonic == 0), own)
    return [which.nonzero()[:, 0] for which in nested]


def _choose(moments: Tensor, nested: Sequence[Sequence[Tensor]]) -> tuple[Tensor, float]:
    """Terms for the last variable of the moments, and the strength of the ridge on them."""
    chosen: dict[int, Tensor] = {}
    reached = torch.ones(len(moments), dtype=torch.float64)
    while True:
        best, least = None, reached
        for group, of_group in enumerate(nested):
            others = [kept for other, kept in chosen.items() if other != group]
            own = reached
            for terms in of_group:
                ratios = _ratios(_among(moments, torch.cat([*others, terms])), _STRENGTH)
                # More terms have to be better than fewer, not only than none.
                if _agree(ratios - own):
                    own = ratios
                    if own.mean() < least.mean():
                        best, least = (group, terms), own
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
    return squares / moments[:, -1, -1]


def _solve(moments: Tensor, strength: float) -> Tensor:  # (p + 1, p + 1) -> (p,)
    gram, cross = moments[:-1, :-1], moments[:-1, -1]
    # A ridge in units of each term, so that the units of the columns do not matter.
    scale = gram.diagonal().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    penalised = gram / scale / scale[:, None]
    penalised += strength * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(penalised, cross / scale) / scale
