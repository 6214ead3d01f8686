"""A long season in few coordinates: the leading harmonics of a cycle that is too long for a window.

    y_t = sum_j  a_j sin(2 pi j t / P) + b_j cos(2 pi j t / P)  +  r_t        j = 1 .. J,   r forecast by the core

A cycle of a year of hours holds 8,760 steps. As steps of a window they would cost their square in memory and their
cube in time, and three of them are too few to learn so many weights from; what repeats from year to year is smooth,
and a few harmonics hold it. They are columns like those of covariates, solved by least squares.

A season stays where it helps the core to forecast rows that it was not solved on: the last third of each series,
with the season of the first two thirds.

Letters   T steps, C channels, k columns, P period, J harmonics
"""

import math

import torch
from torch import Tensor

from klforecast.core.covariate_effect import CovariateEffect, CovariatePanel
from klforecast.core.covariate_terms import CovariateBasis
from klforecast.core.plan import CorePlan
from klforecast.core.ridge import ridge_from_gram
from klforecast.core.solve import solve_from_plan

LONGEST_CYCLE = 1440
"""Steps of the longest cycle that enters a window as it is, the minutes of a day: a fit takes seconds."""

# Harmonics of a long cycle: years of hours gain from 4 to 8 on VicElec (MSE at 336 steps -15 %), 2 hold a plain wave.
_HARMONICS = 6
_STRENGTH = 1e-4  # of the ridge: rows outnumber harmonics by far, so that it only keeps the solution defined
_JUDGED = 3  # the last one of so many parts of the rows


def season_waves(steps: Tensor, period: int) -> Tensor:  # (T,) -> (T, 2 J)
    """Sines and cosines of the phase of a long cycle.

    Examples
    --------
    >>> import torch
    >>> season_waves(torch.tensor([0, 5000]), 20_000)[:, [0, 6]]
    tensor([[0.0000e+00, 1.0000e+00],
            [1.0000e+00, 6.1232e-17]], dtype=torch.float64)
    """
    angle = steps.double()[:, None] * torch.arange(1, _HARMONICS + 1) * (2 * math.pi / period)
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def with_season(
    panel: CovariatePanel,
    plan: CorePlan,
    effect: CovariateEffect,
    waves: Tensor,  # (k,) bool
) -> CovariateEffect:
    """Add a long season to the effect of covariates, in the channels that are forecast better with it.

    Parameters
    ----------
    panel : CovariatePanel
    plan : CorePlan
        Of the core that will forecast the residual.
    effect : CovariateEffect
        Of the other columns.
    waves : Tensor of shape (k,), bool
        Columns that are the harmonics of the season.

    Returns
    -------
    CovariateEffect

    Notes
    -----
    Two cores are solved, with a season and without.
    """
    series = [
        rows - effect.of(*own)
        for rows, *own in zip(panel.series, panel.columns, panel.steps, strict=True)
    ]
    residual = panel._replace(series=series)
    terms = torch.nn.functional.pad(waves.nonzero(), (0, 2))
    basis = effect.basis._replace(terms=terms)
    early = _solve(residual, basis, [len(rows) - len(rows) // _JUDGED for rows in series])
    plain, seasonal = (
        _late_error(candidate, plan) for candidate in (series, _less(residual, basis, early))
    )
    helps = seasonal < plain
    if not helps.any():
        return effect
    whole = _solve(residual, basis, [len(rows) for rows in series])
    return CovariateEffect(
        basis._replace(terms=torch.cat([effect.basis.terms, terms])),
        torch.cat([effect.coefficients, torch.where(helps[:, None], whole, 0.0)], dim=1),
        effect.ratio * torch.where(helps, seasonal / plain, 1.0),
    )


def _solve(panel: CovariatePanel, basis: CovariateBasis, counts: list[int]) -> Tensor:  # (C, 2 J)
    """Least squares on the first rows of each series, those that were filled left out."""
    channels = panel.series[0].shape[1]
    size = len(basis.terms) + 1
    moments = torch.zeros(channels, size + 1, size + 1, dtype=torch.float64)
    for rows, observed, columns, steps, count in zip(*panel, counts, strict=True):
        inputs = basis.evaluate(columns[:count], steps[:count])
        inputs = torch.cat([inputs, torch.ones(count, 1, dtype=torch.float64)], dim=1)
        for channel in range(channels):
            whole = torch.cat([inputs, rows[:count, channel, None]], dim=1)
            known = whole[observed[:count, channel]]
            moments[channel] += known.T @ known
    return torch.stack(
        [
            ridge_from_gram(own[:size, :size], own[:size, size:], _STRENGTH)[:-1, 0]
            for own in moments
        ]
    )


def _less(panel: CovariatePanel, basis: CovariateBasis, coefficients: Tensor) -> list[Tensor]:
    return [
        rows - basis.evaluate(columns, steps) @ coefficients.T
        for rows, columns, steps in zip(panel.series, panel.columns, panel.steps, strict=True)
    ]


def _late_error(series: list[Tensor], plan: CorePlan) -> Tensor:  # (C,)
    """Mean squared error of a core out of fold on the last windows, which are in order of time."""
    residuals = solve_from_plan(series, plan).residuals
    assert residuals is not None, "errors are held by default"
    late = residuals.errors[-max(1, len(residuals.errors) // _JUDGED) :]
    return late.double().square().mean(dim=(0, 1))
