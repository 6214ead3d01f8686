import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from klforecast.estimators.spectral_ssm import SpectralSSMClassifier

SMALL_NET = {
    "solver": "gradient",
    "n_estimators": 1,
    "d_model": 8,
    "n_modes": 2,
    "n_layers": 1,
    "max_epochs": 15,
    "batch_size": 32,
    "lr": 1e-2,
}


@pytest.mark.filterwarnings("ignore:Skipping check check_array_api_input")
@parametrize_with_checks([SpectralSSMClassifier(n_filters=64), SpectralSSMClassifier(**SMALL_NET)])
def test_scikit_learn_finds_nothing_to_object_to(estimator, check):
    check(estimator)
