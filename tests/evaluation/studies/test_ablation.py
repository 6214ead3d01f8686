import json

import numpy as np
import pandas as pd
import pytest

from klforecast.core.plan import plan_core
from klforecast.data.datasets import Dataset
from klforecast.data.splits import Borders
from klforecast.evaluation.studies import ablation


def make_data(change_test=False):
    generator = np.random.default_rng(0)
    wave = np.sin(np.arange(900)[:, None] * np.pi / 6 + np.arange(2))
    values = 3 + 2 * wave + 0.3 * generator.standard_normal((900, 2))
    if change_test:
        values[800:] += 5.0
    frame = pd.DataFrame(values, columns=["a", "b"])
    return Dataset("waves", frame, "0" * 64, (12,), Borders(700, 800, 900), "a", "none", "none")


@pytest.fixture(scope="module")
def rows():
    return [
        row
        for horizon in (6, 12)
        for row in ablation.ablate(make_data(), horizon, ablation.VARIANTS)
    ]


def test_every_variant_is_scored_on_every_test_window(rows):
    assert [row["variant"] for row in rows[: len(rows) // 2]] == [
        variant.name for variant in ablation.VARIANTS
    ]
    assert {(row["horizon"], row["n_test_windows"]) for row in rows} == {(6, 95), (12, 89)}
    assert all(0 < row["mse"] < 1 for row in rows)


def test_every_variant_but_the_first_changes_the_plan():
    sizes = {"lengths": [11_520], "channels": 7, "horizon": 96, "periods": [24]}
    plan = plan_core(**sizes)
    first, *others = ablation.VARIANTS
    assert first.edit(plan_core(**sizes, **first.options)) == plan
    for variant in others:
        changed = variant.edit(plan_core(**sizes, **variant.options))
        assert changed != plan, variant.name
        assert changed.experts, variant.name


def test_test_rows_decide_nothing_but_the_score(monkeypatch):
    solved = []

    def remember(panel, plan):
        solved.append(solve(panel, plan))
        return solved[-1]

    solve = ablation.solve_settled
    monkeypatch.setattr(ablation, "solve_settled", remember)
    for changed in (False, True):
        ablation.ablate(make_data(changed), 6, ablation.VARIANTS[:1])
    assert (solved[0].core.weight == solved[1].core.weight).all()


def test_the_command_prints_a_line_for_each_variant_and_writes_its_rows(
    tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(ablation, "load", lambda name: make_data())
    monkeypatch.setattr(ablation, "VARIANTS", ablation.VARIANTS[:2])
    out = tmp_path / "rows.jsonl"
    ablation.main(["--dataset=ETTh1", "--horizons", "6", f"--out={out}"])
    printed = capsys.readouterr().out
    assert "all parts" in printed
    assert "no folded experts" in printed
    assert {json.loads(line)["variant"] for line in out.read_text().splitlines()} >= {"all parts"}
