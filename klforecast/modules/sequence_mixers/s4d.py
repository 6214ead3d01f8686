"""S4D: a diagonal linear state space per channel, started as HiPPO-LegS.

    h[t] = exp(D A) h[t-1] + (exp(D A) - 1) / A u[t]      y[t] = 2 Re C' h[t] + s u[t]

A are n / 2 complex poles, at first those of the normal part of HiPPO-LegS (S4D-LegS); D is a step
size per channel, at first log-uniform. Output through a gated linear unit.

Letters   n / 2 complex modes of a channel   state (batch, d_model, modes, 1), complex
Paper     Gu et al. 2022, On the Parameterization and Initialization of Diagonal State Space Models,
          arXiv 2206.11893; Gu et al. 2020, HiPPO, arXiv 2008.07669.
Left out  The low-rank correction of S4, which the diagonal form does without.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, glu

from klforecast.ops.dense_ssm import hippo_poles
from klforecast.ops.precision import working
from klforecast.ops.scan import modal_filter, modal_state, modal_step

_STEPS = (1e-2, 1.0)  # range of the first step sizes


def log_uniform_steps(d_model: int) -> Tensor:
    """Logarithms of step sizes, spread evenly over two decades, (d_model,)."""
    return torch.empty(d_model).uniform_(*map(math.log, _STEPS))


class S4D(nn.Module):
    """S4D mixer, (batch, length, d_model) to the same shape.

    Parameters
    ----------
    d_model : int
        Channels in and out.
    n_modes : int, default=16
        Complex modes of a channel.
    """

    def __init__(self, d_model: int, n_modes: int = 16):
        super().__init__()
        poles = hippo_poles(n_modes)
        self.log_decay, self.frequency = (
            nn.Parameter(part.to(torch.get_default_dtype()).repeat(d_model, 1))
            for part in ((-poles.real).log(), poles.imag)
        )
        self.log_step = nn.Parameter(log_uniform_steps(d_model))
        self.reading = nn.Parameter(torch.randn(d_model, n_modes, 2) / math.sqrt(2))
        self.skip = nn.Parameter(torch.ones(d_model))
        self.out = nn.Linear(d_model, 2 * d_model)

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mix whole sequences; see `HeadMixer.forward`."""
        log_pole, weight = self._terms()
        u = x[..., None]  # (batch, length, d_model, 1)
        o = modal_filter(u, log_pole, weight, state)[..., 0]
        return self._finish(o, x), modal_state(u, log_pole, state)

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Advance by one step: x and y are (batch, d_model)."""
        log_pole, weight = self._terms()
        if state is None:
            state = log_pole.new_zeros(len(x), *log_pole.shape, 1)
        o, state = modal_step(x[..., None], log_pole, weight, state)
        return self._finish(o[..., 0], x), state

    def _terms(self) -> tuple[Tensor, Tensor]:  # (d_model, modes), (d_model, 1, modes)
        log_decay, frequency, log_step, reading = map(
            working, (self.log_decay, self.frequency, self.log_step, self.reading)
        )
        pole = torch.complex(-log_decay.exp(), frequency)
        log_pole = log_step.exp()[:, None] * pole
        weight = 2 * torch.view_as_complex(reading) * (log_pole.exp() - 1) / pole
        return log_pole, weight[:, None]

    def _finish(self, o: Tensor, x: Tensor) -> Tensor:
        return glu(self.out(gelu(o + self.skip * x).to(self.skip.dtype)), dim=-1)
