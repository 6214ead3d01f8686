"""Mixture of memories: a router sends each step to a few of several linear-attention states.

    p[t] = softmax(R x[t]), kept for the `n_active` largest and brought to the sum one
    S_m[t] = g S_m[t-1] + k v'            where p_m > 0; untouched elsewhere
    y[t] = (S_shared[t] + sum_m p_m S_m[t])' q        the shared memory is written at every step

Letters   m memory   S (batch, heads * (n_memories + 1), d, d) state, the shared one last
Paper     Du et al. 2025, MoM: Linear Sequence Modeling with Mixture-of-Memories, arXiv 2502.13685.
Left out  Key and value projections of each memory's own (the published code shares them on demand);
          the loss that balances the router.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, silu

from klforecast.modules.sequence_mixers.heads import HeadMixer, at_step
from klforecast.ops.linear_attention import linear_attention, linear_attention_step
from klforecast.ops.precision import in_working_precision


class MixtureOfMemories(HeadMixer):
    """Linear attention with routed writes and reads; see `HeadMixer`.

    Parameters
    ----------
    d_model, n_heads : int
        As for `HeadMixer`.
    n_memories : int, default=4
        Routed memories, beside the shared one.
    n_active : int, default=2
        Memories that a step writes and reads.
    """

    def __init__(self, d_model: int, n_heads: int = 4, n_memories: int = 4, n_active: int = 2):
        super().__init__(d_model, n_heads)
        if not 1 <= n_active <= n_memories:
            raise ValueError(f"got n_active={n_active}; pass one of 1 ... n_memories={n_memories}")
        self.n_memories = n_memories
        self.n_active = n_active
        self.router = nn.Linear(d_model, n_memories, bias=False)
        self.forget = nn.Linear(d_model, n_heads)
        nn.init.constant_(self.forget.bias, 4.0)

    def recur(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the chunked kernel on all memories side by side, as further heads."""
        o, state = linear_attention(*self._terms(x), state)
        return self._sum(o), state

    def recur_step(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Advance the recurrence."""
        terms = self._terms(x)
        if state is None:
            state = x.new_zeros(len(x), terms[0].shape[1], self.width, self.width)
        q, k, v, keep = at_step(*terms)
        o, state = linear_attention_step(q, k, v, keep, state)
        return self._sum(o), state

    def shares(self, x: Tensor) -> Tensor:
        """How much of each step each memory gets, (batch, length, n_memories)."""
        return _shares(x, self.router.weight, self.n_active)

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(x)
        keep = logsigmoid(self.heads(self.forget(x)))
        shares = self.shares(x).transpose(1, 2)[..., None]
        share = torch.cat([shares, torch.ones_like(shares[:, :1])], dim=1)  # (b, m + 1, length, 1)

        def of_memories(term: Tensor, weight: Tensor | float = 1.0) -> Tensor:
            copies = term[:, :, None].expand(-1, -1, self.n_memories + 1, -1, -1)
            return (copies * weight).flatten(1, 2)  # (b, heads (m + 1), length, n)

        weight = share[:, None]
        chosen = (weight > 0).to(x.dtype)
        return (
            of_memories(silu(q), weight),
            of_memories(silu(k), chosen),
            of_memories(v),
            of_memories(keep, chosen),
        )

    def _sum(self, o: Tensor) -> Tensor:  # (b, heads (m + 1), ...) -> (b, heads, ...)
        return o.unflatten(1, (self.n_heads, -1)).sum(dim=2)


@in_working_precision
def _shares(x: Tensor, router: Tensor, n_active: int) -> Tensor:
    # In half precision, rounding would send steps to other memories.
    likely = (x @ router.mT).softmax(dim=-1)
    # Scattered, not compared with the smallest: of equal memories no more than `n_active` are kept.
    largest = likely.topk(n_active, dim=-1)
    kept = torch.zeros_like(likely).scatter(-1, largest.indices, largest.values)
    return kept / kept.sum(dim=-1, keepdim=True)
