import json

import pytest
from sktime.datasets import load_airline
from typer.testing import CliRunner

from klforecast.cli import app
from klforecast.evaluation.leakage import CHECKS
from klforecast.evaluation.leakage.trials.honest import wandering

# The forecasters of the harness go on from the end of `fit`, and sktime says so.
pytestmark = pytest.mark.filterwarnings("ignore:NotImplementedWarning:UserWarning")

NAIVE = "klforecast.evaluation.benchmark.adapter:HarnessForecaster"


def run(*arguments):
    return CliRunner().invoke(app, ["leakage", *map(str, arguments)])


def test_no_leak_is_exit_code_0(tmp_path):
    page = tmp_path / "out" / "report.html"
    result = run(
        NAIVE, "--param", "name=seasonal-naive", "--param", "period=12", "--dataset", "Airline",
        "--horizon", 12, "--out", page,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "no leak found" in result.output
    assert page.read_text().startswith("<!DOCTYPE html>")


PREPARED = """
from klforecast.evaluation.benchmark.adapter import HarnessForecaster

class Shifted(HarnessForecaster):
    def __init__(self, level=0.0, name="persistence"):
        self.level = level
        self.name, self.period, self.validation_fraction = name, 1, 0.2
        self.params, self.random_state = None, 0
        super().__init__(name)

    def _predict(self, fh, X):
        return super()._predict(fh, X) * 0 + self.level

def prepare(y):
    return Shifted(level=float(y.to_numpy().mean()))
"""


def test_a_leak_is_exit_code_1_and_the_working_directory_is_looked_in(tmp_path, monkeypatch):
    (tmp_path / "my_forecasters.py").write_text(PREPARED)
    load_airline().to_timestamp().to_csv(tmp_path / "airline.csv")
    monkeypatch.chdir(tmp_path)
    result = run(
        "my_forecasters:prepare", "--csv", "airline.csv", "--check", "future_perturbation",
        "--check", "refit", "--out", "report.json",
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    read = json.loads((tmp_path / "report.json").read_text())
    assert {row["verdict"] for row in read["rows"]} >= {"leak", "passed"}


def test_a_terminal_of_80_columns_shows_every_check_by_its_whole_name(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    arguments = (NAIVE, "--param", "name=seasonal-naive", "--dataset", "Airline")
    output = run(*arguments).output.rstrip()
    assert max(map(len, output.splitlines())) <= 80
    assert len(output.splitlines()) <= 40
    assert all(f"{check}:" in output for check in CHECKS)
    assert "…" not in output
    verbose = run(*arguments, "--verbose").output
    assert max(map(len, verbose.splitlines())) <= 80
    assert "bit-equal" in verbose
    assert "bit-equal" not in output


SUSPECT = """
from klforecast.evaluation.leakage.trials.cheats.learning import LearnsInPrivate

forecaster = LearnsInPrivate()
"""


def test_what_is_suspicious_is_exit_code_3_and_says_what_would_settle_it(tmp_path, monkeypatch):
    (tmp_path / "suspects.py").write_text(SUSPECT)
    monkeypatch.chdir(tmp_path)
    wandering().to_csv(tmp_path / "walk.csv")
    result = run(
        "suspects:forecaster", "--csv", "walk.csv", "--horizon", 6, "--check", "memory_isolation"
    )
    assert result.exit_code == 3, result.output
    assert "suspicious" in result.output
    assert "settled by" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["naive", "--dataset", "Airline"], "name the forecaster as MODULE:NAME"),
        (["no_such_module:Forecaster", "--dataset", "Airline"], "No module named"),
        ([NAIVE], "pass either --dataset or --csv"),
        ([NAIVE, "--dataset", "Airline", "--out", "report.txt"], "--out takes a file .html"),
        ([NAIVE, "--dataset", "Airline", "--check", "magic"], "unknown check 'magic'"),
        ([NAIVE, "--dataset", "Airline", "--param", "period"], "--param takes NAME=VALUE"),
    ],
)
def test_arguments_that_cannot_be_used_are_exit_code_2(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
