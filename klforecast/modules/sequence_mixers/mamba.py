"""Mamba: a selective state space (S6) between a short convolution and a gate.

    u, z = W x        u = silu(causal convolution over `kernel` steps of u)
    h[t] = g[t] h[t-1] + D[t] B[t] u[t]               D = softplus(...), B, C: linear maps of u
    y[t] = W (silu(z) (C[t]' h[t] + s u[t]))          A < 0 diagonal per channel and state

with g = exp(D A), between 0 and 1, or with negative eigenvalues g = 2 exp(D A) - 1, between -1 and 1: a
state that can flip counts modulo two, one that only fades cannot. S6 is linear attention with a
diagonal decay: a head per channel, keys B, queries C, values D u.

Letters   e channels within (`expand` d_model)   n states of a channel
          state: pair of the last inputs (batch, e, kernel - 1) and h (batch, e, n, 1)
Paper     Gu & Dao 2023, Mamba, arXiv 2312.00752; Grazzi et al. 2025, negative eigenvalues, arXiv
          2411.12537.
Left out  The fused scan for a GPU; the exact discretisation of B (the published code uses D B too).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, silu, softplus

from klforecast.ops.checks import require_steps
from klforecast.ops.linear_attention import narrow_attention

State = tuple[Tensor, Tensor]
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
    kernel : int, default=4
        Steps of the short convolution.
    negative_eigenvalues : bool, default=False
        Let the state flip its sign from one step to the next.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        expand: int = 2,
        kernel: int = 4,
        negative_eigenvalues: bool = False,
    ):
        super().__init__()
        width = expand * d_model
        self.negative_eigenvalues = negative_eigenvalues
        self.rank = math.ceil(d_model / 16)
        self.d_state = d_state
        self.into = nn.Linear(d_model, 2 * width, bias=False)
        self.convolution = nn.Conv1d(width, width, kernel, groups=width)
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
        o, memory = narrow_attention(*self._terms(u), memory)
        return self._finish(o[..., 0].mT, u, gate), (inputs[..., x.shape[1] :], memory)

    def step(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Advance by one step: x and y are (batch, d_model)."""
        y, state = self(x[:, None], state)
        return y[:, 0], state

    def _convolve(self, inputs: Tensor) -> Tensor:  # (batch, e, before + length) -> (b, length, e)
        weight, bias = self.convolution.weight, self.convolution.bias
        return silu(conv1d(inputs, weight, bias, groups=inputs.shape[1])).mT

    def _terms(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rank, write, read = self.select(u).split([self.rank, self.d_state, self.d_state], dim=-1)
        size = softplus(self.step_size(rank)).mT[..., None]  # (batch, e, length, 1)
        shape = (-1, u.shape[2], -1, -1)
        keep = (-size * self.log_decay.exp()[:, None]).exp()
        return (
            read[:, None].expand(shape),
            write[:, None].expand(shape),
            size * u.mT[..., None],
            2 * keep - 1 if self.negative_eigenvalues else keep,
        )

    def _finish(self, o: Tensor, u: Tensor, gate: Tensor) -> Tensor:
        return self.out(((o + self.skip * u) * silu(gate)).to(self.skip.dtype))

    def _start(self, u: Tensor) -> State:
        before = self.convolution.kernel_size[0] - 1
        width = u.shape[-1]
        return u.new_zeros(len(u), width, before), u.new_zeros(len(u), width, self.d_state, 1)
