import os

import pytest

from klforecast.evaluation.studies import scale_cost as study


def test_a_panel_is_measured_in_parts_by_one_process_and_by_two(monkeypatch):
    monkeypatch.setattr(study, "_SERIES_PER_PART", 20)
    monkeypatch.setattr(study, "_SERIES_TO_WARM", 2)
    one, two = (study.scale_cost(50, 48, workers, local_experts=False) for workers in (1, 2))
    assert one.travelled == two.travelled > 0
    assert one.memory > 100
    lines = study.table([one, two]).columns
    efficiency = next(column for column in lines if column.header == "efficiency")
    assert list(efficiency.cells) == ["1.00", f"{one.wall / (2 * two.wall):.2f}"]


def test_parts_have_the_series_of_their_numbers_and_no_other():
    first, again, second = (study.made_part(number, 3, 24) for number in (0, 0, 1))
    assert not first.keys() & second.keys()
    for key, series in first.items():
        assert (series.values == again[key].values).all()


def test_an_engine_that_is_unknown_to_the_command_is_refused(capsys):
    with pytest.raises(SystemExit):
        study.main(["--engine", "spark"])
    assert "invalid choice: 'spark'" in capsys.readouterr().err


def test_workers_of_dask_keep_the_memory_that_they_have_freed(monkeypatch):
    distributed = pytest.importorskip(
        "distributed", reason="needs Dask: pip install 'klforecast[dask]'"
    )
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with study.processes("dask", 1):
        found = distributed.default_client().run(os.getenv, "MALLOC_TRIM_THRESHOLD_")
    assert set(found.values()) == {None}
