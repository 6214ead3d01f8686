"""Which fixed basis fits a covariance, by the symmetry that the covariance keeps.

    C J = J C     for the reversal of the steps                      the cosines come near, DCT
    C S = S C     for the cyclic shifts                              C is circulant: the DFT diagonalises it
    C P = P C     for the swaps of the halves of dyadic intervals    C depends on the least interval that holds both
                                                                     steps: the Haar basis diagonalises it

What a group of permutations g leaves as it is, the mean of g C g' over the group, is known without a product, and

    |C - mean(g C g')|^2 / |C|^2  =  mean |C g - g C|^2 / (2 |C|^2)

so the *residual*, the root of either side, is a commutator and a share of C at once: 0 where C has the symmetry, below
1 where it has not.

Letters   T steps   C (T, T) covariance   J, S, P permutations of the steps
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from klforecast.ops.fixed_bases import dct_basis, dft_basis, haar_basis
from klforecast.ops.kl import KLDecomposition

FIXED_BASES = {"dct": dct_basis, "dft": dft_basis, "haar": haar_basis}
"""Bases by name, each from a number of steps."""

# A symmetry counts as kept up to twice the residual of the reversal: noise alone, of which the reversal leaves one half
# and a large group next to nothing, leaves the root of two as much.
_NOISE = 2.0
_ROUNDING = 1e-9  # of covariances from sums of millions of products


def symmetry_residuals(covariance: Tensor) -> dict[str, float]:  # (T, T)
    """Share of a covariance that is not symmetric under the group of each fixed basis.

    Parameters
    ----------
    covariance : Tensor of shape (T, T)
        Symmetric, in any unit.

    Returns
    -------
    dict of str to float
        By ``"dct"`` (reversal), ``"dft"`` (cyclic shifts) and, where T is a power of two, ``"haar"`` (swaps within
        dyadic intervals); from 0 to 1, all 0 for a covariance of zeros.

    Notes
    -----
    Cost: O(T^2).

    Examples
    --------
    An autoregression looks the same backwards, and nearly so after a shift:

    >>> from klforecast.ops.kernels import kernel_matrix
    >>> covariance = kernel_matrix(64, "exponential", tau=4.0)
    >>> {name: round(size, 2) for name, size in symmetry_residuals(covariance).items()}
    {'dct': 0.0, 'dft': 0.17, 'haar': 0.4}
    """
    T = len(covariance)
    steps = torch.arange(T, device=covariance.device)
    symmetric = {
        "dct": (covariance + covariance.flip(0, 1)) / 2,
        "dft": _class_means(covariance, (steps[:, None] - steps) % T),
    }
    if T & (T - 1) == 0:
        # The width of the least dyadic interval with both steps is the number of bits in which they differ.
        _, bits = torch.frexp((steps[:, None] ^ steps).to(covariance.dtype))
        symmetric["haar"] = _class_means(covariance, bits.long())
    size = covariance.norm()
    if size == 0:
        return dict.fromkeys(symmetric, 0.0)
    return {name: float((covariance - part).norm() / size) for name, part in symmetric.items()}


def _class_means(covariance: Tensor, classes: Tensor) -> Tensor:  # (T, T), (T, T) -> (T, T)
    """Give every entry the mean of the entries of its class."""
    flat = classes.flatten()
    sums = torch.bincount(flat, weights=covariance.flatten())
    return (sums / torch.bincount(flat).clamp(min=1))[flat].reshape_as(covariance)


def matched_basis(residuals: Mapping[str, float]) -> str:
    """Name of the fixed basis of the largest symmetry that a covariance keeps.

    A covariance with either of the larger symmetries looks the same backwards, so that the reversal alone is what is
    left where neither is kept up to noise.

    Parameters
    ----------
    residuals : mapping of str to float
        From `symmetry_residuals`.

    Returns
    -------
    {"dct", "dft", "haar"}

    Examples
    --------
    >>> matched_basis({"dct": 0.015, "dft": 0.147, "haar": 0.2})
    'dct'
    >>> matched_basis({"dct": 0.1, "dft": 0.14, "haar": 0.6})
    'dft'
    """
    most = max(_NOISE * residuals["dct"], _ROUNDING)
    kept = [name for name in ("dft", "haar") if residuals.get(name, 1.0) <= most]
    return min(kept, key=residuals.__getitem__, default="dct")


def fixed_basis_modes(covariance: Tensor, name: str, n_components: int) -> KLDecomposition:
    """Vectors of a fixed basis along which a covariance varies most.

    Parameters
    ----------
    covariance : Tensor of shape (T, T)
    name : {"dct", "dft", "haar"}
    n_components : int
        Vectors kept, at most T.

    Returns
    -------
    KLDecomposition
        Variances (k,) along the vectors, descending, and the vectors (T, k) as the basis orients them. Variances are
        not eigenvalues unless the basis diagonalises the covariance.

    Notes
    -----
    Cost: O(T^3).

    Examples
    --------
    >>> variances, vectors = fixed_basis_modes(torch.ones(4, 4).double(), "haar", 2)
    >>> variances
    tensor([4., 0.], dtype=torch.float64)
    """
    basis = FIXED_BASES[name](len(covariance)).to(covariance.device)
    variances = (basis * (covariance @ basis)).sum(dim=0).clamp(min=0)
    # Stable, so that of equal variances the coarser vector comes first.
    order = variances.argsort(descending=True, stable=True)[:n_components]
    return KLDecomposition(variances[order], basis[:, order])
