import json

import numpy as np
import pandas as pd
import pytest

from klforecast.data.collections import Collection
from klforecast.evaluation.studies import many_cutoffs
from klforecast.evaluation.studies.many_cutoffs import main, measure, score_panel, score_series
from klforecast.evaluation.suites.task import SuiteTask


def task_of(n_series, rows, horizon=6, n_windows=1):
    months = pd.date_range("2000-01-01", periods=rows, freq="MS")
    noise = np.random.default_rng(0).normal(size=(n_series, rows))
    waves = 50 + 10 * np.sin(np.arange(rows) * np.pi / 6) + noise
    series = {f"s{i}": pd.DataFrame({"y": own}, months) for i, own in enumerate(waves)}
    collection = Collection("waves", series, "0" * 64, "made up")
    return SuiteTask("waves", "none", collection, horizon, 12, n_windows)


def test_a_series_is_forecast_from_cutoffs_after_each_part_that_is_long_enough():
    sums, count = score_series(task_of(1, 120))
    assert count == 5 * 16 + 7  # after nine tenths there are only seven cutoffs left
    assert sums.result()["mase"] < 1.0


def test_no_row_of_the_test_part_of_a_panel_is_looked_at():
    task = task_of(12, 60)
    known, count = score_panel(task)
    assert count == 4 * 12
    for rows in task.collection.series.values():
        rows.iloc[-6:] = 1e6
    assert score_panel(task)[0].result() == known.result()


@pytest.fixture
def waves(monkeypatch):
    monkeypatch.setattr(many_cutoffs, "corpus_task", lambda _: task_of(1, 100))


def test_a_row_names_the_constants_that_were_changed(waves):
    plain = measure("waves", {})
    changed = measure("waves", {"local.share:_PRIOR": 0.9, "local.share:_DOUBT_OF_FEW": 1e6})
    assert changed["constants"] == {
        "local.share:_PRIOR": "0.9",
        "local.share:_DOUBT_OF_FEW": "1000000.0",
    }
    assert changed["mase"] != plain["mase"]


def test_rows_are_written_and_compared_with_those_of_a_file(waves, tmp_path, capsys):
    out = tmp_path / "rows.jsonl"
    main(["--only", "waves", "--out", str(out)])
    assert json.loads(out.read_text())["config"] == "waves"
    main(["--only", "waves", "--constant", "local.share:_PRIOR=0.45", "--beside", str(out)])
    assert "+0.0 %" in capsys.readouterr().out
