"""DeltaNet and DeltaProduct: replace what is stored under a key, by one or several reflections.

    S <- (I - b k k') S + b k v'           `reflections` times per step, then y[t] = S' q[t]

with unit keys and b = 2 sigmoid(w' x): the transition along a key is 1 - b, between -1 and 1. A
negative one flips the state, and one flip per step is parity; products of several reflections are
rotations. b = sigmoid(w' x) would keep every eigenvalue positive.

Letters   S (batch, heads, d, d) state   b rate of writing   d width of a head
Paper     Yang et al. 2024, DeltaNet, arXiv 2406.06484; Grazzi et al. 2025, negative eigenvalues,
          arXiv 2411.12537; Siems et al. 2025, DeltaProduct, arXiv 2502.10297.
Left out  Short convolutions before keys and values; the gate on the state of Gated DeltaNet.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize, silu

from klforecast.modules.sequence_mixers.heads import HeadMixer
from klforecast.ops.delta import delta_rule, delta_rule_step


class DeltaNet(HeadMixer):
    """The delta rule per head; see `HeadMixer`.

    Parameters
    ----------
    d_model, n_heads : int
        As for `HeadMixer`.
    reflections : int, default=1
        Writes per step, each with a key and a value of its own; more than one is DeltaProduct.
    negative_eigenvalues : bool, default=True
        Let the rate go up to 2 instead of 1.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int = 4,
        reflections: int = 1,
        negative_eigenvalues: bool = True,
    ):
        super().__init__(d_model, n_heads)
        self.reflections = reflections
        self.largest_rate = 2.0 if negative_eigenvalues else 1.0
        self.into = nn.Linear(d_model, (1 + 2 * reflections) * d_model, bias=False)
        self.rate = nn.Linear(d_model, reflections * n_heads)

    def recur(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Run the chunked kernel on a sequence with `reflections` writes for each step."""
        q, k, v, rate = self._terms(x)
        o, state = delta_rule(q, k, v, rate, torch.zeros_like(rate), state)
        return o[:, :, self.reflections - 1 :: self.reflections], state

    def recur_step(self, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        """Advance the recurrence by all reflections of one step."""
        q, k, v, rate = self._terms(x)
        state = self.zeros(x, self.width, self.width) if state is None else state
        keep = torch.zeros_like(rate[:, :, 0])
        o = q[:, :, 0]
        for i in range(self.reflections):
            write = (k[:, :, i], v[:, :, i], rate[:, :, i])
            o, state = delta_rule_step(q[:, :, i], *write, keep, state)
        return o, state

    def _terms(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        d_model, r = x.shape[-1], self.reflections
        q, k, v = self.into(x).split([d_model, r * d_model, r * d_model], dim=-1)
        q, k, v, rate = (self._writes(part) for part in (q.repeat(1, 1, r), k, v, self.rate(x)))
        return (
            normalize(silu(q), dim=-1),
            normalize(silu(k), dim=-1),
            silu(v),
            self.largest_rate * torch.sigmoid(rate),
        )

    def _writes(self, x: Tensor) -> Tensor:  # (b, length, r n) -> (b, heads, length r, n)
        return self.heads(x.unflatten(-1, (self.reflections, -1)).flatten(1, 2))
