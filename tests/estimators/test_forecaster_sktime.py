import pytest
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from klforecast.estimators.forecaster import KLMemoryForecaster


# sktime shortens series until they are degenerate, passes X for the steps of fh alone, and
# concatenates in a way that pandas deprecates.
@pytest.mark.filterwarnings("ignore:X has no row at .* steps between those of fh:UserWarning")
@pytest.mark.filterwarnings("ignore:column .* of X runs from:UserWarning")
@pytest.mark.filterwarnings("ignore:X was passed to pretrain:UserWarning")
@pytest.mark.filterwarnings("ignore:.*more than the data allow:UserWarning")
@pytest.mark.filterwarnings("ignore:.*is too long for:UserWarning")
@pytest.mark.filterwarnings("ignore:Sorting by default when concatenating all DatetimeIndex")
@pytest.mark.filterwarnings("ignore::klforecast.exceptions.NumericalWarning")
@parametrize_with_checks([KLMemoryForecaster])
def test_sktime_finds_nothing_to_object_to(obj, test_name):
    if test_name == "test_fh_not_passed_error_handling":
        pytest.skip(
            "sktime wants a ValueError of predict() without fh; it forecasts one horizon here"
        )
    check_estimator(obj, tests_to_run=test_name, raise_exceptions=True, verbose=False)
