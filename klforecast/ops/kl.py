"""Karhunen-Loeve decompositions of a history, and its components on their modes.

A decomposition answers "which shapes over time", the components answer "how much of each":

    empirical            C = Hc Hc' / T                    the shapes this history has
    kernel               W^(1/2) K W^(1/2)                 the shapes a smoothness prior expects
    feature covariance   G = N N' / T, N = rows / |row|    the shapes of the rows' directions
    components           C_KL = sqrt(L_k) Psi_k' Hc

Letters   T steps of the history   d features of a step   k modes kept
          H (T, d) history   Hc the same minus its mean over time   Psi (T, k) modes   L eigenvalues
Precision Float64 throughout, on the CPU where a device has none (`klforecast.ops.precision`).
Rule      A mode whose eigenvalue is zero to rounding is a column of zeros with the eigenvalue 0,
          and so is a mode that the history is too short to have. Every result therefore has
          exactly k modes, never NaN, and a component of zeros means "there was nothing there".
          A feature that is constant over time to rounding is exactly zero after centring.
Left out  Gradients through the modes: dPsi contains 1 / (L_i - L_j), which has no bound where two
          eigenvalues meet. Decompositions are constants; `components` is differentiable in H.
See       Loeve 1978, Probability Theory II, section 37 (the expansion); Sirovich 1987, Quarterly
          of Applied Mathematics 45, 561-571 (the smaller of the two problems); Ghanem & Spanos
          1991, Stochastic Finite Elements, section 2.3 (the integral equation).
"""

from numbers import Integral
from typing import Any, NamedTuple

import torch
from torch import Tensor

from klforecast.ops.kernels import kernel_matrix
from klforecast.ops.linalg import fix_signs, orientation, require_finite, rounding_floor, safe_eigh
from klforecast.ops.measures import step_weights
from klforecast.ops.precision import exact, like


class KLDecomposition(NamedTuple):
    """Leading eigenvalues and modes of a covariance over time; leading dimensions are a batch."""

    eigenvalues: Tensor  # (..., k), descending, >= 0
    modes: Tensor  # (..., T, k), orthonormal columns, or zeros where the eigenvalue is zero


def empirical_kl(
    history: Tensor,  # (..., T, d)
    n_components: int,
    center: bool = True,
) -> KLDecomposition:
    """Leading modes of the history's own covariance over time.

    C = Hc Hc' / T, with Hc the history minus its mean over time, is T x T. Its non-zero
    eigenvalues are those of the d x d matrix Hc' Hc / T, whose eigenvectors V give Psi by
    Hc V = Psi (T L)^(1/2); the smaller of the two is decomposed.

    Parameters
    ----------
    history : Tensor of shape (..., T, d)
        Rows are steps in time order. T = 0 is an empty memory.
    n_components : int
        Number of modes. More than min(T - 1, d) of them are filled up with zeros.
    center : bool, default=True
        Subtract the mean over time first. False takes H for Hc, and has min(T, d) modes at most.

    Returns
    -------
    KLDecomposition
        Eigenvalues (..., k), in squared units of the history, and modes (..., T, k), unit norm.
        Both float64. They do not carry gradients.

    Raises
    ------
    ValueError
        If the history is not floating point, not finite or has fewer than two dimensions, or
        `n_components` is not a positive integer.

    Notes
    -----
    Cost: O(T d m + m**3) time with m = min(T, d), and O(T d + m**2) memory. An eigenvalue below
    about 1e-16 max(T, d) of the largest one counts as zero.

    Examples
    --------
    A ramp and its double vary together, so there is one mode:

    >>> import torch
    >>> from klforecast.ops.kl import empirical_kl
    >>> ramp = torch.tensor([0.0, 1.0, 2.0, 3.0])
    >>> eigenvalues, modes = empirical_kl(torch.stack([ramp, 2 * ramp], dim=1), n_components=2)
    >>> eigenvalues
    tensor([6.2500, 0.0000], dtype=torch.float64)
    >>> modes[:, 0]
    tensor([ 0.6708,  0.2236, -0.2236, -0.6708], dtype=torch.float64)
    """
    rows = exact(_checked(history, n_components).detach())
    eigenvalues, modes = _gram_modes(_centred(rows) if center else rows, n_components)
    return KLDecomposition(eigenvalues, fix_signs(modes))


