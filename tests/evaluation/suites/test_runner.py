import warnings

import numpy as np
import pandas as pd
import pytest

from klforecast.cli import Suite
from klforecast.data.collections import Collection
from klforecast.evaluation.cells import run_cells
from klforecast.evaluation.suites import runner
from klforecast.evaluation.suites.forecasters import SeasonalNaive
from klforecast.evaluation.suites.models import SuiteModel
from klforecast.evaluation.suites.plan import SUITES, plan
from klforecast.evaluation.suites.rows import FIELDS, latest_rows, read_suite_rows
from klforecast.evaluation.suites.runner import SUITE_CELLS, SuiteCell, suite_cells
from klforecast.evaluation.suites.task import SuiteTask


@pytest.fixture
def fits(monkeypatch):
    """Replace data and models by made ones: one model counts its fits, another fails."""
    count = []
    made = {"sha256": "0" * 64}

    def task_of(config):
        rng = np.random.default_rng(1)
        series = {"y": pd.DataFrame({"value": rng.normal(size=50)})}
        return SuiteTask(config, "none", Collection(config, series, made["sha256"], ""), 4, 2, 3)

    class Counting(SeasonalNaive):
        def fit(self, past):
            count.append(len(past["y"]))
            super().fit(past)

    class Failing(Counting):
        def fit(self, past):
            raise RuntimeError("no luck")

    def entry(kind):
        return SuiteModel(lambda task, seed, params: kind(task.horizon, task.season), "")

    monkeypatch.setattr(runner, "_TASKS", {"gift-eval": task_of})

    class Warns(Counting):
        def update(self, rows):
            warnings.warn("careful", UserWarning, stacklevel=2)
            super().update(rows)

    kinds = {"counting": Counting, "failing": Failing, "warning": Warns}
    monkeypatch.setattr(runner, "SUITE_MODELS", {name: entry(kind) for name, kind in kinds.items()})
    return count, made


def cell(model="counting", config="made/D/short") -> SuiteCell:
    return SuiteCell("gift-eval", config, model)


def test_a_finished_configuration_is_not_run_again(fits, tmp_path):
    count, made = fits
    out = tmp_path / "rows.jsonl"
    first = run_cells(SUITE_CELLS, [cell()], out)
    seen = []
    both = run_cells(
        SUITE_CELLS, [cell(), cell(config="made/W/short")], out, on_progress=seen.append
    )
    assert count == [38, 38]
    assert both[0] == first[0]
    assert read_suite_rows(out) == both
    assert [(p.n_done, p.n_cells, p.is_new) for p in seen] == [(1, 2, False), (2, 2, True)]
    assert seen[0].seconds_left is None
    assert seen[1].seconds_left == 0
    run_cells(SUITE_CELLS, [cell()], out, rerun=True)
    made["sha256"] = "1" * 64
    run_cells(SUITE_CELLS, [cell()], out)
    assert count == [38] * 4


def test_two_processes_write_the_rows_of_one(tmp_path):
    cells = [SuiteCell("worlds", config, "seasonal-naive") for config in ("noise/60", "walk/plain")]
    one, two = (
        run_cells(SUITE_CELLS, cells, tmp_path / f"{jobs}.jsonl", n_jobs=jobs) for jobs in (1, 2)
    )
    assert read_suite_rows(tmp_path / "2.jsonl") == two
    of_the_run = {"fit_seconds", "predict_seconds", "cpu_seconds", "peak_memory_mb", "machine"}
    for row, other in zip(one, two, strict=True):
        assert row["error"] is None
        assert {k: v for k, v in row.items() if k not in of_the_run} == {
            k: v for k, v in other.items() if k not in of_the_run
        }


def test_a_row_says_what_was_measured(fits, tmp_path):
    (row,) = run_cells(SUITE_CELLS, [cell()], tmp_path / "rows.jsonl")
    assert set(row) == set(FIELDS)
    assert row["error"] is None
    told = {name: row[name] for name in ("suite", "config", "model", "horizon", "n_windows")}
    assert told == {
        "suite": "gift-eval",
        "config": "made/D/short",
        "model": "counting",
        "horizon": 4,
        "n_windows": 3,
    }
    assert row["params"] == {"horizon": 4, "season": 2}
    for name in ("mase", "crps", "smape", "coverage_90", "fit_seconds", "cpu_seconds", "versions"):
        assert row[name] is not None, name


def test_a_failed_configuration_is_recorded_and_tried_again(fits, tmp_path):
    out = tmp_path / "rows.jsonl"
    rows = run_cells(SUITE_CELLS, [cell("failing"), cell()], out)
    assert [row["error"] for row in rows] == ["RuntimeError: no luck", None]
    run_cells(SUITE_CELLS, [cell("failing"), cell()], out)
    assert [row["model"] for row in read_suite_rows(out)] == ["failing", "counting", "failing"]


def test_what_a_model_warns_of_is_counted_in_its_row(fits, tmp_path):
    rows = run_cells(SUITE_CELLS, [cell("warning"), cell()], tmp_path / "rows.jsonl")
    assert [row["warnings"] for row in rows] == [{"careful": 2}, {}]


def test_a_later_failure_does_not_hide_a_result(fits, tmp_path):
    out = tmp_path / "rows.jsonl"
    (good,) = run_cells(SUITE_CELLS, [cell()], out)
    assert latest_rows([good, {**good, "error": "late"}]) == [good]
    assert latest_rows([{**good, "error": "early"}, good]) == [good]


def test_patterns_choose_configurations_and_models_come_within_each():
    cells = suite_cells(["gift-eval"], ["mean", "theta"], ["saugeen/[WM]/*"])
    assert [(c.config, c.model) for c in cells] == [
        ("saugeen/W/short", "mean"),
        ("saugeen/W/short", "theta"),
        ("saugeen/M/short", "mean"),
        ("saugeen/M/short", "theta"),
    ]


def test_the_command_line_knows_every_suite_and_no_other_is_taken():
    assert {suite.value for suite in Suite} == set(SUITES)
    with pytest.raises(ValueError, match="unknown suite 'm5'; pass one of gift-eval"):
        plan("m5")


def test_a_pattern_without_a_configuration_and_an_unknown_model_are_refused():
    with pytest.raises(ValueError, match=r"no configuration is like 'ett2/\*'; there are ett1/15T"):
        plan("gift-eval", only=["ett2/*"])
    for suite in ("gift-eval", "long-horizon", "everything"):
        with pytest.raises(ValueError, match="unknown model 'prophet'"):
            plan(suite, ["prophet"])


def test_everything_gives_each_protocol_the_models_that_it_knows():
    chosen = plan("everything", ["klmemory", "mean", "ols"], ["ETTh1/9*", "simple/line"])
    assert [(c.config, c.model) for c in chosen.suite_cells] == [
        ("simple/line", "klmemory"),
        ("simple/line", "mean"),
    ]
    assert [(c.dataset, c.model, c.horizon) for c in chosen.window_cells] == [
        ("ETTh1", "klmemory", 96),
        ("ETTh1", "ols", 96),
    ]
    assert chosen.left_out == ["mean"]
