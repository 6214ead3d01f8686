import json

import pytest
from typer.testing import CliRunner

from klforecast.cli import app
from klforecast.evaluation.cells import run_cells
from klforecast.evaluation.classification import run
from klforecast.evaluation.classification.run import (
    ClassificationCell,
    classification_cells,
    render_table,
)

SMALL = {"n_filters": 32}
CELL = ClassificationCell("UnitTest", "spectral-ssm", 0, SMALL)


def test_a_row_holds_accuracy_cost_and_what_they_were_measured_on(tmp_path):
    (row,) = run_cells(classification_cells(), [CELL], tmp_path / "rows.jsonl")
    assert row["error"] is None
    assert 0.7 < row["accuracy"] <= 1
    assert row["fit_cpu_seconds"] > 0
    assert (row["n_train"], row["n_test"], row["lengths"]) == (20, 22, [24, 24])
    assert row["params"] == SMALL
    assert len(row["dataset_sha256"]) == 64
    assert json.loads((tmp_path / "rows.jsonl").read_text()) == row


def test_finished_cells_are_not_run_again_and_failed_ones_are(tmp_path, monkeypatch):
    out, seen = tmp_path / "rows.jsonl", []
    failing = ClassificationCell("UnitTest", "spectral-ssm", 0, {"n_filters": -1})
    for _ in range(2):
        run_cells(
            classification_cells(),
            [CELL, failing],
            out,
            on_progress=lambda progress: seen.append(progress.is_new),
        )
    assert seen == [True, True, False, True]
    errors = [json.loads(line)["error"] for line in out.read_text().splitlines()]
    assert errors[0] is None
    assert all("n_filters is -1" in error for error in errors[1:])


def test_the_table_marks_the_best_and_averages_the_sets_that_all_have_finished():
    def row(dataset, model, accuracy):
        facts = {"n_train": 5, "lengths": [7, 9], "n_channels": 1, "n_classes": 2, "error": None}
        scores = {"accuracy": accuracy, "log_loss": 1 - accuracy, "fit_cpu_seconds": 2.0}
        return {"dataset": dataset, "model": model} | facts | scores

    table = render_table(
        [
            row("A", "spectral-ssm", 0.9),
            row("A", "spectral-ssm", 0.8),
            row("A", "minirocket", 0.7),
            row("B", "spectral-ssm", 1.0),
        ]
    )
    lines = table.splitlines()
    assert lines[2] == "| A | 5 | 7-9 | 1 | 2 | **0.850** | 0.150 | 2.0 | 0.700 | 0.300 | 2.0 |"
    assert lines[3] == "| B | 5 | 7-9 | 1 | 2 | **1.000** | 0.000 | 2.0 | - | - | - |"
    assert lines[4] == "| mean of 1 |  |  |  |  | 0.8500 | 0.150 | 2.0 | 0.7000 | 0.300 | 2.0 |"


def test_unequal_lengths_go_to_the_panel_classifier():
    data = run.load_labelled("JapaneseVowels")
    part = run.LabelledSeries(data.train.series[:60], data.train.labels[:60])
    model = run.MODELS["spectral-ssm"](0, **SMALL)
    model.fit(part)
    assert type(model.classifier).__name__ == "SpectralSSMPanelClassifier"
    assert model.predict_proba(data.test.series[:5]).shape == (5, 2)


def test_the_command_writes_rows_and_a_table(tmp_path):
    rows, table = tmp_path / "rows.jsonl", tmp_path / "out" / "table.md"
    arguments = ["classify", "--dataset", "UnitTest", "--model", "spectral-ssm"]
    arguments += ["--param", "n_filters=32", "--out", str(rows), "--table", str(table)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "UnitTest           spectral-ssm           seed 0  accuracy" in result.output
    assert table.read_text().startswith("| data | train | length |")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "magic"], "unknown model 'magic'; pass one of spectral-ssm"),
        (["--dataset", "Nothing"], "Nothing_TRAIN"),
    ],
)
def test_wrong_names_are_one_sentence_and_exit_code_2(tmp_path, arguments, message):
    out = ["--out", str(tmp_path / "rows.jsonl")]
    result = CliRunner().invoke(app, ["classify", *arguments, *out])
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
