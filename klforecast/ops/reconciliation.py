"""Forecasts of a hierarchy that add up: projection on what is coherent, and top-down shares.

A bottom series adds to one total at each level, or to none. With A the sums, C = [I, -A] is zero on what adds up, and
a base forecast y with errors of the covariance W becomes

    y - W C' (C W C')^-1 C y

which is S (S' W^-1 S)^-1 S' W^-1 y, S = [A; I], the unbiased reconciliation of least total variance (Wickramasuriya,
Athanasopoulos & Hyndman 2019, doi:10.1080/01621459.2018.1448825, theorem 1 and equation 10). C W C' has as many rows
as there are totals: 10,000 series of 150 totals take a system of 150. W is a diagonal, or a diagonal and a matrix of
low rank (`ops.shrunk_covariance`).

    ols           W = I                               wls_str     W = diag(number of series in each sum)
    wls_var       W = diag(variances)                 mint_shrink W = shrunk covariance
    bottom-up     W = 0 for bottom series, whose forecasts stay as they are
    top-down      a share of the total for each bottom series; no projection

Letters   n bottom series, a totals, N = a + n nodes, totals first; L levels; m rows of the low rank
"""

from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.ops.linalg import rounding_floor
from klforecast.ops.shrunk_covariance import ShrunkCovariance


class Hierarchy(NamedTuple):
    """Which totals each bottom series adds to.

    Attributes
    ----------
    totals_of : Tensor of shape (L, n), int64
        Place of the total, from 0, at each level; -1 for none. Levels may cross: one by region, one by product.
    """

    totals_of: Tensor

    @property
    def n_bottom(self) -> int:
        """Number of bottom series."""
        return self.totals_of.shape[1]

    @property
    def n_totals(self) -> int:
        """Number of totals."""
        return int(self.totals_of.max()) + 1 if self.totals_of.numel() else 0

    def check_parts(self) -> None:
        """Raise a ValueError unless every total has a bottom series."""
        places = self.totals_of.unique()
        if self.totals_of.ndim != 2 or not torch.equal(
            places[places >= 0], torch.arange(self.n_totals)
        ):
            raise ValueError("totals_of does not number the totals from 0 on, with -1 for none")

    def sums(self, bottom: Tensor) -> Tensor:  # (n, ...) -> (a, ...)
        """Add bottom series up."""
        sums = bottom.new_zeros(self.n_totals + 1, *bottom.shape[1:])
        for place in self.totals_of:
            # The last row takes those without a total.
            sums.index_add_(0, place.remainder(self.n_totals + 1), bottom)
        return sums[:-1]

    def handed_down(self, totals: Tensor) -> Tensor:  # (a, ...) -> (n, ...)
        """Add up for each bottom series the values of its totals: the transpose of `sums`."""
        padded = torch.cat([totals, totals.new_zeros(1, *totals.shape[1:])])
        return padded[self.totals_of].sum(dim=0)

    def whole(self, bottom: Tensor) -> Tensor:  # (n, ...) -> (N, ...)
        """Totals, and then the bottom series."""
        return torch.cat([self.sums(bottom), bottom])

    def sizes(self) -> Tensor:  # (N,), float64
        """Number of bottom series in each node."""
        return self.whole(torch.ones(self.n_bottom, dtype=torch.float64))


class Projection(NamedTuple):
    """A reconciliation, ready for any number of forecasts.

    Attributes
    ----------
    covariance : ShrunkCovariance
        W of the base forecasts, (N,) and (m, N), in units in which C W C' has a diagonal of ones.
    unit : Tensor of shape (a,)
        Deviation of what a total differs from the sum of its series.
    factor : Tensor of shape (a, a)
        Cholesky factor of C W C'.
    """

    covariance: ShrunkCovariance
    unit: Tensor
    factor: Tensor

    def check_parts(self) -> None:
        """Raise a ValueError if the shapes do not fit together."""
        totals = len(self.unit)
        if self.factor.shape != (totals, totals) or len(self.covariance.own) < totals:
            raise ValueError(
                f"{totals} totals, a factor of shape {tuple(self.factor.shape)} and "
                f"{len(self.covariance.own)} nodes"
            )


