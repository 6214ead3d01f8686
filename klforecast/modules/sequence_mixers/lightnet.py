"""LightNet: the additive recurrence, a running softmax of the keys over time.

    z[t] = log sum_{s <= t} exp(k[s])                                   per key feature
    S[t] = diag(exp(z[t-1] - z[t])) S[t-1] + exp(k[t] - z[t]) v[t]'     y[t] = S[t]' silu(q[t])

Nothing is forgotten at a set rate: S is the mean of all values so far, weighted by a softmax, and
one pass over the sequence is enough in any number of dimensions.

Letters   state: pair S (batch, heads, d, d) and z (batch, heads, d)
Paper     Qin et al. 2024, You Only Scan Once: Efficient Multi-dimension Sequential Modeling with
          LightNet, arXiv 2405.21022.
Left out  Positional encodings (MD-TPE, MD-LRPE) for images.
"""

import torch
from torch import Tensor
from torch.nn.functional import silu

from klforecast.modules.sequence_mixers.heads import HeadMixer, at_step
from klforecast.ops.linear_attention import linear_attention, linear_attention_step
from klforecast.ops.precision import working

State = tuple[Tensor, Tensor]
_NOTHING = -30.0  # log of the weight of an empty past; exp(-30) is 1e-13


class LightNet(HeadMixer):
    """Softmax-weighted running means; see `HeadMixer`."""

    def recur(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Run the chunked kernel with a diagonal decay."""
        q, k, v = self.qkv(x)
        memory, total = self._start(x) if state is None else state
        k = working(k)
        totals = torch.cat([total[:, :, None].to(k.dtype), k], dim=2).logcumsumexp(dim=2)
        before, after = totals[:, :, :-1], totals[:, :, 1:]
        o, memory = linear_attention(silu(q), (k - after).exp(), v, before - after, memory)
        return o, (memory, totals[:, :, -1])

    def recur_step(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        """Advance the recurrence."""
        q, k, v = at_step(*self.qkv(x))
        memory, total = self._start(x) if state is None else state
        k = working(k)
        after = torch.logaddexp(total.to(k.dtype), k)
        terms = (silu(q), (k - after).exp(), v, total - after)
        o, memory = linear_attention_step(*terms, memory)
        return o, (memory, after)

    def _start(self, x: Tensor) -> State:
        return self.zeros(x, self.width, self.width), self.zeros(x, self.width) + _NOTHING
