"""The spectral layer: project, run complex state-space modes over time, gate, project back."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize

from klforecast.modules.ssm.core import ModalCore, SelectiveCore
from klforecast.modules.ssm.mask import ModeMask
from klforecast.ops.precision import working

# Parameters, by the ends of their names, that weight decay would pull towards other time constants
# and other masks instead of towards simpler functions.
NOT_DECAYED = ("*raw_decay", "*raw_step", "*frequency", "*logits")

# How much faster masks learn than the rest: their logits start 0.1 apart and must be able to pass
# each other.
MASK_RATE = 10


class SpectralLayer(nn.Module):
    """Mix a sequence over time with complex modes, (batch, length, d_model) to the same shape.

    Parameters
    ----------
    d_model : int
        Channels in and out.
    n_modes : int, default=16
        Complex modes per head, before compression.
    n_heads : int, default=4
        Heads; it divides `d_model`. Channels of a head share one time constant.
    selective : bool, default=False
        Let steps, writes and reads depend on the input. False is time-invariant.
    compression_ratio : float, default=1.0
        Share of the modes that is used, in (0, 1].
    adaptive_mask : bool, default=False
        Learn which modes are used; False uses those of lowest frequency. See `ModeMask`.
    spectral_norm : bool, default=False
        Hold the largest singular value of every projection at one, and the output of the
        time-invariant recurrence within its input's largest magnitude.
    n_scales : int, default=1
        Different time constants among the heads, log-spaced from 2 steps to half of `max_length`.
    bidirectional : bool, default=False
        Add a second recurrence that runs from the end to the start.
    max_length : int, default=1024
        Length of the sequences to come, in steps.

    Notes
    -----
    State while streaming: 2 * kept modes * d_model real numbers per sequence. Cost of the
    recurrence: see `ops.scan.spectral_scan` (selective) and `ops.scan.modal_filter`.
    """

    def __init__(
        self,
        d_model: int,
        *,
        n_modes: int = 16,
        n_heads: int = 4,
        selective: bool = False,
        compression_ratio: float = 1.0,
        adaptive_mask: bool = False,
        spectral_norm: bool = False,
        n_scales: int = 1,
        bidirectional: bool = False,
        max_length: int = 1024,
    ):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"d_model is {d_model}; pass a multiple of n_heads = {n_heads}")
        self.n_heads = n_heads
        self.into = nn.Linear(d_model, 2 * d_model)
        self.out = nn.Linear(d_model, d_model)
        self.skip = nn.Parameter(torch.ones(d_model))
        self.mask = ModeMask(n_modes, compression_ratio, adaptive_mask)

        def core() -> ModalCore | SelectiveCore:
            if selective:
                return SelectiveCore(d_model, n_heads, n_modes, n_scales, max_length)
            width = d_model // n_heads
            return ModalCore(n_heads, width, n_modes, n_scales, max_length, bounded=spectral_norm)

        self.core = core()
        self.backward_core = core() if bidirectional else None
        if spectral_norm:
            for projection in self._projections():
                parametrizations.spectral_norm(projection)

    def forward(
        self,
        x: Tensor,  # (batch, length, d_model)
        mask: Tensor | None = None,  # (batch, length), True where observed
        gaps: Tensor | None = None,  # (batch, length), time since the step before, in steps
    ) -> Tensor:  # (batch, length, d_model)
        """Mix whole sequences; what is padded changes nothing elsewhere, not even if it is NaN."""
        x = _where_observed(x, mask)
        u, gate = self.into(x).chunk(2, dim=-1)
        u = _where_observed(u, mask)
        mixed = self.mix(u.unflatten(-1, (self.n_heads, -1)), x, self.mask(), gaps)
        return self.finish(mixed.flatten(-2), u, gate)

    def mix(
        self,
        u: Tensor,  # (batch, length, heads, width), zero where padded
        drive: Tensor,  # (batch, length, d_model)
        gate: Tensor,  # (n_modes,)
        gaps: Tensor | None = None,  # (batch, length)
    ) -> Tensor:  # (batch, length, heads, width)
        """Sum of the recurrences over both directions, with the modes weighted by `gate`."""
        # Mixed precision stops here: half precision has no complex FFT, and long decays need more.
        with torch.autocast(u.device.type, enabled=False):
            u, drive = working(u.to(self.skip.dtype)), drive.to(self.skip.dtype)
            return self.core(u, drive, gate, self.backward_core, gaps)

    def step(
        self,
        x: Tensor,  # (batch, d_model)
        state: Tensor,  # (batch, heads, modes, width), complex
        gaps: Tensor | None = None,  # (batch,)
    ) -> tuple[Tensor, Tensor]:
        """Advance by one step; returns the output (batch, d_model) and the state."""
        u, gate = self.into(x).chunk(2, dim=-1)
        heads = u.unflatten(-1, (self.n_heads, -1))
        mixed, state = self.core.step(heads, x, self.mask(), state, gaps)
        return self.finish(mixed.flatten(-2), u, gate), state

    def initial_state(self, batch: int) -> Tensor:  # (batch, heads, modes, width), complex
        """State of zeros for a batch of streams."""
        shape = (batch, self.n_heads, self.core.n_modes, len(self.skip) // self.n_heads)
        zeros = working(self.skip).new_zeros(shape)
        return torch.complex(zeros, zeros)

    def compress(self) -> None:
        """Remove the modes that the mask does not keep; the layer computes the same with less."""
        self.fix_norms()
        indices = self.mask.indices()
        for core in self._cores():
            core.keep_modes(indices)
        self.mask = ModeMask(len(indices))

    def fix_norms(self) -> None:
        """Keep the projections as spectral normalisation has made them, as plain weights."""
        for projection in self._projections():
            if parametrize.is_parametrized(projection):
                parametrize.remove_parametrizations(projection, "weight")

    def mode_energy(
        self,
        x: Tensor,  # (batch, length, d_model)
        mask: Tensor | None = None,  # (batch, length)
    ) -> Tensor:  # (n_modes,)
        """Mean square of what each mode adds to the recurrence's output, over all channels.

        Runs the recurrence once per mode.
        """
        x = _where_observed(x, mask)
        u = _where_observed(self.into(x)[..., : len(self.skip)], mask)
        u = u.unflatten(-1, (self.n_heads, -1))
        gates = torch.eye(self.core.n_modes, dtype=u.dtype, device=u.device)
        return torch.stack([self.mix(u, x, gate).square().mean() for gate in gates])

    def finish(self, mixed: Tensor, u: Tensor, gate: Tensor) -> Tensor:
        """Skip, gate and project what the recurrence made of u; all (..., d_model)."""
        return self.out(((mixed + self.skip * u) * F.silu(gate)).to(self.skip.dtype))

    def _projections(self) -> list[nn.Linear]:
        selective = [core.write_read for core in self._cores() if isinstance(core, SelectiveCore)]
        return [self.into, self.out, *selective]

    def _cores(self) -> list[ModalCore | SelectiveCore]:
        return [core for core in (self.core, self.backward_core) if core is not None]


def _where_observed(x: Tensor, mask: Tensor | None) -> Tensor:  # (batch, length, n)
    """Zeros in place of what is padded, whatever stands there."""
    return x if mask is None else torch.where(mask[..., None].bool(), x, 0.0)
