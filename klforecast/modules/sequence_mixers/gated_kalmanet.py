"""Gated KalmaNet: at every step, the ridge regression of all values so far on their keys.

    H[t] = g H[t-1] + b^2 k k'        G[t] = g G[t-1] + b^2 k v'
    y[t] = G[t]' ((1 - a) q + a (H[t] + r |H[t]| I)^-1 q)

q, k, v = silu of linear maps, queries and keys of unit length; the gates g (what is kept), b (what is
written: it scales keys and values alike) and a (how far the query is the solution of the regression, the
rest being the query of linear attention) are sigmoids of linear maps, r is a relative ridge per head.

Letters   state: pair H (batch, heads, d, d) and G (batch, heads, d, d)   d width of a head
Paper     Peng et al. 2025, Gated KalmaNet, arXiv 2511.21016.
Left out  Chebyshev iterations (solved exactly here, see `klforecast.ops.ridge_attention`); short
          convolutions before the silu; gates with a decay and a step of Mamba's form. The ridge is
          learned, from the 0.02 on that the published code holds.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize, silu

from klforecast.modules.sequence_mixers.heads import HeadMixer, at_step
from klforecast.ops.ridge_attention import ridge_attention, ridge_attention_step

State = tuple[Tensor, Tensor]
# The condition of H + r |H| I is at most (1 + r) / r, here 51: float32 loses two of its seven digits.
_FIRST_RIDGE = 0.02
_FIRST_FORGET_BIAS = 4.0  # a gate of 0.982, which halves the state in 38 steps


class GatedKalmaNet(HeadMixer):
    """Test-time ridge regression with a gate; see `HeadMixer`."""

    def __init__(self, d_model: int, n_heads: int = 4):
        super().__init__(d_model, n_heads)
        self.forget = nn.Linear(d_model, n_heads)
        nn.init.constant_(self.forget.bias, _FIRST_FORGET_BIAS)
        self.write = nn.Linear(d_model, n_heads)
        self.solved = nn.Linear(d_model, n_heads)
        self.log_ridge = nn.Parameter(torch.full((n_heads,), _FIRST_RIDGE).log())

    def recur(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run the chunked kernel."""
        return ridge_attention(*self._terms(x), self.log_ridge.exp(), state)

    def recur_step(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Advance the recurrence."""
        if state is None:
            empty = self.zeros(x, self.width, self.width)
            state = empty, empty
        return ridge_attention_step(*at_step(*self._terms(x)), self.log_ridge.exp(), state)

    def _terms(self, x: Tensor) -> tuple[Tensor, ...]:
        q, k, v = (silu(part) for part in self.qkv(x))
        write, solved = (self.heads(gate(x)).sigmoid() for gate in (self.write, self.solved))
        keep = logsigmoid(self.heads(self.forget(x)))
        return normalize(q, dim=-1), write * normalize(k, dim=-1), write * v, keep, solved
