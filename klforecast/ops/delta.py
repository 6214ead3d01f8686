"""The delta rule: a matrix of memory whose old value under a key is replaced by a new one.

    S[t] = g[t] (I - b[t] k[t] k[t]') S[t-1] + b[t] k[t] v[t]'
    y[t] = S[t]' q[t]

With unit keys the transition has the eigenvalue 1 - b along the key: b in (0, 1) forgets, b in
(1, 2) makes it negative, which is what a state that has to flip (parity) needs.

Within a chunk S[t] = G[t] S[0] + sum over s <= t of (G[t] / G[s]) k[s] u[s]', with pseudo-values u
that solve one unit-triangular system (the WY form of a product of Householder matrices).

Letters   batch; heads; length in steps; n key features; p value features; G cumulative product of g
State     (batch, heads, n, p); `None` stands for zero
Precision Float32 at least, in results and states too (`klforecast.ops.precision`)
See       Yang et al. 2024, arXiv 2406.06484 (chunked delta rule); Yang et al. 2025, arXiv
          2412.06464 (with decay); Grazzi et al. 2025, arXiv 2411.12537 (negative eigenvalues).
"""

import torch
from torch import Tensor

from klforecast.ops.checks import require_steps
from klforecast.ops.linear_attention import fading, in_chunks, spoil, step_by_step, zero_state
from klforecast.ops.precision import in_working_precision
from klforecast.ops.spoiling import set_apart

# Of 4 to 128 the fastest at 512 steps, forward and back: 7.9 ms against 8.8 at 16 and 9.1 at 64.
DEFAULT_CHUNK = 32


@in_working_precision
def delta_rule_step(
    q: Tensor,  # (batch, heads, n)
    k: Tensor,  # (batch, heads, n), of unit length
    v: Tensor,  # (batch, heads, p)
    rate: Tensor,  # (batch, heads, 1)
    log_keep: Tensor,  # (batch, heads, 1)
    state: Tensor,  # (batch, heads, n, p)
) -> tuple[Tensor, Tensor]:
    """Advance by one step; returns the output (batch, heads, p) and the state."""
    state = log_keep.exp()[..., None] * state
    known = (k[..., None] * state).sum(dim=-2)
    state = state + k[..., None] * (rate * (v - known))[..., None, :]
    return (q[..., None] * state).sum(dim=-2), state


def delta_rule_loop(
    q: Tensor,  # (batch, heads, length, n)
    k: Tensor,
    v: Tensor,  # (batch, heads, length, p)
    rate: Tensor,  # (batch, heads, length, 1)
    log_keep: Tensor,  # (batch, heads, length, 1)
    state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run step by step: the definition of `delta_rule`."""
    state = zero_state(k, v) if state is None else state
    return step_by_step(delta_rule_step, (q, k, v, rate, log_keep), state)


@in_working_precision
def delta_rule(
    q: Tensor,  # (batch, heads, length, n)
    k: Tensor,
    v: Tensor,  # (batch, heads, length, p)
    rate: Tensor,  # (batch, heads, length, 1)
    log_keep: Tensor,  # (batch, heads, length, 1)
    state: Tensor | None = None,
    chunk: int = DEFAULT_CHUNK,
) -> tuple[Tensor, Tensor]:
    """Run chunk by chunk, exactly.

    Parameters
    ----------
    q, k : Tensor (batch, heads, length, n)
        Queries and keys; keys of unit length keep the eigenvalues within 1 - `rate` and 1.
    v : Tensor (batch, heads, length, p)
        Values.
    rate : Tensor (batch, heads, length, 1)
        b, between 0 and 2.
    log_keep : Tensor (batch, heads, length, 1)
        Logarithm of g, at most zero.
    state : Tensor (batch, heads, n, p), default=None
        State before the first step; None is zero.
    chunk : int, default=32
        Steps per chunk. It changes the cost, not the result.

    Returns
    -------
    y : Tensor (batch, heads, length, p)
    state : Tensor (batch, heads, n, p)

    Raises
    ------
    ValueError
        If there is no step.

    Notes
    -----
    Time O(length (chunk**2 + chunk (n + p) + n p)) per head and sequence.

    Examples
    --------
    A second write under the same key, at rate one, replaces the first:

    >>> import torch
    >>> k = torch.ones(1, 1, 2, 1)
    >>> v = torch.tensor([[[[3.0], [5.0]]]])
    >>> delta_rule(k, k, v, torch.ones(1, 1, 2, 1), torch.zeros(1, 1, 2, 1))[0].flatten()
    tensor([3., 5.])
    """
    length = q.shape[2]
    require_steps(length)
    state = zero_state(k, v) if state is None else state
    chunk = min(chunk, length)
    (k, v, rate), spoiled = set_apart(2, k, v, rate)
    q, k, v, rate, log_keep = (in_chunks(term, chunk) for term in (q, k, v, rate, log_keep))
    total = log_keep.cumsum(dim=3)  # (b, h, chunks, c, 1)
    fade = fading(total)
    system = (rate * (k @ k.mT) * fade).tril(-1)
    right = torch.cat([rate * v, rate * total.exp() * k], dim=-1)
    solved = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)
    of_values, of_state = solved.split([v.shape[-1], k.shape[-1]], dim=-1)
    scores = (q @ k.mT) * fade
    last = total[..., -1:, :]
    reading, writing = q * total.exp(), (k * (last - total).exp()).mT
    outputs = []
    for i in range(q.shape[2]):
        pseudo = of_values[:, :, i] - of_state[:, :, i] @ state
        outputs.append(reading[:, :, i] @ state + scores[:, :, i] @ pseudo)
        state = last.exp()[:, :, i] * state + writing[:, :, i] @ pseudo
    return spoil(torch.cat(outputs, dim=2)[:, :, :length], state, spoiled)
