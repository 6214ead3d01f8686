"""Covariance of many series from few rows, shrunk to its diagonal, and never written out.

    score        z_ti = (e_ti - mean e_i) / s_i / (m - 1)^1/2,  zero where e_ti is missing
    correlation  r_ij = sum_t z_ti z_tj
    shrinkage    l = sum_{i != j} Var(r_ij) / sum_{i != j} r_ij^2,  from 0 to 1
    covariance   s_i s_j ((1 - l) r_ij + l [i = j])

with Var(r_ij) = m / (m - 1)^3 sum_t (w_tij - mean_t w_ij)^2 and w_tij = (m - 1) z_ti z_tj (Schafer & Strimmer 2005,
doi:10.2202/1544-6115.1175, appendix A, for the target of unequal variances). Of m rows r has the rank m - 1 at most,
so that the covariance of N series is a diagonal and N m numbers. The sums over pairs are sums over pairs of rows:
sum_ij r_ij^2 is the squared norm of z z', which is (m, m).

Letters   N series, m rows
"""

from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.ops.linalg import require_finite

# Beside the mean variance: a series without errors is believed more than any other, and not without end.
_LEAST_VARIANCE = 1e-12


class ShrunkCovariance(NamedTuple):
    """A diagonal and a matrix of low rank: diag(own) + common' common.

    Attributes
    ----------
    own : Tensor of shape (N,)
        Variance that a series shares with no other one.
    common : Tensor of shape (m, N)
        Zero rows of it are allowed; without rows the covariance is diagonal.
    """

    own: Tensor
    common: Tensor

    @property
    def variance(self) -> Tensor:  # (N,)
        """The diagonal of the whole."""
        return self.own + self.common.square().sum(dim=0)

    def check_parts(self) -> None:
        """Raise a ValueError if the shapes do not fit together."""
        if self.own.ndim != 1 or self.common.ndim != 2 or self.common.shape[1] != len(self.own):
            raise ValueError(
                f"own of shape {tuple(self.own.shape)} and common of shape "
                f"{tuple(self.common.shape)}; pass (N,) and (m, N)"
            )


def diagonal_covariance(variance: Tensor) -> ShrunkCovariance:  # (N,)
    """Covariance of series whose errors have nothing in common."""
    return ShrunkCovariance(variance, variance.new_zeros(0, len(variance)))


def shrunk_covariance(errors: Tensor, shrinkage: Tensor | None = None) -> ShrunkCovariance:
    """Estimate the covariance of series from rows of their errors.

    Parameters
    ----------
    errors : Tensor of shape (m, N)
        Two rows at least; NaN where an error is not known, which counts as the mean.
    shrinkage : Tensor of shape (), optional
        Share of the diagonal, from 0 to 1. None: `best_shrinkage`.

    Returns
    -------
    ShrunkCovariance
        In float64.

    Raises
    ------
    ValueError
        If there are fewer than two rows.

    Notes
    -----
    O(m^2 N) time, O(m N) memory.

    Examples
    --------
    Two series with the same errors, and one alone:

    >>> import torch
    >>> errors = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))[:, [0, 0, 1]]
    >>> found = shrunk_covariance(errors)
    >>> whole = found.own.diag() + found.common.T @ found.common
    >>> (whole / whole[0, 0]).round(decimals=1)
    tensor([[1.0000, 1.0000, 0.1000],
            [1.0000, 1.0000, 0.1000],
            [0.1000, 0.1000, 1.4000]], dtype=torch.float64)
    """
    if len(errors) < 2:
        raise ValueError(f"{len(errors)} rows of errors; pass two at least")
    scores, variance = _scores(errors.double())
    shrunk = best_shrinkage(errors) if shrinkage is None else shrinkage
    shared = (1 - shrunk) * scores.square().sum(dim=0)
    deviation = variance.sqrt()
    return ShrunkCovariance(
        (1 - shared).clamp(min=0) * variance, (1 - shrunk).sqrt() * scores * deviation
    )


def best_shrinkage(errors: Tensor) -> Tensor:  # (m, N) -> ()
    """Share of the diagonal that is expected to lose least in squared error of the correlations."""
    z, _ = _scores(errors.double())
    m = len(z)
    if m < 3 or z.shape[1] < 2:
        return z.new_ones(())  # two rows have correlations of one
    squares = z.square()
    pairs = (z @ z.T).square().sum() - squares.sum(dim=0).square().sum()
    # Sum over pairs of series of w_tij^2, less the pairs of a series with itself.
    fourth = squares.sum(dim=1).square().sum() - squares.square().sum()
    noise = m / (m - 1) * (fourth - pairs / m)
    return (noise / pairs.clamp(min=torch.finfo(z.dtype).tiny)).clamp(0, 1)


def _scores(errors: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (m, N) whose products are correlations, and variances (N,)."""
    known = ~errors.isnan()
    count = known.sum(dim=0)
    filled = torch.where(known, errors, 0.0)
    require_finite(filled, "the errors")
    mean = filled.sum(dim=0) / count.clamp(min=1)
    centred = torch.where(known, filled - mean, 0.0)
    variance = centred.square().sum(dim=0) / (count - 1).clamp(min=1)
    floor = _LEAST_VARIANCE * variance.mean() + torch.finfo(errors.dtype).tiny
    variance = variance.clamp(min=floor)
    return centred / variance.sqrt() / (len(errors) - 1) ** 0.5, variance
