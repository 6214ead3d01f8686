import pytest
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from klforecast.estimators.forecaster import KLMemoryForecaster


# sktime's own helpers and short series warn; what our warnings say is tested beside their causes.
@pytest.mark.filterwarnings("default")
@parametrize_with_checks([KLMemoryForecaster])
def test_sktime_finds_nothing_to_object_to(obj, test_name):
    check_estimator(obj, tests_to_run=test_name, raise_exceptions=True, verbose=False)
