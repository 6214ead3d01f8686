"""Encoders that hold a network which forecasts by itself; memory tokens become features of it.

    forecast = network(window) + V flatten(tokens)          networks that are linear in the window
    forecast = network(window, V flatten(tokens))           networks that embed it: added inside

Per channel, V maps all tokens to `horizon` numbers or to the network's width.
"""

from typing import Any

from torch import Tensor, nn

from klforecast.modules.encoders.base import Encoded, Encoder, Sizes
from klforecast.modules.encoders.patch_encoder import cut_patches


class WindowForecaster(Encoder):
    """A network (n, L, c) -> (n, horizon, c) with memory tokens as further features.

    Parameters
    ----------
    sizes : Sizes
    network : Module
        Called with the window alone, or with features (n, c, d_model) too if `inside`.
    inside : bool, default=False
        Whether the network takes features itself.
    """

    def __init__(self, sizes: Sizes, network: nn.Module, inside: bool = False):
        super().__init__()
        self.network: Any = network
        self.inside = inside
        self.absorbs = hasattr(network, "absorb")
        self.patch_length = sizes.patch
        if sizes.memory_tokens:
            width = sizes.d_model if inside else sizes.horizon
            self.features = nn.Linear(sizes.memory_tokens * sizes.d_model, width, bias=False)

    def forward(self, window: Tensor, tokens: Tensor | None = None) -> Encoded:
        """Forecast all channels; see `Encoder.forward`."""
        states = self.embed(window.flatten(0, 1))
        if tokens is None:
            return Encoded(self._run(window.mT).mT, states)
        features = self.features(tokens.flatten(1)).unflatten(0, window.shape[:2])
        if self.inside:
            return Encoded(self._run(window.mT, features).mT, states)
        return Encoded(self._run(window.mT).mT + features, states)

    def embed(self, sequences: Tensor) -> Tensor:
        """Cut into raw patches, (n c, length) to (n c, rows, patch_length)."""
        return cut_patches(sequences, self.patch_length, self.patch_length)

    def absorb(self, window: Tensor, future: Tensor) -> None:
        """Hand training windows on to networks that have a use for them."""
        if self.absorbs:
            self.network.absorb(window, future)

    def _run(self, *inputs: Tensor) -> Tensor:  # (n, ...) -> (n, horizon, c)
        if len(inputs[0]):
            return self.network(*inputs)
        # Fourier transforms and variances of torch take no empty batch.
        return self.network(*(part.new_zeros(1, *part.shape[1:]) for part in inputs))[:0]
