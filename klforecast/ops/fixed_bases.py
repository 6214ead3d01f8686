"""Orthonormal bases of R^T that no data enter, their coarsest vectors first.

    DCT-II   b_k(t) = c_k cos(pi k (2 t + 1) / (2 T))                  c_0^2 = 1 / T, c_k^2 = 2 / T
    DFT      1, cos(2 pi t / T), sin(2 pi t / T), cos(4 pi t / T), ...  each of unit norm
    Haar     1, then for every node of a binary tree of intervals its left half against its right half
    random   orthogonal matrices drawn evenly

The first three are Karhunen-Loeve bases of covariances with a symmetry: the DFT of one that cyclic shifts leave as it
is, the Haar basis, for a power of two, of one that depends on the least interval of the tree that holds both steps, the
DCT of an autoregression whose coefficient tends to 1 (Ahmed, Natarajan & Rao 1974).

Letters   T steps   k number of a vector, from 0
"""

import math

import torch
from torch import Tensor


def dct_basis(T: int) -> Tensor:  # (T, T)
    """Discrete cosine transform of the second kind.

    Parameters
    ----------
    T : int
        Steps, at least 1.

    Returns
    -------
    Tensor of shape (T, T), float64
        Orthonormal columns, lowest frequency first; column k has k changes of sign.

    References
    ----------
    Ahmed, Natarajan & Rao 1974, Discrete cosine transform, IEEE Transactions on Computers C-23, 90-93.

    Examples
    --------
    >>> dct_basis(2)
    tensor([[ 0.7071,  0.7071],
            [ 0.7071, -0.7071]], dtype=torch.float64)
    """
    steps = _steps(T)
    basis = torch.cos(math.pi / (2 * T) * (2 * steps[:, None] + 1) * steps)
    return basis / basis.norm(dim=0)


def dft_basis(T: int) -> Tensor:  # (T, T)
    """Discrete Fourier transform in real numbers: the cosine of each frequency, then its sine.

    Parameters
    ----------
    T : int
        Steps, at least 1.

    Returns
    -------
    Tensor of shape (T, T), float64
        Orthonormal columns, lowest frequency first. The last one is alone where T is even.

    Examples
    --------
    >>> dft_basis(3)
    tensor([[ 0.5774,  0.8165,  0.0000],
            [ 0.5774, -0.4082,  0.7071],
            [ 0.5774, -0.4082, -0.7071]], dtype=torch.float64)
    """
    steps = _steps(T)
    columns = torch.arange(T)
    frequency = (columns + 1) // 2
    # The product is taken modulo T in whole numbers, so that no angle is large.
    angle = 2 * math.pi / T * (torch.arange(T)[:, None] * frequency % T).to(steps.dtype)
    basis = torch.where((columns % 2 == 1) | (columns == 0), torch.cos(angle), torch.sin(angle))
    return basis / basis.norm(dim=0)


def haar_basis(T: int) -> Tensor:  # (T, T)
    """Haar wavelets of any number of steps.

    An interval of n steps is cut into its first ceil(n / 2) and its other steps. Where T is a power of two these are
    Haar's functions; elsewhere halves may differ by a step, and the two levels of a wavelet are set so that it
    still sums to zero.

    Parameters
    ----------
    T : int
        Steps, at least 1.

    Returns
    -------
    Tensor of shape (T, T), float64
        Orthonormal columns: the constant, then the wavelets, widest first and from left to right.

    References
    ----------
    Haar 1910, Zur Theorie der orthogonalen Funktionensysteme, Mathematische Annalen 69, 331-371.

    Examples
    --------
    >>> haar_basis(4)
    tensor([[ 0.5000,  0.5000,  0.7071,  0.0000],
            [ 0.5000,  0.5000, -0.7071,  0.0000],
            [ 0.5000, -0.5000,  0.0000,  0.7071],
            [ 0.5000, -0.5000,  0.0000, -0.7071]], dtype=torch.float64)
    """
    columns = [torch.full_like(_steps(T), T**-0.5)]
    intervals = [(0, T)]
    while intervals:
        halves = []
        for start, end in intervals:
            if end - start < 2:
                continue
            middle = (start + end + 1) // 2
            left, right = middle - start, end - middle
            wavelet = torch.zeros_like(columns[0])
            wavelet[start:middle] = (right / (left * (left + right))) ** 0.5
            wavelet[middle:end] = -((left / (right * (left + right))) ** 0.5)
            columns.append(wavelet)
            halves += [(start, middle), (middle, end)]
        intervals = halves
    return torch.stack(columns, dim=1)


def random_basis(T: int, generator: torch.Generator) -> Tensor:  # (T, T)
    """Random orthonormal basis, every orientation as likely as any other.

    Parameters
    ----------
    T : int
        Steps, at least 1.
    generator : torch.Generator
        Where the numbers come from; it moves on.

    Returns
    -------
    Tensor of shape (T, T), float64
        Orthonormal columns.

    References
    ----------
    Mezzadri 2007, How to generate random matrices from the classical compact groups, Notices of the AMS 54, 592-604.

    Examples
    --------
    >>> basis = random_basis(5, torch.Generator().manual_seed(0))
    >>> torch.allclose(basis.T @ basis, torch.eye(5, dtype=torch.float64))
    True
    """
    _steps(T)
    draws = torch.randn(T, T, generator=generator, dtype=torch.float64)
    basis, triangle = torch.linalg.qr(draws)
    # LAPACK fixes no signs; with those of the triangle the basis is a function of the draws alone.
    return basis * triangle.diagonal().sign()


def _steps(T: int) -> Tensor:  # (T,), float64
    if T < 1:
        raise ValueError(f"got T={T}; pass a number of steps of at least 1")
    return torch.arange(T, dtype=torch.float64)
