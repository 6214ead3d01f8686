"""Windows to predictions: torch modules that need nothing but torch."""

from klforecast.modules.dual_lane import DualLane
from klforecast.modules.forecast import ForecastModule
from klforecast.modules.kl_activation import KLActivation
from klforecast.modules.linear_core import LinearCore
from klforecast.modules.memory import KLMemory
from klforecast.modules.ssm import SpectralSSM
from klforecast.modules.with_memory import with_memory

__all__ = [
    "DualLane",
    "ForecastModule",
    "KLActivation",
    "KLMemory",
    "LinearCore",
    "SpectralSSM",
    "with_memory",
]
