"""Linear attention with a constant decay per head.

    S[t] = g_h S[t-1] + silu(k[t]) v[t]'        g_h = exp(-2^(-8 h / heads)), h = 1 ... heads
    y[t] = S[t]' silu(q[t])                     normed and gated, no denominator

Letters   S (batch, heads, d, d) state   d width of a head
Paper     Qin et al. 2024, Lightning Attention-2, arXiv 2401.04658 (decay, block form); Qin et al.
          2022, TransNormer, arXiv 2210.10340 (norm of the output instead of a denominator).
Left out  The first layers of TransNormer, which attend by softmax within blocks of steps (DiagAttention):
          every layer is the linear one; LRPE, the rotary positions of TransNormerLLM; tiling for a
          GPU's memory.
"""

import torch
from torch import Tensor
from torch.nn.functional import silu

from klforecast.modules.sequence_mixers.heads import HeadMixer, at_step
from klforecast.ops.linear_attention import linear_attention, linear_attention_step


class LinearAttention(HeadMixer):
    """Linear attention whose heads forget at different constant rates; see `HeadMixer`."""

    log_keep: Tensor

    def __init__(self, d_model: int, n_heads: int = 4):
        super().__init__(d_model, n_heads)
        heads = torch.arange(1, n_heads + 1)
        self.register_buffer("log_keep", -(2.0 ** (-8 * heads / n_heads)), persistent=False)

    def recur(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the chunked kernel."""
        return linear_attention(*self._terms(x), state)

    def recur_step(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Advance the recurrence."""
        start = self.zeros(x, self.width, self.width) if state is None else state
        q, k, v, keep = at_step(*self._terms(x))
        return linear_attention_step(q, k, v, keep, start)

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        q, k, v = self.qkv(x)
        keep = self.log_keep[:, None, None].expand(len(x), -1, x.shape[1], 1)
        return silu(q), silu(k), v, keep
