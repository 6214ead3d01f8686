"""Ridge regression from a Gram matrix: the data are needed once, for the matrix, and never again.

    W(s) = argmin_W  sum_t |z_t - W' x_t|^2 + s m |W|^2      m = mean eigenvalue of sum_t x_t x_t'
         = (G_xx + s m I)^-1 G_xz

The strength s is relative to the mean eigenvalue, so it means the same for any unit and any number of windows.
"""

import warnings

import torch
from torch import Tensor

from klforecast.exceptions import NumericalWarning
from klforecast.ops.linalg import signed_eigh


def ridge_from_gram(gram: Tensor, cross: Tensor, strength: float) -> Tensor:
    """Ridge coefficients from second moments.

    Parameters
    ----------
    gram : Tensor of shape (..., d, d)
        ``sum_t x_t x_t'``, symmetric positive semi-definite.
    cross : Tensor of shape (..., d, r)
        ``sum_t x_t z_t'``.
    strength : float
        Penalty in units of the mean eigenvalue of `gram`, above 0.

    Returns
    -------
    Tensor of shape (..., d, r)
        The forecast of z is ``x @ W``. Zero where `gram` is zero: inputs without variance explain nothing.

    Warns
    -----
    NumericalWarning
        If rounding has left `gram` indefinite; directions no larger than the rounding then explain nothing.

    Notes
    -----
    One Cholesky decomposition: O(d^3 + d^2 r) for each matrix.

    Examples
    --------
    >>> import torch
    >>> ridge_from_gram(torch.eye(2), torch.ones(2, 1), strength=1.0)
    tensor([[0.5000],
            [0.5000]])
    """
    if not strength > 0:
        raise ValueError(
            f"the ridge strength must be above 0, got {strength}; pass for instance 0.1"
        )
    mean_eigenvalue = gram.diagonal(dim1=-2, dim2=-1).mean(dim=-1)
    penalty = torch.where(
        mean_eigenvalue > 0, strength * mean_eigenvalue, torch.ones_like(mean_eigenvalue)
    )
    penalised = gram + penalty[..., None, None] * torch.eye(gram.shape[-1], dtype=gram.dtype)
    factor, failed = torch.linalg.cholesky_ex(penalised)
    if failed.any():
        return _above_rounding(gram, cross, penalty)
    return torch.cholesky_solve(cross, factor)


def _above_rounding(gram: Tensor, cross: Tensor, penalty: Tensor) -> Tensor:
    """The same, in the directions whose eigenvalues rise above the rounding that made others negative."""
    eigenvalues, modes = signed_eigh(gram)
    lowest = eigenvalues[..., :1].clamp(max=0)
    warnings.warn(
        f"a matrix of second moments has the eigenvalue {lowest.min().item():.1e} beside a largest "
        f"one of {eigenvalues.max().item():.1e}: directions of no more than ten times this size "
        "explain nothing",
        NumericalWarning,
        stacklevel=3,
    )
    kept = eigenvalues > -10 * lowest
    inverse = torch.where(kept, 1 / (eigenvalues + penalty[..., None]), 0.0)
    return modes @ (inverse[..., None] * (modes.mT @ cross))


def reduced_rank(coefficients: Tensor, gram: Tensor, rank: int) -> Tensor:
    """The best approximation of a linear map by one of lower rank, in the metric of its inputs.

    The fitted values ``x @ W`` have the covariance ``W' G W``; its leading Karhunen-Loeve modes Q carry most of what
    can be forecast, and ``W Q Q'`` keeps just these (reduced-rank regression, Izenman 1975).

    Parameters
    ----------
    coefficients : Tensor of shape (..., d, r)
    gram : Tensor of shape (..., d, d)
    rank : int
        Modes kept; `rank` >= r returns `coefficients` unchanged.

    Returns
    -------
    Tensor of shape (..., d, r)
    """
    if rank >= coefficients.shape[-1]:
        return coefficients
    fitted = coefficients.mT @ gram @ coefficients
    modes = signed_eigh(fitted)[1][..., -rank:]
    return coefficients @ modes @ modes.mT
