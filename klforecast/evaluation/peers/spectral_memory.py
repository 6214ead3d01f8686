"""The transformer of the Spectral Memory paper, with its memory as published and as described.

    row       = attention-pooled summary of the encoded patches of a training batch
    tokens    = token_mixer(K-L components of the last 3,000 rows)
    forecast  = head(encoder([tokens ; patches])) in units of the window's own mean and deviation

Every channel is a sequence of its own. What is read when accuracy is measured:

    "frozen"  the tokens of the training batches so far, as the paper describes
    "empty"   zeros, which is what the published code reads
    "none"    there is no memory, and there are no tokens

Paper     Marquez (2025), "The Spectrum Remembers: Spectral Memory", eqs. 3-8.
Smaller   than in the paper, where every step is a token (`patch_length` 1) and the width is 512.
Left out  calendar marks; the decomposition at every step, which is repeated here when a quarter of
          the rows are new (`klforecast.modules.memory.trajectory`).
"""

from typing import Self

from torch import Tensor, nn

from klforecast.modules.forecast import ForecastModule
from klforecast.modules.memory.presets import PRESETS

READOUTS = ("frozen", "empty", "none")


class SpectralMemoryTransformer(nn.Module):
    """Channel-independent transformer that remembers its own training run.

    Unlike the rest of this package it writes its memory in `forward`, in training mode, because the
    training loop of the peers knows nothing of memories. Every epoch starts with an empty one.
    """

    def __init__(
        self,
        lookback: int,
        horizon: int,
        channels: int,
        *,
        readout: str = "frozen",
        d_model: int = 64,
        patch_length: int = 16,
    ):
        super().__init__()
        if readout not in READOUTS:
            names = ", ".join(map(repr, READOUTS))
            raise ValueError(f"got readout={readout!r}; pass one of {names}")
        preset = {name: value for name, value in PRESETS["v4"].items() if name != "source"}
        self.network = ForecastModule(
            horizon,
            channels,
            input_length=lookback,
            memory="none" if readout == "none" else "trajectory",
            memory_options={**preset, "reset_before_predict": readout == "empty"},
            d_model=d_model,
            patch_length=patch_length,
        )
        self.network.gate.requires_grad_(False)  # the published head has no gate
        self._unwritten: Tensor | None = None

    def train(self, mode: bool = True) -> Self:
        """Remember the last batch of an epoch where it ends; forget all where one starts."""
        if mode and not self.training and self.network.memory is not None:
            self.network.memory.reset()
        self._write()
        return super().train(mode)

    def forward(self, past: Tensor) -> Tensor:  # (batch, lookback, channels)
        """Forecast every channel; in training, remember the batch."""
        self._write()
        forecast, _, encoded = self.network.parts(past)
        if self.training and self.network.memory is not None:
            # Written with the next batch: the tokens must stay until the gradients are taken.
            self._unwritten = encoded.detach()
        return forecast  # (batch, horizon, channels)

    def _write(self) -> None:
        if self._unwritten is not None and self.network.memory is not None:
            self.network.memory.append(self._unwritten)
            self._unwritten = None
