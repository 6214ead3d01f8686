"""Ridge regression on many features, each strength judged by leaving every row out.

    Z = U S V'      fitted values H Y = U S^2 (S^2 + s m)^-1 U' Y      m = mean of S^2 over the rows
    residual of row i by the model of all other rows = (Y - H Y)_i / (1 - H_ii)
    coefficients = Z' (Y - H Y) / (s m)

with Z and Y centred and the intercept counted in H_ii (Cook & Weisberg 1982, section 2.2). One
decomposition, of the rows' Gram matrix, serves all strengths; for more rows than features there is
`ops.streamed_ridge`. Weighted rows enter as rows multiplied by the square root of their weight.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

# 1e-4 to 1e3 of the mean eigenvalue in half decades: near its least value the error is flat.
STRENGTHS = tuple(10.0 ** (power / 2) for power in range(-8, 7))


class LooRidge(NamedTuple):
    """The ridge model whose leave-one-out error is least.

    Attributes
    ----------
    dual : Tensor (n, outputs)
        The coefficients are ``rows.T @ dual``.
    intercept : Tensor (outputs,)
        Prediction at the mean of the rows.
    strength : float
        In units of the mean eigenvalue.
    left_out : Tensor (n, outputs)
        Prediction for each row by the model of all other rows.
    error : float
        Weighted mean squared error of `left_out`, over the rows that judge.
    """

    dual: Tensor
    intercept: Tensor
    strength: float
    left_out: Tensor
    error: float


def center_gram(
    gram: Tensor,  # (n, n)
    weights: Tensor,  # (n,), they sum to one
) -> Tensor:  # (n, n)
    """Gram matrix of the rows less their weighted mean."""
    mean = gram @ weights
    return gram - mean[:, None] - mean + weights @ mean


def gram_modes(
    gram: Tensor,  # (n, n), centred
    weights: Tensor,  # (n,)
) -> tuple[Tensor, Tensor]:  # (n,), (n, n)
    """Eigenvalues and modes of weighted rows from their Gram matrix; O(n^3)."""
    root = weights.sqrt()
    eigenvalues, modes = torch.linalg.eigh(root[:, None] * gram * root)
    # Inner products in single precision leave eigenvalues a little below zero; the ridge is far
    # above that.
    return eigenvalues.clamp(min=0), modes


def loo_ridge(
    eigenvalues: Tensor,  # (r,)
    modes: Tensor,  # (n, r)
    targets: Tensor,  # (n, outputs)
    weights: Tensor,  # (n,), they sum to one
    strengths: Sequence[float] = STRENGTHS,
    judging: Tensor | None = None,  # (n,), bool
) -> LooRidge:
    """Fit a ridge regression of the strength that leaves least error on rows left out.

    Parameters
    ----------
    eigenvalues, modes : Tensor (r,), Tensor (n, r)
        Of the weighted rows, from `gram_modes`.
    targets : Tensor (n, outputs)
        What to predict.
    weights : Tensor (n,)
        Weight of each row in the loss, positive; they sum to one.
    strengths : sequence of float
        Candidates, in units of the eigenvalues' sum divided by n.
    judging : Tensor (n,) or None, default=None
        Rows whose errors choose among the candidates; None: all.

    Returns
    -------
    LooRidge

    Notes
    -----
    O(n r outputs) for each strength.

    Examples
    --------
    >>> import torch
    >>> x = torch.linspace(-1, 1, 9).double()[:, None]
    >>> weights = torch.full((9,), 1 / 9).double()
    >>> fit = loo_ridge(*gram_modes(x @ x.T, weights), 3 * x + 1, weights)
    >>> bool((fit.left_out - 3 * x - 1).abs().max() < 0.01)
    True
    """
    root = weights.sqrt()[:, None]
    intercept = weights @ targets
    centred = root * (targets - intercept)
    rotated = modes.T @ centred
    squared = modes.square()
    judges = slice(None) if judging is None else judging
    weight = float(weights[judges].sum())
    # Rows without variance leave nothing to shrink, and any scale will do.
    scale = eigenvalues.sum() / len(targets)
    scale = scale if scale > 0 else torch.ones_like(scale)
    best = None
    for strength in strengths:
        kept = eigenvalues / (eigenvalues + strength * scale)
        residual = centred - modes @ (kept[:, None] * rotated)
        free = (1 - weights - squared @ kept).clamp(min=1e-10)[:, None]
        error = float((residual / free)[judges].square().sum(0).mean()) / weight
        if best is None or error < best.error:
            left_out = targets - residual / free / root
            dual = root * residual / (strength * scale)
            best = LooRidge(dual, intercept, strength, left_out, error)
    assert best is not None
    return best
