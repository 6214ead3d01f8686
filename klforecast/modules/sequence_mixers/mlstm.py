"""mLSTM: a matrix memory with an exponential input gate and a normaliser, or with a sigmoid gate.

    S[t] = f S[t-1] + i k v'        n[t] = f n[t-1] + i k        f = sigmoid(.), i = exp(.)
    y[t] = S[t]' q / max(|n[t]' q|, 1)

Computed as S exp(-m) and n exp(-m), with m[t] = max(log f + m[t-1], log i): no exponential is ever
above one. Linear attention with the value (v, 1) then holds both S and n.

With i = sigmoid(.) nothing can overflow: no scale is kept, and the norm after the cell stands for the
normaliser, y[t] = S[t]' q.

Letters   S (batch, heads, d, d + 1) state with n in its last column   m (batch, heads) its scale
Paper     Beck et al. 2024, xLSTM, arXiv 2405.04517, section 2.3; Beck et al. 2025, Tiled Flash Linear
          Attention, arXiv 2503.14376 (the sigmoid gate).
Left out  sLSTM blocks; the causal convolution and the up-projection around the cell.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, pad

from klforecast.modules.sequence_mixers.heads import HeadMixer, at_step
from klforecast.ops.linear_attention import linear_attention, linear_attention_step
from klforecast.ops.precision import working

State = tuple[Tensor, Tensor]
_FIRST_FORGET_BIAS = 3.0  # a gate of 0.953: least of the 3 to 6 of the published code (NX-AI/xlstm)


class _Gated(HeadMixer):
    def __init__(self, d_model: int, n_heads: int = 4):
        super().__init__(d_model, n_heads)
        self.gates = nn.Linear(d_model, 2 * n_heads)
        with torch.no_grad():
            self.gates.bias[n_heads:] = _FIRST_FORGET_BIAS

    def _terms(self, x: Tensor) -> tuple[Tensor, ...]:
        """Queries, scaled keys, values, and both gates before their functions."""
        q, k, v = self.qkv(x)
        gates = working(self.gates(x)).chunk(2, dim=-1)
        write, forget = (self.heads(part) for part in gates)
        return q, k / math.sqrt(self.width), v, write, logsigmoid(forget)


class SigmoidMLSTM(_Gated):
    """The matrix memory with a sigmoid input gate; see `HeadMixer`."""

    def recur(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the chunked kernel."""
        q, k, v, write, forget = self._terms(x)
        return linear_attention(q, k * write.sigmoid(), v, forget, state)

    def recur_step(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Advance the recurrence."""
        state = self.zeros(x, self.width, self.width) if state is None else state
        q, k, v, write, forget = at_step(*self._terms(x))
        return linear_attention_step(q, k * write.sigmoid(), v, forget, state)


class MLSTM(_Gated):
    """The matrix memory of xLSTM; see `HeadMixer`."""

    def recur(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run the chunked kernel on rescaled gates."""
        q, k, v, write, forget = self._normalised_terms(x)
        memory, scale = (None, self.zeros(x)) if state is None else state
        kept = forget[..., 0].cumsum(dim=2)
        peak = torch.maximum(scale[..., None], (write[..., 0] - kept).cummax(dim=2).values)
        scales = (kept + peak)[..., None]
        before = torch.cat([scale[..., None, None], scales[:, :, :-1]], dim=2)
        o, memory = linear_attention(
            q, k * (write - scales).exp(), v, forget + before - scales, memory
        )
        return _normalised(o, scales), (memory, scales[:, :, -1, 0])

    def recur_step(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Advance the recurrence."""
        if state is None:
            state = self.zeros(x, self.width, self.width + 1), self.zeros(x)
        q, k, v, write, forget = at_step(*self._normalised_terms(x))
        before = state[1][..., None]
        scale = torch.maximum(forget + before, write)
        terms = (q, k * (write - scale).exp(), v, forget + before - scale)
        o, memory = linear_attention_step(*terms, state[0])
        return _normalised(o, scale), (memory, scale[..., 0])

    def _normalised_terms(self, x: Tensor) -> tuple[Tensor, ...]:
        q, k, v, write, forget = self._terms(x)
        return q, k, pad(v, (0, 1), value=1.0), write, forget


def _normalised(o: Tensor, scale: Tensor) -> Tensor:  # (..., d + 1), (..., 1) -> (..., d)
    # The scale is at least that of a memory of nothing but the start, so exp(-scale) may overflow
    # only where the denominator is the normaliser anyway.
    return o[..., :-1] / torch.maximum(o[..., -1:].abs(), (-scale).clamp(max=80.0).exp())
