"""Symmetric eigenproblems with a fixed orientation, and repairs that say how big they were.

Letters   n size of the matrix   k number of modes kept
"""

import warnings

import torch
from torch import Tensor

from klforecast.exceptions import KLForecastError, NumericalWarning
from klforecast.ops.precision import exact

# Of the mean eigenvalue: none, then from rounding of thousands of rows to what a variance can spare.
_RELATIVE_JITTERS = (0.0, 1e-12, 1e-10, 1e-8, 1e-6)
_SIGN_TIE = 1e-6  # eigenvectors are exact to eps over the gap: 2e-7 at a relative gap of 1e-9
_SYMMETRY_TOLERANCE = 1e-8  # rounding in sums of a million products stays below 1e-10


def fix_signs(modes: Tensor) -> Tensor:  # (..., n, k) -> (..., n, k)
    """Orient every mode so that its entry of largest magnitude is positive.

    An eigenvector is defined only up to its sign. Entries within a relative 1e-6 of the largest
    magnitude count as ties and the first of them decides, because an antisymmetric mode has its
    largest magnitude twice, once with either sign, and rounding must not choose between the two.

    Parameters
    ----------
    modes : Tensor of shape (..., n, k)
        One mode per column. A column of zeros stays as it is.

    Returns
    -------
    Tensor of shape (..., n, k)
        The same columns, some of them negated.

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.linalg import fix_signs
    >>> fix_signs(torch.tensor([[-0.8, 0.6], [0.6, 0.8]]))
    tensor([[ 0.8000,  0.6000],
            [-0.6000,  0.8000]])
    """
    return modes * orientation(modes)


def orientation(modes: Tensor) -> Tensor:  # (..., n, k) -> (..., 1, k)
    """Sign of the entry of largest magnitude of every column, the factor that `fix_signs` applies.

    Parameters
    ----------
    modes : Tensor of shape (..., n, k)
        One mode per column.

    Returns
    -------
    Tensor of shape (..., 1, k)
        -1 or 1, in the dtype of `modes`, without gradient. A column of zeros has 1.
    """
    if modes.shape[-2] == 0:
        return modes.new_ones(*modes.shape[:-2], 1, modes.shape[-1])
    magnitude = modes.detach().abs()
    largest = magnitude.amax(dim=-2, keepdim=True)
    first = (magnitude >= (1 - _SIGN_TIE) * largest).int().argmax(dim=-2, keepdim=True)
    return torch.where(modes.detach().gather(-2, first) < 0, -1.0, 1.0).to(modes.dtype)


def follow_signs(modes: Tensor, before: Tensor) -> Tensor:  # (..., n, k), (..., n, k)
    """Orient every mode so that it agrees with the mode in its place before.

    For modes that are decomposed again and again while weights are learned on them: `fix_signs`
    sees only what is there now, and turns a mode whose two largest entries, of opposite sign, change
    places.

    Parameters
    ----------
    modes, before : Tensor of shape (..., n, k)
        One mode per column, now and the last time; columns of zeros are no mode yet.

    Returns
    -------
    Tensor of shape (..., n, k)
        The columns of `modes`, negated where their inner product with `before` is negative.

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.linalg import follow_signs
    >>> follow_signs(torch.tensor([[0.6], [-0.8]]), before=torch.tensor([[-0.8], [0.6]]))
    tensor([[-0.6000],
            [ 0.8000]])
    """
    turned = (modes * before).sum(dim=-2, keepdim=True) < 0
    return torch.where(turned, -modes, modes)


def rounding_floor(eigenvalues: Tensor, size: int) -> Tensor:  # (..., n) -> (..., 1)
    """Magnitude below which an eigenvalue cannot be told from zero in float64.

    Parameters
    ----------
    eigenvalues : Tensor of shape (..., n)
        Eigenvalues in descending order, in any unit.
    size : int
        Larger dimension of the data that the matrix was made from.

    Returns
    -------
    Tensor of shape (..., 1)
        `size` times the float64 epsilon times the largest eigenvalue, in the same unit.
    """
    return size * torch.finfo(torch.float64).eps * eigenvalues[..., :1]


