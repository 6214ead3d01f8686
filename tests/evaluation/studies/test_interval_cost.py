import json

import numpy as np
import pandas as pd
import pytest

from klforecast.data.datasets import Dataset
from klforecast.data.splits import Borders
from klforecast.evaluation.studies import interval_cost
from klforecast.evaluation.studies.interval_cost import IntervalCost


def test_the_ratio_counts_errors_and_calibration():
    cost = IntervalCost("waves", 6, without=2.0, with_errors=2.1, calibration=0.3, kept_mb=1.0)
    assert cost.ratio == pytest.approx(1.2)


def test_the_command_keeps_a_row_for_each_fit(tmp_path, capsys, monkeypatch):
    values = np.random.default_rng(0).standard_normal((400, 2))
    frame = pd.DataFrame(values, columns=["a", "b"])
    data = Dataset("noise", frame, "0" * 64, (12,), Borders(300, 350, 400), "a", "none", "none")
    monkeypatch.setattr(interval_cost, "load", lambda name: data)
    out = tmp_path / "rows.jsonl"
    interval_cost.main(
        ["--datasets", "noise", "--horizons", "4", "--repeats", "1", "--out", str(out)]
    )
    (row,) = map(json.loads, out.read_text().splitlines())
    assert row["kept_mb"] == pytest.approx(256 * 4 * 2 * 4 / 1e6, rel=0.5)
    assert "ratio" in capsys.readouterr().out
