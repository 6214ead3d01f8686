"""Levels at which a law is read in place of those asked for, so that intervals hold what they say where series change.

    u_h         level at which the law has what came h steps ahead
    theta_p  <- theta_p + gamma (p - share of the steps with u_h <= theta_p)

Adaptive conformal inference (Gibbs & Candes 2021, arXiv:2106.00170, eq. 2) for a grid of levels p. What came lies
below the quantile at a level where u does, so any law can be followed that has quantiles. Between those of a table,
which is even in normal scores, quantiles are linear in the score.

Letters   H horizon, C channels, G levels of the grid, Q levels asked for, B levels of the table
"""

import torch
from torch import Tensor

GRID = torch.tensor(
    [
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.2,
        0.3,
        0.4,
        0.5,
        0.6,
        0.7,
        0.8,
        0.9,
        0.95,
        0.975,
        0.99,
        0.995,
    ],
    dtype=torch.float64,
)
"""Levels whose coverage is followed when new rows come in."""

# Standard errors of a share: with none, intervals of steady series widen by chance (83 % in 80 %); with one, exchange
# rates lose what is gained where they drift (CRPS at 30 days 1.5 % higher).
_BEYOND_CHANCE = 0.5
_ENOUGH = 20.0  # independent values that count as much as the nominal level
_FARTHEST = 3.8  # deviations, where the least level is read
_TABLE_STEPS = 38  # of a fifth of a deviation: the median of what lies between two levels is within 1 % of the width

LEVEL_TABLE = torch.special.ndtr(
    torch.linspace(-_FARTHEST, _FARTHEST, _TABLE_STEPS + 1, dtype=torch.float64)
)
"""Levels of the quantiles that stand for a law."""

_LEAST_LEVEL = 1e-4  # below half a rank of 256 scores; the normal tail ends at 3.7 deviations there


def nominal_levels(channels: int) -> Tensor:
    """Levels of the grid before anything was adapted, (C, G)."""
    return GRID.repeat(channels, 1)


def adapted_levels(adapted: Tensor, levels: Tensor) -> Tensor:
    """Levels that are read in place of the nominal ones, linear between those of the grid.

    Parameters
    ----------
    adapted : Tensor of shape (..., C, G)
        Levels theta_p that stand for the levels p of `GRID`.
    levels : Tensor of shape (Q,)
        Nominal levels, in the open interval from 0 to 1.

    Returns
    -------
    Tensor of shape (..., C, Q)
    """
    grid = torch.cat([GRID.new_zeros(1), GRID, GRID.new_ones(1)])
    border = adapted.new_zeros(*adapted.shape[:-1], 1)
    whole = torch.cat([border, adapted, border + 1], dim=-1)
    above = torch.searchsorted(grid, levels.double()).clamp(1, len(grid) - 1)
    share = (levels - grid[above - 1]) / (grid[above] - grid[above - 1])
    low, high = whole[..., above - 1], whole[..., above]
    return (low + share * (high - low)).clamp(_LEAST_LEVEL, 1 - _LEAST_LEVEL)


def reached_levels(truth: Tensor, quantiles: Tensor) -> Tensor:
    """Levels at which a law has what came.

    Parameters
    ----------
    truth : Tensor of shape (...)
        NaN where nothing was observed.
    quantiles : Tensor of shape (..., B)
        At `LEVEL_TABLE`, not decreasing.

    Returns
    -------
    Tensor of shape (...)
        0 below the lowest quantile and 1 above the highest; NaN where nothing was observed.

    Examples
    --------
    >>> import torch
    >>> reached_levels(torch.tensor([0.0, 9.0]), torch.linspace(-3.8, 3.8, 39).expand(2, -1))
    tensor([0.5000, 1.0000])
    """
    above = torch.searchsorted(quantiles.contiguous(), truth[..., None].contiguous())
    inner = above.clamp(1, _TABLE_STEPS)
    low, high = quantiles.gather(-1, inner - 1), quantiles.gather(-1, inner)
    width = high - low
    share = ((truth[..., None] - low) / width.where(width > 0, 1.0)).clamp(0, 1)
    score = (inner - 1 + share) * (2 * _FARTHEST / _TABLE_STEPS) - _FARTHEST
    level = torch.special.ndtr(score)
    level = torch.where(above == 0, 0.0, torch.where(above > _TABLE_STEPS, 1.0, level))
    return torch.where(truth.isnan(), torch.nan, level[..., 0])


