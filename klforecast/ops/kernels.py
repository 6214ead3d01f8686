"""Stationary covariance kernels over the steps of a history.

A kernel is a function of the lag in units of its time scale, r = |i - j| / tau, with k(0) = 1.

"matern32" is Matern's kernel of order 3/2 as textbooks have it. "matern" is the same without the square
roots of three, as Spectral Memory was published with: the one at tau is the other at tau sqrt(3).

See  Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, section 4.2.1: Gaussian
     ("squared exponential") eq. 4.9, Matern of order 3/2 eq. 4.17, exponential eq. 4.18, gamma = 1.
     Marquez 2025, The Spectrum Remembers: Spectral Memory, published code ("matern").
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def _exponential(r: Tensor) -> Tensor:
    return torch.exp(-r)


def _gaussian(r: Tensor) -> Tensor:
    return torch.exp(-0.5 * r**2)


def _matern(r: Tensor) -> Tensor:
    return (1 + r) * torch.exp(-r)


def _matern32(r: Tensor) -> Tensor:
    return _matern(math.sqrt(3) * r)


KERNELS: dict[str, Callable[[Tensor], Tensor]] = {
    "exponential": _exponential,
    "gaussian": _gaussian,
    "matern": _matern,
    "matern32": _matern32,
}


def kernel_matrix(T: int, kernel: str, tau: float) -> Tensor:  # -> (T, T)
    """Covariance of T equally spaced steps under a stationary kernel of unit variance.

    Parameters
    ----------
    T : int
        Number of steps.
    kernel : {"exponential", "gaussian", "matern", "matern32"}
        exp(-r), exp(-r**2 / 2), (1 + r) exp(-r) or (1 + sqrt(3) r) exp(-sqrt(3) r), with
        r = |i - j| / tau. The exponential kernel is the covariance of an AR(1) with coefficient exp(-1 / tau).
    tau : float
        Time scale in steps of the history (not a fraction of its length).

    Returns
    -------
    Tensor of shape (T, T), float64
        The symmetric Toeplitz matrix of the kernel.

    Raises
    ------
    ValueError
        If the kernel is unknown, `tau` is not positive or `T` is negative.

    Examples
    --------
    >>> from klforecast.ops.kernels import kernel_matrix
    >>> kernel_matrix(2, "exponential", tau=1.0)
    tensor([[1.0000, 0.3679],
            [0.3679, 1.0000]], dtype=torch.float64)
    """
    if kernel not in KERNELS:
        raise ValueError(f"got kernel={kernel!r}; pass one of {sorted(KERNELS)}")
    if not 0 < tau < math.inf:
        raise ValueError(f"got tau={tau!r}; pass a positive number of steps")
    if T < 0:
        raise ValueError(f"got T={T!r}; pass the number of steps of the history")
    steps = torch.arange(T, dtype=torch.float64, device="cpu")
    return KERNELS[kernel]((steps[:, None] - steps[None, :]).abs() / tau)
