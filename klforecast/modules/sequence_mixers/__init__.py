"""Mixers over time: recurrences with one interface, each on a kernel of `klforecast.ops`.

    y, state = mixer(x, state=None)            x, y (batch, length, d_model)
    y, state = mixer.step(x, state=None)       x, y (batch, d_model), the same numbers one by one

kernel                     mixers
`ops.linear_attention`     LinearAttention, MLSTM, SigmoidMLSTM, MixtureOfMemories, LightNet, Mamba
`ops.delta`                DeltaNet (with several reflections: DeltaProduct)
`ops.ridge_attention`      GatedKalmaNet
`ops.scan`                 S4D, SpectralMixer
`ops.dense_ssm`            LSSL, SpaceTime
torch                      Recurrent (GRU, LSTM)
"""

from klforecast.modules.sequence_mixers.deltanet import DeltaNet
from klforecast.modules.sequence_mixers.gated_kalmanet import GatedKalmaNet
from klforecast.modules.sequence_mixers.lightnet import LightNet
from klforecast.modules.sequence_mixers.linear_attention import LinearAttention
from klforecast.modules.sequence_mixers.lssl import LSSL
from klforecast.modules.sequence_mixers.mamba import Mamba
from klforecast.modules.sequence_mixers.mixture_of_memories import MixtureOfMemories
from klforecast.modules.sequence_mixers.mlstm import MLSTM, SigmoidMLSTM
from klforecast.modules.sequence_mixers.recurrent import Recurrent
from klforecast.modules.sequence_mixers.s4d import S4D
from klforecast.modules.sequence_mixers.spacetime import SpaceTime
from klforecast.modules.sequence_mixers.spectral import SpectralMixer

__all__ = [
    "LSSL",
    "MLSTM",
    "S4D",
    "DeltaNet",
    "GatedKalmaNet",
    "LightNet",
    "LinearAttention",
    "Mamba",
    "MixtureOfMemories",
    "Recurrent",
    "SigmoidMLSTM",
    "SpaceTime",
    "SpectralMixer",
]
