"""Ridge regression on the leading Karhunen-Loeve components of windows.

    G = Zc' Zc / n,    G Psi = Psi L            covariance over the steps of the window, its modes
    B = Psi_k (L_k + s mean(L))^-1 Psi_k' Zc' Yc / n        forecast = Z B + b

Letters   n windows   Z (n, length) windows, each less its level   Y (n, horizon) what follows, less
          the same level   Zc, Yc less their means   k components kept   s relative ridge strength
"""

from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.ops.linalg import rounding_floor, safe_eigh


class WindowMap(NamedTuple):
    """Affine map from a window to what follows it, and the modes that it stands on.

    Attributes
    ----------
    coef : Tensor (length, horizon)
        Of the windows as they are; taking their level off is part of the map.
    intercept : Tensor (horizon,)
    eigenvalues : Tensor (k,)
        Variance along each mode, descending, none of them zero to rounding.
    modes : Tensor (length, k)
        Orthonormal columns.
    """

    coef: Tensor
    intercept: Tensor
    eigenvalues: Tensor
    modes: Tensor


def kl_regression(
    windows: Tensor,  # (n, length)
    future: Tensor,  # (n, horizon)
    n_components: int | None = None,
    ridge: float = 0.0,
    center: int = 0,
) -> WindowMap:
    """Solve for the map from windows to what follows them.

    Parameters
    ----------
    windows, future : Tensor (n, length), Tensor (n, horizon)
        Both in the same units, oldest step first.
    n_components : int or None, default=None
        Modes kept at most. None: all that vary.
    ridge : float, default=0.0
        Strength relative to the mean eigenvalue.
    center : int, default=0
        Steps at the end of a window whose mean is its level. 0: none is taken off.

    Returns
    -------
    WindowMap

    Notes
    -----
    O(n length^2 + length^3) time.

    Examples
    --------
    >>> import torch
    >>> series = torch.arange(9.0, dtype=torch.float64).square()
    >>> windows = series.unfold(0, 4, 1)
    >>> found = kl_regression(windows[:, :3], windows[:, 3:])
    >>> (windows[:, :3] @ found.coef + found.intercept - windows[:, 3:]).abs().max().item() < 1e-9
    True
    """
    n, length = windows.shape
    # The level of a window as a linear map of its steps.
    level = windows.new_zeros(length)
    level[length - center :] = 1 / max(1, center)
    inputs, targets = (values - (windows @ level)[:, None] for values in (windows, future))
    centred = inputs - inputs.mean(0)
    eigenvalues, modes = safe_eigh(centred.T @ centred / n)
    mean_eigenvalue = eigenvalues.mean()
    kept = eigenvalues > rounding_floor(eigenvalues, max(n, length))
    kept &= torch.arange(length) < (n_components or length)
    eigenvalues, modes = eigenvalues[kept], modes[:, kept]
    cross = modes.T @ centred.T @ (targets - targets.mean(0)) / n
    weight = modes @ (cross / (eigenvalues + ridge * mean_eigenvalue)[:, None])
    intercept = targets.mean(0) - inputs.mean(0) @ weight
    # Taking the level off and adding it to the forecast are linear, so they join the map.
    coef = weight + torch.outer(level, 1 - weight.sum(0))
    return WindowMap(coef, intercept, eigenvalues, modes)
