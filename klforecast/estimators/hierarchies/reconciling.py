"""The ways to make the forecasts of a hierarchy add up, by their names in sktime."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from klforecast.estimators.hierarchies.held_out import HeldOut
from klforecast.estimators.hierarchies.nodes import TOTAL, Nodes
from klforecast.ops.arrays import to_tensor
from klforecast.ops.reconciliation import (
    Hierarchy,
    Projection,
    fit_projection,
    reconcile,
    share_out,
)
from klforecast.ops.shrunk_covariance import (
    ShrunkCovariance,
    diagonal_covariance,
    shrunk_covariance,
)

METHODS = ("mint_shrink", "wls_var", "wls_str", "ols", "bu", "td_share")
"""Minimum trace with a shrunk covariance, weighted and ordinary least squares, bottom-up, top-down."""

WEIGH_ERRORS = ("mint_shrink", "wls_var")
"""Those that look at errors on held-out rows."""


class Reconciliation(NamedTuple):
    """What makes the forecasts of one channel add up: a projection, or shares of the total.

    Attributes
    ----------
    by : Projection, or Tensor of shape (n,)
        The tensor holds the shares.
    above_zero : Tensor of shape (n,), bool
        Bottom series that were never below zero, and are not forecast below it.
    """

    by: Projection | Tensor
    above_zero: Tensor

    def __call__(self, hierarchy: Hierarchy, base: Tensor) -> Tensor:  # (N, ...) -> (N, ...)
        """Forecasts that add up."""
        made = (
            share_out(hierarchy, self.by, base)
            if isinstance(self.by, Tensor)
            else reconcile(self.by, hierarchy, base)
        )
        bottom = made[hierarchy.n_totals :]
        below = (bottom < 0) & self.above_zero.reshape(-1, *[1] * (bottom.ndim - 1))
        return hierarchy.whole(bottom.clamp(min=0).where(below, bottom)) if below.any() else made


def fit_reconciliation(
    method: str,
    nodes: Nodes,
    rows: np.ndarray,  # (N, time, channels)
    held_out: HeldOut | None,
    channel: int,
) -> Reconciliation:
    """Prepare a method for one channel.

    Raises
    ------
    ValueError
        If there is no total of all series to hand down.
    """
    hierarchy = nodes.hierarchy
    bottom = rows[hierarchy.n_totals :, :, channel]
    above_zero = ~(to_tensor(bottom) < 0).any(dim=1)
    if method == "td_share":
        if hierarchy.n_totals and set(nodes.keys[0]) != {TOTAL}:
            raise ValueError(
                f"the first total of y is {nodes.keys[0]}, and method='td_share' hands down the one of "
                "all series; leave the totals of y out, or take another method"
            )
        return Reconciliation(_shares(bottom), above_zero)
    errors = None if held_out is None else to_tensor(held_out.rows()[..., channel])
    assumed = _assumed(method, hierarchy, errors)
    return Reconciliation(fit_projection(hierarchy, assumed), above_zero)


def _assumed(
    method: str,
    hierarchy: Hierarchy,
    errors: Tensor | None,  # (m, N)
) -> ShrunkCovariance:
    """Covariance of the base forecasts that a method takes for granted, up to a factor."""
    if method == "bu":
        ones = torch.ones(hierarchy.n_totals, dtype=torch.float64)
        return diagonal_covariance(torch.cat([ones, ones.new_zeros(hierarchy.n_bottom)]))
    if method == "ols":
        return diagonal_covariance(torch.ones_like(hierarchy.sizes()))
    if method == "wls_str":
        return diagonal_covariance(hierarchy.sizes())
    assert errors is not None, "methods that weigh errors are given some"
    covariance = shrunk_covariance(errors)
    return diagonal_covariance(covariance.variance) if method == "wls_var" else covariance


def _shares(bottom: np.ndarray) -> Tensor:  # (n, time) -> (n,)
    """Share of each series in the mean of the total; equal ones where that is zero."""
    means = np.nanmean(bottom, axis=1)
    total = means.sum()
    return to_tensor(means / total if total else np.full(len(means), 1 / len(means)))
