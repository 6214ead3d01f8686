from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from klforecast.estimators.detector import KLMemoryDetector


@parametrize_with_checks([KLMemoryDetector])
def test_sktime_finds_nothing_to_object_to(obj, test_name):
    check_estimator(obj, tests_to_run=test_name, raise_exceptions=True, verbose=False)
