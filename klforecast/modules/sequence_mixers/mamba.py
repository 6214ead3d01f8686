"""Mamba: a selective state space (S6) between a short convolution and a gate.

    u, z = W x        u = silu(causal convolution over 4 steps of u)
    h[t] = exp(D[t] A) h[t-1] + D[t] B[t] u[t]        D = softplus(...), B, C: linear maps of u
    y[t] = W (silu(z) (C[t]' h[t] + s u[t]))          A < 0 diagonal per channel and state

S6 is linear attention with a diagonal decay: a head per channel, keys B, queries C, values D u.

Letters   e channels within (`expand` d_model)   n states of a channel
          state: pair of the last 3 inputs (batch, e, 3) and h (batch, e, n, 1)
Paper     Gu & Dao 2023, Mamba, arXiv 2312.00752.
Left out  The fused scan for a GPU; the exact discretisation of B (the published code uses D B too).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, silu, softplus

from klforecast.ops.checks import require_steps
from klforecast.ops.linear_attention import linear_attention, linear_attention_step

State = tuple[Tensor, Tensor]
_KERNEL = 4  # steps of the short convolution, as in the published code
_STEPS = (1e-3, 1e-1)  # range of the first step sizes (arXiv 2312.00752, section 3.6)


class Mamba(nn.Module):
    """Mamba mixer, (batch, length, d_model) to the same shape.

    Parameters
    ----------
    d_model : int
        Channels in and out.
    d_state : int, default=16
        States of a channel.
    expand : int, default=2
        Channels within, as a multiple of `d_model`.
    """

    def __init__(self, d_model: int, d_state: int = 16, expand: int = 2):
        super().__init__()
        width = expand * d_model
        self.rank = math.ceil(d_model / 16)
        self.d_state = d_state
        self.into = nn.Linear(d_model, 2 * width, bias=False)
        self.convolution = nn.Conv1d(width, width, _KERNEL, groups=width)
        self.select = nn.Linear(width, self.rank + 2 * d_state, bias=False)
        self.step_size = nn.Linear(self.rank, width)
        first = torch.exp(torch.empty(width).uniform_(*map(math.log, _STEPS)))
        with torch.no_grad():
            self.step_size.bias.copy_(first + torch.log(-torch.expm1(-first)))
        states = torch.arange(1, d_state + 1, dtype=torch.get_default_dtype())
        self.log_decay = nn.Parameter(states.log().repeat(width, 1))
        self.skip = nn.Parameter(torch.ones(width))
        self.out = nn.Linear(width, d_model, bias=False)

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Mix whole sequences; see `HeadMixer.forward`."""
        require_steps(x.shape[1])
        u, gate = self.into(x).chunk(2, dim=-1)
        recent, memory = self._start(u) if state is None else state
        inputs = torch.cat([recent, u.mT], dim=2)
        u = self._convolve(inputs)
        o, memory = linear_attention(*self._terms(u), memory)
        y = self._finish(o[..., 0].mT, u, gate)
        return y, (inputs[..., 1 - _KERNEL :], memory)

    def step(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Advance by one step: x and y are (batch, d_model)."""
        u, gate = self.into(x[:, None]).chunk(2, dim=-1)
        recent, memory = self._start(u) if state is None else state
        inputs = torch.cat([recent, u.mT], dim=2)
        u = self._convolve(inputs)
        q, k, v, keep = (term[:, :, 0] for term in self._terms(u))
        o, memory = linear_attention_step(q, k, v, keep, memory)
        return self._finish(o[:, None, :, 0], u, gate)[:, 0], (inputs[..., 1:], memory)

    def _convolve(self, inputs: Tensor) -> Tensor:  # (batch, e, 3 + length) -> (b, length, e)
        weight, bias = self.convolution.weight, self.convolution.bias
        return silu(conv1d(inputs, weight, bias, groups=inputs.shape[1])).mT

    def _terms(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rank, write, read = self.select(u).split([self.rank, self.d_state, self.d_state], dim=-1)
        size = softplus(self.step_size(rank)).mT[..., None]  # (batch, e, length, 1)
        shape = (-1, u.shape[2], -1, -1)
        log_keep = -size * self.log_decay.exp()[:, None]
        return (
            read[:, None].expand(shape),
            write[:, None].expand(shape),
            size * u.mT[..., None],
            log_keep,
        )

    def _finish(self, o: Tensor, u: Tensor, gate: Tensor) -> Tensor:
        return self.out(((o + self.skip * u) * silu(gate)).to(self.skip.dtype))

    def _start(self, u: Tensor) -> State:
        width = u.shape[-1]
        return u.new_zeros(len(u), width, _KERNEL - 1), u.new_zeros(len(u), width, self.d_state, 1)
