import json
import re

import pytest

from klforecast.evaluation.benchmark.models import ENCODER_BUDGET, ENCODER_CELLS, model
from klforecast.evaluation.benchmark.rows import complete
from klforecast.evaluation.benchmark.runner import expand_cells
from klforecast.evaluation.json_lines import append_line
from klforecast.evaluation.studies.does_memory_help import compare, main, render_page
from klforecast.evaluation.studies.long_recall import BUDGET, recall
from klforecast.evaluation.studies.long_recall import main as recall_main
from klforecast.evaluation.studies.memory_gains import Tally, estimate, tally
from klforecast.modules.encoders import ENCODERS


def row(name, seed, mse, error=None, **changed):
    return complete(
        {
            "dataset": "ETTh1",
            "horizon": 96,
            "fit_on": "train",
            "model": name,
            "seed": seed,
            "mse": mse,
            "cpu_seconds": 2.0,
            "n_test_windows": 2785,
            "changed_params": changed,
            "error": error,
        }
    )


ROWS = [
    *(row("gru/none", seed, 0.5) for seed in range(3)),
    *(row("gru/history", seed, 0.4 + 0.001 * seed) for seed in range(3)),
    row("gru/trajectory", 0, 0.55),
    row("lstm/none", 0, 0.3),
    row("lstm/history", 0, 0.6, error="ValueError: no"),
    row("mamba/history", 0, 0.2),
    row("nlinear", 0, 0.1),
]


def test_the_group_holds_every_encoder_with_every_memory():
    cells = expand_cells(["ETTh1"], ["encoders"], [96])
    names = {cell.model for cell in cells}
    assert names == set(ENCODER_CELLS)
    assert {name.partition("/")[0] for name in names} == {"linear", *ENCODERS}
    assert all(model(name).ours for name in names)


def test_an_unknown_encoder_is_refused_with_the_group():
    with pytest.raises(ValueError, match=r"'gru/all'.*encoders.*'linear/none'"):
        model("gru/all")


def test_gains_are_paired_by_seed_and_failed_rows_do_not_count():
    lines = {line.encoder: line for line in compare(ROWS)}
    assert set(lines) == {"gru", "lstm"}
    gru = lines["gru"].gains
    assert gru["history"].mean == pytest.approx(100 * (1 - 0.401 / 0.5))
    assert (gru["history"].n_seeds, gru["history"].sign) == (3, 1)
    assert (gru["trajectory"].n_seeds, gru["trajectory"].sign) == (1, 0)
    assert not lines["lstm"].gains


def test_an_interval_of_several_seeds_is_students():
    found = estimate([1.0, 2.0, 3.0, 6.0])
    assert found.mean == 3.0
    assert found.half_width == pytest.approx(3.1824 * (14 / 3) ** 0.5 / 2, rel=1e-4)
    assert found.sign == 0


def lines_of(page, name):
    """Cells of the lines of tables that begin with a name."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    return [cells for cells in lines if cells[:1] == [name]]


def test_a_line_of_the_page_holds_errors_gains_and_cost():
    page = render_page(ROWS)
    assert lines_of(page, "gru") == [
        ["gru", "0.5000", "0.4010", "0.5500", "+19.8 ± 0.5 %", "-10.0 %", "2"]
    ]
    missing = set(ENCODERS) - {"gru", "lstm"}
    assert all(name in page for name in missing)
    for name, value in ENCODER_BUDGET.items():
        assert f"{name}={value}" in page


def test_a_longer_window_without_memory_stands_beside_the_memories():
    page = render_page([*ROWS, row("gru/none", 0, 0.45, input_length=432)])
    (line,) = lines_of(page, "gru")
    assert line[1:5] == ["0.5000", "0.4010", "0.5500", "0.4500"]
    assert line[5:8] == ["+19.8 ± 0.5 %", "-10.0 %", "+10.0 %"]
    assert "432" in page


def test_cells_of_another_budget_have_a_table_of_their_own():
    page = render_page([*ROWS, row("lstm/none", 0, 0.2, max_epochs=5)])
    assert [line[1] for line in lines_of(page, "lstm")] == ["0.3000", "0.2000"]
    titles = [line for line in page.splitlines() if line.startswith("## ETTh1")]
    assert ["max_epochs=5" in title for title in titles] == [False, True]


def test_the_page_names_the_commits_that_its_rows_were_measured_at():
    commits = ["a4c62a2fecab", "a4c62a2fecab", "8eab25b-dirty"]
    rows = [one | {"commit": commit} for one, commit in zip(ROWS, commits, strict=False)]
    assert "Measured at the commits a4c62a2 (2 rows), 8eab25b (1 rows)" in render_page(rows)
    assert "Measured at" not in render_page(ROWS)


def test_gains_are_counted_beyond_chance_only_over_seeds():
    gains = [estimate([19.8, 19.9, 19.7]), estimate([-20.2, -20.0, -20.4]), estimate([-10.0])]
    assert tally(gains) == Tally(n=3, n_above=1, median=-10.0, n_helps=1, n_harms=1)


def test_the_medians_of_all_tables_are_told():
    other = [row("gru/none", s, 0.5, max_epochs=5) for s in range(3)]
    other += [row("gru/history", s, 0.6 + 0.001 * s, max_epochs=5) for s in range(3)]
    verdict = next(
        line for line in render_page([*ROWS, *other]).splitlines() if line.startswith("- *history*")
    )
    assert re.findall(r"[+-]\d+\.\d", verdict) == ["-0.2", "+19.8", "-20.2"]


def test_the_history_solves_what_no_window_can():
    assert recall("nlinear", "history", 0)["accuracy"] > 0.95
    assert recall("nlinear", "none", 0)["accuracy"] < 0.35
    assert recall("nlinear", "trajectory", 0)["accuracy"] < 0.35


def test_both_commands_write_what_the_page_reads(tmp_path, monkeypatch):
    monkeypatch.setitem(BUDGET, "n_steps", 1)
    rows, found, page = tmp_path / "rows.jsonl", tmp_path / "recall.jsonl", tmp_path / "page.md"
    for one in ROWS:
        append_line(rows, one)
    recall_main(["--encoders", "gru", "--seeds", "0", "--out", str(found)])
    assert len([json.loads(line) for line in found.read_text().splitlines()]) == 3
    main([str(rows), "--recall", str(found), "--out", str(page)])
    assert len(lines_of(page.read_text(), "gru")) == 2  # of the rows, and of the recall
