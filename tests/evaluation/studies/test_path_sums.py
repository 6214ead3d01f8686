import json

import numpy as np
import pandas as pd
import pytest

from klforecast.data.datasets import Dataset
from klforecast.data.splits import Borders
from klforecast.evaluation.studies import path_sums
from klforecast.evaluation.studies.path_sums import Drawn, limits_of_sums, score


def random_walks(n_paths, steps, seed):
    noise = np.random.default_rng(seed).standard_normal((n_paths, steps, 1))
    return noise.cumsum(axis=1)


def test_sums_of_paths_of_the_truth_itself_hold_what_they_say():
    truths = random_walks(400, 10, seed=1)
    rows = score("walks", 10, (Drawn(random_walks(500, 10, seed=2), truth) for truth in truths))
    covered = {row["errors"]: row["coverage"] for row in rows}
    assert covered["together"] == pytest.approx(0.8, abs=0.06)
    assert covered["apart"] < 0.6
    assert rows[0]["steps"] == pytest.approx(0.8, abs=0.05)
    assert rows[0]["sums"] == 400


def test_limits_of_independent_steps_are_the_same_shuffled_or_not():
    paths = np.random.default_rng(0).standard_normal((20000, 5, 2))
    limits = limits_of_sums(paths, np.random.default_rng(1))
    np.testing.assert_allclose(limits["together"], limits["apart"], atol=0.1)


def hours(n):
    index = pd.date_range("2020", periods=n, freq="30min")
    wave = np.sin(np.arange(n) * np.pi / 24)
    values = wave + 0.1 * np.random.default_rng(0).standard_normal(n)
    frame = pd.DataFrame({"load": values, "heat": wave}, index)
    borders = Borders(1200, 1400, 1600)
    return Dataset("hours", frame, "0" * 64, (48,), borders, "load", "none", "none", ("heat",))


def test_horizons_follow_each_other_through_the_test_part_in_hours():
    data = hours(1600)
    drawn = list(path_sums.draw_windows(data, 20))
    assert [part.paths.shape for part in drawn] == [(1000, 20, 1)] * 5
    mean = data.frame["load"].resample("h").mean().to_numpy()
    np.testing.assert_allclose(np.concatenate([part.truth for part in drawn])[:, 0], mean[700:])


def test_the_command_keeps_a_row_for_each_way(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(path_sums, "load", lambda name: hours(1600))
    out = tmp_path / "rows.jsonl"
    path_sums.main(["--datasets", "hours", "--horizons", "24", "--out", str(out)])
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["errors"] for row in rows] == ["together", "apart", "in step"]
    assert "sums over the horizon" in capsys.readouterr().out
