"""Linear attention with decay: a matrix of memory that fades and is written to, and its fast form.

    S[t] = diag(g[t]) S[t-1] + k[t] v[t]'           g = exp(log_keep), in (0, 1]
    y[t] = S[t]' q[t]

`log_keep` has one entry per head (scalar decay) or one per key feature (diagonal decay). With the
right terms this one recurrence is Lightning attention and TransNormer (a constant per head), mLSTM
(gates), LightNet (a running softmax), a mixture of memories (masked writes) and S6 (heads of width
one whose key features are the states).

Letters   batch; heads; length in steps; n key features; p value features
State     (batch, heads, n, p); `None` stands for zero
Precision Float32 at least, in results and states too (`klforecast.ops.precision`)
Left out  Normalisation of the output, which is the business of the layer around it.
See       Katharopoulos et al. 2020 (arXiv 2006.16236); Yang et al. 2024 (arXiv 2312.06635) for
          the chunked form with decay.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional as F

from klforecast.ops.checks import require_steps
from klforecast.ops.precision import in_working_precision
from klforecast.ops.spoiling import set_apart

State = TypeVar("State")

# Of 4 to 128 the fastest at 512 steps, forward and back: 2.8 ms against 3.5 at 8 and 3.6 at 32.
DEFAULT_CHUNK = 16
# A diagonal decay costs a number per key feature and pair of steps within a chunk, a state one per
# key and value feature: chunks no longer than the values are wide keep the first below the second.
_LONGEST_DIAGONAL_CHUNK = 4


@in_working_precision
def linear_attention_step(
    q: Tensor,  # (batch, heads, n)
    k: Tensor,  # (batch, heads, n)
    v: Tensor,  # (batch, heads, p)
    log_keep: Tensor,  # (batch, heads, 1 or n)
    state: Tensor,  # (batch, heads, n, p)
) -> tuple[Tensor, Tensor]:
    """Advance by one step; returns the output (batch, heads, p) and the state."""
    state = log_keep.exp()[..., None] * state + k[..., None] * v[..., None, :]
    return (q[..., None] * state).sum(dim=-2), state


def linear_attention_loop(
    q: Tensor,  # (batch, heads, length, n)
    k: Tensor,
    v: Tensor,  # (batch, heads, length, p)
    log_keep: Tensor,  # (batch, heads, length, 1 or n)
    state: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Run step by step: the definition of `linear_attention`."""
    state = zero_state(k, v) if state is None else state
    return step_by_step(linear_attention_step, (q, k, v, log_keep), state)


def step_by_step(
    step: Callable[..., tuple[Tensor, State]],  # step(terms of one step, state)
    terms: Sequence[Tensor],  # (batch, heads, length, features) each
    state: State,
) -> tuple[Tensor, State]:
    """Run a recurrence over the length of its terms, as its definition says."""
    outputs = []
    for now in zip(*(term.unbind(dim=2) for term in terms), strict=True):
        y, state = step(*now, state)
        outputs.append(y)
    return torch.stack(outputs, dim=2), state


