"""Series to answers: scikit-learn and sktime estimators, the only place that knows pandas and sktime."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

_HOMES = {
    "KLMemoryDetector": "detector",
    "KLMemoryForecaster": "forecaster",
    "KLMemoryRegressor": "regressor",
    "KarhunenLoeve": "karhunen_loeve",
    "LongForecaster": "long_frames.long_forecaster",
    "MemoryOptions": "memory_options",
    "ReconciledForecaster": "hierarchies.reconciled_forecaster",
    "SpectralFeatures": "spectral_features",
    "SpectralPanelFeatures": "spectral_panel_features",
    "SpectralSSMClassifier": "spectral_ssm",
    "SpectralSSMPanelClassifier": "spectral_ssm_panel",
    "SpectralSSMPanelRegressor": "spectral_ssm_panel_regressor",
    "SpectralSSMRegressor": "spectral_ssm_regressor",
}


def __getattr__(name: str) -> Any:
    # Imported when asked for: this file is run before each of them, and sktime is slow to load.
    if name not in _HOMES:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
