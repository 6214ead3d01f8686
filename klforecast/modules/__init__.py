"""Windows to predictions: torch modules that need nothing but torch."""

from klforecast.modules.forecast import ForecastModule
from klforecast.modules.linear_core import LinearCore
from klforecast.modules.memory import KLMemory
from klforecast.modules.ssm import SpectralSSM

__all__ = ["ForecastModule", "KLMemory", "LinearCore", "SpectralSSM"]