@in_working_precision
def linear_attention(
    q: Tensor,  # (batch, heads, length, n)
    k: Tensor,
    v: Tensor,  # (batch, heads, length, p)
    log_keep: Tensor,  # (batch, heads, length, 1 or n)
    state: Tensor | None = None,
    chunk: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Run chunk by chunk, exactly.

    Parameters
    ----------
    q, k : Tensor (batch, heads, length, n)
        Queries and keys.
    v : Tensor (batch, heads, length, p)
        Values.
    log_keep : Tensor (batch, heads, length, 1 or n)
        Logarithm of what is kept of the state before each write, at most zero.
    state : Tensor (batch, heads, n, p), default=None
        State before the first step; None is zero.
    chunk : int, default=None
        Steps per chunk: by default 16 with a scalar decay, and the smaller of p and 4 with a
        diagonal one, or none at all for p = 1. It changes the cost, not the result.

    Returns
    -------
    y : Tensor (batch, heads, length, p)
    state : Tensor (batch, heads, n, p)
        State after the last step.

    Raises
    ------
    ValueError
        If there is no step.

    Notes
    -----
    Time O(length (chunk (n + p) + n p)) per head and sequence. A diagonal decay holds
    length * chunk * n numbers at once per head and sequence, a scalar one length * chunk. Only
    differences of `log_keep` that are at most zero are exponentiated, so nothing overflows.

    Examples
    --------
    >>> import torch
    >>> q = k = v = torch.ones(1, 1, 3, 2)
    >>> y, state = linear_attention(q, k, v, torch.zeros(1, 1, 3, 1))
    >>> y[0, 0, :, 0]
    tensor([2., 4., 6.])
    """
    length = q.shape[2]
    require_steps(length)
    if chunk is None and v.shape[-1] == 1 and log_keep.shape[-1] > 1:
        return narrow_attention(q, k, v, log_keep.exp(), state)
    if chunk is None:
        diagonal = min(v.shape[-1], _LONGEST_DIAGONAL_CHUNK)
        chunk = DEFAULT_CHUNK if log_keep.shape[-1] == 1 else diagonal
    state = zero_state(k, v) if state is None else state
    chunk = min(chunk, length)
    (k, v), spoiled = set_apart(2, k, v)
    q, k, v, log_keep = (in_chunks(term, chunk) for term in (q, k, v, log_keep))
    total = log_keep.cumsum(dim=3)  # (b, h, chunks, c, 1 or n)
    if log_keep.shape[-1] == 1:
        scores = (q @ k.mT) * fading(total)
    else:
        between = total[..., :, None, :] - total[..., None, :, :]  # (b, h, chunks, c, c, n)
        between = between.masked_fill(_future(chunk, q)[..., None], -torch.inf).exp()
        scores = torch.einsum("...tn,...sn,...tsn->...ts", q, k, between)
    last = total[..., -1:, :]
    written = (k * (last - total).exp()).mT @ v
    starts, carry = [], last.exp().mT
    for i in range(q.shape[2]):
        starts.append(state)
        state = carry[:, :, i] * state + written[:, :, i]
    y = scores @ v + (q * total.exp()) @ torch.stack(starts, dim=2)
    return spoil(y.flatten(2, 3)[:, :, :length], state, spoiled)


def spoil(y: Tensor, state: Tensor, spoiled: Tensor) -> tuple[Tensor, Tensor]:
    """Add what `set_apart` found, (batch, length), to (batch, heads, length, p) and the state."""
    return y + spoiled[:, None, :, None], state + spoiled[:, -1, None, None, None]


@in_working_precision
def narrow_attention(
    q: Tensor,  # (batch, heads, length, n)
    k: Tensor,
    v: Tensor,  # (batch, heads, length, 1)
    keep: Tensor,  # (batch, heads, length, n)
    state: Tensor | None = None,  # (batch, heads, n, 1)
) -> tuple[Tensor, Tensor]:
    """Run with a diagonal decay and p = 1, where products of matrices would be of single numbers.

    Only the state itself goes step by step; all before and after it is done for all steps at once.
    What is kept of the state is given itself and not by its logarithm, so that it may be negative.
    """
    current = zero_state(k, v)[..., 0] if state is None else state[..., 0]
    states = []
    for kept, written in zip(keep.unbind(2), (k * v).unbind(2), strict=True):
        current = torch.addcmul(written, kept, current)
        states.append(current)
    y = (q * torch.stack(states, dim=2)).sum(dim=-1, keepdim=True)
    return y, current[..., None]


def fading(total: Tensor) -> Tensor:  # (..., c, 1) -> (..., c, c)
    """How much of what is written at s is left at t within a chunk; zero for s > t."""
    return (total - total.mT).masked_fill(_future(total.shape[-2], total), -torch.inf).exp()


def in_chunks(term: Tensor, chunk: int) -> Tensor:
    """(batch, heads, length, n) -> (batch, heads, chunks, chunk, n), zeros after the end."""
    return F.pad(term, (0, 0, 0, -term.shape[2] % chunk)).unflatten(2, (-1, chunk))


def zero_state(k: Tensor, v: Tensor) -> Tensor:
    """Return the state before anything was written, (batch, heads, n, p)."""
    return k.new_zeros(*k.shape[:2], k.shape[-1], v.shape[-1])


def _future(chunk: int, like: Tensor) -> Tensor:
    return torch.ones(chunk, chunk, dtype=torch.bool, device=like.device).triu(1)
