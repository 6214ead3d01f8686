"""Series to answers: scikit-learn and sktime estimators, the only place that knows pandas and sktime."""

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.estimators.karhunen_loeve import KarhunenLoeve
from klforecast.estimators.regressor import KLMemoryRegressor
from klforecast.estimators.spectral_ssm import SpectralSSMClassifier
from klforecast.estimators.spectral_ssm_panel import SpectralSSMPanelClassifier

__all__ = [
    "KLMemoryForecaster",
    "KLMemoryRegressor",
    "KarhunenLoeve",
    "SpectralSSMClassifier",
    "SpectralSSMPanelClassifier",
]
