"""The spectral layer of `SpectralSSM` as a mixer that can be stopped and gone on with.

    h[t] = exp(d (-a + i theta)) h[t-1] + (1 - exp(-a d)) x[t]        y[t] = Re W h[t]

Letters   see `klforecast.modules.ssm.core`; state (batch, heads, modes, width), complex
Left out  Selectivity, masks, bounds and both directions, which `SpectralSSM` offers.
"""

from torch import Tensor, nn

from klforecast.modules.ssm.core import ModalCore
from klforecast.modules.ssm.layer import SpectralLayer
from klforecast.ops.scan import modal_filter, modal_state


class SpectralMixer(nn.Module):
    """A time-invariant `SpectralLayer` with the interface that all mixers share.

    Parameters
    ----------
    d_model, n_heads : int
        As for `SpectralLayer`.
    max_length : int, default=64
        Length of the sequences to come; sets the time constants.
    """

    def __init__(self, d_model: int, n_heads: int = 4, max_length: int = 64):
        super().__init__()
        self.layer = SpectralLayer(
            d_model, n_heads=n_heads, n_scales=n_heads, max_length=max_length
        )

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Mix whole sequences; see `HeadMixer.forward`."""
        layer, core = self.layer, self.layer.core
        assert isinstance(core, ModalCore)
        u, gate = layer.into(x).chunk(2, dim=-1)
        heads, log_pole = u.unflatten(-1, (layer.n_heads, -1)), core.log_pole()
        mixed = modal_filter(heads, log_pole, core.reading(layer.mask()), state).flatten(-2)
        return layer.finish(mixed, u, gate), modal_state(heads, log_pole, state)

    def step(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Advance by one step: x and y are (batch, d_model)."""
        return self.layer.step(x, self.layer.initial_state(len(x)) if state is None else state)