def safe_eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:  # (..., n, n) -> (..., n), (..., n, n)
    """Eigenvalues and modes of a symmetric positive semi-definite matrix, largest first.

    The clean matrix is tried first. If LAPACK does not converge, a multiple of the identity is
    added, from 1e-12 to 1e-6 of the mean eigenvalue, and taken off the eigenvalues again.
    Negative eigenvalues become zero; more than rounding would explain is reported.

    Parameters
    ----------
    matrix : Tensor of shape (..., n, n)
        Symmetric to a relative 1e-8 and finite, each by itself. Leading dimensions are a batch.

    Returns
    -------
    eigenvalues : Tensor of shape (..., n), float64
        Descending and not negative, in the unit of `matrix`.
    modes : Tensor of shape (..., n, n), float64
        Orthonormal columns in the same order, oriented by `fix_signs`. Within an eigenspace of
        more than one dimension only the space is defined, not the basis chosen in it. Both are on
        the device of `matrix`, or on the CPU where that has no float64.

    Raises
    ------
    ValueError
        If a matrix is not square, not finite or not symmetric.
    KLForecastError
        If no jitter up to 1e-6 of the mean eigenvalue makes the iteration converge.

    Warns
    -----
    NumericalWarning
        If jitter was needed, or a negative eigenvalue beyond rounding was raised to zero. The
        message gives the size relative to the mean or to the largest eigenvalue.

    Notes
    -----
    Cost: O(n**3) time and O(n**2) memory per matrix (72 MB for n = 3000).

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.linalg import safe_eigh
    >>> eigenvalues, modes = safe_eigh(torch.tensor([[2.0, 1.0], [1.0, 2.0]]))
    >>> eigenvalues
    tensor([3., 1.], dtype=torch.float64)
    >>> modes
    tensor([[ 0.7071,  0.7071],
            [ 0.7071, -0.7071]], dtype=torch.float64)
    """
    matrix = exact(matrix)
    if matrix.dim() < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(f"got a matrix of shape {tuple(matrix.shape)}; pass a square one")
    if matrix.numel() == 0:
        return matrix.new_zeros(matrix.shape[:-1]), matrix
    require_finite(matrix, "the matrix")
    largest = matrix.abs().amax(dim=(-2, -1)).clamp(min=1e-300)
    asymmetry = ((matrix - matrix.mT).abs().amax(dim=(-2, -1)) / largest).max()
    if asymmetry > _SYMMETRY_TOLERANCE:
        raise ValueError(
            f"a matrix differs from its transpose by a relative {asymmetry:.1e}; "
            "pass a symmetric one, for example (matrix + matrix.mT) / 2"
        )
    ascending, modes = signed_eigh(matrix)
    return _clip(ascending.flip(-1)), fix_signs(modes.flip(-1))


def signed_eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues of a symmetric matrix as rounding left them, ascending, and their modes.

    Parameters
    ----------
    matrix : Tensor of shape (..., n, n)
        Symmetric and finite.

    Returns
    -------
    eigenvalues : Tensor of shape (..., n)
        Negative ones stay negative.
    modes : Tensor of shape (..., n, n)
        Orthonormal columns in the same order.

    Raises
    ------
    KLForecastError
        If no jitter up to 1e-6 of the mean eigenvalue makes the iteration converge.

    Warns
    -----
    NumericalWarning
        If jitter was needed, with its size.

    Examples
    --------
    >>> import torch
    >>> signed_eigh(torch.tensor([[0.0, 1.0], [1.0, 0.0]]))[0]
    tensor([-1.,  1.])
    """
    mean_eigenvalue = matrix.diagonal(dim1=-2, dim2=-1).mean(dim=-1).abs()
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    for jitter in _RELATIVE_JITTERS:
        shift = jitter * mean_eigenvalue
        repaired = matrix + shift[..., None, None] * identity if jitter else matrix
        try:
            ascending, modes = torch.linalg.eigh(repaired)
        except torch.linalg.LinAlgError:
            continue
        if jitter:
            warnings.warn(
                f"eigh converged only with a jitter of {jitter:.0e} of the mean eigenvalue",
                NumericalWarning,
                stacklevel=3,
            )
        return ascending - shift[..., None], modes
    raise KLForecastError(
        f"eigh of a matrix of shape {tuple(matrix.shape)} did not converge, not even with a "
        f"jitter of {_RELATIVE_JITTERS[-1]:.0e} of the mean eigenvalue; look for entries of "
        "wildly different size and rescale the data"
    )


def _clip(eigenvalues: Tensor) -> Tensor:  # (..., n) -> (..., n)
    largest = eigenvalues.abs().amax(dim=-1, keepdim=True)
    if (eigenvalues < -rounding_floor(largest, eigenvalues.shape[-1])).any():
        worst = (eigenvalues[..., -1:] / largest.clamp(min=1e-300)).min()
        warnings.warn(
            f"negative eigenvalues, the worst {worst:.1e} of the largest one, were raised to zero",
            NumericalWarning,
            stacklevel=4,
        )
    return eigenvalues.clamp(min=0.0)


def require_finite(values: Tensor, name: str) -> None:
    """Raise a ValueError that counts the NaN and infinite entries of `values`, if there are any.

    Parameters
    ----------
    values : Tensor
        Any shape.
    name : str
        What the message calls the tensor.

    Raises
    ------
    ValueError
        If an entry is NaN or infinite.
    """
    if not values.isfinite().all():
        raise ValueError(
            f"{name} has {int(values.isnan().sum())} NaN and {int(values.isinf().sum())} infinite "
            f"entries of {values.numel()}; fill or drop them first"
        )
