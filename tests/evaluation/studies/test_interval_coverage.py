import json

import numpy as np
import pandas as pd
import pytest

from klforecast.data.datasets import Dataset
from klforecast.data.splits import Borders
from klforecast.evaluation.studies import interval_coverage


def make_data(change_test=False):
    generator = np.random.default_rng(0)
    wave = np.sin(np.arange(1200)[:, None] * np.pi / 6 + np.arange(2))
    values = 3 + 2 * wave + 0.3 * generator.standard_normal((1200, 2))
    if change_test:
        values[1000:] *= 2
    frame = pd.DataFrame(values, columns=["a", "b"])
    return Dataset("waves", frame, "0" * 64, (12,), Borders(800, 900, 1200), "a", "none", "none")


@pytest.fixture(scope="module")
def rows():
    return interval_coverage.window_rows(make_data(), 6, every=2)


def test_every_model_is_scored_on_the_same_windows(rows):
    assert {row["n_windows"] for row in rows} == {148}
    assert len({row["model"] for row in rows}) == len(rows) == 5


def test_intervals_of_a_steady_series_cover_what_they_say(rows):
    for row in rows:
        if "normal" not in row["model"]:
            assert abs(row["coverage_80"] - 0.8) < 0.06, row["model"]
            assert abs(row["coverage_95"] - 0.95) < 0.04, row["model"]
            assert row["width_80"] < row["width_95"]


def test_a_better_forecast_has_the_lower_crps(rows):
    crps = {row["model"]: row["crps"] for row in rows}
    assert crps["klmemory, frozen"] < crps["seasonal naive, conformal"]


def test_only_who_follows_notices_that_the_test_part_is_another():
    frozen, followed, *_ = interval_coverage.window_rows(make_data(change_test=True), 6, every=2)
    assert followed["coverage_80"] > frozen["coverage_80"] + 0.02


def test_scores_are_those_of_the_definition():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((5, 4, 2))
    quantiles = np.sort(rng.standard_normal((5, 4, 2, 44)), axis=-1)
    scores = interval_coverage.score_intervals(
        iter([(truth[:2], quantiles[:2]), (truth[2:], quantiles[2:])])
    )
    low, high = quantiles[..., 1], quantiles[..., 2]
    assert scores.coverage_80 == ((low <= truth) & (truth <= high)).mean()
    assert scores.width_80 == pytest.approx((high - low).mean())
    gap = truth[..., None] - quantiles
    loss = np.maximum(interval_coverage.LEVELS * gap, (interval_coverage.LEVELS - 1) * gap)
    assert scores.crps == pytest.approx(2 * loss[..., 4:].mean())
    assert scores.n_windows == 5


def make_panel():
    rng = np.random.default_rng(0)
    parts = {
        name: pd.DataFrame({"y": 10.0 + scale * rng.standard_normal(120).cumsum()})
        for name, scale in zip("abcdefgh", range(1, 9), strict=True)
    }
    frame = pd.concat(parts, names=["series"])
    return Dataset("walks", frame, "0" * 64, (), None, "y", "none", "none", horizon=4)


# Eight short series have fewer modes than the default asks for.
@pytest.mark.filterwarnings("ignore:.*more than the data allow:UserWarning")
def test_series_of_a_panel_are_scored_in_their_own_units():
    rows = interval_coverage.holdout_rows(make_panel())
    assert {row["n_windows"] for row in rows} == {8}
    # Walks of eight sizes: in its own unit, four steps of each are a few units wide.
    assert all(2 < row["width_80"] < row["width_95"] < 40 for row in rows)


def test_the_command_prints_a_table_and_keeps_the_rows(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(interval_coverage, "load", lambda name: make_data())
    out = tmp_path / "rows.jsonl"
    interval_coverage.main(
        ["--datasets", "waves", "--horizons", "6", "--every", "10", "--out", str(out)]
    )
    kept = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(kept) == 5
    assert "waves, horizon 6: 30 windows" in capsys.readouterr().out
