from sktime.datasets import load_airline

from klforecast.estimators.forecaster import KLMemoryForecaster
from klforecast.evaluation.memory_pictures import draw_memory


def test_two_pictures_are_written(tmp_path):
    forecaster = KLMemoryForecaster(horizon=12).fit(load_airline())
    paths = draw_memory(forecaster, "airline", tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert all(path.stat().st_size > 5000 for path in paths)