def quantiles_at(table: Tensor, levels: Tensor) -> Tensor:
    """Quantiles at some levels from those at `LEVEL_TABLE`.

    Parameters
    ----------
    table : Tensor of shape (..., B)
    levels : Tensor of shape (..., Q)
        Its leading dimensions broadcast to those of the table.

    Returns
    -------
    Tensor of shape (..., Q)
    """
    score = torch.special.ndtri(levels).clamp(-_FARTHEST, _FARTHEST)
    place = (score + _FARTHEST) * (_TABLE_STEPS / (2 * _FARTHEST))
    place = place.expand(*table.shape[:-1], levels.shape[-1])
    below = place.floor().long().clamp(max=_TABLE_STEPS - 1)
    share = place - below
    # Both parts keep within floats, where the difference of two quantiles might not.
    return (1 - share) * table.gather(-1, below) + share * table.gather(-1, below + 1)


def levels_of_reached(reached: Tensor, independent: float) -> Tensor:
    """Levels further out, where more lay beyond the limits of intervals than should have, chance allowed for.

    Parameters
    ----------
    reached : Tensor
        Of `reached_levels`, of any shape.
    independent : float
        How many of them are.

    Returns
    -------
    Tensor of shape (G,)
        Ascending; each at its place or further from the median.

    Examples
    --------
    Of a law that is too narrow, the limits are read further out:

    >>> import torch
    >>> reached = torch.special.ndtr(2 * torch.special.ndtri(torch.arange(0.005, 1, 0.01)))
    >>> levels_of_reached(reached, 20.0)[GRID == 0.9]
    tensor([0.9470], dtype=torch.float64)
    """
    seen = reached[~reached.isnan()].double()
    if len(seen) == 0:
        return GRID.clone()
    weight = independent / (independent + _ENOUGH)
    short = torch.quantile(seen, GRID) - GRID
    chance = _BEYOND_CHANCE * (GRID * (1 - GRID) / max(independent, 1.0)).sqrt()
    outward = (GRID - 0.5).sign()
    moved = GRID + weight * torch.where(outward * short > chance, short, 0.0)
    return moved.clamp(_LEAST_LEVEL, 1 - _LEAST_LEVEL)


def independent_channels(reached: Tensor) -> float:
    """How many channels there are that are not surprised together: (C^2) / (sum of squared correlations).

    Parameters
    ----------
    reached : Tensor of shape (..., C)
        Levels that rows reached, NaN where nothing was observed; they are compared as normal scores.

    Returns
    -------
    float
        From 1, where all channels are surprised by the same rows, to C.

    Examples
    --------
    >>> import torch
    >>> levels = torch.tensor([[0.1, 0.1], [0.9, 0.9], [0.1, 0.9], [0.9, 0.1]])
    >>> round(independent_channels(levels), 6), round(independent_channels(levels[:, [0, 0]]), 6)
    (2.0, 1.0)
    """
    rows = reached.double().flatten(0, -2)
    rows = rows[~rows.isnan().any(dim=1)]
    scores = torch.special.ndtri(rows.clamp(_LEAST_LEVEL, 1 - _LEAST_LEVEL))
    scores = scores - scores.mean(dim=0)
    size = scores.norm(dim=0)
    scores = scores[:, size > 0] / size[size > 0]
    channels = scores.shape[1]
    return channels**2 / float((scores.T @ scores).square().sum()) if channels else 1.0


def adapt_levels(adapted: Tensor, reached: Tensor, rate: Tensor) -> Tensor:  # (..., C, G)
    """Move the levels after one horizon was seen: down where too much lay below, else up.

    Parameters
    ----------
    adapted : Tensor of shape (..., C, G)
        Present levels of the grid.
    reached : Tensor of shape (..., H, C)
        Of `reached_levels`; NaN where nothing was observed. A channel without any moves nothing.
    rate : Tensor of a shape that broadcasts to (..., C, G)
        gamma, from 0 to 1.

    Returns
    -------
    Tensor of shape (..., C, G)
        In ascending order along the grid, so that quantiles do not cross.
    """
    below = reached[..., None] <= adapted[..., None, :, :]
    seen = (~reached.isnan()).sum(dim=-2)[..., None]
    share = below.sum(dim=-3) / seen.clamp(min=1)
    moved = torch.where(seen > 0, adapted + rate * (GRID - share), adapted)
    return moved.clamp(_LEAST_LEVEL, 1 - _LEAST_LEVEL).sort(dim=-1).values