def feature_covariance_kl(
    history: Tensor,  # (..., T, d)
    n_components: int,
) -> KLDecomposition:
    """Leading modes of the similarity of the history's rows, whatever their order and size.

    G = N N' / T, with N the rows of the history scaled to unit norm (a row of zeros stays zero),
    and no centring. Reordering the rows reorders the entries of the modes and changes nothing
    else, so the components are the same for every order: this is the decomposition for a history
    whose rows arrive in shuffled batches. The sign is fixed on the feature side, where the order
    cannot be seen: the entry of largest magnitude of N' psi is positive.

    Parameters
    ----------
    history : Tensor of shape (..., T, d)
        Rows are states, in any order. T = 0 is an empty memory.
    n_components : int
        Number of modes. More than min(T, d) of them are filled up with zeros.

    Returns
    -------
    KLDecomposition
        Eigenvalues (..., k), fractions of the rows' directions that sum to at most 1, and modes
        (..., T, k), unit norm. Both float64. They do not carry gradients.

    Raises
    ------
    ValueError
        As for `empirical_kl`.

    Notes
    -----
    Cost: O(T d m + m**3) time with m = min(T, d), and O(T d + m**2) memory.

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.kl import components, feature_covariance_kl
    >>> history = torch.tensor([[3.0, 0.0], [0.0, 1.0], [2.0, 0.0]])
    >>> feature_covariance_kl(history, n_components=2).eigenvalues
    tensor([0.6667, 0.3333], dtype=torch.float64)
    >>> def read(rows):
    ...     return components(rows, feature_covariance_kl(rows, n_components=2), center=False)
    >>> torch.allclose(read(history), read(history[[2, 0, 1]]))
    True
    """
    rows = exact(_checked(history, n_components).detach())
    norm = rows.norm(dim=-1, keepdim=True)
    directions = rows / norm.where(norm > 0, 1.0)
    eigenvalues, modes = _gram_modes(directions, n_components)
    return KLDecomposition(eigenvalues, modes * orientation(directions.mT @ modes))


def kernel_kl(
    T: int,
    n_components: int,
    kernel: str = "exponential",
    tau: float = 64.0,
    measure: float | Tensor | None = None,  # scalar or (T,)
) -> KLDecomposition:
    """Leading modes of a stationary prior covariance over T steps.

    The continuous problem is the Fredholm equation of the second kind

        integral K(s, t) phi(t) dmu(t) = lambda phi(s).

    With quadrature weights w_i = mu(step i) it becomes sum_j K_ij w_j phi_j = lambda phi_i
    (Nystrom's method), and with W = diag(w) and u = W^(1/2) phi the symmetric problem
    W^(1/2) K W^(1/2) u = lambda u. The modes returned are the unit vectors u. No data enter: the
    decomposition is a smoothness prior, for histories too short to estimate a covariance from.

    Parameters
    ----------
    T : int
        Number of steps of the history. T = 0 is an empty memory.
    n_components : int
        Number of modes. More than T of them are filled up with zeros.
    kernel : {"exponential", "gaussian", "matern", "matern32"}, default="exponential"
        See `klforecast.ops.kernels.kernel_matrix`.
    tau : float, default=64.0
        Time scale of the kernel, in steps of the history (not a fraction of its length).
    measure : float or Tensor of shape (T,), default=None
        Quadrature weight of a step. None is 1 / T, the midpoint rule on the unit interval: with
        tau / T fixed the eigenvalues then converge as T grows, and they sum to 1. A number gives
        every step that weight (1.0: the plain T x T matrix; tau / (T - 1): that of Spectral Memory,
        see `klforecast.ops.measures.interval_measure`). A tensor weighs steps unequally, for example older ones less.

    Returns
    -------
    KLDecomposition
        Eigenvalues (k,), in units of the measure because the kernel has unit variance, and modes
        (T, k), unit norm. Both float64.

    Raises
    ------
    ValueError
        If an argument is out of range, or `measure` has another shape than (T,), or a weight that
        is negative or not finite.

    Notes
    -----
    Cost: O(T**3) time and O(T**2) memory, once per T: the result depends on no data, so keep it.

    References
    ----------
    Ghanem & Spanos 1991, Stochastic Finite Elements, section 2.3 (the integral equation);
    Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, section 4.3.2 (Nystrom).

    Examples
    --------
    >>> from klforecast.ops.kl import kernel_kl
    >>> eigenvalues, modes = kernel_kl(100, n_components=3, kernel="gaussian", tau=50.0)
    >>> eigenvalues
    tensor([0.7723, 0.1986, 0.0266], dtype=torch.float64)
    """
    _check_n_components(n_components)
    covariance = kernel_matrix(T, kernel, tau)
    if T == 0:
        return _nothing(covariance.new_zeros(0, 0), n_components)
    root = step_weights(T, measure).sqrt()
    return covariance_kl(root[:, None] * covariance * root, n_components)


def covariance_kl(
    covariance: Tensor,  # (n, n)
    n_components: int,
) -> KLDecomposition:
    """Leading modes of a covariance that is at hand, over time or over features.

    Parameters
    ----------
    covariance : Tensor of shape (n, n)
        Symmetric, not negative, finite.
    n_components : int
        Number of modes. More than n of them are filled up with zeros.

    Returns
    -------
    KLDecomposition
        Eigenvalues (k,) and modes (n, k), both float64, without gradients.

    Raises
    ------
    ValueError
        As for `klforecast.ops.linalg.safe_eigh`, or if `n_components` is not a positive integer.

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.kl import covariance_kl
    >>> covariance_kl(torch.diag(torch.tensor([1.0, 4.0, 0.0])), n_components=3).eigenvalues
    tensor([4., 1., 0.], dtype=torch.float64)
    """
    _check_n_components(n_components)
    eigenvalues, modes = safe_eigh(covariance.detach())
    return KLDecomposition(*_leading(eigenvalues, modes, n_components, len(covariance)))


