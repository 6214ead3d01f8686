"""Attention as a ridge regression of all values so far on their keys, solved at every step.

    H[t] = g[t] H[t-1] + k[t] k[t]'          covariance of the keys
    G[t] = g[t] G[t-1] + k[t] v[t]'          and with the values
    x[t] = (H[t] + r |H[t]| I)^-1 q[t]                |.| Frobenius norm
    y[t] = G[t]' ((1 - a[t]) q[t] + a[t] x[t])        a = 1: the regression; a = 0: linear attention

It is the stationary Kalman filter of a linear map from keys to values, so a value is recalled
exactly once its key is told apart from the others, which sums of outer products alone cannot do.

Letters   batch; heads; length in steps; n key features; p value features; r relative ridge
Precision Float32 at least, in results and states too (`klforecast.ops.precision`)
State     pair H (batch, heads, n, n) and G (batch, heads, n, p); `None` stands for zero
Left out  The Chebyshev iterations of the paper: for n of a few dozen a Cholesky factor is exact and
          not dearer.
See       Peng et al. 2025, Gated KalmaNet, arXiv 2511.21016.
"""

from typing import Any

import torch
from torch import Tensor

from klforecast.exceptions import KLForecastError
from klforecast.ops.checks import require_steps
from klforecast.ops.linear_attention import (
    fading,
    in_chunks,
    linear_attention,
    step_by_step,
    zero_state,
)
from klforecast.ops.precision import in_working_precision

# Up to 16 the solutions cost most, whatever it is; at 32 and 512 steps a chunk costs a third more.
DEFAULT_CHUNK = 16
_SMALLEST_RIDGE = 1e-6  # keeps the system solvable before the first key; keys have unit length

State = tuple[Tensor, Tensor]


@in_working_precision
def ridge_attention_step(
    q: Tensor,  # (batch, heads, n)
    k: Tensor,  # (batch, heads, n)
    v: Tensor,  # (batch, heads, p)
    log_keep: Tensor,  # (batch, heads, 1)
    solved: Tensor,  # (batch, heads, 1)
    ridge: Tensor,  # (heads,)
    state: State,
) -> tuple[Tensor, State]:
    """Advance by one step; returns the output (batch, heads, p) and the state."""
    keep = log_keep.exp()[..., None]
    covariance = keep * state[0] + k[..., None] * k[..., None, :]
    crossed = keep * state[1] + k[..., None] * v[..., None, :]
    query = torch.lerp(q, _solve(covariance, q, ridge), solved)
    return (query[..., None] * crossed).sum(dim=-2), (covariance, crossed)


def ridge_attention_loop(
    q: Tensor,  # (batch, heads, length, n)
    k: Tensor,
    v: Tensor,  # (batch, heads, length, p)
    log_keep: Tensor,  # (batch, heads, length, 1)
    solved: Tensor,  # (batch, heads, length, 1)
    ridge: Tensor,  # (heads,)
    state: State | None = None,
) -> tuple[Tensor, State]:
    """Run step by step: the definition of `ridge_attention`."""
    state = (zero_state(k, k), zero_state(k, v)) if state is None else state

    def step(*terms_and_state: Any) -> tuple[Tensor, State]:
        *terms, state = terms_and_state
        return ridge_attention_step(*terms, ridge, state)

    return step_by_step(step, (q, k, v, log_keep, solved), state)


@in_working_precision
def ridge_attention(
    q: Tensor,  # (batch, heads, length, n)
    k: Tensor,
    v: Tensor,  # (batch, heads, length, p)
    log_keep: Tensor,  # (batch, heads, length, 1)
    solved: Tensor,  # (batch, heads, length, 1)
    ridge: Tensor,  # (heads,)
    state: State | None = None,
    chunk: int = DEFAULT_CHUNK,
) -> tuple[Tensor, State]:
    """Run chunk by chunk, exactly.

    Parameters
    ----------
    q, k : Tensor (batch, heads, length, n)
        Queries and keys.
    v : Tensor (batch, heads, length, p)
        Values.
    log_keep : Tensor (batch, heads, length, 1)
        Logarithm of g, at most zero.
    solved : Tensor (batch, heads, length, 1)
        a, how far each query is replaced by the solution, between 0 and 1.
    ridge : Tensor (heads,)
        Ridge relative to the norm of the covariance, above zero.
    state : pair of Tensor, default=None
        H and G before the first step; None is zero.
    chunk : int, default=16
        Steps per chunk. It changes the cost, not the result.

    Returns
    -------
    y : Tensor (batch, heads, length, p)
    state : pair of Tensor

    Raises
    ------
    ValueError
        If there is no step.
    KLForecastError
        If a covariance of the keys is not positive, as after a key that is not finite.

    Notes
    -----
    Time O(length (n**3 + chunk n**2)), memory O(length n**2) per head and sequence.

    Examples
    --------
    >>> import torch
    >>> k = torch.eye(2)[None, None]
    >>> v = torch.tensor([[[[3.0], [5.0]]]])
    >>> keep, solved = torch.zeros(1, 1, 2, 1), torch.ones(1, 1, 2, 1)
    >>> y, _ = ridge_attention(k, k, v, keep, solved, torch.tensor([1e-4]))
    >>> y.flatten().round(decimals=1)
    tensor([3., 5.])
    """
    length = q.shape[2]
    require_steps(length)
    covariance = zero_state(k, k) if state is None else state[0]
    chunk = min(chunk, length)
    keys, keep = in_chunks(k, chunk), in_chunks(log_keep, chunk)
    total = keep.cumsum(dim=3)
    fade, outer = fading(total), keys[..., :, None] * keys[..., None, :]
    within = torch.einsum("...ts,...sij->...tij", fade, outer)
    parts = []
    for i in range(keys.shape[2]):
        parts.append(total[:, :, i].exp()[..., None] * covariance[:, :, None] + within[:, :, i])
        covariance = parts[-1][:, :, -1]
    solution = _solve(torch.cat(parts, dim=2)[:, :, :length], q, ridge[:, None])
    query = torch.lerp(q, solution, solved)
    y, crossed = linear_attention(query, k, v, log_keep, None if state is None else state[1])
    return y, (covariance, crossed)


def _solve(covariance: Tensor, q: Tensor, ridge: Tensor) -> Tensor:  # (..., n, n), (..., n)
    strength = ridge * torch.linalg.matrix_norm(covariance) + _SMALLEST_RIDGE
    eye = torch.eye(q.shape[-1], dtype=q.dtype, device=q.device)
    try:
        factor = torch.linalg.cholesky(covariance + strength[..., None, None] * eye)
    except torch.linalg.LinAlgError:
        raise KLForecastError(
            f"a covariance of the keys is not positive: {int(covariance.isnan().sum())} of "
            f"{covariance.numel()} entries are NaN; look for NaN or huge values in the input"
        ) from None
    return torch.cholesky_solve(q[..., None], factor)[..., 0]
