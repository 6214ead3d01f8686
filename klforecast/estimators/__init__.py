"""Series to answers: scikit-learn and sktime estimators, the only place that knows pandas and sktime."""

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

__all__ = [
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
]

# sktime is slow to load.
_HOMES = {
    "KLMemoryDetector": "klforecast.estimators.detector",
    "KLMemoryForecaster": "klforecast.estimators.forecaster",
    "KLMemoryRegressor": "klforecast.estimators.regressor",
    "KarhunenLoeve": "klforecast.estimators.karhunen_loeve",
    "LongForecaster": "klforecast.estimators.long_frames.long_forecaster",
    "MemoryOptions": "klforecast.estimators.memory_options",
    "ReconciledForecaster": "klforecast.estimators.hierarchies.reconciled_forecaster",
    "SpectralFeatures": "klforecast.estimators.spectral_features",
    "SpectralPanelFeatures": "klforecast.estimators.spectral_panel_features",
    "SpectralSSMClassifier": "klforecast.estimators.spectral_ssm",
    "SpectralSSMPanelClassifier": "klforecast.estimators.spectral_ssm_panel",
    "SpectralSSMPanelRegressor": "klforecast.estimators.spectral_ssm_panel_regressor",
    "SpectralSSMRegressor": "klforecast.estimators.spectral_ssm_regressor",
}

__getattr__, __dir__ = lazy_names(__name__, _HOMES)
