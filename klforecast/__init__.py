"""Forecasting and sequence classification with spectral (Karhunen-Loeve) memory.

The names below are the estimators, the memory for a network of one's own, the backtest and the check that
nothing leaks. Further torch modules are in `klforecast.modules`, the mathematics in `klforecast.ops`, data
sets in `klforecast.data` and the benchmark in `klforecast.evaluation`.
"""

from typing import TYPE_CHECKING

from klforecast.lazy_names import lazy_names

if TYPE_CHECKING:
    from klforecast.estimators.detector import KLMemoryDetector
    from klforecast.estimators.forecaster import KLMemoryForecaster
    from klforecast.estimators.hierarchies.reconciled_forecaster import ReconciledForecaster
    from klforecast.estimators.karhunen_loeve import KarhunenLoeve
    from klforecast.estimators.long_frames.long_forecaster import LongForecaster
    from klforecast.estimators.memory_options import MemoryOptions
    from klforecast.estimators.regressor import KLMemoryRegressor
    from klforecast.estimators.spectral_features import SpectralFeatures
    from klforecast.estimators.spectral_panel_features import SpectralPanelFeatures
    from klforecast.estimators.spectral_ssm import SpectralSSMClassifier
    from klforecast.estimators.spectral_ssm_panel import SpectralSSMPanelClassifier
    from klforecast.estimators.spectral_ssm_panel_regressor import SpectralSSMPanelRegressor
    from klforecast.estimators.spectral_ssm_regressor import SpectralSSMRegressor
    from klforecast.evaluation.backtesting.backtest import backtest
    from klforecast.evaluation.leakage import leakage_report
    from klforecast.modules import KLMemory, with_memory

__version__ = "0.1.0"

__all__ = [
    "KLMemory",
    "KLMemoryDetector",
    "KLMemoryForecaster",
    "KLMemoryRegressor",
    "KarhunenLoeve",
    "LongForecaster",
    "MemoryOptions",
    "ReconciledForecaster",
    "SpectralFeatures",
    "SpectralPanelFeatures",
    "SpectralSSMClassifier",
    "SpectralSSMPanelClassifier",
    "SpectralSSMPanelRegressor",
    "SpectralSSMRegressor",
    "backtest",
    "leakage_report",
    "with_memory",
]

# `klforecast.ops` and `klforecast.modules` need torch alone, and this file is run before them.
_HOMES = dict.fromkeys(__all__, "klforecast.estimators") | {
    "KLMemory": "klforecast.modules",
    "backtest": "klforecast.evaluation.backtesting.backtest",
    "leakage_report": "klforecast.evaluation.leakage",
    "with_memory": "klforecast.modules",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