def fit_projection(hierarchy: Hierarchy, covariance: ShrunkCovariance) -> Projection:
    """Prepare the reconciliation of forecasts whose errors have a covariance.

    Parameters
    ----------
    hierarchy : Hierarchy
    covariance : ShrunkCovariance
        Of all nodes, totals first.

    Returns
    -------
    Projection

    Notes
    -----
    O(L^2 n + m a^2 + a^3) time and O(a^2 + m N) memory.
    """
    a = hierarchy.n_totals
    own, common = covariance
    inner = own[:a].diag() + _sums_both_ways(hierarchy, own[a:])
    gaps = _gap(hierarchy, common.T)
    inner = inner + gaps @ gaps.T
    unit = inner.diagonal().clamp(min=torch.finfo(inner.dtype).tiny).sqrt()
    inner = inner / unit / unit[:, None]
    # Where errors are one and the same, C W C' is singular up to rounding.
    floor = rounding_floor(inner.new_full((1,), float(max(a, 1))), a)
    factor = torch.linalg.cholesky(inner + floor * torch.eye(a, dtype=inner.dtype))
    return Projection(covariance, unit, factor)


def reconcile(projection: Projection, hierarchy: Hierarchy, base: Tensor) -> Tensor:
    """Make forecasts of all nodes add up.

    Parameters
    ----------
    projection : Projection
    hierarchy : Hierarchy
    base : Tensor of shape (N, ...)
        Totals first.

    Returns
    -------
    Tensor of shape (N, ...)
        Totals are sums of the bottom series, to the last digit of summing.

    Notes
    -----
    O(a^2 + (L + m) N) for each forecast.

    Examples
    --------
    Two shops and their total, all equally sure:

    >>> import torch
    >>> from klforecast.ops.shrunk_covariance import diagonal_covariance
    >>> shops = Hierarchy(torch.tensor([[0, 0]]))
    >>> even = fit_projection(shops, diagonal_covariance(torch.ones(3)))
    >>> reconcile(even, shops, torch.tensor([33.0, 10.0, 20.0]))
    tensor([32., 11., 21.])
    """
    a = hierarchy.n_totals
    own, common = projection.covariance
    flat = base.reshape(len(base), -1)
    unit = projection.unit[:, None]
    pull = torch.cholesky_solve(_gap(hierarchy, flat) / unit, projection.factor) / unit
    down = hierarchy.handed_down(pull)
    shared = common.T[a:] @ (common[:, :a] @ pull - common[:, a:] @ down)
    bottom = flat[a:] + own[a:, None] * down - shared
    return hierarchy.whole(bottom).reshape(base.shape)


def share_out(hierarchy: Hierarchy, shares: Tensor, base: Tensor) -> Tensor:
    """Hand the forecast of the first total down by fixed shares.

    Parameters
    ----------
    hierarchy : Hierarchy
        Whose first total is that of all series.
    shares : Tensor of shape (n,)
        With sum one.
    base : Tensor of shape (N, ...)

    Returns
    -------
    Tensor of shape (N, ...)
    """
    return hierarchy.whole(torch.tensordot(shares, base[0], dims=0))


def _gap(hierarchy: Hierarchy, nodes: Tensor) -> Tensor:  # (N, k) -> (a, k)
    """What totals have more than their series: C times the nodes."""
    a = hierarchy.n_totals
    return nodes[:a] - hierarchy.sums(nodes[a:])


def _sums_both_ways(hierarchy: Hierarchy, values: Tensor) -> Tensor:  # (n,) -> (a, a)
    """Sums of the values of those bottom series that two totals have in common."""
    a = hierarchy.n_totals
    both = values.new_zeros(a + 1, a + 1)
    for row in hierarchy.totals_of:
        for column in hierarchy.totals_of:
            both.index_put_((row, column), values, accumulate=True)
    return both[:a, :a]
