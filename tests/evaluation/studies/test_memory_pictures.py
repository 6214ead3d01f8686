from sktime.datasets import load_airline

from klforecast.evaluation.studies.memory_pictures import draw_memory


def test_three_pictures_are_written(tmp_path):
    paths = draw_memory(load_airline(), "airline", tmp_path, horizon=12, max_epochs=1)
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert all(path.stat().st_size > 5000 for path in paths)
