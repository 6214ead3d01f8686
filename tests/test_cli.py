import json

import pytest
from typer.testing import CliRunner

from klforecast.cli import app

run = CliRunner().invoke


def test_the_demo_prints_errors_and_draws_its_picture(tmp_path):
    path = tmp_path / "demo.svg"
    result = run(app, ["demo", "--plot", str(path)])
    assert result.exit_code == 0, result.output
    assert all(
        name in result.output for name in ("KLMemoryForecaster", "Theta", "seasonal naive", "sMAPE")
    )
    assert "<svg" in path.read_text()


def test_a_picture_of_an_unknown_form_is_one_sentence_and_exit_code_2(tmp_path):
    result = run(app, ["demo", "--plot", str(tmp_path / "demo.nothing")])
    assert result.exit_code == 2
    assert "Error: Format 'nothing' is not supported" in result.output


def test_benchmark_then_report(tmp_path):
    rows, page = tmp_path / "rows.jsonl", tmp_path / "out" / "report.html"
    arguments = ["benchmark", "--dataset", "Airline", "--horizon", "12", "--out", str(rows)]
    names = ["--model", "persistence", "--model", "seasonal-naive", "--model", "theta"]
    result = run(app, [*arguments, *names])
    assert result.exit_code == 0, result.output
    assert "3 of 3 cells have a result" in result.output
    assert [json.loads(line)["model"] for line in rows.read_text().splitlines()] == [
        "persistence",
        "seasonal-naive",
        "theta",
    ]
    again = run(app, [*arguments, *names])
    assert again.output.count("(in the file already)") == 3
    assert run(app, ["report", str(rows), "--out", str(page)]).exit_code == 0
    assert page.read_text().startswith("<!DOCTYPE html>")
    markdown = run(app, ["report", str(rows), "--format", "markdown"])
    assert "### airline" in markdown.output


def test_a_failed_cell_is_exit_code_1(tmp_path):
    rows = tmp_path / "rows.jsonl"
    arguments = ["--dataset", "airline", "--model", "nlinear", "--horizon", "12"]
    result = run(app, ["benchmark", *arguments, "--out", str(rows)])
    assert result.exit_code == 1
    assert "failed: ValueError" in result.output
    assert "do not give one training window" in json.loads(rows.read_text())["error"]


def test_settings_can_be_changed(tmp_path):
    rows = tmp_path / "rows.jsonl"
    arguments = ["--dataset", "airline", "--model", "theta", "--horizon", "12", "--out", str(rows)]
    result = run(app, ["benchmark", *arguments, "--param", "depth=48"])
    assert result.exit_code == 0, result.output
    row = json.loads(rows.read_text())
    assert row["changed_params"] == {"depth": 48}
    assert row["memory_depth"] == 48


def test_a_suite_then_its_report(tmp_path):
    rows, page = tmp_path / "rows.jsonl", tmp_path / "suites.html"
    arguments = ["benchmark", "--suite", "worlds", "--only", "simple/line", "--out", str(rows)]
    result = run(app, [*arguments, "--model", "seasonal-naive"])
    assert result.exit_code == 0, result.output
    assert "1 of 1 cells have a result" in result.output
    assert "broken: worse, exact" in result.output
    again = run(app, [*arguments, "--model", "seasonal-naive"])
    assert again.output.count("(in the file already)") == 1
    assert run(app, ["report", str(rows), "--out", str(page)]).exit_code == 0
    assert "Generated worlds" in page.read_text()
    assert "## Generated worlds" in run(app, ["report", str(rows), "--format", "markdown"]).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "ols"], "pass either --dataset or --suite"),
        (["--dataset", "airline", "--suite", "worlds"], "pass either --dataset or --suite"),
        (["--dataset", "airline"], "--dataset needs --model"),
        (["--suite", "worlds", "--horizon", "12"], "a suite has its own horizons"),
        (["--suite", "worlds", "--only", "moon/*"], "no configuration is like 'moon/*'"),
        (["--suite", "worlds", "--model", "magic"], "unknown model 'magic' of the suites"),
        (["--dataset", "ETTh9", "--model", "ols"], "unknown data set 'ETTh9'; pass one of ETTh1"),
        (["--dataset", "airline", "--model", "magic"], "unknown model 'magic'; pass one of"),
        (["--dataset", "airline", "--model", "ols"], "airline has no horizon of its own"),
        (
            ["--dataset", "airline", "--model", "ols", "--horizon", "12", "--param", "depth"],
            "--param takes NAME=VALUE, got 'depth'",
        ),
    ],
)
def test_wrong_names_are_one_sentence_and_exit_code_2(tmp_path, arguments, message):
    result = run(app, ["benchmark", *arguments, "--out", str(tmp_path / "rows.jsonl")])
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert list(tmp_path.iterdir()) == []


def test_models_and_data_sets_are_listed(monkeypatch, tmp_path):
    (tmp_path / "ETTh1.csv").touch()
    monkeypatch.setenv("KLFORECAST_DATA", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    result = run(app, ["datasets"])
    assert result.exit_code == 0
    assert str(tmp_path / "ETTh1.csv") in result.output
    assert result.output.count("ships with sktime") == 7
    listed = run(app, ["models"]).output
    assert "itransformer" in listed
    assert "autotheta" in listed
