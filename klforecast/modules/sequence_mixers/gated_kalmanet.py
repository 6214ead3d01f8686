"""Gated KalmaNet: at every step, the ridge regression of all values so far on their keys.

    H[t] = g H[t-1] + k k'      G[t] = g G[t-1] + k v'      y[t] = G[t]' (H[t] + r |H[t]| I)^-1 q

with unit keys and queries, the gate g = sigmoid(w' x) and a learned relative ridge r per head.

Letters   state: pair H (batch, heads, d, d) and G (batch, heads, d, d)   d width of a head
Paper     Peng et al. 2025, Gated KalmaNet, arXiv 2511.21016.
Left out  Chebyshev iterations (solved exactly here, see `klforecast.ops.ridge_attention`); short
          convolutions.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, normalize

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
        self.log_ridge = nn.Parameter(torch.full((n_heads,), _FIRST_RIDGE).log())

    def recur(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run the chunked kernel."""
        return ridge_attention(*self._terms(x), self.log_ridge.exp(), state)

    def recur_step(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Advance the recurrence."""
        if state is None:
            empty = self.zeros(x, self.width, self.width)
            state = empty, empty
        q, k, v, keep = at_step(*self._terms(x))
        return ridge_attention_step(q, k, v, keep, self.log_ridge.exp(), state)

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(x)
        return normalize(q, dim=-1), normalize(k, dim=-1), v, logsigmoid(self.heads(self.forget(x)))
