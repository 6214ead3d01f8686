"""Online Karhunen-Loeve decomposition: absorb new rows into a factor of fixed size.

The state keeps the mean of the rows seen so far and a root R with R' R = the scatter about that
mean, cut to its r largest directions. New rows X (m, d) with mean x join n old ones by

    mean <- mean + (x - mean) m / (n + m)
    R    <- diag(s) V'   of the SVD of  [ R ; X - x ; sqrt(n m / (n + m)) (mean - x) ]

where the last row corrects for the gap between the two means. With forgetting f, a row that is a
rows old has the weight f**a: n becomes f**m n, R becomes f**(m/2) R, and m the sum of the weights.

What it represents
    With Hc (T, d) the centred history, R' R = Hc' Hc is d x d: the feature side of the empirical
    decomposition, which shares its non-zero spectrum with the T x T matrix Hc Hc'. From the SVD
    Hc = Psi S V' follow R = S V' = Psi' Hc, so the rows of R *are* the components of the rows
    absorbed, unscaled, and L = S**2 / T. What cannot be read from the state are the modes Psi over
    time, which have one entry for every row ever seen; `klforecast.ops.kl.empirical_kl` has them.

Letters   d features   k rank   m new rows   n total weight of the old rows   T rows seen so far
Cost      O(d k (k + m)) for m rows, whatever T: the old rows are never touched. O(k d) memory.
Exact     on rows whose centred rank never exceeds k. Else the smallest directions are cut at every
          block, and `discarded` adds up how much scatter that took.
See       Levy & Lindenbaum 2000, IEEE Transactions on Image Processing 9, 1371-1374 (sequential
          Karhunen-Loeve basis, forgetting); Ross, Lim, Lin & Yang 2008, International Journal of
          Computer Vision 77, 125-141, section 3.2 (the row that corrects the mean).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from klforecast.ops.linalg import fix_signs, require_finite
from klforecast.ops.precision import like

# Measured on one core: 64 beats 32 up to d = 64 and equals it beyond; 128 loses from d = 512 on.
_SMALLEST_BLOCK = 64
_EPSILON = torch.finfo(torch.float64).eps
# Means are summed in two passes: what is left of a constant stays below 32 times its last digit.
_LEVEL_ROUNDING = 32 * _EPSILON


class KLState(NamedTuple):
    """Running Karhunen-Loeve factor of the rows seen so far, all float64."""

    mean: Tensor  # (d,), weighted mean of the rows
    root: Tensor  # (r, d), orthogonal rows of descending norm; root.mT @ root is the scatter
    weight: float  # sum of the rows' weights: their number, if nothing is forgotten
    discarded: float = 0.0  # scatter lost by cutting to rank r, forgotten at the same rate


def empty_state(d: int, rank: int = 0, device: torch.device | None = None) -> KLState:
    """State that has seen nothing.

    Parameters
    ----------
    d : int
        Number of features of a row.
    rank : int, default=0
        Rows of zeros that the root starts with. `absorb` brings the root to its own rank; give
        the same number here where all states must have one shape, as buffers must.
    device : torch.device, default=None
        Where the tensors live. None is the current default device.

    Returns
    -------
    KLState
        Zeros, with a weight of zero.

    Examples
    --------
    >>> from klforecast.ops.online import empty_state
    >>> empty_state(3).weight
    0.0
    """
    return KLState(
        mean=torch.zeros(d, dtype=torch.float64, device=device),
        root=torch.zeros(rank, d, dtype=torch.float64, device=device),
        weight=0.0,
    )


def absorb(
    state: KLState,
    rows: Tensor,  # (m, d), oldest first
    rank: int,
    forgetting: float = 1.0,
    block_length: int | None = None,
) -> KLState:
    """Add rows to a state, in constant time per row.

    Parameters
    ----------
    state : KLState
        What was seen so far. It is not changed.
    rows : Tensor of shape (m, d)
        New rows, oldest first. m = 0 returns the state as it is.
    rank : int
        Number of directions to keep. The new root has exactly this many rows, the last of them
        zero where the data have fewer directions.
    forgetting : float, default=1.0
        Weight of a row relative to the one after it, in (0, 1]. 1 forgets nothing; f remembers
        about 1 / (1 - f) rows.
    block_length : int, default=None
        Rows per SVD. None is max(rank, 64). `len(rows)` on an empty state is the exact best
        approximation of this rank, at O(m d min(m, d)).

    Returns
    -------
    KLState
        The new state, detached from any graph: absorbing is a write, not part of a prediction.

    Raises
    ------
    ValueError
        If the rows are not (m, d) or not finite, or an option is out of range.

    Notes
    -----
    Cost: O(d (k + b)) time per row with b = max(k, 64) rows per block, and O(d k**2) for a row
    that comes alone: O(d k (k + m)) for m rows, however many came before. The result does not
    depend on how the rows are cut into calls as long as their rank does not exceed `rank`; nor do
    the signs, which `fix_signs` gives to the root as it is. A direction that turns past the point
    where two of its entries are of equal size and opposite sign therefore jumps to its mirror
    image: whoever learns from the components follows their signs with `follow_signs`.

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.online import absorb, empty_state, feature_modes
    >>> ramp = torch.tensor([0.0, 1.0, 2.0, 3.0])
    >>> history = torch.stack([ramp, 2 * ramp], dim=1)
    >>> state = absorb(absorb(empty_state(2), history[:3], rank=1), history[3:], rank=1)
    >>> state.mean
    tensor([1.5000, 3.0000], dtype=torch.float64)
    >>> feature_modes(state)[0]
    tensor([6.2500], dtype=torch.float64)
    """
    d = state.mean.shape[0]
    if rows.dim() != 2 or rows.shape[1] != d:
        raise ValueError(f"got rows of shape {tuple(rows.shape)}; pass (m, {d}), one row per step")
    if rank < 1 or (block_length is not None and block_length < 1):
        raise ValueError(f"got rank={rank} and block_length={block_length}; pass at least 1")
    if not 0 < forgetting <= 1:
        raise ValueError(f"got forgetting={forgetting!r}; pass a number in (0, 1]")
    require_finite(rows, "the new rows")
    if len(rows) == 0:
        return state
    rows = like(rows.detach(), state.root)
    for block in rows.split(block_length or max(rank, _SMALLEST_BLOCK)):
        state = _absorb_block(state, block, rank, forgetting)
    return state


def _absorb_block(state: KLState, rows: Tensor, rank: int, forgetting: float) -> KLState:
    age = torch.arange(len(rows) - 1, -1, -1, dtype=rows.dtype, device=rows.device)
    weights = forgetting**age
    new, old = float(weights.sum()), forgetting ** len(rows) * state.weight
    total = old + new
    row_mean = weights @ rows / new
    # A second pass takes out the rounding of the first, which grows with the size of the block.
    row_mean = row_mean + weights @ (rows - row_mean) / new
    gap = math.sqrt(old * new / total) * (state.mean - row_mean)
    decay = math.sqrt(forgetting ** len(rows))
    stack = torch.cat([decay * state.root, weights.sqrt()[:, None] * (rows - row_mean), gap[None]])
    _, s, vt = torch.linalg.svd(stack, full_matrices=False)
    kept = min(rank, len(s))
    root = torch.zeros(rank, rows.shape[1], dtype=rows.dtype, device=rows.device)
    root[:kept] = s[:kept, None] * vt[:kept]
    return KLState(
        mean=state.mean + (row_mean - state.mean) * (new / total),
        root=fix_signs(root.mT).mT,
        weight=total,
        discarded=decay**2 * state.discarded + float((s[kept:] ** 2).sum()),
    )


def feature_modes(state: KLState) -> tuple[Tensor, Tensor]:  # -> (r,), (d, r)
    """Eigenvalues and eigenvectors of the d x d covariance that the state stands for.

    Parameters
    ----------
    state : KLState
        From `absorb` or `empty_state`.

    Returns
    -------
    eigenvalues : Tensor of shape (r,), float64
        Descending, in squared units of the rows: those of `empirical_kl` on the same rows.
    modes : Tensor of shape (d, r), float64
        Orthonormal columns V with Hc V = Psi (T L)^(1/2), oriented by `fix_signs`. As everywhere,
        an eigenvalue of zero to rounding is exactly zero, and its column too.

    Notes
    -----
    The root comes from singular value decompositions, which tell a direction from rounding down to
    2e-16 max(T, d) of the largest *deviation*. A Gram matrix, as `empirical_kl` decomposes it,
    ends at that share of the largest variance.

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.online import absorb, empty_state, feature_modes
    >>> state = absorb(empty_state(2), torch.tensor([[0.0, 0.0], [3.0, 4.0]]), rank=2)
    >>> feature_modes(state)
    (tensor([6.2500, 0.0000], dtype=torch.float64),
     tensor([[0.6000, 0.0000],
             [0.8000, 0.0000]], dtype=torch.float64))
    """
    norms = state.root.norm(dim=1)
    eigenvalues = norms**2 / max(state.weight, 1e-300)
    # Subtracting means of this size leaves this much variance even in a constant.
    level = (_LEVEL_ROUNDING * state.mean.norm()) ** 2
    share = _EPSILON * max(state.weight, state.root.shape[1])
    floor = (share**2 * eigenvalues[:1]).clamp(min=level)
    real = eigenvalues > floor if len(norms) else eigenvalues > 0
    modes = torch.where(real, state.root.mT / norms.where(real, 1.0), 0.0)
    return eigenvalues * real, modes


def state_components(
    state: KLState, scale_by_eigenvalue: bool = True
) -> Tensor:  # -> (r, d), the components of every row absorbed
    """Components sqrt(L) Psi' Hc of all rows absorbed, without those rows and without Psi.

    Parameters
    ----------
    state : KLState
        From `absorb` or `empty_state`.
    scale_by_eigenvalue : bool, default=True
        Multiply each component by the square root of its eigenvalue, as in
        `klforecast.ops.kl.components`.

    Returns
    -------
    Tensor of shape (r, d), float64
        Equal to `components(history, empirical_kl(history, r))` up to the sign of each row: there
        the sign is fixed on the modes over time, here on the features. An empty state has zeros.

    Notes
    -----
    With forgetting, the history is the one whose row of age a is multiplied by f**(a / 2).

    Examples
    --------
    >>> import torch
    >>> from klforecast.ops.online import absorb, empty_state, state_components
    >>> ramp = torch.tensor([0.0, 1.0, 2.0])
    >>> state = absorb(empty_state(2), torch.stack([ramp, 2 * ramp], dim=1), rank=1)
    >>> state_components(state, scale_by_eigenvalue=False)
    tensor([[1.4142, 2.8284]], dtype=torch.float64)
    """
    eigenvalues, modes = feature_modes(state)
    singular_values = (eigenvalues * state.weight).sqrt()
    scale = eigenvalues.sqrt() * singular_values if scale_by_eigenvalue else singular_values
    return scale[:, None] * modes.mT
