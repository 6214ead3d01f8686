"""The encoders of `ForecastModule` by name.

    build_encoder("deltanet", Sizes(horizon=96, n_channels=7, input_length=96))

One channel at a time, patches beside memory tokens (`patches.py`): transformer, patchtst, gru,
lstm, s4d, lssl, mamba, spacetime, hiss, spectral-ssm, linear-attention, deltanet, deltaproduct,
mlstm, mlstm-sigmoid, gated-kalmanet, mixture-of-memories, lightnet; and timexer, which also looks across channels.

Networks that forecast by themselves, tokens as further features (`window.py`): nlinear, dlinear,
rlinear, mixlinear, swift; olinear, itransformer, s-mamba, autoformer, timesnet.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from torch import nn

from klforecast.modules.encoders.autoformer import Autoformer
from klforecast.modules.encoders.base import Encoded, Encoder, Sizes
from klforecast.modules.encoders.dlinear import DLinear
from klforecast.modules.encoders.hiss import hiss
from klforecast.modules.encoders.itransformer import ITransformer
from klforecast.modules.encoders.mixlinear import MixLinear
from klforecast.modules.encoders.nlinear import NLinear
from klforecast.modules.encoders.olinear import OLinear
from klforecast.modules.encoders.patches import MixerStack, PatchForecaster
from klforecast.modules.encoders.patchtst import patchtst
from klforecast.modules.encoders.rlinear import RLinear
from klforecast.modules.encoders.smamba import SMamba
from klforecast.modules.encoders.spacetime import SpaceTimeForecaster
from klforecast.modules.encoders.swift import SWIFT
from klforecast.modules.encoders.timesnet import TimesNet
from klforecast.modules.encoders.timexer import TimeXer
from klforecast.modules.encoders.window import WindowForecaster
from klforecast.modules.sequence_mixers import (
    LSSL,
    MLSTM,
    S4D,
    DeltaNet,
    GatedKalmaNet,
    LightNet,
    LinearAttention,
    Mamba,
    MixtureOfMemories,
    Recurrent,
    SigmoidMLSTM,
    SpectralMixer,
)


class Entry(NamedTuple):
    """How an encoder is built, and whether its states are embedded or raw patches."""

    build: Callable[[Sizes], Encoder]
    embeds: bool

    def state_size(self, d_model: int, patch_length: int) -> int:
        """Features of a state that a memory remembers."""
        return d_model if self.embeds else patch_length


def _mixing(mixer: Callable[[Sizes], nn.Module]) -> Entry:
    """Patches through blocks around a sequence mixer."""
    return Entry(lambda s: PatchForecaster(s, MixerStack(s, lambda: mixer(s))), embeds=True)


def _linear(network: Callable[[Sizes], nn.Module]) -> Entry:
    """A network that is linear in the window: features are added to its forecast."""
    return Entry(lambda s: WindowForecaster(s, network(s)), embeds=False)


def _embedding(network: Callable[[Sizes], nn.Module]) -> Entry:
    """A network that embeds the window: features are added within."""
    return Entry(lambda s: WindowForecaster(s, network(s), inside=True), embeds=False)


def _stack(sizes: Sizes) -> dict[str, Any]:
    """Sizes that every network of several blocks has."""
    return {
        "d_model": sizes.d_model,
        "n_layers": sizes.n_layers,
        "d_ff": sizes.d_ff,
        "dropout": sizes.dropout,
    }


ENCODERS: dict[str, Entry] = {
    "transformer": Entry(PatchForecaster, embeds=True),
    "nlinear": _linear(lambda s: NLinear(s.input_length, s.horizon)),
    "dlinear": _linear(lambda s: DLinear(s.input_length, s.horizon)),
    "rlinear": _linear(lambda s: RLinear(s.input_length, s.horizon, s.n_channels, s.dropout)),
    "mixlinear": _linear(
        lambda s: MixLinear(s.input_length, s.horizon, s.period if s.period > 1 else s.patch)
    ),
    "swift": _linear(lambda s: SWIFT(s.input_length, s.horizon, s.dropout)),
    "olinear": _embedding(lambda s: OLinear(s.input_length, s.horizon, s.n_channels, **_stack(s))),
    "patchtst": Entry(patchtst, embeds=True),
    "itransformer": _embedding(
        lambda s: ITransformer(s.input_length, s.horizon, n_heads=s.n_heads, **_stack(s))
    ),
    "autoformer": _embedding(
        lambda s: Autoformer(s.input_length, s.horizon, s.n_channels, **_stack(s))
    ),
    "timexer": Entry(TimeXer, embeds=True),
    "timesnet": _embedding(
        lambda s: TimesNet(s.input_length, s.horizon, s.n_channels, **_stack(s))
    ),
    "gru": _mixing(lambda s: Recurrent(s.d_model, "gru")),
    "lstm": _mixing(lambda s: Recurrent(s.d_model, "lstm")),
    "s4d": _mixing(lambda s: S4D(s.d_model)),
    "lssl": _mixing(lambda s: LSSL(s.d_model)),
    "mamba": _mixing(lambda s: Mamba(s.d_model)),
    "s-mamba": _embedding(lambda s: SMamba(s.input_length, s.horizon, **_stack(s))),
    "spacetime": Entry(SpaceTimeForecaster, embeds=False),
    "hiss": Entry(hiss, embeds=True),
    "spectral-ssm": _mixing(lambda s: SpectralMixer(s.d_model, s.n_heads)),
    "linear-attention": _mixing(lambda s: LinearAttention(s.d_model, s.n_heads)),
    "deltanet": _mixing(lambda s: DeltaNet(s.d_model, s.n_heads)),
    "deltaproduct": _mixing(lambda s: DeltaNet(s.d_model, s.n_heads, reflections=2)),
    "mlstm": _mixing(lambda s: MLSTM(s.d_model, s.n_heads)),
    "mlstm-sigmoid": _mixing(lambda s: SigmoidMLSTM(s.d_model, s.n_heads)),
    "gated-kalmanet": _mixing(lambda s: GatedKalmaNet(s.d_model, s.n_heads)),
    "mixture-of-memories": _mixing(lambda s: MixtureOfMemories(s.d_model, s.n_heads)),
    "lightnet": _mixing(lambda s: LightNet(s.d_model, s.n_heads)),
}
"""Every encoder that a `ForecastModule` can hold."""


def encoder_entry(name: str) -> Entry:
    """Return the entry of a name.

    Raises
    ------
    ValueError
        If there is none; the message lists the names.
    """
    if name not in ENCODERS:
        raise ValueError(f"got encoder={name!r}; pass one of {', '.join(map(repr, ENCODERS))}")
    return ENCODERS[name]


def build_encoder(name: str, sizes: Sizes) -> Encoder:
    """Build an encoder.

    Parameters
    ----------
    name : str
        A key of `ENCODERS`.
    sizes : Sizes
        What it is built for.

    Raises
    ------
    ValueError
        If there is no encoder of that name.

    Examples
    --------
    >>> import torch
    >>> encoder = build_encoder("gru", Sizes(horizon=12, n_channels=3, input_length=48))
    >>> encoder(torch.randn(2, 3, 48)).forecast.shape
    torch.Size([2, 3, 12])
    """
    return encoder_entry(name).build(sizes)


__all__ = ["ENCODERS", "Encoded", "Encoder", "Sizes", "build_encoder", "encoder_entry"]