def components(
    history: Tensor,  # (..., T, d)
    decomposition: KLDecomposition,
    scale_by_eigenvalue: bool = True,
    center: bool = True,
) -> Tensor:  # (..., k, d)
    """Project the history on the modes: C_KL = sqrt(L_k) Psi_k' Hc.

    Parameters
    ----------
    history : Tensor of shape (..., T, d)
        Rows are steps. Leading dimensions broadcast against those of the decomposition.
    decomposition : KLDecomposition
        Modes over the same T steps, from this history or from anywhere else.
    scale_by_eigenvalue : bool, default=True
        Multiply each component by the square root of its eigenvalue. False gives Psi' Hc.
    center : bool, default=True
        Subtract the mean over time first. It makes no difference to the modes of `empirical_kl`
        for the same history, which are orthogonal to a constant. False keeps the level: a
        kernel's first mode is nearly constant, and directions have no natural zero.

    Returns
    -------
    Tensor of shape (..., k, d)
        The components, in the dtype of the history (computed in float64). For an empty history
        they are zeros.

    Raises
    ------
    ValueError
        If the history and the modes have different numbers of steps, or the history is not
        floating point or not finite.

    Notes
    -----
    Differentiable in the history, with the modes and eigenvalues held fixed. Cost: O(T d k).

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.kl import components, empirical_kl
    >>> ramp = torch.tensor([0.0, 1.0, 2.0])
    >>> history = torch.stack([ramp, 2 * ramp], dim=1)
    >>> decomposition = empirical_kl(history, n_components=1)
    >>> components(history, decomposition, scale_by_eigenvalue=False)
    tensor([[-1.4142, -2.8284]])
    """
    _check_history(history)
    rows = exact(history)
    eigenvalues, modes = (exact(part).to(rows.device) for part in decomposition)
    if history.shape[-2] != modes.shape[-2]:
        raise ValueError(
            f"the history has {history.shape[-2]} steps and the modes have {modes.shape[-2]}; "
            "decompose a history of the same length"
        )
    projected = modes.mT @ (_centred(rows) if center else rows)
    if scale_by_eigenvalue:
        projected = eigenvalues.sqrt()[..., None] * projected
    return like(projected, history)


def _gram_modes(
    rows: Tensor,  # (..., T, d)
    n_components: int,
) -> tuple[Tensor, Tensor]:  # (..., k), (..., T, k) with any sign
    T, d = rows.shape[-2:]
    if rows.numel() == 0:
        return _nothing(rows, n_components)
    if d >= T:
        eigenvalues, modes = safe_eigh(rows @ rows.mT / T)
    else:
        eigenvalues, feature_modes = safe_eigh(rows.mT @ rows / T)
        # Hc V has orthogonal columns only to rounding of the *largest* eigenvalue; QR, which goes
        # from the largest to the smallest, leaves the good columns and repairs the small ones.
        modes = torch.linalg.qr(rows @ feature_modes[..., :n_components]).Q
    return _leading(eigenvalues, modes, n_components, max(T, d))


def _leading(
    eigenvalues: Tensor,  # (..., m)
    modes: Tensor,  # (..., T, m)
    n_components: int,
    size: int,
) -> tuple[Tensor, Tensor]:  # (..., k), (..., T, k)
    real = eigenvalues > rounding_floor(eigenvalues, size)
    kept = min(n_components, modes.shape[-1])
    missing = (0, n_components - kept)
    values = (eigenvalues * real)[..., :kept]
    columns = modes[..., :kept] * real[..., None, :kept]
    return torch.nn.functional.pad(values, missing), torch.nn.functional.pad(columns, missing)


def _nothing(rows: Tensor, n_components: int) -> KLDecomposition:
    batch, T = rows.shape[:-2], rows.shape[-2]
    return KLDecomposition(
        rows.new_zeros(*batch, n_components), rows.new_zeros(*batch, T, n_components)
    )


def _centred(rows: Tensor) -> Tensor:  # (..., T, d) -> (..., T, d)
    if rows.numel() == 0:
        return rows
    centred = rows - rows.mean(dim=-2, keepdim=True)
    # The mean of a constant is off by a rounding error, which would pass for the only mode.
    spread, level = (part.detach().abs().amax(dim=-2, keepdim=True) for part in (centred, rows))
    varies = spread > rows.shape[-2] * torch.finfo(rows.dtype).eps * level
    return centred * varies


def _checked(history: Tensor, n_components: int) -> Tensor:
    _check_n_components(n_components)
    _check_history(history)
    return history


def _check_n_components(n_components: Any) -> None:
    whole = isinstance(n_components, Integral) and not isinstance(n_components, bool)
    if not whole or n_components < 1:
        raise ValueError(f"got n_components={n_components!r}; pass a positive integer")


def _check_history(history: Tensor) -> None:
    if history.dim() < 2 or not history.is_floating_point():
        raise ValueError(
            f"got a history of shape {tuple(history.shape)} and dtype {history.dtype}; "
            "pass a floating point tensor of shape (..., steps, features)"
        )
    require_finite(history, "the history")
