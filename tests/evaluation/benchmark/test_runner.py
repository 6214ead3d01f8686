from dataclasses import replace

import numpy as np
import pytest

from klforecast.evaluation.benchmark import models, runner
from klforecast.evaluation.benchmark.models import MODELS, Model
from klforecast.evaluation.benchmark.protocol import Cell
from klforecast.evaluation.benchmark.rows import FIELDS, read_rows
from klforecast.evaluation.benchmark.runner import benchmark_cells, expand_cells
from klforecast.evaluation.cells import run_cells


@pytest.fixture
def load_waves(monkeypatch, waves):
    monkeypatch.setattr(runner, "load", lambda name: waves)
    return waves


@pytest.fixture
def fits(monkeypatch):
    """Replace the registry by one model that counts its fits and one that fails."""
    count = []

    class Counting:
        def __init__(self, task):
            self.horizon = task.horizon

        def get_params(self):
            return {"horizon": self.horizon}

        def fit(self, y):
            count.append(self.horizon)

        def predict_windows(self, y, cutoffs):
            return np.zeros((len(cutoffs), self.horizon, 3))

    class Failing(Counting):
        def fit(self, y):
            raise RuntimeError("no luck")

    registry = {"counting": Model(Counting, ""), "failing": Model(Failing, "")}
    monkeypatch.setattr(models, "MODELS", registry)
    monkeypatch.setattr(runner, "MODELS", registry)
    return count


def test_a_finished_cell_is_not_run_again(load_waves, fits, tmp_path):
    out = tmp_path / "rows.jsonl"
    cells = [Cell("waves", "counting", horizon) for horizon in (4, 8)]
    first = run_cells(benchmark_cells(), cells[:1], out)
    both = run_cells(benchmark_cells(), cells, out)
    assert fits == [4, 8]
    assert both[0] == first[0]
    assert read_rows(out) == both
    run_cells(benchmark_cells(), cells, out, rerun=True)
    assert fits == [4, 8, 4, 8]


def test_other_data_or_versions_make_a_cell_run_again(load_waves, fits, tmp_path, monkeypatch):
    out = tmp_path / "rows.jsonl"
    cells = [Cell("waves", "counting", 4)]
    run_cells(benchmark_cells(), cells, out)
    monkeypatch.setattr(runner, "load", lambda name: replace(load_waves, sha256="1" * 64))
    run_cells(benchmark_cells(), cells, out)
    monkeypatch.setattr(runner.machine, "versions", lambda extra: {"torch": "99"})
    run_cells(benchmark_cells(), cells, out)
    assert fits == [4, 4, 4]


def test_a_failed_cell_is_recorded_and_tried_again(load_waves, fits, tmp_path):
    out = tmp_path / "rows.jsonl"
    seen = []
    cells = [Cell("waves", "failing", 4), Cell("waves", "counting", 4)]
    rows = run_cells(benchmark_cells(), cells, out, on_progress=seen.append)
    assert rows[0]["error"] == "RuntimeError: no luck"
    assert rows[0]["mse"] is None
    assert rows[1]["error"] is None
    run_cells(benchmark_cells(), cells, out)
    assert [row["model"] for row in read_rows(out)] == ["failing", "counting", "failing"]
    assert [(p.n_done, p.n_cells, p.is_new) for p in seen] == [(1, 2, True), (2, 2, True)]
    assert seen[1].seconds_left == 0


def test_an_unknown_data_set_fails_its_cell_only(fits, tmp_path):
    rows = run_cells(benchmark_cells(), [Cell("nowhere", "counting", 4)], tmp_path / "rows.jsonl")
    assert "unknown data set 'nowhere'" in rows[0]["error"]


def test_a_row_holds_every_field(load_waves, tmp_path):
    row = run_cells(
        benchmark_cells(),
        [Cell("waves", "ols", 4, params={"lookback": 24})],
        tmp_path / "rows.jsonl",
    )[0]
    assert tuple(row) == FIELDS
    assert row["dataset_sha256"] == load_waves.sha256
    assert row["borders"] == [400, 500, 650]
    assert row["n_test_windows"] == 147
    assert row["params"] == {"horizon": 4, "lookback": 24}
    assert row["changed_params"] == {"lookback": 24}
    assert row["n_parameters"] == 96
    assert (row["input_length"], row["memory_depth"]) == (24, 24)
    assert row["versions"]["torch"]
    assert row["machine"]["threads"] >= 1
    missing = {"smape", "mase", "published", "error", "commit"}
    assert {name for name in FIELDS if row[name] is None} <= missing | {"peak_memory_mb"}


def test_cells_are_every_combination_and_seeds_only_where_they_matter():
    cells = expand_cells(["airline"], ["ols", "nlinear"], [4, 8], seeds=[0, 1])
    assert [(cell.model, cell.seed, cell.horizon) for cell in cells] == [
        ("ols", 0, 4),
        ("ols", 0, 8),
        ("nlinear", 0, 4),
        ("nlinear", 0, 8),
        ("nlinear", 1, 4),
        ("nlinear", 1, 8),
    ]


@pytest.mark.parametrize(("name", "horizons"), [("etth1", [96, 192, 336, 720]), ("M4Weekly", [13])])
def test_the_horizons_are_those_of_the_protocol(load_real, name, horizons):
    load_real({"etth1": "ETTh1"}.get(name, name))
    assert [cell.horizon for cell in expand_cells([name], ["ols"])] == horizons


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown data set 'ETTh3'; pass one of ETTh1, "):
        expand_cells(["ETTh3"], ["ols"])
    with pytest.raises(ValueError, match="unknown model 'magic'; pass one of klmemory, "):
        expand_cells(["airline"], ["magic"])
    with pytest.raises(ValueError, match="airline has no horizon of its own; pass one"):
        expand_cells(["airline"], ["ols"])


def test_a_model_whose_library_is_missing_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(MODELS, "absent", Model(len, "", needs=("no_such_library",)))
    with pytest.raises(ImportError, match=r"needs no_such_library; .* klforecast\[peers\]"):
        expand_cells(["airline"], ["absent"], [4])
