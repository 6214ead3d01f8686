"""Windows to predictions: torch modules that need nothing but torch."""

from klforecast.core.linear_core import LinearCore
from klforecast.modules.forecast import ForecastModule
from klforecast.modules.memory.dual_lane import DualLane
from klforecast.modules.memory.kl_activation import KLActivation
from klforecast.modules.memory.kl_memory import KLMemory
from klforecast.modules.memory.with_memory import with_memory
from klforecast.modules.ssm.spectral_ssm import SpectralSSM

__all__ = [
    "DualLane",
    "ForecastModule",
    "KLActivation",
    "KLMemory",
    "LinearCore",
    "SpectralSSM",
    "with_memory",
]
