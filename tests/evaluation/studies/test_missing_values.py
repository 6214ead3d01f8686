import numpy as np
import pytest
import torch

from klforecast.evaluation.studies import missing_values
from klforecast.evaluation.studies.missing_values import (
    Setting,
    compare,
    last_cycle,
    removed,
    table,
)


@pytest.fixture
def setting():
    rng = np.random.default_rng(0)
    rows = np.sin(np.arange(900)[:, None] * np.pi / 12 + np.arange(2))
    rows = rows + 0.1 * rng.standard_normal(rows.shape)
    return Setting("waves", rows, 700, 12, np.arange(700, 889, 20))


def test_every_candidate_is_scored_on_the_same_gaps(setting):
    rows = compare(setting, 0.0, "random") + compare(setting, 0.2, "blocks")
    assert [row["candidate"] for row in rows] == [
        "complete", "lines", "last cycle", "mean cycle", "conditional mean", "masked Gram",
    ]  # fmt: skip
    assert all(0 < row["mse"] < 1 for row in rows)
    assert rows[0]["mse"] < min(row["mse"] for row in rows[1:])
    assert table(rows).row_count == 1


@pytest.mark.parametrize("pattern", missing_values.PATTERNS)
def test_the_share_that_was_asked_for_is_removed(pattern):
    gone = removed((5000, 3), 0.2, pattern)
    assert np.abs(gone.mean(axis=0) - 0.2).max() < 0.03
    if pattern == "blocks":
        assert np.diff(np.flatnonzero(np.diff(gone[:, 0].astype(int)) != 0)).max() >= 24


def test_the_last_cycle_fills_forward_and_then_backward():
    nan = torch.nan
    rows = torch.tensor([nan, 1.0, nan, 2.0, 7.0, nan, nan, nan], dtype=torch.float64)[:, None]
    wanted = torch.tensor([7.0, 1.0, 7.0, 2.0, 7.0, 2.0, 7.0, 2.0], dtype=torch.float64)
    assert torch.equal(last_cycle(rows, 2)[:, 0], wanted)


def test_rows_after_a_cutoff_change_no_forecast_before_it(setting):
    changed = setting.rows.copy()
    changed[setting.cutoffs[-1] + setting.horizon :] = 99.0
    other = setting._replace(rows=changed)
    assert [row["mse"] for row in compare(other, 0.2, "random")] == [
        row["mse"] for row in compare(setting, 0.2, "random")
    ]
